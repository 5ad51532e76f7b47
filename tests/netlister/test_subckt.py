"""A circuit as a subcircuit computes in decks that are not ours, each copy from a start of its own."""

import dataclasses
import re
import runpy
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest
from deck_zoo import ngspice, printed
from scipy.integrate import solve_ivp
from zoo import PAPER_ROWS

import analogflow as af
from analogflow.cli import main
from analogflow.families.files import read_problem
from analogflow.netlister import DIALECTS, Deck, write_subcircuit

ROOT = Path(__file__).parents[2]
RESONATOR = ROOT / "examples/flows/driven_resonator.toml"
NOISY = {"hopfield-law-ideal", "langevin-overdamped-ideal"}
QUICK = {"rate-distortion-logdomain-ideal", "transport-scaling-ideal"}
NAMES = sorted(path.stem for path in (ROOT / "netlists").glob("*.cir"))


def ports(library: Path) -> list[str]:
    head = re.search(r"^\.subckt \w+ (.*?)(?: params:.*)?$", library.read_text(encoding="ascii"), re.M)
    assert head is not None
    return head[1].split()


DRIVEN = frozenset({"vref", "vrefn", "vlow", "hold"})


def own(path: Path, library: Path, instances: dict[str, str], lines: list[str], shared: Collection[str] = DRIVEN) -> Path:
    """A deck of somebody else's: copies whose nodes are named ``COPY_PORT``, but for those they share."""
    deck = ["two copies in a deck of one's own", f".include {library.name}"]
    for copy, given in instances.items():
        nodes = [port if port in shared else f"{copy}_{port}" for port in ports(library)]
        deck += [f"X{copy} {' '.join(nodes)} {library.stem} {given}"]
    path.write_text("\n".join([*deck, *lines, ".end", ""]), encoding="ascii")
    return path


@pytest.mark.ngspice
def test_two_copies_of_a_linear_flow_end_where_scipy_ends_from_their_starts(tmp_path):
    """y'' = -y - 0.3 y' + push + 0.2 sin(2.5 t), written here anew."""
    knots = ((0.0, 1.0, 2.0, 5.0, 5.5, 6.0), (0.0, 1.0, 0.0, 0.0, -1.0, 0.0))
    problem = read_problem(str(RESONATOR))
    library, _ = write_subcircuit(af.netlist(af.compile(af.flows.custom(problem))), tmp_path / "bench.cir", name="resonator")
    starts = {"a": (0.0, 0.0), "b": (1.5, -0.5)}
    given = {copy: f"start_integrator0_0={y} start_integrator1_0={v}" for copy, (y, v) in starts.items()}
    lines = [".options reltol=1e-6 vntol=1e-12 abstol=1e-12", ".tran 0.001 12.0 0 0.001 uic"]
    lines += [f".meas tran answer_{copy} find v({copy}_answer_y) at=12.0" for copy in starts]
    found = printed(ngspice(own(tmp_path / "own.cir", library, given, lines)))
    for copy, start in starts.items():
        run = solve_ivp(
            lambda t, x: (x[1], -x[0] - 0.3 * x[1] + np.interp(t, *knots) + 0.2 * np.sin(2.5 * t)),
            (0.0, 12.0), start, rtol=1e-10, atol=1e-12, max_step=0.05,
        )  # fmt: skip
        assert found[f"answer_{copy}"] == pytest.approx(run.y[0, -1], abs=2e-6)
    assert abs(found["answer_a"] - found["answer_b"]) > 0.1


