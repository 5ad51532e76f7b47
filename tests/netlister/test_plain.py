"""Plain decks give the answers of the ordinary ones, and programs that are not ours read them."""

import dataclasses
import re
import runpy
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from deck_zoo import ngspice, printed
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_reader import read_raw
from zoo import PAPER_ROWS

import analogflow as af
from analogflow.circuit import Capacitor
from analogflow.flows import Flow
from analogflow.netlister.deck import Deck
from analogflow.netlister.plain import DIALECTS, plain_deck

ROOT = Path(__file__).parents[2]
NOISY = {"hopfield-law-ideal", "langevin-overdamped-ideal"}
LATCHES, DELAYS = "custom-triangle-generator-ideal", "custom-mackey-glass-ideal"
REMEMBERS = {LATCHES, DELAYS}  # switches that latch and lines that delay: S and T, which only ngspice runs as they are meant
QUICK = ["capacity-logdomain-ideal", "capacity-logdomain-opamp",
         "capacity-logdomain-translinear", "custom-driven-resonator-ideal", "transport-adaptive-scaling-ideal"]  # fmt: skip
OF_SPICE = [name for name in DIALECTS if name != "spectre"]
NAMES = sorted(path.stem for path in (ROOT / "netlists").glob("*.cir"))
FEW_THEN_ALL = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NAMES]


@pytest.fixture(scope="module")
def decks() -> dict[str, Deck]:
    """Every deck of netlists/, as scripts/generate.py makes it."""
    return {name.removesuffix(".cir"): deck for name, deck in runpy.run_path(str(ROOT / "scripts/generate.py"))["decks"]()}


def ended(deck: Deck, folder: Path) -> dict[str, float]:
    """Last values of the nodes of a plain deck's answers, with all their digits."""
    path = deck.write(folder / "whole.cir", force=True)
    ngspice(path, "-r", "whole.raw")
    (plot,) = read_raw(folder / "whole.raw")
    return {name[2:-1]: float(values[-1]) for name, values in plot.vectors.items() if name.startswith("v(answer_")}


@pytest.mark.ngspice
@pytest.mark.parametrize("name", [pytest.param(case.values[0], marks=case.marks) for case in FEW_THEN_ALL
                                  if case.values[0] not in NOISY])  # fmt: skip
def test_a_plain_deck_gives_the_answer_of_the_ordinary_one(decks, tmp_path, name):
    deck = decks[name]
    ordinary = printed(ngspice(deck.write(tmp_path / "ordinary.cir")))
    found = ended(plain_deck(deck), tmp_path)
    assert ordinary
    assert found == pytest.approx(ordinary, rel=0, abs=1e-9 if deck.circuit.parts is None else 1e-6)
    measured = printed(ngspice(tmp_path / "whole.cir"))
    assert measured == pytest.approx(found, rel=1e-6, abs=1e-7)  # of which ngspice prints seven digits


@pytest.mark.ngspice
def test_a_law_is_the_same_with_noise_in_the_deck_as_from_a_file(tmp_path):
    """The two take other steps between knots, so they agree to what their steps are worth, and meet as these get short."""
    well = af.Langevin("(x**2 - 1)**2 + 0.3*x", variables=["x"], temperature=0.5)
    circuit = af.degrade(af.compile(af.flows.langevin(well)), noise=af.Noise(0.0, seed=1, step=0.05))
    apart = []
    for step in (0.05, 0.0008):
        deck = af.netlist(circuit, time_constants=20, largest_step=step)
        ordinary = printed(ngspice(deck.write(tmp_path / "ordinary.cir", force=True)))
        plain = printed(ngspice(plain_deck(deck).write(tmp_path / "plain.cir", force=True)))
        assert set(ordinary) == set(plain) == {"answer_energy", "answer_x", "mean_x", "covariance_x_x"}
        apart.append(max(abs(ordinary[name] - plain[name]) for name in ordinary))
    assert apart[0] < 1e-3
    assert apart[1] < 1e-5
    assert not plain_deck(deck).tables


