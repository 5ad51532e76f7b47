"""Netlists held against flows by their rates at sampled states: sound ones pass, spoiled ones are caught and named."""

import re

import numpy as np
import pytest
from problem_zoo import PROBLEMS as SMALLEST
from problem_zoo import forms

import analogflow as af
from analogflow.cli import main
from analogflow.errors import NoCell
from analogflow.families import FAMILIES
from analogflow.families.files import problem_of_keys, read_problem
from analogflow.netlister.reading import read_deck, spice_number
from analogflow.run import Outcome
from analogflow.technology import TECHNOLOGIES

pytestmark = pytest.mark.ngspice

PROBLEMS = {
    "attention": ("attention", "examples/data/attention_three_tokens.json"),
    "capacity": ("capacity", "examples/data/paper_channel.csv"),
    "rate-distortion": ("rate-distortion", "examples/data/rate_distortion_hamming.json"),
    "transport-adaptive": ("transport", "examples/data/transport_cooling.json"),
    "transport": ("transport", "examples/data/transport_three.json"),
    "hopfield-rest": ("hopfield", "examples/data/hopfield_rest.json"),
    "hopfield-law": ("hopfield", "examples/data/hopfield_law.json"),
    "langevin": ("langevin", "examples/data/langevin_double_well.json"),
    "custom-double-bracket": ("examples/flows/double_bracket.toml",),
    "custom-kuramoto-ring": ("examples/flows/kuramoto_ring.toml",),
    "custom-lotka-volterra": ("examples/flows/lotka_volterra.toml",),
    "custom-water-filling": ("examples/flows/water_filling.toml",),
}


def committed(root):
    """Name, text, problem and form of every committed netlist of a flow that does not depend on time."""
    for path in sorted((root / "netlists").glob("*.cir")):
        begins = next((name for name in PROBLEMS if path.name.startswith(name)), None)
        if begins is None:
            continue
        flow, *file = PROBLEMS[begins]
        words = (str(root / flow),) if not file else (flow, str(root / file[0]))
        found = re.search(r"\* analogflow: \S+ (\S+), technology", text := path.read_text())
        yield path.name, text, read_problem(*words), found[1] if file else None


def spoiled(text, kind, rng):
    """Node and text of a deck of which one leg is exchanged with another of its node, has the other sign, or is missing."""
    lines = text.splitlines()
    inside, rows = False, {}
    for i, line in enumerate(lines[: next(i for i, line in enumerate(lines) if line.startswith(".options"))]):
        inside = (inside or line.startswith(".subckt")) and not line.startswith(".ends")
        words = line.split()
        if inside or not words or words[0][0] not in "RG":
            continue
        node = words[2] if words[0][0] == "G" else next((node for node in words[1:3] if "sum" in node), None)
        if "noise_source" in line:
            continue  # noise is held at 0, so that nothing tells how strong it is
        if node is not None and not (words[0][0] == "R" and words[2] == "0" and len(words[0]) == len(node) + 1):
            rows.setdefault(node, []).append(i)
    for _ in range(500):
        node = list(rows)[rng.integers(len(rows))]
        legs = [lines[i].split() for i in rows[node]]
        if kind == "exchanged" and len(legs) > 1:
            i, j = rng.choice(len(legs), 2, replace=False)
            a, b = float(legs[i][-1]), float(legs[j][-1])
            alike = legs[i][0][0] == "R" and set(legs[i][1:3]) == set(legs[j][1:3])
            if not alike and legs[i][0][0] == legs[j][0][0] and max(abs(a), abs(b)) > 1.3 * min(abs(a), abs(b)):
                lines[rows[node][i]] = " ".join([*legs[i][:-1], legs[j][-1]])
                lines[rows[node][j]] = " ".join([*legs[j][:-1], legs[i][-1]])
                return node, "\n".join(lines)
        i = rng.integers(len(legs))
        if kind == "sign" and legs[i][0][0] == "G":
            lines[rows[node][i]] = " ".join([*legs[i][:-1], repr(-float(legs[i][-1]))])
            return node, "\n".join(lines)
        if kind == "missing":
            lines[rows[node][i]] = "* left out"
            return node, "\n".join(lines)
    return None


