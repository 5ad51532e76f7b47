"""Runs that still creep: the answer is judged where it is proved, elsewhere it is said how long they would have to be."""

import dataclasses

import numpy as np
import pytest

from analogflow import Channel, Flow, Transport, certify, solve
from analogflow.cli import main
from analogflow.judgement.certificate import time_needed
from analogflow.judgement.judging import batched
from analogflow.problems import Equations, Hopfield, RateDistortion
from analogflow.run import Outcome
from analogflow.simulators.ending import creep_of
from analogflow.studies.sampling import _rows_of

CASCADE = Channel([[1.0, 0.0], [0.99978388517686712, 0.00021611482313288466]])
"""13 Z-channels in a row: C is 7.9509631e-5 nat, and the slowest rate 1.37e-4 per τ."""

DUPLICATES = Channel(
    [
        [0.026837065496692757, 0.09505308224209157, 0.34140468400622415, 0.5367051682549916],
        [0.3017155329205166, 0.22647563917693628, 0.38169371835460125, 0.09011510954794574],
        [0.20569809123591162, 0.013626334501918, 0.09273422921237409, 0.6879413450497963],
        [0.026837066462128387, 0.09505308198526469, 0.34140466986785245, 0.5367051816847545],
        [0.3017155342177808, 0.22647562383315065, 0.38169373815723634, 0.09011510379183212],
        [0.20569809730859956, 0.013626336977529572, 0.09273423678013004, 0.6879413289337407],
    ]
)
"""Three inputs, each twice but for rounding: how their weight is shared stays undecided for ever."""

ENGINES = ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)]


def ended(solution):
    return solution.certificate.checks[0]


def needed(solution) -> float:
    return solution.to_dict()["time_needed"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_certified_answer_passes_though_its_state_creeps(engine):
    solution = solve(DUPLICATES, engine=engine)
    assert solution.run.outcome.creeps
    assert solution.passed
    assert solution.certificate.answer["capacity_nats"] == pytest.approx(0.23908347, abs=2e-8)
    assert "still creeps at" in ended(solution).detail
    assert "certified to 1e-06" in ended(solution).detail
    assert solution.to_dict()["settled"] is False


@pytest.fixture(scope="module")
def cut_short():
    return solve(CASCADE, engine="block")


def test_one_that_is_not_certified_is_told_how_long_it_takes(cut_short):
    short = cut_short
    assert not short.passed
    said = short.to_dict()
    assert said["settled"] is False
    assert said["run_time"] == 5000.0
    assert 1.0e5 < said["time_needed"] < 1.4e5
    assert f"after 5000 τ; about {said['time_needed']:g} τ are needed" in ended(short).detail


@pytest.mark.slow
def test_the_time_that_one_is_told_is_enough(cut_short):
    long = solve(CASCADE, engine="block", time_constants=cut_short.to_dict()["time_needed"])
    assert long.passed
    assert long.certificate.answer["capacity_nats"] == pytest.approx(7.9509631e-5, abs=1e-9)
    assert long.to_dict()["time_needed"] is None


@pytest.mark.slow
def test_exit_code_follows_the_judgement(tmp_path, capsys):
    for k, (channel, code) in enumerate(((DUPLICATES, 0), (CASCADE, 1))):
        path = tmp_path / f"{k}.csv"
        np.savetxt(path, channel.transition, delimiter=",", fmt="%.17g")
        assert main(["solve", "capacity", str(path), "--engine", "block"]) == code
        assert "creeps" in capsys.readouterr().out


@pytest.mark.parametrize(
    "problem",
    [
        RateDistortion(source=[0.5, 0.3, 0.2], distortion=1 - np.eye(3), beta=0.8),
        Transport(cost=[[0, 1, 2], [1, 0, 1], [2, 1, 0]], row=[0.3, 0.3, 0.4], column=[0.4, 0.3, 0.3], epsilon=0.12),
        Hopfield(U=[[0.95, 0.0], [0.0, 0.9]], I=[0.1, -0.1], activation="tanh", temperature=0.0),
    ],
    ids=lambda problem: type(problem).__name__,
)  # fmt: skip
def test_a_run_that_was_too_short_passes_once_it_is_as_long_as_it_says(problem):
    whole = solve(problem, engine="block")
    assert whole.passed
    short = solve(problem, engine="block", time_constants=0.15 * whole.run_time)
    assert short.run.outcome is Outcome.NOT_SETTLED
    assert not short.passed
    assert short.run_time < needed(short) < 10 * whole.run_time
    assert solve(problem, engine="block", time_constants=short.time_needed).passed


def test_a_flow_of_ones_own_is_told_the_time_from_its_path():
    flow = Flow(lambda x: 2e-3 * (1.0 - x), {"x": np.zeros(2)})
    short = solve(flow, engine="block", time_constants=1500.0)
    assert not short.passed  # where it goes is proved by nobody
    assert 6000 < needed(short) < 16000
    assert solve(flow, engine="block", time_constants=short.time_needed).passed


@pytest.mark.parametrize("damping", [0.0, 2e-2])
def test_what_swings_for_ever_is_told_no_time_but_how_to_end_it(damping):
    swing = Equations(states={"x": 1.0, "v": 0.0}, equations={"x": "v", "v": f"-x - {damping}*v"})
    solution = solve(swing, engine="block", time_constants=100.0)
    assert not solution.passed
    if damping:  # the twin: it dies down by a factor of e in 100 τ
        assert "give it an end time" not in ended(solution).detail
        return
    assert solution.time_needed is None
    assert 0.95 < solution.run.creep.speed < 1.001
    assert "no end of that can be seen; if its path is the answer, give it an end time (time = …)" in ended(solution).detail


def test_time_for_an_approach_like_a_power_follows_it():
    flow = Flow(lambda x: -x * x, {"x": np.ones(1)})
    short = solve(flow, engine="block", time_constants=1000.0, accuracy=1e-4)
    assert short.time_needed == pytest.approx(1e4, rel=0.1)  # x = 1/(1 + t)
    assert not short.passed
    assert "type" not in ended(short).detail


@pytest.mark.slow
def test_a_family_says_why_its_answer_is_approached_like_a_power():
    channel = Channel([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5], [0.5, 0, 0.5, 0]])
    for accuracy in (1e-6, 1e-9):
        solution = solve(channel, engine="block", accuracy=accuracy)
        assert "input 3 is of type II" in ended(solution).detail
        assert solution.passed is (accuracy == 1e-6)  # its gap is 4e-8 nat after 5000 τ
    edge = RateDistortion(source=[0.7, 0.3], distortion=1 - np.eye(2), beta=float(np.log(7 / 3)))
    assert "letter is about to come into use" in ended(solve(edge, engine="block", time_constants=1000.0)).detail