@pytest.mark.few(5)
@pytest.mark.ngspice
@pytest.mark.parametrize("name", FEW_THEN_ALL)
def test_what_the_parser_of_pyspice_builds_gives_the_same_answer(decks, tmp_path, name):
    deck = plain_deck(decks[name])
    found = ended(deck, tmp_path)
    program = Path(__file__).with_name("foreign.py")
    done = subprocess.run([sys.executable, program, "whole.cir"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = (line.split() for line in done.stdout.splitlines() if line.startswith("answer_"))
    assert {name: float(value) for name, value in lines} == pytest.approx(found, rel=0, abs=1e-6)


@pytest.mark.ngspice
@pytest.mark.parametrize("name", [case for case in FEW_THEN_ALL if case.values[0] not in NOISY | REMEMBERS])
def test_a_simulator_that_is_not_ngspice_finds_the_same_answer(decks, tmp_path, name):
    neospice = pytest.importorskip("neospice")
    deck = plain_deck(decks[name])
    found = ended(deck, tmp_path)
    run = neospice.run(str(tmp_path / "whole.cir")).transient
    assert {answer: float(run.voltage(answer)[-1]) for answer in found} == pytest.approx(found, rel=0, abs=1e-6)


ANALYSES = {"InitialCondition", "Options", "Save", "Transient", "Measure", "Temperature"}


@pytest.mark.parametrize("name", sorted(set(NAMES) - REMEMBERS))
def test_inspice_reads_every_line_and_builds_every_element(decks, tmp_path, name):
    pytest.importorskip("InSpice")
    from InSpice.Spice.Parser import SpiceFile  # pyright: ignore[reportMissingImports]
    from InSpice.Spice.Parser.Translator import Builder  # pyright: ignore[reportMissingImports]

    source = SpiceFile(path=str(plain_deck(decks[name]).write(tmp_path / "deck.cir")))
    lines = list(source.obj_lines)
    builds = types.SimpleNamespace(title="", obj_lines=[line for line in lines if type(line).__name__ not in ANALYSES])
    assert {"Element", "InitialCondition", "Transient", "Measure"} <= {type(line).__name__ for line in lines}
    elements = {line.split()[0] for line in plain_deck(decks[name]).body if re.match("[RCGIVQ]", line)}
    assert elements <= {line.split()[0] for line in str(Builder().translate(builds)).splitlines() if line}


@pytest.mark.parametrize("dialect", ["ordinary", *OF_SPICE])
@pytest.mark.parametrize("name", NAMES)
def test_spicelib_reads_every_deck_of_every_dialect_and_writes_it_as_it_was(decks, tmp_path, name, dialect):
    spicelib = pytest.importorskip("spicelib")
    if name in REMEMBERS and dialect in ("ltspice", "xyce"):
        pytest.skip("it is refused, as another test holds")
    deck = decks[name] if dialect == "ordinary" else plain_deck(decks[name], dialect)
    editor = spicelib.SpiceEditor(str(deck.write(tmp_path / "deck.cir")))
    editor.save_netlist(str(tmp_path / "again.cir"))

    def statements(file: str) -> list[str]:
        lines = (tmp_path / file).read_text(encoding="ascii").splitlines()
        return [line.strip() for line in lines if line.strip() and not line.startswith("*")]

    assert statements("again.cir") == statements("deck.cir")
    # It knows no A but LTspice's: what plays noise from a file is part of the model's line to it.
    parts = {line.split()[0].upper() for line in deck.body[deck.body.index(first_group(deck)) :] if line[0].isalpha()}
    assert {name for name in parts if name[0] != "A"} <= set(editor.get_components())


@pytest.mark.ngspice
@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in NOISY else pytest.mark.slow) for name in NAMES])
def test_a_committed_deck_that_spicelib_rewrote_runs_to_the_same_answer(tmp_path, name):
    spicelib = pytest.importorskip("spicelib")
    for noise in (ROOT / "netlists").glob("noise-*.txt"):
        (tmp_path / noise.name).write_bytes(noise.read_bytes())
    ordinary = tmp_path / "ordinary.cir"
    ordinary.write_bytes((ROOT / "netlists" / f"{name}.cir").read_bytes())
    spicelib.SpiceEditor(str(ordinary)).save_netlist(str(tmp_path / "again.cir"))
    answers = printed(ngspice(ordinary))
    assert answers
    assert printed(ngspice(tmp_path / "again.cir")) == answers


def first_group(deck: Deck) -> str:
    """The comment above the first element outside subcircuits."""
    block = deck.circuit.groups[0].block
    return next(line for line in deck.body if line.startswith(f"* {block}"))