@pytest.mark.slow
@pytest.mark.ngspice
@pytest.mark.parametrize("technology", ["ideal", "opamp", "translinear"])
def test_two_copies_of_a_channel_find_its_capacity_from_two_starts(tmp_path, technology):
    circuit = af.compile(af.flows.capacity(af.Channel(PAPER_ROWS)), technology=technology)
    deck = af.netlist(circuit, time_constants=100)
    library, bench = write_subcircuit(deck, tmp_path / "bench.cir", name="channel")
    alone = printed(ngspice(bench))
    benched = bench.read_text(encoding="ascii").splitlines()
    driven = [line for line in benched if re.match(r"V\w+ (vref|vrefn|vlow|hold) ", line)]
    assert bool(driven) == (technology != "ideal")
    states = re.findall(r"start_(\w+)=(\S+)", library.read_text(encoding="ascii"))
    pushes = zip(states, (0.04, 0.0, -0.04), strict=True)
    pushed = " ".join(f"start_{node}={float(volts) + push}" for (node, volts), push in pushes)
    step, soon = 0.01 * circuit.units.time_constant, circuit.release + 0.02 * circuit.units.time_constant
    lines = [*driven, next(line for line in benched if line.startswith(".options"))]
    lines += [f".tran {step!r} {deck.end_time!r} 0 {step!r} uic"]
    for copy in ("one", "two"):
        lines += [f"B{copy} apart_{copy} 0 v=v({copy}_{states[0][0]})-v({copy}_{states[2][0]})"]
        lines += [f".meas tran answer_{copy} find v({copy}_answer_z_0) at={deck.end_time!r}"]
        lines += [f".meas tran mean_{copy} find v(apart_{copy}) at={soon!r}"]
    found = printed(ngspice(own(tmp_path / "own.cir", library, {"one": "", "two": pushed}, lines)))
    for copy in ("one", "two"):
        assert found[f"answer_{copy}"] == pytest.approx(alone["answer_z_0"], abs=1e-6 if technology == "ideal" else 1e-5)
    assert found["mean_two"] - found["mean_one"] == pytest.approx(0.08, rel=0.05)


@pytest.fixture(scope="module")
def decks() -> dict[str, Deck]:
    """Every deck of netlists/, as scripts/generate.py makes it."""
    return {name.removesuffix(".cir"): deck for name, deck in runpy.run_path(str(ROOT / "scripts/generate.py"))["decks"]()}


@pytest.mark.ngspice
@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NAMES])
def test_two_copies_of_every_committed_circuit_answer_as_it_does(decks, tmp_path, name):
    """In a deck that is not ours, whose only lines of ours are what drives both copies, and how long and finely it runs."""
    deck = decks[name]
    if name in NOISY:  # whose path two copies follow by other steps than one, to what these are worth
        deck = dataclasses.replace(deck, largest_step=deck.largest_step / 20)
    library, bench = write_subcircuit(deck, tmp_path / "bench.cir", name="circuit")
    benched = bench.read_text(encoding="ascii").splitlines()
    driven = [line for line in benched if line.startswith("V")]
    shared = {line.split()[1] for line in driven}
    lines = [*driven, *(line for line in benched if line.startswith((".options", ".temp", ".tran")))]
    # Noise in a deck is met by other steps than noise from a file, so there a copy is held against the bench.
    alone = printed(ngspice(bench if name in NOISY else deck.write(tmp_path / "alone.cir")))
    answers = [name for name in alone if name.startswith("answer_")]
    assert answers
    for copy in ("one", "two"):
        lines += [f".meas tran {answer}_{copy} find v({copy}_{answer}) at={deck.end_time!r}" for answer in answers]
    found = printed(ngspice(own(tmp_path / "own.cir", library, {"one": "", "two": ""}, lines, shared)))
    for copy in ("one", "two"):
        copied = {answer: found[f"{answer}_{copy}"] for answer in answers}
        # Of which ngspice prints seven digits.
        assert copied == pytest.approx({answer: alone[answer] for answer in answers}, rel=1e-6, abs=1e-6)


