"""Chaotic flows: a run passes for as long as its path can be followed, and not where anything but chaos led it astray."""

import numpy as np
import pytest

import analogflow as af
from analogflow.cli import main
from analogflow.judgement.judging import judge
from analogflow.run import Run

LORENZ = af.Equations(
    {"x": -7.3, "y": -11.4, "z": 19.9},
    {"x": "s * (y - x)", "y": "x * (r - z) - y", "z": "x * y - b * z"},
    constants={"s": 10.0, "r": 28.0, "b": 8 / 3},
    observables={"energy": "x ** 2 + y ** 2 + z ** 2"},
    time=25.0,
    name="lorenz",
)
CHUA = af.Equations(
    {"x": 0.7, "y": 0.0, "z": 0.0},
    {"x": "a * (y - x - h)", "y": "x - y + z", "z": "-b * y"},
    constants={"a": 15.6, "b": 28.0, "m0": -1.143, "m1": -0.714},
    definitions={"h": "m1 * x + 0.5 * (m0 - m1) * (abs(x + 1) - abs(x - 1))"},
    time=40.0,
    name="chua",
)
DUFFING = af.Equations(
    {"x": 1.0, "x'": 0.0},
    {"x''": "x - x ** 3 - d * x' + F * cos(1.2 * t)"},
    constants={"d": 0.3, "F": 0.5},
    time=110.0,
    name="duffing",
)
CHAOTIC = {"lorenz": LORENZ, "chua": CHUA, "duffing": DUFFING}

VAN_DER_POL = af.Equations(
    {"x": 0.5, "x'": 0.0}, {"x''": "mu * (1 - x ** 2) * x' - x"}, constants={"mu": 1.0}, time=30.0, name="van der pol"
)


def verdict(certificate):
    return next(check for check in certificate.checks if check.name == "states agree with the reference")


class Solved(dict):
    """Runs by name, each made when it is asked for."""

    def __missing__(self, name):
        self[name] = af.solve(CHAOTIC[name], engine="block")
        return self[name]


@pytest.fixture(scope="module")
def runs():
    return Solved()


@pytest.mark.parametrize("name", [pytest.param("lorenz", marks=pytest.mark.slow), "chua", "duffing"])
def test_a_run_passes_until_its_path_can_no_longer_be_followed(runs, name):
    solution = runs[name]
    assert solution.passed, solution.certificate
    check = verdict(solution.certificate)
    until = float(check.verdict.removeprefix("passed until t = ").removesuffix(", then chaos"))
    assert 0 < until < solution.run_time
    assert "e-fold every" in check.detail
    assert solution.certificate.verdict.startswith("passed until t = ")


def test_the_horizon_is_that_of_the_measured_exponent(runs):
    """Between the errors that the run makes on a stretch and the limit lie ln(limit/error) e-foldings."""
    check = verdict(runs["lorenz"].certificate)
    until = float(check.verdict.split()[4].rstrip(","))
    error = float(check.detail.split()[0])
    expected = (1 + np.log(1e-6 / error)) / 0.9056
    assert until > 0.5 * expected
    # Nor does it go on for long beyond: no run follows a chaotic path for ever.
    assert until < expected + 12 / 0.9056


@pytest.mark.parametrize(
    ("name", "constant"),
    [
        pytest.param(name, constant, marks=pytest.mark.slow if nth else ())
        for name, problem in CHAOTIC.items()
        for nth, constant in enumerate(problem.constants)
    ],
)
def test_a_coefficient_that_is_off_by_a_tenth_is_no_chaos(name, constant):
    problem = CHAOTIC[name]
    wrong = problem.replaced(**{constant: 1.1 * problem.constants[constant]})
    run = af.simulate(af.netlist(af.compile(af.flows.custom(wrong)), time_constants=problem.time), engine="block")
    certificate = af.certify(problem, run)
    assert not certificate.passed
    check = verdict(certificate)
    assert check.verdict == "failed"
    assert "does not explain it" in check.detail
    assert "failed: " in certificate.verdict