def names_of(node):
    """What a verdict may call a row: the node itself, its block's element, or the capacitor that it charges."""
    element = re.sub(r"_(p|n|c|sum\d*)$", "", node)
    return {node, element, re.sub(r"_sum(\d)$", r"_\1", node), re.sub(r"^u(\d)_sum$", r"Cu\1_c", node)}


SPOILED = ("attention-softmax", "rate-distortion-gibbs", "capacity-replicator")
QUICK = ("attention-softmax", "capacity-logdomain-i", "capacity-logdomain-t", "custom-kuramoto")


@pytest.mark.parametrize("which", [QUICK, pytest.param(("",), marks=pytest.mark.slow)], ids=["some", "all"])
def test_committed_netlists_are_their_flows(which, request):
    for name, text, problem, form in committed(request.config.rootpath):
        if not name.startswith(which):
            continue
        found = af.check_deck(text, problem, form=form, where=name)
        assert found.passed, f"{name}: {found.verdict}"
        if name.endswith("ideal.cir"):
            assert found.time_constant == pytest.approx(1.0, rel=1e-7)
            assert max(row.left for row in found.rows) < 1e-7
    assert len(list(committed(request.config.rootpath))) >= 22


def buildable():
    """Every family, problem, form and technology, and of parts also values that can be bought."""
    for family, problems in SMALLEST.items():
        for name, keys in problems.items():
            for form in forms(family, problem_of_keys(family, keys, name)):
                for technology in TECHNOLOGIES:
                    for bought in (False,) if technology == "ideal" else (False, True):
                        yield family, name, form, technology, bought


def circuit_of(family, name, form, technology, bought):
    """Problem and circuit, or None where there is no such circuit, or its flow is none that is compared."""
    problem = problem_of_keys(family, SMALLEST[family][name], name)
    try:
        flow = FAMILIES[family].flow(problem, form=form)
        if flow.clock or flow.graph().clock or flow.latches or flow.jumps:
            return None
        circuit = af.compile(flow, technology=technology)
        return problem, af.choose_values(circuit) if bought else circuit
    except (af.BadInput, NoCell):
        return None


SOUND = (
    ("capacity", "channel", "printed", "opamp", True),
    ("capacity", "channel with an unavailable input", "logdomain", "translinear", True),
    ("attention", "two tokens", "zero-temperature", "ideal", False),
    ("hopfield", "law", "relaxation", "opamp", True),
    ("transport", "adaptive cooling", "potential", "ideal", False),
)
"""Rows whose terms cancel, that rest, that have a common mode; and where nothing moves at all."""

UNSOUND = {
    ("ising-programme", "example", "tanh", "opamp", False),
    ("ising-programme", "example", "tanh", "opamp", True),
}
"""Circuits that meet their rails when they are solved too, since they are driven there or errors of parts carry them."""


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, marks=() if cell in SOUND else pytest.mark.slow, id="-".join(map(str, cell)))
        for cell in buildable()
    ],
)
def test_no_sound_netlist_is_accused(cell):
    if (found := circuit_of(*cell)) is None:
        pytest.skip("the technology has no such circuit, or the flow is none that is compared")
    problem, circuit = found
    check = af.check_deck(af.netlist(circuit).text, problem, form=cell[2])
    assert check.passed != (cell in UNSOUND), check.verdict


@pytest.mark.slow
@pytest.mark.parametrize("cell", sorted(UNSOUND), ids=lambda cell: "-".join(map(str, cell)))
def test_what_is_not_sound_meets_a_rail(cell):
    assert af.simulate(circuit_of(*cell)[1], engine="ngspice").outcome is Outcome.MET_RAIL


@pytest.mark.slow
def test_there_are_sixty_sound_netlists_of_all_families_and_technologies():
    there = [cell for cell in buildable() if circuit_of(*cell) is not None]
    assert len(there) >= 60
    assert {cell[0] for cell in there} == {name for name in FAMILIES if not name.startswith("drifting")}
    assert {cell[3] for cell in there} == set(TECHNOLOGIES)


