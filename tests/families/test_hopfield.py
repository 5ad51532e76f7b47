"""From a Hopfield network to a certified rest or law, on both engines, in Python and on the command line."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from analogflow import Hopfield, Outcome, solve
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.families.hopfield import HOPFIELD
from analogflow.judgement import certify
from analogflow.reference.hopfield_saturating import layers
from analogflow.simulators import ENGINES

DATA = Path(__file__).parents[2] / "examples" / "data"
SOFTMAX = DATA / "hopfield_softmax.json"
PATTERNS = DATA / "hopfield_patterns.json"
REST, LAW = DATA / "hopfield_rest.json", DATA / "hopfield_law.json"

engines = pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=pytest.mark.ngspice if name == "ngspice" else ()) for name in ENGINES]
)


def network(size, activation="linear", temperature=0.0, seed=0):
    rng = np.random.default_rng(seed)
    U = rng.normal(size=(size, size))
    U *= 0.6 / np.linalg.norm(U, 2)
    return Hopfield(U, 0.5 * rng.normal(size=size), rng.uniform(0.7, 1.3, size), 1.0, activation, temperature)


@engines
@pytest.mark.parametrize("activation", ["linear", "tanh"])
@pytest.mark.parametrize("size", [2, 8])
def test_rests_are_those_of_the_reference(engine, activation, size):
    solution = solve(network(size, activation), engine=engine)
    assert solution.run.outcome is Outcome.SETTLED
    assert solution.passed
    assert solution.certificate.errors["mean"] <= 1e-7
    assert solution.certificate.errors["rise"] <= 1e-8
    assert not np.any(solution.certificate.answer["covariance"])


@pytest.mark.parametrize(
    ("size", "engine"),
    [
        pytest.param(2, "ngspice", marks=[pytest.mark.slow, pytest.mark.ngspice]),
        pytest.param(2, "block", marks=pytest.mark.slow),
        pytest.param(8, "block", marks=pytest.mark.slow),
        pytest.param(8, "ngspice", marks=[pytest.mark.slow, pytest.mark.ngspice]),
    ],
)
def test_covariances_of_linear_networks(size, engine):
    """Within 3 standard errors of a stated effective sample size; the seed is fixed."""
    solution = solve(
        network(size, temperature=0.2), engine=engine, seed=1, time_constants=1000.0 if size == 2 else 500.0, accuracy=0.5
    )
    assert solution.run.outcome is Outcome.STATIONARY
    assert solution.passed, str(solution.certificate)
    assert solution.certificate.reference_gap <= 1e-12
    assert solution.certificate.errors["effective_samples"] > 100
    assert any("effective sample size" in check.detail for check in solution.certificate.checks)
    first, *others = [
        dataclasses.replace(chain, values={**chain.values, "v": 1.3 * chain.values["v"]}, chains=())
        for chain in (solution.run, *solution.run.chains)
    ]
    assert not certify(solution.flow.problem, dataclasses.replace(first, chains=tuple(others))).passed


def test_law_of_a_saturating_network():
    solution = solve(network(1, "tanh", 0.2), engine="block", seed=2, time_constants=150.0, accuracy=1.0)
    assert solution.passed, str(solution.certificate)


def test_a_saddle_is_no_rest():
    certificate = solve(Hopfield([[3.0]], activation="tanh"), engine="block").certificate
    failed = [check for check in certificate.checks if not check.passed]
    assert [check.name for check in failed] == ["the rest is a valley of the energy"]
    assert "smallest curvature -" in failed[0].detail


def test_noise_at_the_integrators_beside_the_network_s_own():
    solution = solve(network(1, temperature=0.2), engine="block", noise=0.02, seed=4, time_constants=150.0, accuracy=0.7)
    assert solution.passed, str(solution.certificate)


@pytest.mark.parametrize("verb", ["solve", "netlist", "explain", "draw"])
def test_command_line(verb, capsys, tmp_path):
    output = {"netlist": ["-o", str(tmp_path / "a.cir")], "draw": ["-o", str(tmp_path / "a.svg")]}
    engine = ["--engine", "block", "--json", "--figure", str(tmp_path / "b.svg")] if verb == "solve" else []
    assert main([verb, "hopfield", str(REST), *engine, *output.get(verb, [])]) == 0
    if verb == "solve":
        answer = json.loads(capsys.readouterr().out)["answer"]
        assert np.shape(answer["covariance"]) == (4, 4)
        assert np.shape(answer["mean"]) == (4,)


@pytest.mark.ngspice
def test_a_deck_prints_its_averages(tmp_path):
    import subprocess

    deck = tmp_path / "law.cir"
    assert main(["netlist", "hopfield", str(LAW), "-o", str(deck), "--time", "300", "--seed", "1"]) == 0
    text = subprocess.run(["ngspice", "-b", deck.name], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    printed = dict(line.split("=")[:2] for line in text.splitlines() if line.startswith(("mean_", "covariance_")))
    found = {name.strip(): float(value.split()[0]) for name, value in printed.items()}
    expected = Hopfield(**json.loads(LAW.read_text(encoding="utf-8")))
    variance = expected.temperature / (1 - expected.norm**2)
    # About 100 independent values: 5 standard errors.
    assert found["covariance_v_v"] == pytest.approx(variance, rel=0.7)
    assert abs(found["mean_v"] - expected.I[0] / (1 - expected.norm**2)) < 5 * np.sqrt(variance / 100)
    assert len(found) == 5


@engines
def test_a_saturated_rest_is_a_valley(engine):
    """The Hessian vanishes there to a power of the smallest number; whether it is a valley does not depend on that."""
    solution = solve(Hopfield([[0.5]], [1.0], gain_v=1e9, activation="tanh"), engine=engine)
    assert solution.passed, str(solution.certificate)


@pytest.mark.ngspice
@pytest.mark.parametrize("engine", ["ngspice"])
def test_the_start_of_a_cold_network_is_forgotten(engine):
    """Left of its start must be little beside fluctuations of a millionth; within 3 standard errors, the seed is fixed."""
    solution = solve(Hopfield([[0.5]], [1.0], temperature=1e-12), engine=engine, time_constants=240.0, seed=3, accuracy=1.0)
    assert solution.passed, str(solution.certificate)


def test_a_law_colder_than_rounding_is_not_let_pass():
    with pytest.raises(BadInput, match="of its standard deviation only"):
        solve(Hopfield([[0.5]], [1.0], temperature=1e-90), engine="block", time_constants=60.0)


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_large_energy_is_no_runaway():
    """T = 1e6 gives states of some thousands, and an energy beyond what counts as a state that ran away."""
    solution = solve(Hopfield([[0.5]], temperature=1e6), engine="ngspice", time_constants=60.0)
    assert solution.run.outcome in (Outcome.STATIONARY, Outcome.NOT_SETTLED)
    assert solution.run.values["energy"].max() > 1e6


SIGNS = np.array([[-1, 1, -1, 1, -1, 1, -1, 1, -1, 1], [1, 1, 1, 1, 1, -1, -1, -1, -1, -1.0]])
MIXTURE = {
    "U": (0.2 * SIGNS.T).tolist(), "gain_v": 4.0, "gain_h": 4.0, "activation": "tanh",
    "start": [-0.5, 0.5, -0.5, 0.5, -0.5, 0.5, -0.5, 0.5, 0.5, 0.5, 0, 0],
}  # fmt: skip


@engines
def test_a_mixture_of_patterns_is_called_one(engine):
    """Nobody said that the columns of U are patterns, which have numbers of one size; every check passes all the same."""
    solution = solve(Hopfield(**MIXTURE), engine=engine)
    assert solution.passed
    answer = solution.certificate.answer
    np.testing.assert_allclose(answer["overlap"], SIGNS @ np.tanh(4 * solution.run.final["v"]) / 10, atol=1e-12)
    first, *along = solution.certificate.notes
    assert first == (
        "The network rests at a mixture of pattern 1 and the reverse of pattern 2 (overlaps 0.553, -0.553), not at one of "
        "them. Started at one of these it does not stay there."
    )
    assert along[0] == (
        "Along gain_v it is a mixture down to 0.5208 (below: no pattern) and up to 2884 (above: pattern 1 or the "
        "reverse of pattern 2)."
    )
    whatever = "(below: no pattern) and up to 1e4 times what it is."
    assert along[1:] == [
        f"Along gain_h it is a mixture down to 0.5208 {whatever}",
        f"Along both gains it is a mixture down to 0.3608 times what it is {whatever}",
    ]
    assert solution.to_dict()["notes"] == list(solution.certificate.notes)


def test_overlaps_and_notes_are_shown(tmp_path, capsys):
    path = tmp_path / "mixture.json"
    path.write_text(json.dumps(MIXTURE))
    assert main(["solve", "hopfield", str(path), "--engine", "block"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "overlap, block │ 0.552960, -0.552960" in said
    assert "overlap, reference │ 0.552960, -0.552960" in said
    assert "The network rests at a mixture of pattern 1" in said
    assert main(["solve", "hopfield", str(PATTERNS), "--engine", "block", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["answer"]["overlap"][0] > 0.99
    assert printed["notes"] == ["The network rests at pattern 1 (overlap 0.996)."]


@engines
def test_a_softmax_network_recalls_its_pattern(engine):
    solution = solve(read_problem("hopfield", SOFTMAX), engine=engine)
    assert solution.passed, str(solution.certificate)
    assert solution.certificate.errors["energy"] <= 1e-9
    assert solution.certificate.errors["rise"] <= 1e-9
    assert solution.certificate.notes == ("The network rests at pattern 1 (overlap 0.988).",)


def test_the_average_of_patterns_is_told_from_a_recall():
    """At a low β softmax rests at a mean of its patterns.

    Of two, shares (1 ± t)/2 have t = tanh(β |d|² t) with the half difference d, |d|² = 2: equal up to β = 1/2, and in the
    proportion 1 : 2, where they no longer count as a mixture, at t = 1/3.
    """
    signs = np.array([[1.0, 1, 1, 1], [1, 1, -1, -1]])
    mean = Hopfield(patterns=signs, activation="softmax", gain_h=0.25, start=signs[0])
    notes = solve(mean, engine="block").certificate.notes
    assert "at a mixture of pattern 1 and pattern 2" in notes[0]
    assert f"up to {1.5 * np.arctanh(1 / 3):.4g} (above: pattern " in notes[1]


@pytest.mark.slow
def test_wrong_overlaps_do_not_pass():
    solution = solve(Hopfield(**MIXTURE), engine="block")
    wrong = {**solution.run.values, "overlap": solution.run.values["overlap"] + 1e-3}
    certificate = certify(solution.flow.problem, dataclasses.replace(solution.run, values=wrong))
    assert [check.name for check in certificate.checks if not check.passed] == [
        "overlaps with the patterns agree with the reference"
    ]


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_circuit_of_parts_recalls_a_pattern():
    solution = solve(read_problem("hopfield", PATTERNS), technology="opamp")
    assert solution.passed, str(solution.certificate)
    assert solution.certificate.notes == ("The network rests at pattern 1 (overlap 0.996).",)


def test_the_leading_part_of_patterns_keeps_them():
    problem = read_problem("hopfield", PATTERNS)
    part = HOPFIELD.smaller(problem, 3)
    assert part is not None
    np.testing.assert_array_equal(part[0].patterns, problem.patterns[:, :3])
    without = HOPFIELD.smaller(Hopfield(np.zeros((2, 2)), patterns=[[0.0, 1.0]]), 1)
    assert without is not None
    assert without[0].patterns is None


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_saturating_law_in_op_amps_stays_off_the_rails():
    """One pair at T = 0.5 in ngspice: within its standard errors of the exact law, no amplifier at its rail."""
    pair = Hopfield([[0.6]], [0.3], activation="tanh", temperature=0.5)
    solution = solve(pair, technology="opamp", engine="ngspice", time_constants=60.0, chains=2, accuracy=1.0)
    verdicts = {check.name: check.verdict for check in solution.certificate.checks}
    assert verdicts["no amplifier meets its rail"] == "passed"
    assert verdicts["mean agrees with the reference"] == "passed"
    assert verdicts["covariance agrees with the reference"] == "passed"


def test_what_multiplies_the_noise_leaves_every_range_by_one_in_its_square():
    """The share of a unit's law beyond cosh(G v) = R goes as 1/R^2, by SciPy's integral: no machine holds all of it."""
    unit = layers(Hopfield([[0.6]], [0.3], activation="tanh", temperature=0.5))[0].unit(0)

    def density(x):
        return math.exp(float(unit.log_density(np.array([x]))[0]) + 0.5 * math.tanh(x) / 0.5)

    whole = quad(density, -25, 25, points=[0.0], limit=400)[0]
    beyond = [
        R**2 * (quad(density, math.acosh(R), 25)[0] + quad(density, -25, -math.acosh(R))[0]) / whole for R in (30, 300)
    ]
    assert beyond[0] == pytest.approx(beyond[1], rel=0.02)
    assert 0.01 < beyond[1] < 1


@pytest.mark.parametrize("temperature", [10.0, 40.0])
def test_a_hot_saturating_network_keeps_its_law(temperature):
    """Noise takes a state through its range in 1/(2TG), and its knots must be closer than that."""
    network = Hopfield([[0.3]], [0.5], activation="tanh", temperature=temperature)
    found = solve(network, engine="block", time_constants=8.0, chains=24)
    assert found.passed
    widths = np.sqrt(np.diag(found.certificate.reference["covariance"]))
    apart = np.array(found.certificate.answer["covariance"]) - np.array(found.certificate.reference["covariance"])
    assert (abs(apart) / np.outer(widths, widths)).max() < 0.1
