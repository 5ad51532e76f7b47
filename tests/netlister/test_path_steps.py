"""Steps of netlists along fast paths: short enough for trapezoids to follow, no shorter where that is not worth it."""

import math

import numpy as np
import pytest

from analogflow import Equations, compile, netlist, solve
from analogflow.flows import custom


def oscillator(rate, time):
    return Equations({"x": 1.0, "v": 0.0}, {"x": f"{rate} * v", "v": f"-{rate} * x"}, time=time)


def step_of(problem):
    return netlist(compile(custom(problem))).largest_step


@pytest.mark.parametrize("rate", [0.5, 3.0, 10.0])
def test_bend_of_an_oscillation_is_its_mean_third_derivative(rate):
    wanted = rate**3 * 2 / math.pi  # of rate³ |cos|; the orbit is looked at 41 times
    assert abs(compile(custom(oscillator(rate, 20.0))).bend / wanted - 1) < 0.1


def test_steps_are_as_short_as_the_error_of_trapezoids_asks():
    problem = oscillator(3.0, 20.0)
    bend = compile(custom(problem)).bend
    assert 0.9 < step_of(problem) / math.sqrt(12 * 6e-7 / (bend * 20)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("problem", [oscillator(0.1, 5.0), oscillator(200.0, 20.0)], ids=["slow", "beyond what is worth it"])
def test_slow_flows_and_those_too_fast_keep_their_usual_steps(problem):
    assert step_of(problem) == max(5e-4, problem.time / 20_000)


def test_circuits_under_conditions_and_flows_that_settle_keep_theirs():
    from analogflow import Imperfections, degrade

    circuit = degrade(compile(custom(oscillator(10.0, 5.0))), Imperfections(mismatch=1e-3))
    assert circuit.bend == 0.0
    assert netlist(circuit).largest_step == 5e-4
    assert compile(custom(Equations({"x": 1.0}, {"x": "-100 * x"}))).bend == 0.0


def test_newton_s_steps_rest_closer_where_trapezoids_are_short():
    assert "reltol=1e-7" in netlist(compile(custom(oscillator(10.0, 5.0)))).text
    assert "reltol=1e-6" in netlist(compile(custom(oscillator(0.1, 5.0)))).text


@pytest.mark.ngspice
@pytest.mark.parametrize(
    "problem",
    [
        oscillator(10.0, 5.0),
        Equations({"x": 0.5, "v": 0.0}, {"x": "v", "v": "(1 - x ** 2) * v - x"}, time=20.0),
        Equations({"v": 0.0}, {"v": "1 - 2 * hysteresis(v, -0.5, 0.5) - v"}, time=21.0),
    ],
    ids=["harmonic", "van der pol", "astable"],
)
def test_ngspice_follows_fast_flows_as_it_is(problem):
    solution = solve(problem, engine="ngspice")
    assert solution.passed, solution
    assert np.isfinite(solution.run.final[problem.answer]).all()


@pytest.mark.slow
@pytest.mark.ngspice
def test_ngspice_follows_the_lorenz_attractor_as_it_is():
    lorenz = Equations(
        {"x": -7.3, "y": -11.4, "z": 19.9},
        {"x": "10 * (y - x)", "y": "x * (28 - z) - y", "z": "x * y - 8 / 3 * z"},
        time=25.0,
    )
    assert solve(lorenz, engine="ngspice").passed
