"""Verdicts do not depend on the units that a problem is written in, where its mathematics does not."""

import dataclasses

import numpy as np
import pytest

import analogflow as af
from analogflow.flows import custom

FACTORS = [1e-6, 1.0, *(pytest.param(factor, marks=pytest.mark.slow) for factor in (1e-3, 1e3)), 1e6]
ENGINES = ["block", pytest.param("ngspice", marks=pytest.mark.ngspice)]

COST = np.array([[1.0, 3.0, 2.0], [4.0, 1.0, 5.0]])
ROW, COLUMN = np.array([0.6, 0.4]), np.array([0.35, 0.45, 0.2])


def transport(mass=1.0, unit=1.0):
    return af.Transport(cost=unit * COST, row=mass * ROW, column=mass * COLUMN, epsilon=0.3 * unit)


def failed(solution):
    return [check.name for check in solution.certificate.checks if not check.passed]


@pytest.mark.few(10)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("form", ["potential", "scaling"])
@pytest.mark.parametrize("what", ["mass", "unit"])
@pytest.mark.parametrize("factor", FACTORS)
def test_transport_settles_whatever_its_masses_and_costs_count(engine, form, what, factor):
    whole = af.solve(transport(), form=form, engine=engine)
    scaled = af.solve(transport(**{what: factor}), form=form, engine=engine)
    assert failed(scaled) == []
    assert scaled.run.outcome is whole.run.outcome is af.Outcome.SETTLED
    assert scaled.run_time == pytest.approx(whole.run_time, rel=0.3)
    assert scaled.certificate.answer["cost"] / factor == pytest.approx(whole.certificate.answer["cost"], rel=1e-6)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_transport_run_that_is_too_short_fails_at_every_scale(factor):
    for problem in (transport(factor), transport(1.0, factor)):
        assert "settled" in failed(af.solve(problem, engine="block", time_constants=8.0))


def relaxing(factor, **options):
    """Two states of one's own in units of `factor`: one follows the other's square, so that nothing is linear."""

    def function(x, y):
        return 1.5 * factor - x, x * x / factor - 0.5 * y

    return af.Flow(function, {"x": np.array([0.2, 0.4]) * factor, "y": np.zeros(2)}, rests=("x", "y"), **options)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("factor", FACTORS)
def test_a_flow_of_ones_own_settles_in_any_unit(engine, factor):
    solution = af.solve(relaxing(factor), engine=engine)
    assert failed(solution) == []
    assert solution.run.outcome is af.Outcome.SETTLED
    np.testing.assert_allclose(solution.run.final["y"] / factor, 4.5, rtol=1e-7)
    assert solution.settling_time == pytest.approx(32.0, abs=3.0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("factor", FACTORS)
def test_and_its_path_is_followed_in_any_unit(engine, factor):
    solution = af.solve(relaxing(factor, end_time=2.0), engine=engine)
    assert failed(solution) == []


@pytest.mark.parametrize("factor", FACTORS)
def test_a_wrong_path_fails_in_any_unit(factor):
    flow = relaxing(factor, end_time=2.0)
    wrong = dataclasses.replace(flow, function=lambda x, y: (1.5 * factor - x, 1.00001 * x * x / factor - 0.5 * y))
    run = af.simulate(af.netlist(af.compile(wrong), time_constants=2.0), engine="block")
    verdict = af.certify(flow, run)
    assert [check.name for check in verdict.checks if not check.passed] == ["states agree with the reference"]
    assert verdict.errors["y"] == pytest.approx(1e-5, rel=0.1)


@pytest.mark.parametrize("factor", FACTORS)
def test_equations_as_text_are_judged_in_any_unit(factor):
    text = af.Equations(
        {"x": [0.2 * factor], "v": [0.0]},
        {"x": "v", "v": "0 - x - 0.1*v - x*x*x/unit**2"},
        constants={"unit": factor},
        time=10.0,
    )
    assert failed(af.solve(text, engine="block")) == []
    run = af.solve(dataclasses.replace(custom(text), problem=None, end_time=9.9999), engine="block").run
    assert "states agree with the reference" in [
        c.name for c in af.certify(text, dataclasses.replace(run, time=run.time * 1.00001)).checks if not c.passed
    ]


@pytest.mark.parametrize("factor", FACTORS)
def test_a_linear_network_is_judged_in_any_unit(factor):
    problem = af.Hopfield(U=[[0.3, 0.1], [0.1, 0.2]], I=np.array([0.5, -0.5]) * factor, activation="linear", temperature=0.0)
    assert failed(af.solve(problem, engine="block")) == []
    assert "the rest agrees with the reference" in failed(af.solve(problem, engine="block", time_constants=5.0))


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1.0, 1e3])
def test_a_large_runaway_is_one_in_any_unit(factor):
    flow = af.Flow(lambda x: x * x / factor, {"x": np.array([factor])})
    run = af.simulate(af.netlist(af.compile(flow), time_constants=5.0), engine="block", resting_speed=1e-9)
    assert run.outcome is af.Outcome.BLEW_UP


@pytest.mark.parametrize("factor", [1e-10, 1e-4, 1.0, 1e3])
def test_a_flat_valley_is_not_taken_for_the_floor(factor):
    """The rest is at 1; at a speed of 1e-10 per τ a run would have been stopped at its start."""
    problem = af.Langevin(f"{factor!r}*(x**2/2 - x)", ["x"], 0.0, start=[0.1])
    solution = af.solve(problem, engine="block")
    right = abs(solution.certificate.answer["mean"][0] - 1) < 1e-6
    assert solution.passed is right is (factor >= 1)
    assert solution.run.outcome.ok is right


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e3])
def test_a_saddle_is_one_however_flat(factor):
    saddle = af.Langevin(f"{factor!r}*(x**2/2 + y**4/4 - y**2/2)", ["x", "y"], 0.0, start=[0.0, 0.0])
    assert "the end is a valley of the energy" in failed(af.solve(saddle, engine="block"))


@pytest.mark.parametrize("rate", [1e-10, 1e-12])
def test_slow_equations_of_ones_own_are_not_at_rest_where_they_start(rate):
    solution = af.solve(af.Flow(lambda x: rate * (2.0 - x), {"x": np.ones(2)}), engine="block")
    assert not solution.passed
    assert "larger unit of time" in solution.certificate.checks[0].detail


@pytest.mark.parametrize("factor", [1.0, 1e7])
def test_one_that_starts_at_nothing_may_go_far(factor):
    solution = af.solve(af.Flow(lambda x: factor - 0.5 * x, {"x": np.zeros(1)}), engine="block")
    assert solution.passed
    assert solution.run.final["x"][0] == pytest.approx(2 * factor, rel=1e-7)


def test_fast_rates_are_no_reason_for_larger_errors():
    flow = af.Flow(lambda x, y: (1e3 * (2.0 - x), x - y), {"x": np.zeros(1), "y": np.zeros(1)}, end_time=1.0)
    assert flow.state_scale == 1.0
    solution = af.solve(flow, engine="block")
    assert solution.certificate.errors["y"] < 1e-6
    assert solution.run.final["y"][0] == pytest.approx(2 * (1 - np.exp(-1.0)), abs=2e-3)


@pytest.mark.slow
def test_a_stiff_run_that_stops_before_its_first_point_ends_where_it_stopped():
    solution = af.solve(af.Flow(lambda x: 1e7 * (2.0 - x), {"x": np.ones(1)}), engine="block")
    assert solution.run_time > 0
    assert solution.run.final["x"][0] == pytest.approx(2.0, abs=1e-6)
    assert solution.passed