def test_one_file_holds_the_circuit_and_the_other_what_drives_it(tmp_path):
    circuit = af.compile(af.flows.capacity(af.Channel(PAPER_ROWS)), technology="translinear")
    library, bench = write_subcircuit(af.netlist(circuit), tmp_path / "bench.cir", name="channel")
    assert ports(library)[-2:] == ["vlow", "hold"]
    assert {"u0", "answer_z_2"} < set(ports(library))
    inside, outside = library.read_text(encoding="ascii"), bench.read_text(encoding="ascii")
    assert inside.index(".subckt channel") < inside.index(".model qn") < inside.index(".ends channel")
    assert "\nVvlow" not in inside
    assert "\nVhold hold 0 pwl(" in outside
    assert f"\nX1 {' '.join(ports(library))} channel\n" in outside
    assert not any("i(vz0)" in line for line in outside.splitlines() if not line.startswith("*"))


@pytest.mark.ngspice
@pytest.mark.parametrize("technology", ["ideal", "translinear"])
def test_a_simulator_that_is_not_ngspice_runs_the_bench(tmp_path, technology):
    neospice = pytest.importorskip("neospice")
    circuit = af.compile(af.flows.capacity(af.Channel(PAPER_ROWS)), technology=technology)
    _, bench = write_subcircuit(af.netlist(circuit, time_constants=60), tmp_path / "bench.cir", name="channel")
    alone, run = printed(ngspice(bench)), neospice.run(str(bench)).transient
    for name, value in alone.items():
        assert float(run.voltage(name)[-1]) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "spectre"])
@pytest.mark.parametrize("technology", ["ideal", "opamp", "translinear"])
def test_spicelib_finds_every_element_inside(tmp_path, technology, dialect):
    spicelib = pytest.importorskip("spicelib")
    circuit = af.compile(af.flows.capacity(af.Channel(PAPER_ROWS)), technology=technology)
    library, bench = write_subcircuit(af.netlist(circuit), tmp_path / "bench.cir", name="channel", dialect=dialect)
    inside = spicelib.SpiceEditor(str(bench)).get_subcircuit("X1").get_components()
    text = re.sub(r"^\.subckt (?!channel).*?^\.ends\n", "", library.read_text(encoding="ascii"), flags=re.M | re.S)
    assert set(inside) == {name.upper() for name in re.findall(r"^([A-Z]\w+) ", text, re.M)}


def test_noise_comes_from_outside(tmp_path):
    well = af.Langevin("(x**2 - 1)**2", variables=["x"], temperature=0.5)
    circuit = af.degrade(af.compile(af.flows.langevin(well)), noise=af.Noise(0.0, seed=1, step=0.1))
    library, bench = write_subcircuit(af.netlist(circuit, time_constants=2), tmp_path / "bench.cir", name="well")
    assert "noise_source0_0" in ports(library)
    assert "pwl" not in library.read_text(encoding="ascii")
    assert "Vnoise_source0_0 noise_source0_0 0 pwl(" in bench.read_text(encoding="ascii")


def test_the_command_line_writes_both_files_and_refuses_what_it_can_not(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savetxt("channel.csv", PAPER_ROWS, delimiter=",")
    wanted = ["netlist", "capacity", "channel.csv", "-o", "bench.cir", "--subckt"]
    assert main([*wanted, "channel"]) == 0
    assert "* expected:  capacity_nats = 0.2523436257\n" in Path("channel.lib").read_text(encoding="ascii")
    assert "a deck that places it" in capsys.readouterr().out
    for arguments, said in (
        ([*wanted, "channel"], "exists already"),
        ([*wanted, "a channel"], "can not name a part of a circuit"),
        ([*wanted, ""], "can not name a part of a circuit"),
        ([*wanted, "x", "--format", "verilog-a"], "--subckt are of SPICE text"),
        (["netlist", "capacity", "channel.csv", "-o", "y.cir", "--subckt", "--dialect", "spectre"], "has no subcircuit"),
        (["netlist", "capacity", "channel.csv", "-o", "x.lib", "--subckt", "x"], "give the bench another name"),
    ):
        assert main(arguments) == 2
        assert said in capsys.readouterr().err
    assert not Path("x.lib").exists()