@pytest.mark.parametrize("dialect", OF_SPICE)
def test_every_line_is_of_a_kind_that_others_read(decks, dialect):
    saved = re.compile(r"\.(?:save|print tran) (.*)")
    allowed = re.compile(r"[RCGBIVQDX]\w+ |\* |\.(model|subckt|ends|ic|options|save|print|temp|tran|meas) ?")
    for name, deck in decks.items():
        if name in REMEMBERS:
            continue
        plain = plain_deck(deck, dialect)
        assert [line for line in (*plain.body, *plain.script) if not allowed.match(line)] == []
        kept = " ".join(match[1] for line in plain.body if (match := saved.match(line))).split()
        assert {node for line in plain.script for node in re.findall(r"(?:find|avg) (\S+)", line)} <= set(kept)
        assert not any(line.startswith("C") and "ic=" in line for line in plain.body)


@pytest.mark.slow
@settings(max_examples=20)
@given(st.text(max_size=60))
def test_nothing_a_user_writes_becomes_a_line_of_a_plain_deck(text):
    def statements(flow: Flow, dialect: str) -> list[str]:
        lines = plain_deck(af.netlist(af.compile(flow)), dialect).text.splitlines()
        return [line for line in lines if not line.startswith("*")]

    flow = Flow(lambda x: -x, {"x": np.ones(2)}, family=text, form=text, equations=text)
    for dialect in DIALECTS:
        assert statements(flow, dialect) == statements(Flow(lambda x: -x, {"x": np.ones(2)}), dialect)


def test_the_dialects_differ_in_what_their_manuals_say(decks):
    texts = {name: plain_deck(decks["capacity-logdomain-opamp"], name).text for name in DIALECTS}
    assert " qn area=1.0\n" in texts["ngspice"]
    assert " qn 1.0\n" in texts["ltspice"]
    assert "i={v(h)*0.02}\n" in texts["xyce"]
    assert re.search(r"^Vhold hold 0 pwl\(0\.0 1\.0 .*\)$", texts["ltspice"], re.M)
    assert re.search(r"^Vhold hold 0 pwl 0\.0 1\.0 [^()]*$", texts["xyce"], re.M)
    assert ".options timeint method=trap reltol=1e-5 abstol=1e-7\n" in texts["xyce"]
    law = {name: plain_deck(decks["hopfield-law-ideal"], name).script for name in DIALECTS}
    assert ".meas tran mean_v avg v(state_v) from=30.0 to=150.0" in law["xyce"]
    assert ".meas tran mean_v avg v(state_v) from 30.0 to 150.0" in law["ltspice"]
    assert ".meas tran covariance_v_v eqn={average_product_v_v-mean_v*mean_v}" in law["xyce"]
    for name in ("ltspice", "xyce", "spectre"):
        assert "never run in it" in texts[name]
    for name in ("ltspice", "xyce"):
        divided = plain_deck(decks["attention-zero-temperature-ideal"], name).text
        assert re.search(r"/\(if\(v\(square_root0_0\)<0,min\(v\(square_root0_0\),-1e-12\),max\(", divided)


def test_a_parameter_that_parts_set_stays_one_and_others_become_values():
    circuit = af.compile(af.flows.capacity(af.Channel(PAPER_ROWS)), technology="translinear")
    assert ".subckt opa2277 p n o\n" in plain_deck(af.netlist(circuit)).text
    spread = af.degrade(circuit, af.Imperfections(mismatch=0.01))
    text = plain_deck(af.netlist(spread), "xyce").text
    assert ".subckt opa2277 p n o params: vos=0.0 cm=0.0 ibp=0.0 ibn=0.0\n" in text
    assert re.search(r"^Xv0_amp 0 s0 v0_drive opa2277 params: vos=\S+ cm=\S+ ibp=\S+ ibn=\S+$", text, re.M)
    # An expression of Xyce's has one pair of braces, around it; in others those around a parameter put its value there.
    assert "Bg 0 g i={0.0008*tanh((v(p)-v(n)+(vos)+(v(p)+v(n))*0.5*(cm)+v(en))*7.85398163397)}\n" in text
    ltspice = plain_deck(af.netlist(spread), "ltspice").text
    assert "Bg 0 g i=0.0008*tanh((v(p)-v(n)+({vos})+(v(p)+v(n))*0.5*({cm})+v(en))*7.85398163397)\n" in ltspice


