"""The path of a person's equations by two methods, and what is said where it can not be followed."""

import numpy as np
import pytest
import scipy

from analogflow import Equations, solve
from analogflow.errors import SimulationFailed
from analogflow.reference import equations as integration


def test_a_relay_that_switches_without_end_is_given_up_with_a_sentence(monkeypatch):
    monkeypatch.setattr(integration, "_MOST_CALLS", 5000)  # the same end, sooner
    with pytest.raises(SimulationFailed, match=r"by t = 1 of 4 τ and was stopped: they switch to and fro"):
        integration.path_end(lambda at: {"x": -at["x"] / abs(at["x"])}, {"x": np.array(1.0)}, 4.0)


def test_many_quiet_periods_are_not_given_up():
    states, gap = integration.path_end(
        lambda at: {"x": at["y"], "y": -at["x"]}, {"x": np.array(1.0), "y": np.array(0.0)}, 50.0
    )
    assert states["x"] == pytest.approx(np.cos(50.0), abs=1e-9)
    assert gap < 1e-6


@pytest.mark.parametrize("at", [20.0, 7.123, 29.5])
def test_a_pulse_much_narrower_than_the_steps_is_not_passed_over(at):
    states, gap = integration.path_end(
        lambda now: {"x": 1 + 0 * now["x"], "y": 1000 * np.exp(-1e6 * (now["x"] - at) ** 2) - 0.001 * now["y"]},
        {"x": np.array(0.0), "y": np.array(0.0)},
        30.0,
    )
    # The pulse's area, √π, forgotten at the rate 0.001 until the end.
    assert states["y"] == pytest.approx(np.sqrt(np.pi) * np.exp(-0.001 * (30 - at)), abs=1e-8)
    assert gap < 1e-8


@pytest.mark.parametrize("rate", [4.0, 30.0])
def test_a_pulse_that_the_implicit_method_passes_over_is_no_gap(rate):
    states, gap = integration.path_end(
        lambda now: {"x": 1 + 0 * now["x"], "y": 10 * np.exp(-rate * now["x"] ** 2) - 0.05 * now["y"]},
        {"x": np.array(-10.0), "y": np.array(0.0)},
        50.0,
    )
    area = 10 * np.sqrt(np.pi / rate)
    assert states["y"] == pytest.approx(area * np.exp(0.05**2 / (4 * rate) - 0.05 * 40), rel=1e-9)
    assert gap < 1e-8


def test_pulses_narrower_than_the_looks_are_refused_with_what_to_do():
    with pytest.raises(SimulationFailed, match=r"may pass over it: make such pulses wider"):
        integration.path_end(
            lambda now: {"x": 1 + 0 * now["x"], "y": np.exp(-1e7 * np.sin(10 * now["x"]) ** 2)},
            {"x": np.array(0.0), "y": np.array(0.0)},
            100.0,
        )


@pytest.mark.parametrize(("height", "rate"), [(1e-3, 1e2), (30.0, 1e3)])
def test_pulses_into_a_vector_are_found_too(height, rate):
    states, gap = integration.path_end(
        lambda now: {"v": np.array([1.0, height * np.exp(-rate * (now["v"][0] - 20) ** 2)])}, {"v": np.zeros(2)}, 30.0
    )
    assert states["v"] == pytest.approx([30.0, height * np.sqrt(np.pi / rate)], rel=1e-9)
    assert gap < 1e-8


@pytest.mark.parametrize("function", [lambda x: -np.sum(x), lambda x: -float(x[0])], ids=["sums", "takes one state"])
def test_a_function_that_can_not_take_many_states_at_once_is_followed(function):
    states, _ = integration.path_end(lambda now: {"x": np.atleast_1d(function(now["x"]))}, {"x": np.ones(1)}, 10.0)
    assert states["x"] == pytest.approx(np.exp(-10.0), rel=1e-9)


def test_a_long_oscillation_is_no_pulse():
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    states, _ = integration.path_end(lambda now: {"v": turn @ now["v"]}, {"v": np.array([1.0, 0.0])}, 100.0)
    assert states["v"] == pytest.approx([np.cos(100.0), -np.sin(100.0)], abs=1e-9)


def test_a_run_that_passes_over_a_pulse_is_told():
    pulse = Equations({"x": 0.0, "y": 0.0}, {"x": "1", "y": "1000*exp(-1e6*(x-20)**2)-0.001*y"}, time=30.0)
    solution = solve(pulse, engine="block")
    assert solution.certificate.reference["y"][0] == pytest.approx(np.sqrt(np.pi) * np.exp(-0.01), abs=1e-6)
    assert abs(solution.run.final["y"][0]) < 1e-6  # the engine passes over it
    assert not solution.passed


def van_der_pol(at):
    return {"x": at["y"], "y": 4 * (1 - at["x"] ** 2) * at["y"] - at["x"]}


def methods_that_are_asked(monkeypatch, rates, states, time):
    asked, right = [], scipy.integrate.solve_ivp

    def recorded(*given, method, **said):
        asked.append(method)
        return right(*given, method=method, **said)

    monkeypatch.setattr(scipy.integrate, "solve_ivp", recorded)
    return asked, integration.path_end(rates, states, time)


def test_an_implicit_method_is_not_asked_where_it_is_not_needed(monkeypatch):
    start = {"x": np.array(1.0), "y": np.array(0.0)}
    asked, (_, gap) = methods_that_are_asked(monkeypatch, van_der_pol, start, 20.0)
    assert set(asked) == {"DOP853", "LSODA"}
    assert 0 < gap < 1e-8


def test_an_implicit_method_is_asked_where_the_second_one_disagrees(monkeypatch):
    monkeypatch.setattr(integration, "_AGREED", 0.0)
    asked, (_, gap) = methods_that_are_asked(monkeypatch, lambda at: {"x": -at["x"]}, {"x": np.array(1.0)}, 5.0)
    assert set(asked) == {"DOP853", "LSODA", "Radau"}
    assert 0 < gap < 1e-9