@pytest.mark.slow
@pytest.mark.parametrize("technology", ["ideal", "opamp"])
@pytest.mark.parametrize(
    ("start", "equations"),
    [
        ({"x": 0.0, "v": 0.0}, {"x": "v", "v": "-x - 0.3*v + comparator(x, 0)"}),
        ({"x": 0.5, "v": 0.0}, {"x": "v", "v": "-x - 0.3*comparator(v, 0)"}),
        ({"x": 0.5}, {"x": "1 - 2*comparator(x, 0.5) - 0.2*x"}),
    ],
)
def test_a_flow_that_starts_at_its_switch_is_not_accused(start, equations, technology):
    problem = af.Equations(start, equations, time=5.0)
    text = af.netlist(af.compile(af.flows.custom(problem), technology=technology)).text
    found = af.check_deck(text, problem)
    assert found.passed, found.verdict
    turned = {name: text.replace("comparator(x, 0)", "0") for name, text in equations.items()}
    turned["x" if len(start) == 1 else "v"] = "-0.7 * x"
    assert not af.check_deck(text, af.Equations(start, turned, time=5.0)).passed


def test_a_flow_that_remembers_is_refused(request):
    text = (request.config.rootpath / "netlists/custom-triangle-generator-ideal.cir").read_text()
    problem = read_problem(str(request.config.rootpath / "examples/flows/triangle_generator.toml"))
    with pytest.raises(af.BadInput, match="the flow remembers"):
        af.check_deck(text, problem)


@pytest.mark.slow
def test_the_time_constant_and_the_unit_of_parts_are_found(request):
    text = (request.config.rootpath / "netlists/capacity-logdomain-opamp.cir").read_text()
    said = float(re.search(r"1 time constant is (\S+) s", text)[1])
    unit = float(re.search(r"u is .*1 flow unit is (\S+) V", text)[1])
    without = "\n".join(line for line in text.splitlines() if not line.startswith("* s"))  # nothing is said
    channel = read_problem("capacity", str(request.config.rootpath / "examples/data/paper_channel.csv"))
    found = af.check_deck(without, channel)
    assert found.passed
    assert found.time_constant == pytest.approx(said, rel=0.02)
    assert abs(found.units["u"]) == pytest.approx(unit, rel=0.02)


@pytest.mark.parametrize(
    ("flow", "other"), [("capacity-logdomain-ideal", "replicator"), ("capacity-replicator-ideal", "logdomain")]
)
def test_a_netlist_of_another_form_is_not_that_flow(flow, other, request):
    text = (request.config.rootpath / f"netlists/{flow}.cir").read_text()
    channel = read_problem("capacity", str(request.config.rootpath / "examples/data/paper_channel.csv"))
    assert not af.check_deck(text, channel, form=other).passed


@pytest.mark.slow
def test_a_netlist_of_another_problem_is_not_that_flow(request):
    text = (request.config.rootpath / "netlists/capacity-logdomain-translinear.cir").read_text()
    assert not af.check_deck(text, af.Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.2, 0.5]])).passed