@pytest.mark.parametrize("share", [*(pytest.param(share, marks=pytest.mark.slow) for share in (1e-2, 1e-3)), 1e-4])
def test_nor_is_one_that_is_off_by_less_than_a_tenth_but_more_than_the_limit(share):
    wrong = LORENZ.replaced(r=28.0 * (1 + share))
    run = af.simulate(af.netlist(af.compile(af.flows.custom(wrong)), time_constants=LORENZ.time), engine="block")
    assert verdict(af.certify(LORENZ, run)).verdict == "failed"


def test_a_jump_late_on_the_way_is_no_chaos(runs):
    """Where reference and run have long parted, the equations are still asked: one stretch is enough to fail."""
    run = runs["lorenz"].run
    late = np.where(run.time > 21.0, 1e-3 * abs(run.values["y"]).max(), 0.0)[:, None]
    moved = {**run.values, "y": run.values["y"] + late}
    certificate = af.certify(LORENZ, Run(run.time, moved, run.outcome))
    assert verdict(certificate).verdict == "failed"
    assert "does not explain it" in verdict(certificate).detail


def test_an_observable_that_is_read_wrongly_is_no_chaos(runs):
    run = runs["lorenz"].run
    wrong = {name: value * (1.001 if name == "energy" else 1.0) for name, value in run.values.items()}
    check = verdict(af.certify(LORENZ, Run(run.time, wrong, run.outcome)))
    assert check.verdict == "failed"
    assert "in energy only" in check.detail


def test_an_oscillator_that_is_off_is_not_excused(runs):
    wrong = VAN_DER_POL.replaced(mu=1.1)
    run = af.simulate(af.netlist(af.compile(af.flows.custom(wrong)), time_constants=30.0), engine="block")
    check = verdict(af.certify(VAN_DER_POL, run))
    assert check.verdict == "failed"
    assert "e-fold" not in check.detail


@pytest.mark.slow
def test_an_accuracy_that_is_asked_for_moves_the_horizon():
    found = {}
    for accuracy in (1e-6, 1e-2):
        solution = af.solve(LORENZ, engine="block", accuracy=accuracy)
        found[accuracy] = float(verdict(solution.certificate).verdict.split()[4].rstrip(","))
    # The reference is known for so long only, whatever is asked of the run.
    assert found[1e-6] <= found[1e-2] < 25.0


def test_too_few_saved_points_tell_nothing(runs):
    run = runs["lorenz"].run
    few = np.unique(np.linspace(0, len(run.time) - 1, 9).astype(int))
    thin = Run(run.time[few], {name: value[few] for name, value in run.values.items()}, run.outcome)
    check = verdict(af.certify(LORENZ, thin))
    assert check.verdict == "failed"
    assert "too few points" in check.detail


def test_many_samples_are_judged_as_one_is(runs):
    run = runs["lorenz"].run
    many = {name: np.stack([value, value + (1e-2 if name == "x" else 0.0)]) for name, value in run.values.items()}
    judged = judge(LORENZ, {n: v[:, -1] for n, v in many.items()}, paths=many, times=run.time, end=float(run.time[-1]))
    assert judged.passed.tolist() == [True, False]
    assert "then chaos" in judged.checks(0)[1].verdict
    assert judged.checks(1)[1].verdict == "failed"


@pytest.mark.slow
def test_a_flow_given_as_a_function_is_judged_alike():
    def lorenz(x, y, z):
        return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z

    flow = af.Flow(lorenz, {name: np.ravel(value) for name, value in LORENZ.states.items()}, end_time=25.0)
    solution = af.solve(flow, engine="block")
    assert solution.passed
    assert "then chaos" in verdict(solution.certificate).verdict


@pytest.mark.slow
def test_the_command_line_says_so_and_exits_with_0(tmp_path, capsys):
    path = tmp_path / "lorenz.toml"
    states, constants = LORENZ.states, LORENZ.constants
    path.write_text(
        "time = 25.0\n[states]\n" + "".join(f"{name} = {float(value[0])}\n" for name, value in states.items())
        + "[constants]\n" + "".join(f"{name} = {float(value)}\n" for name, value in constants.items())
        + "[equations]\n" + "".join(f'{name} = "{text}"\n' for name, text in LORENZ.equations.items())
    )  # fmt: skip
    assert main(["solve", str(path), "--engine", "block"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "passed until t =" in said
    assert "then chaos" in said
    assert "failed" not in said
