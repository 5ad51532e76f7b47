"""Trimmers: what they do is what a formula says, a drawn board comes back, and what can not be trimmed is refused."""

import dataclasses
import json

import numpy as np
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.circuit import BipolarTransistor, Capacitor, Resistor, Trimmers
from analogflow.circuit.trimmers import LARGEST, STEP, summing_nodes, with_trimmers
from analogflow.cli import main
from analogflow.compiler import circuit_of, flow_for, rebuilt, warmed
from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.hardware.parts_list import parts_list
from analogflow.judgement.trimming import best_trimmers, bits_of, board_of, exact_answer, trim, trim_slopes
from analogflow.reference import capacity_reference, rate_distortion_reference, transport_reference
from analogflow.report.tables import solution_table

V_T = 8.617333262e-5 * 300.15
EXAMPLE = "examples/data/paper_channel.csv"


@pytest.fixture(scope="module")
def circuit():
    return af.choose_values(af.compile(af.flows.capacity(PAPER), technology="translinear"))


def sensitivity():
    P, z = PAPER.transition, capacity_reference(PAPER).input_distribution
    M = P @ np.diag(1 / (P.T @ z)) @ P.T
    return np.linalg.inv(np.block([[M, np.ones((3, 1))], [np.ones((1, 3)), np.zeros((1, 1))]]))[:3, :3]


@pytest.mark.ngspice
def test_a_wiper_moves_the_answer_by_the_sensitivity_times_its_share_of_a_leg(circuit):
    """A rate falls with the current into an inverting integrator; 1/W of a row that was scaled as it was rounded."""
    exact = af.compile(af.flows.capacity(PAPER), technology="translinear")
    expected = -sensitivity() * 10e3 / 4.99e6 / V_T
    np.testing.assert_allclose(trim_slopes(exact), expected, rtol=0, atol=0.03 * abs(expected).max())
    scaled = trim_slopes(circuit)
    np.testing.assert_allclose(scaled, expected, rtol=0, atol=0.15 * abs(expected).max())


def bordered(matrix, weights):
    """Inverse of a matrix where rates have a common part that is free, and answers a weighted sum that is kept."""
    n, one = len(weights), np.ones((len(weights), 1))
    return np.linalg.inv(np.block([[matrix, one], [weights[None], np.zeros((1, 1))]]))[:n, :n]


@pytest.mark.ngspice
def test_wipers_move_a_reproduction_as_the_bordered_hessian_says():
    """u̇ = ln Σ_x p_x A_xy/(A q)_x, whose derivative with respect to q is written down here."""
    problem = read_problem("rate-distortion", "examples/data/rate_distortion_hamming.json")
    q, A = rate_distortion_reference(problem).reproduction, np.exp(-problem.beta * problem.distortion)
    ratio = problem.source / (A @ q)
    slope = -(A.T * (ratio / (A @ q))) @ A / (A.T @ ratio)[:, None]
    expected = bordered(slope, np.ones(len(q))) * 10e3 / 4.99e6 / V_T
    found = trim_slopes(af.compile(flow_for(problem, technology="translinear"), technology="translinear"))
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.02 * abs(expected).max())


@pytest.mark.ngspice
def test_wipers_move_potentials_as_the_laplacian_of_the_plan_says():
    """b_j u̇_j = b_j − Σ_i P_ij, by u: diag(b) − Pᵀ diag(1/a) P; a wiper charges the capacitor of its column."""
    problem = read_problem("transport", "examples/data/transport_three.json")
    circuit = af.compile(flow_for(problem, technology="translinear"), technology="translinear")
    plan = np.asarray(transport_reference(problem).plan)
    a, b = plan.sum(axis=1), plan.sum(axis=0)
    [farads] = {e.capacitance for e in circuit.elements if isinstance(e, Capacitor) and set(e.nodes) == {"u0", "u0_sum"}}
    push = -circuit.units.time_constant / (4.99e6 * farads * V_T)
    expected = bordered((np.diag(b) - plan.T @ np.diag(1 / a) @ plan) / b[:, None], b) * push
    found = trim_slopes(circuit) / b[:, None]
    found, expected = found - found.mean(axis=0), expected - expected.mean(axis=0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.02 * abs(expected).max())


FAMILIES = [
    ("rate-distortion", "rate_distortion_hamming.json", "translinear", 1e-3, 5e-3),
    ("transport", "transport_three.json", "translinear", 1e-3, 5e-3),
    ("capacity", "paper_channel.csv", "opamp", 1e-3, 5e-2),
    ("transport", "transport_three.json", "opamp", 1e-3, 1e-1),
    ("hopfield", "hopfield_rest.json", "opamp", 1e-3, 1e-2),
    ("linear-system", "linear_system_least_squares.json", "opamp", 1e-3, 5e-3),
]
"""Families, their technologies, and what is left at 27 and 70 °C; an op-amp circuit's logarithms follow the temperature."""