def test_a_creeping_answer_off_the_limits_does_not_pass():
    """The twin: the certificate that lets a creeping run pass is looked at."""
    run = solve(CASCADE, engine="block", time_constants=300.0).run
    assert not certify(CASCADE, run, limit=1e-6).passed
    assert certify(CASCADE, run, limit=1e-3).passed
    assert (time_needed(CASCADE, run, 1e-3) or 0) < (time_needed(CASCADE, run, 1e-6) or 0)


@pytest.mark.parametrize(("size", "stands"), [(0.2, False), (1e-9, True)])
def test_a_swing_that_crosses_its_answer_is_no_answer(size, stands):
    problem = Transport(cost=[[0, 1], [1, 0]], row=[0.3, 0.7], column=[0.4, 0.6], epsilon=0.5)
    right = solve(problem, engine="block")
    times = np.linspace(0.0, 100.0, 4001)
    # At its end it is right; what is moved keeps both marginals' sums, and swings 100 times before.
    moved = size * np.sin(2 * np.pi * times[:, None]) * np.array([1.0, -1.0, -1.0, 1.0])
    values = {name: np.repeat(value[-1:], len(times), axis=0) for name, value in right.run.values.items()}
    values["plan"] = values["plan"] + moved
    values["scaled"] = values["scaled"] + moved[:, :2]
    creep = creep_of(times, values["scaled"])
    assert creep.swings
    run = dataclasses.replace(right.run, time=times, values=values, outcome=Outcome.NOT_SETTLED, creep=creep, detail="")
    certificate = certify(problem, run)
    assert all(check.passed for check in certificate.checks[1:])
    assert certificate.passed == stands
    assert "still swings to and fro" in certificate.checks[0].detail
    rows = _rows_of(right.circuit, batched(run), 100.0, ["it moves"], certified=False)
    assert rows["reason"].tolist() == ["" if stands else "it moves"]