@pytest.mark.parametrize(
    ("which", "least"), [(SPOILED, 7), pytest.param(("",), 60, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_spoiled_netlists_are_caught_and_named(which, least, request):
    """Of a committed netlist one with two legs exchanged, one with another sign, one with a leg missing."""
    tried = named = 0
    for name, text, problem, form in committed(request.config.rootpath):
        if not name.startswith(which):
            continue
        rng = np.random.default_rng(7)
        for kind in ("exchanged", "sign", "missing"):
            if (found := spoiled(text, kind, rng)) is None:
                continue
            node, wrong = found
            check = af.check_deck(wrong, problem, form=form, where=name)
            assert not check.passed, f"{name}, {kind} at {node}"
            tried += 1
            named += any(known in check.culprit for known in names_of(node))
    assert tried >= least, tried
    assert named >= 0.9 * tried, (named, tried)


def test_a_circuit_that_is_not_ours_is_read(tmp_path):
    """A harmonic oscillator of two capacitors and two transconductors, in a stranger's words: x' = v, v' = -x - 0.2 v."""
    text = """a tank
* nothing of ours
.param_free
C2 nv gnd0 10n ic=0
C1 nx 0 10n ic=0.5
Rshort gnd0 0 1m
G1 0 nx nv 0 1u
G2 0 nv nx 0
+ -1u ; goes on
R1 nv 0 5Meg
.tran 1u 10m uic
.end
""".replace(".param_free\n", "")
    tank = af.Equations({"x": 0.5, "v": 0.0}, {"x": "v", "v": "-x - 0.2 * v"})
    found = af.check_deck(text, tank, states=["C1", "C2"], accuracy=1e-3)
    assert found.passed, found.verdict
    assert found.time_constant == pytest.approx(0.01, rel=1e-6)
    assert not af.check_deck(text.replace("5Meg", "4Meg"), tank, states=["C1", "C2"], accuracy=1e-3).passed


def test_tabs_comments_and_other_programs_lines_are_read():
    text = (
        "* Chua in another program\nR1\tv 0\t5 $ a comment\nC1 x 0 1\N{MICRO SIGN} ic=0.5 ; another\n$ and one more\n"
        ".options plotwinsize=0 reltol = 1e-4\n.tran 10m\n.backanno\n.end\n"
    )
    deck = read_deck(text, "deck")
    assert deck.lines == ("R1 v 0 5", "C1 x 0 1u ic=0.5", ".options reltol=1e-4")
    assert deck.capacitors[0].farads == 1e-6
    assert deck.end_time == 1e-2


def test_a_line_of_a_million_blanks_is_one_of_few_words():
    """In which a pattern that looks for blanks before an equals sign would look a billion times."""
    deck = read_deck(
        f"t\nC1 x 0 1\n.options {' ' * 10**6}reltol{chr(9) * 10**6}= 1e-4\n+{' ' * 10**6}gmin =1e-15\n.end", "deck"
    )
    assert deck.lines == ("C1 x 0 1", ".options reltol=1e-4 gmin=1e-15")


def test_noise_of_a_hundred_thousand_knots_is_held_at_0():
    """As the plain netlist of a law has it, in one line."""
    knots = " ".join(f"{0.01 * k:.2f} {(-1) ** k * 0.123456789:.9f}" for k in range(100_000))
    deck = read_deck(f"t\nC1 x 0 1\nVnoise_source0_0 y 0 pwl({knots})\nR1 x y 1\n.end", "deck")
    assert deck.lines == ("C1 x 0 1", "Vnoise_source0_0 y 0 0", "R1 x y 1")
    assert deck.notes == ("line 3 is noise, which is held at 0",)


def test_options_of_a_stranger_do_not_outlast_his_netlist():
    """`interp` would stay in ngspice's process, and spoil what is read of every netlist after it."""
    tank = af.Equations({"x": 0.5, "v": 0.0}, {"x": "v", "v": "-x - 0.2 * v"}, time=5.0)
    text = "t\nC1 x 0 1 ic=0.5\nC2 v 0 1 ic=0\nG1 0 x v 0 1\nG2 0 v x 0 -1\nR1 v 0 5\n{}\n.tran 0.1 10 uic\n.end\n"
    for option in ("interp", "savecurrents", "scale=2"):
        with pytest.raises(af.BadInput, match="line 7"):
            af.check_deck(text.format(f".options {option}"), tank)
    assert af.check_deck(text.format(".options reltol=1e-5"), tank).passed


def test_a_capacitor_beside_those_of_the_states_is_told():
    """Held states do not show it: it would slow a row by a twentieth, unseen."""
    tank = af.Equations({"x": 0.5, "v": 0.0}, {"x": "v", "v": "-x - 0.2 * v"}, time=5.0)
    text = "t\nC1 x 0 1 ic=0.5\nC2 v 0 1 ic=0\nG1 0 x v 0 1\nG2 0 v x 0 -1\nR1 v 0 5\n{}\n.tran 0.1 10 uic\n.end\n"
    for beside in ("C9 x v 0.05", "C9 0 x 0.05"):
        with pytest.raises(af.BadInput, match="C9 is between nodes"):
            af.check_deck(text.format(beside), tank)
    assert af.check_deck(text.format("C9 y 0 0.05\nR9 y 0 1"), tank).passed


LORENZ = """* Lorenz, with amplifiers and multipliers
VCC P 0 DC= 15
VEE\tN 0 DC= -15
R1 Y 1 100k $ x' = -10 (x + y) in units of 0.1 s
R2 X 1 100k
C1 1 X 0.1\N{MICRO SIGN} IC=-0.3
X1 0 1 P N X amplifier
R3 X 2 36.7k
R4 XZ 2 10K
R5 Y 2 1Meg
C2 2 Y 100n IC=0.3
X2 0 2 P N Y amplifier
R6 XY 3 10k
R7 Z 3 374k
C3 3 Z 0.1u
+ IC=1
X3 0 3 P N Z amplifier
BXY XY 0 V=V(X)*V(Y)/10
BXZ XZ 0 V=-V(X)*V(Z)/10
.subckt amplifier plus minus vcc vee out
Rin plus minus 1T
E1 inner 0 vol='0'
.ends
.options plotwinsize=0
.tran 0 5 0 1m uic
.backanno
.control
run
plot X Y Z
.endc
.end
"""


@pytest.mark.slow
def test_a_lorenz_circuit_of_amplifiers_as_others_write_it_is_tested():
    """Three integrators and two multipliers in the style of P. Horowitz, each amplifier with a gain of 10^5 and rails."""
    gain = "B1 inner 0 V=14*tanh(1e5*(v(plus)-v(minus))/14)\nRout inner out 10\n.model unused d"
    text = LORENZ.replace("E1 inner 0 vol='0'", gain)
    equations = {"x": "-10*(x + y)", "y": "-27.248*x + 10*x*z - y", "z": "-10*x*y - 2.6738*z"}
    lorenz = af.Equations({"x": 0.3, "y": -0.3, "z": -1.0}, equations, time=5.0)
    found = af.check_deck(text, lorenz, accuracy=0.01)
    assert found.passed, found.verdict
    assert found.time_constant == pytest.approx(0.1, rel=0.01)
    assert found.units == pytest.approx({"x": -1.0, "y": -1.0, "z": -1.0}, rel=0.02)
    for wrong in (("R5 Y 2 1Meg", "R5 Y 2 1M"), ("1Meg", "500k"), ("V=-V(X)", "V=V(X)"), ("R7 Z 3 374k\n", "")):
        assert wrong[0] in text
        assert not af.check_deck(text.replace(*wrong), lorenz, accuracy=0.01).passed


BAD = {
    ".include /etc/passwd": "line 3",
    ".lib 'x.lib' tt": "line 3",
    "A1 [a b] d_process": "code model",
    "B1 a 0 v=table(file='x')": "another file",
    "B1 a 0 v=sin(time)": "depends on time",
    "V1 a 0 sin(0 1 1k)": "driven by time",
    "I1 a 0 pwl(0 0 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9)": "driven by time",
    ".control\nshell rm -rf /\n.endc": "line 4",
    ".control\nalter R1 5\n.endc": "line 4",
    ".param x={system('x')}": "line 3",
    "C9 a 0 none": "no number",
    "C9 a 0 -1n": "not positive",
    "@1 a b": "no element begins so",
    "B1 a 0 i=ddt(v(x))": "depends on time",
    "B1 a 0 i=agauss(0,1,1)": "on chance",
    "V1 a 0 dc 0 external": "driven by time",
    "L1 a 0 1m": "its current is a state",
    "c1 a 0 1n": "names another element",
    "Vprobe0 a 0 1": "names another element",
    ".ic v(x,y)=1": "a start is",
    ".options interp": "of options only",
    ".control\nrun ; shell ls\n.endc": "line 4",
    ".control\nset a=`ls`\n.endc": "line 4",
    ".control\necho hi > /tmp/there\n.endc": "line 4",
    "R1 a b 1k\N{OHM SIGN}": "printable ASCII",
}


@pytest.mark.parametrize("line", BAD)
def test_what_could_reach_the_system_is_refused_with_its_line(line, tmp_path, capsys):
    path = tmp_path / "bad.cir"
    path.write_text(f"* title\nC1 x 0 1n ic=1\n{line}\n.end\n")
    assert main(["check", str(path), "--flow", "capacity", "bsc:0.1"]) == 2
    said = capsys.readouterr().err
    assert BAD[line] in said
    assert said.count("\n") == 1


def test_commands_that_only_run_and_print_are_left_out():
    deck = read_deck("t\nC1 a 0 2u ic=1m\n.control\nset noaskquit\nrun\nprint v(a)\nquit\n.endc\n.end", "deck")
    assert deck.lines == ("C1 a 0 2u ic=1m",)
    assert deck.capacitors[0].farads == 2e-6
    assert deck.capacitors[0].volts == 1e-3


SUFFIXES = {"10n": 1e-8, "2.2Meg": 2.2e6, "1e-3": 1e-3, "5kohm": 5e3, "1m": 1e-3, "1M": 1e-3, "2mil": 50.8e-6, "1e": 1.0,
            "3F": 3e-15, "1MEGohm": 1e6}  # fmt: skip


@pytest.mark.parametrize("text", SUFFIXES)
def test_numbers_have_the_suffixes_of_spice(text):
    assert spice_number(text, "") == pytest.approx(SUFFIXES[text], rel=1e-15)


def test_a_header_tells_which_of_several_large_capacitors_hold_the_states():
    tank = af.Equations({"x": 0.5, "v": 0.0}, {"x": "v", "v": "-x - 0.2 * v"}, time=5.0)
    text = (
        "t\n{}\nC1 x 0 1 ic=0.5\nC2 v 0 1 ic=0\nC3 y 0 2\nC4 x y 0.01n\nR3 y 0 1\nG1 0 x v 0 1\nG2 0 v x 0 -1\nR1 v 0 5\n"
        ".tran 0.1 10 uic\n.end\n"
    )
    assert af.check_deck(text.format("* signal:    x is v(x)\n* signal:    v is v(v)"), tank).passed
    assert not af.check_deck(text.format("* signal:    x is v(v)\n* signal:    v is v(x)"), tank).passed
    for silent in (
        "* signal: x is v(x)",
        "* signal: x is v(x)\n* signal: v is v(z)",
        "* signal: x is v(x)\n* signal: v is v(x)",
    ):
        with pytest.raises(af.BadInput, match="not clear which of 4 capacitors"):
            af.check_deck(text.format(silent), tank)


def test_it_is_said_where_states_can_not_be_told(request):
    channel = af.Channel([[0.9, 0.1], [0.2, 0.8]])
    with pytest.raises(af.BadInput, match="not clear which"):
        af.check_deck("t\nC1 a 0 1n\nC2 b 0 1n\nC3 c 0 1n\nR1 a 0 1\n.end", channel)
    with pytest.raises(af.BadInput, match="no capacitor 'C7'"):
        af.check_deck("t\nC1 a 0 1n\nC2 b 0 1n\n.end", channel, states=["C1", "C7"])
    with pytest.raises(af.BadInput, match="no state"):
        af.check_deck("t\nR1 a 0 1\n.end", channel)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--flow", "capacity"], "needs a file"),
        (["--flow", "capacity", "bsc:0.1", "more"], "not 3 words"),
        (["--form", "logdomain"], "give --flow"),
        (["--flow", "capacity", "bsc:0.1", "--accuracy", "-1"], "accuracy"),
    ],
)
def test_bad_options_are_told(words, said, tmp_path, capsys):
    path = tmp_path / "a.cir"
    path.write_text("* t\nC1 a 0 1n\nC2 b 0 1n\n.end\n")
    assert main(["check", str(path), *words]) == 2
    assert said in capsys.readouterr().err