@pytest.mark.ngspice
@pytest.mark.few(3)
@pytest.mark.parametrize(("family", "file", "technology", "home", "elsewhere"), FAMILIES)
def test_every_family_that_rests_is_trimmed(family, file, technology, home, elsewhere):
    problem = read_problem(family, f"examples/data/{file}")
    found = trim(circuit_of(problem, technology=technology, seed=3), seed=3, temperatures_celsius=(70.0,))
    before, after = (abs(np.array(list(each.values()))).max(axis=1) for each in (found.before, found.after))
    assert after[0] < home
    assert after[0] < 0.1 * before[0]
    assert after[1] < elsewhere


@pytest.mark.ngspice
def test_one_verb_more_is_the_same_board_and_the_same_answer():
    """`solve --trim` and `verify --trim`: one function sets wipers; runs end elsewhere, which moves the sixth digit."""
    circuit = circuit_of(PAPER, technology="translinear", seed=3)
    told = trim(circuit, count=2, seed=3, temperatures_celsius=(70.0,))
    z = exact_answer(circuit)
    for celsius, errors in told.after.items():
        found = af.verify(PAPER, technology="translinear", trim=2, seed=3, temperature_celsius=celsius)
        assert dict(found.solution.circuit.conditions.trimmers.volts) == told.volts
        np.testing.assert_allclose(found.solution.run.final["z"] - z, errors, rtol=0, atol=2e-6)
        assert found.passed
        assert found.verdict.name == "confirmed"
        assert found.solution.to_dict()["trimmers"] == told.volts
        shown = solution_table(found.solution).columns
        assert ("trimmers of the drawn board", "2, set at 27 °C") in zip(shown[0].cells, shown[1].cells, strict=True)


@pytest.mark.ngspice
def test_a_board_that_is_drawn_and_not_trimmed_is_off_and_passes_the_looser_bound_alone():
    found = af.solve(PAPER, technology="translinear", trim=0, seed=3)
    error = abs(found.run.final["z"] - exact_answer(found.circuit)).max()
    assert 1e-2 < error < 5e-2
    assert found.passed
    assert not af.solve(PAPER, technology="translinear", trim=0, seed=3, accuracy=1e-3).passed


def test_the_answer_that_is_trimmed_to_is_the_references(circuit):
    np.testing.assert_allclose(exact_answer(circuit), capacity_reference(PAPER).input_distribution, atol=1e-7)


@pytest.mark.ngspice
def test_a_board_comes_back_and_stays_near_when_it_is_warmer(circuit):
    found = trim(circuit, seed=3, temperatures_celsius=(70.0,))
    assert list(found.before) == list(found.after) == [pytest.approx(27.0), 70.0]
    before, after = (abs(np.array(list(each.values()))).max(axis=1) for each in (found.before, found.after))
    assert before.min() > 1e-2
    assert after[0] < 1e-3
    assert after[0] == pytest.approx(found.left)
    assert 1e-3 > after[1] / 5 > 0
    again = af.simulate(af.netlist(found.circuit, time_constants=100.0)).final["z"]
    np.testing.assert_allclose(again - exact_answer(circuit), next(iter(found.after.values())), atol=1e-9)
    steps = np.array(list(found.volts.values())) / STEP
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)
    assert not found.limited


@pytest.mark.ngspice
def test_the_board_that_is_warmed_is_the_board_that_was_trimmed(circuit):
    """Each junction and resistor: its own values, but for what the set says of a kelvin."""
    parts = dataclasses.replace(circuit.parts, tolerances=dataclasses.replace(circuit.parts.tolerances, gradient=0.0))
    cold = dataclasses.replace(circuit, build=dataclasses.replace(circuit.build, parts=parts))
    drawn = board_of(cold, Trimmers((("u0", 0.4),), 300.15), seed=3, sample=0)
    boards = [warmed(drawn, kelvin) for kelvin in (300.15, 343.15)]
    assert warmed(drawn, 300.15) is drawn
    first, second = ({e.name: e for e in board.elements if isinstance(e, BipolarTransistor)} for board in boards)
    assert all(first[name].area == pytest.approx(second[name].area, rel=1e-12) for name in first)
    first, second = ({e.name: e for e in board.elements if isinstance(e, Resistor)} for board in boards)
    drift = 1 + parts.tolerances.resistor_drift * 43
    own = [name for name in first if not name.endswith("_trim")]
    assert all(second[name].resistance == pytest.approx(first[name].resistance * drift, rel=1e-9) for name in own)
    wiper = [next(e.voltage for e in board.elements if e.name == "u0_wiper") for board in boards]
    assert wiper == [0.4, pytest.approx(0.4 * (1 + (343.15 / 300.15 - 1) / 2))]


