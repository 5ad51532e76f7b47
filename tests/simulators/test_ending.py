"""What the path of a run says of its end: the same in every engine, with what is left of the way where that can be seen."""

from typing import Any

import numpy as np
import pytest

from analogflow import Flow, Noise, compile, degrade, netlist, simulate
from analogflow.run import Outcome
from analogflow.simulators.ending import creep_of

ENGINES = ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)]


def run_of(function: Any, engine: Any, time_constants: float = 2000.0) -> Any:
    deck = netlist(compile(Flow(function, {"x": np.array([1.0, 0.5])})), time_constants=time_constants, largest_step=1.0)
    return simulate(deck, engine=engine, resting_speed=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("power", [1, 2, 3])
def test_every_engine_sees_the_same_power_of_time(engine, power):
    run = run_of(lambda x: -x * {1: x, 2: x * x, 3: x * x * x}[power], engine)
    assert run.outcome is Outcome.ALGEBRAIC
    assert run.creep.power == pytest.approx(1 / power, rel=0.02)
    assert run.creep.left == pytest.approx(run.final["x"].max(), rel=0.05)  # it goes to 0
    assert "type" not in run.outcome.value  # whose symbols they are is for a family to say


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exponential_says_its_rate_and_what_is_left(engine):
    run = run_of(lambda x: -1e-3 * (x - 2.0), engine)
    assert run.outcome is Outcome.NOT_SETTLED
    assert run.creep.rate == pytest.approx(1e-3, rel=0.05)
    assert run.creep.left == pytest.approx(abs(run.final["x"] - 2.0).max(), rel=0.1)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_path_does_not_show_its_linear_equations_foresee(engine):
    """In 200 τ x' = -1e-5 (x - 2) goes a five hundredth of its way, along what looks like a straight line."""
    run = run_of(lambda x: -1e-5 * (x - 2.0), engine, time_constants=200.0)
    assert run.outcome is Outcome.NOT_SETTLED
    assert run.creep.rate == pytest.approx(1e-5, rel=1e-9)
    assert run.creep.left == pytest.approx(abs(run.final["x"] - 2.0).max(), rel=1e-6)


def test_equations_that_bend_on_the_way_foresee_nothing():
    assert run_of(lambda x: 1e-5 * (x - x * x) * (1.0 - 0.9 * x), "block", time_constants=200.0).creep.left == np.inf


@pytest.mark.parametrize("engine", ENGINES)
def test_of_a_drift_no_end_is_seen(engine):
    creep = run_of(lambda x: 0.0 * x + 1e-3, engine).creep
    assert (creep.rate, creep.power, creep.left) == (0.0, 0.0, np.inf)
    assert creep.speed == pytest.approx(1e-3)


def test_what_came_to_rest_or_fluctuates_does_not_creep():
    assert run_of(lambda x: 1.0 - x, "block").creep is None
    noisy = degrade(compile(Flow(lambda x: 1.0 - 0.0 * x, {"x": np.zeros(1)})), noise=Noise(0.01, seed=1))
    run = simulate(netlist(noisy, time_constants=200.0), engine="block", resting_speed=1e-9)
    assert (run.outcome, run.creep) == (Outcome.NOT_SETTLED, None)


def test_a_slow_power_that_is_slower_than_rest_is_not_called_rest():
    """At t = 2e4 the speed of 1/t is below 1e-8 per τ, and a twenty-thousandth of the way is still to go."""
    deck = netlist(compile(Flow(lambda x: -x * x, {"x": np.ones(1)})), time_constants=2e4)
    assert simulate(deck, engine="block", resting_speed=1e-7).outcome is Outcome.ALGEBRAIC


@pytest.mark.parametrize("points", [12, 100, 5000])
@pytest.mark.parametrize("rate", [3e-4, 1e-2, 0.3])
def test_rates_are_read_off_few_points_and_many(points, rate):
    time = np.unique([0.0, *np.geomspace(1e-2, 3000.0, points)])
    creep = creep_of(time, np.stack([np.exp(-rate * time), 1 - 0.5 * np.exp(-5 * rate * time)], axis=1))
    assert creep.power == 0
    if rate * 3000 < 20:  # else all that is left is rounding
        assert creep.rate == pytest.approx(rate, rel=0.3 if points < 50 else 0.03)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("start", [0.0, 1.0])
def test_an_answer_that_rests_until_another_state_takes_it_along_is_none(engine, start):
    flow = Flow(
        lambda x, s: (np.maximum(s - 50.0, 0.0) - x, 1.0 - 0.01 * s),
        {"x": np.array([start]), "s": np.zeros(1)},
        answer="x",
    )
    run = simulate(netlist(compile(flow), time_constants=2000.0), engine=engine, resting_speed=1e-9)
    assert run.outcome is Outcome.NOT_SETTLED  # it rests at 0, and ends at 50
    assert "s, on which it depends, still moves" in run.detail


def test_an_answer_that_others_leave_where_it_is_rests_though_they_move():
    flow = Flow(
        lambda y, u, v, w: (np.tanh(u) - y, 1.0 + 0.0 * u, w, -v),
        {"y": np.zeros(1), "u": np.zeros(1), "v": np.ones(1), "w": np.zeros(1)},
        answer="y",
    )
    run = simulate(netlist(compile(flow), time_constants=200.0), engine="block", resting_speed=1e-9)
    assert run.outcome is Outcome.SETTLED
    assert run.final["y"] == pytest.approx(1.0, abs=1e-6)