def test_capacitors_in_a_ring_whose_voltages_do_not_add_up_are_refused():
    circuit = af.compile(af.flows.capacity(af.Channel(PAPER_ROWS)))
    ring = tuple(Capacitor(f"ring{k}", pair, 1.0, 1.0) for k, pair in enumerate([("x1", "x2"), ("x2", "x3"), ("x3", "x1")]))
    group = dataclasses.replace(circuit.groups[0], elements=ring)
    with pytest.raises(af.BadInput, match=r"in a ring and start at voltages that do not add up"):
        plain_deck(af.netlist(dataclasses.replace(circuit, groups=(*circuit.groups, group))))


def test_a_switch_that_remembers_is_one_of_ngspice_and_refused_for_others(decks):
    assert "Slatch0_0 latch0_0 0 latch0_drive0 0 schmitt on" in plain_deck(decks[LATCHES]).body
    with pytest.raises(af.BadInput, match=r"'latch0_0' remembers what it was switched to, which Xyce has no line for"):
        plain_deck(decks[LATCHES], "xyce")


@pytest.mark.parametrize("dialect", ["ltspice", "xyce", "spectre"])
def test_a_line_that_delays_is_one_of_ngspice_and_refused_for_others(decks, dialect):
    delays = "Tdelay0_0 delay0_drive0 0 delay0_0 0 z0=1 td=17.0 rel=0.5 ic=1.2,1.2,1.2,-1.2"
    assert delays in plain_deck(decks[DELAYS]).body
    with pytest.raises(af.BadInput, match=r"'delay0_0' delays from the first instant on"):
        plain_deck(decks[DELAYS], dialect)


def test_a_dialect_that_nobody_knows_and_a_deck_that_is_plain_already_are_refused(decks):
    with pytest.raises(af.BadInput, match=r"dialect 'saber' is not known; known are: ngspice, ltspice, xyce, spectre\."):
        plain_deck(decks["capacity-logdomain-ideal"], "saber")
    with pytest.raises(af.BadInput, match=r"plain already"):
        plain_deck(plain_deck(decks["capacity-logdomain-ideal"]))


@pytest.mark.ngspice
def test_the_command_line_writes_a_plain_deck_with_the_expected_answer(tmp_path, monkeypatch, capsys):
    from analogflow.cli import main

    monkeypatch.chdir(tmp_path)
    np.savetxt("channel.csv", PAPER_ROWS, delimiter=",")
    assert main(["netlist", "capacity", "channel.csv", "-o", "a.cir", "--plain"]) == 0
    text = Path("a.cir").read_text(encoding="ascii")
    assert ".control" not in text
    assert "* expected:  capacity_nats = 0.2523436257\n" in text
    assert "* run:       ngspice -b FILE measures the answer\n*" in text
    assert printed(ngspice(tmp_path / "a.cir"))["answer_capacity_nats"] == pytest.approx(0.2523436257, abs=1e-6)
    for arguments, said in (
        (["-o", "a.cir", "--plain"], "exists already"),
        (["-o", "b.cir", "--dialect", "saber"], "known are: ngspice, ltspice, xyce, spectre"),
        (["-o", "b.va", "--plain", "--format", "verilog-a"], "--plain, --dialect and --subckt are of SPICE text"),
    ):
        assert main(["netlist", "capacity", "channel.csv", *arguments]) == 2
        assert said in capsys.readouterr().err
    assert main(["netlist", "capacity", "channel.csv", "-o", "b.cir", "--dialect", "xyce"]) == 0
    assert "written for xyce" in capsys.readouterr().out


@pytest.mark.ngspice
@pytest.mark.parametrize("names", [("c", "i"), ("pi", "e"), ("a" * 30 + "x", "a" * 30 + "y")], ids=["c i", "pi e", "long"])
def test_variables_are_averaged_whatever_they_are_called(names, tmp_path):
    """Names of constants of ngspice, and two that are alike as far as a script takes them."""
    first, second = names
    problem = af.Langevin(f"({first} - 1)**2/2 + ({second} + 2)**2/2", names, 0.01)
    circuit = af.degrade(af.compile(af.flows.langevin(problem)), noise=af.Noise(0.0, seed=1, step=0.1))
    deck = af.netlist(circuit, time_constants=60.0)
    for text in (deck, plain_deck(deck)):
        found = printed(ngspice(text.write(tmp_path / "law.cir", force=True)))
        means = [value for name, value in found.items() if name.startswith("mean_")]
        assert means == pytest.approx([1.0, -2.0], abs=0.2)
        assert sum(name.startswith("covariance_") for name in found) == 3