@pytest.mark.parametrize("technology", ["translinear", "opamp"])
def test_a_board_that_is_warmed_and_cooled_again_is_itself(technology):
    circuit = af.choose_values(af.compile(flow_for(PAPER, technology=technology), technology=technology))
    drawn = board_of(circuit, Trimmers((), 300.15), seed=3, sample=1)
    again = warmed(warmed(drawn, 343.15), 300.15)
    assert {e.name: e for e in again.elements} == {e.name: e for e in drawn.elements}


def test_a_board_that_is_built_again_keeps_its_draw_and_its_trimmers(circuit):
    drawn = board_of(circuit, Trimmers((("u0", 0.4), ("u2", -0.1)), 300.15), seed=3, sample=1)
    moved = rebuilt(drawn, starts={"u": np.array([0.1, 0.2, 0.3])})
    first, second = ({e.name: e for e in board.elements} for board in (drawn, moved))
    assert first.keys() == second.keys()
    other = {name for name in first if first[name] != second[name]}
    assert other == {"hold", *(f"u{k}{end}" for k in range(3) for end in ("_c", "_set"))}


def test_trimmers_are_chosen_that_leave_least_variance():
    rng = np.random.default_rng(4)
    slopes, root = rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
    covariance = root @ root.T
    draws = rng.multivariate_normal(np.zeros(4), covariance, size=4000)
    for count in (1, 2, 3):
        import itertools

        def left(used):
            fitted, *_ = np.linalg.lstsq(slopes[:, used], draws.T, rcond=None)
            return float(np.square(slopes[:, used] @ fitted - draws.T).sum())

        tried = {used: left(used) for used in itertools.combinations(range(4), count)}
        assert tried[best_trimmers(slopes, covariance, count)] < 1.05 * min(tried.values())


def test_trimmers_are_parts_of_the_list(circuit):
    listed = parts_list(with_trimmers(circuit, Trimmers(tuple((node, 0.1) for node in summing_nodes(circuit)), 300.15)))
    assert listed.count("trimmer") == 3
    assert listed.count("resistor") == parts_list(circuit).count("resistor") + 3


def test_bits_are_those_of_a_converter():
    assert bits_of(np.full(3, 2.0**-8 / np.sqrt(12))) == pytest.approx(8.0)


@pytest.mark.ngspice
def test_the_command_line_tells_what_is_left(capsys):
    words = ["solve", "capacity", EXAMPLE, "--technology", "translinear", "--trim", "2", "--seed", "3", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["volts"]) == 2
    assert [row["celsius"] for row in told["after"]] == [pytest.approx(27.0), 0.0, 70.0]
    assert told["after"][0]["largest_error"] < 1e-3 < told["before"][0]["largest_error"]
    assert told["after"][0]["bits"] > told["before"][0]["bits"] + 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--technology", "translinear", "--trim", "4"], "trim: 4 trimmers can not be set; the circuit has 3 integrators"),
        (["--technology", "translinear", "--trim", "--mismatch", "0.1"], "leave out --mismatch"),
        (["--technology", "translinear", "--trim", "--report", "x.html"], "leave out --report"),
        (["--trim"], "has no parts"),
    ],
)
@pytest.mark.parametrize("verb", ["solve", "verify"])
def test_what_can_not_be_trimmed_is_one_sentence(verb, words, said, capsys):
    if verb == "verify" and "--report" in words:
        words = [*words[:-2], "--start-up", "ramp"]
        said = "leave out --start-up"
    assert main([verb, "capacity", EXAMPLE, *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["solve", "verify"])
def test_an_answer_that_is_where_a_path_ends_is_not_trimmed(verb, capsys):
    words = ["attention", "examples/data/attention_three_tokens.json", "--technology", "opamp", "--trim"]
    assert main([verb, *words]) == 2
    assert "at which a circuit rests" in capsys.readouterr().err


def test_engines_are_not_compared_on_a_board_that_is_trimmed(capsys):
    words = ["verify", "capacity", EXAMPLE, "--technology", "translinear", "--engines", "ngspice,vacask", "--trim"]
    assert main(words) == 2
    assert "leave out --trim" in capsys.readouterr().err


def test_a_board_that_deviates_already_is_refused(circuit):
    with pytest.raises(BadInput, match="give one without flaws"):
        trim(af.sample_parts(circuit, seed=1))
    assert LARGEST / STEP == pytest.approx(500)
