"""Attention step by step: the order of the steps, what in-place updates change, and an integrator with error control."""

import math

import numpy as np
import pytest

from analogflow.digital import attention_adaptive, attention_steps
from analogflow.errors import BadInput
from analogflow.problems import Attention
from analogflow.problems.attention import two_phases
from analogflow.reference import attention_reference

PROBLEM = two_phases(8, beta=5.0, time=1.0, seed=3)


@pytest.mark.parametrize("order", ["simultaneous", "in place"])
def test_error_is_of_first_order_in_the_step(order):
    exact = attention_reference(PROBLEM).tokens
    steps = np.array([0.02, 0.01, 0.005, 0.0025])
    errors = [abs(attention_steps(PROBLEM, h, order=order).tokens - exact).max() for h in steps]
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(1, abs=0.15)


def test_zero_temperature_steps_follow_the_zero_temperature_equation():
    cold = PROBLEM.at_zero_temperature()
    exact = attention_reference(cold).tokens
    errors = [abs(attention_steps(cold, h).tokens - exact).max() for h in (0.01, 0.005)]
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.2)
    # No token sees another, so the order of updates does not matter.
    in_place = attention_steps(cold, 0.01, order="in place").tokens
    np.testing.assert_allclose(in_place, attention_steps(cold, 0.01).tokens, atol=1e-14)


def test_in_place_updates_depend_on_the_order_of_tokens_and_simultaneous_ones_do_not():
    turned = Attention(PROBLEM.tokens[::-1], PROBLEM.B, PROBLEM.V, PROBLEM.beta, PROBLEM.time)
    assert abs(attention_steps(turned, 0.05).tokens[::-1] - attention_steps(PROBLEM, 0.05).tokens).max() < 1e-12
    printed = attention_steps(PROBLEM, 0.05, order="in place").tokens
    assert abs(attention_steps(turned, 0.05, order="in place").tokens[::-1] - printed).max() > 1e-3


def test_first_step_by_hand():
    tokens = np.array([[1.0, 0.0], [0.0, 1.0]])
    run = attention_steps(Attention(tokens, np.eye(2), np.eye(2), 1.0, 0.1), 0.1, order="in place")
    w = math.e / (math.e + 1)
    first = np.array([1.0, 0.1 * (1 - w)]) / math.hypot(1, 0.1 * (1 - w))
    np.testing.assert_allclose(run.tokens[0], first, atol=1e-15)
    # The second token attends to the first where it is now.
    a, b = math.exp(first[1]), math.e
    pull = a / (a + b) * first[0]
    np.testing.assert_allclose(run.tokens[1], np.array([0.1 * pull, 1]) / math.hypot(1, 0.1 * pull), atol=1e-15)
    assert (run.steps, run.time, run.order) == (1, 0.1, "in place")


def test_steps_end_at_the_time_and_on_the_sphere():
    run = attention_steps(PROBLEM, 0.3)
    assert run.steps == 4
    assert abs(np.linalg.norm(run.tokens, axis=1) - 1).max() < 1e-15
    assert attention_steps(PROBLEM, 0.1).steps == 10


def test_bad_steps_are_refused():
    with pytest.raises(BadInput, match=r"step 0 is not a positive number of time constants"):
        attention_steps(PROBLEM, 0)
    with pytest.raises(BadInput, match=r"order 'random' is not known; take 'simultaneous' or 'in place'"):
        attention_steps(PROBLEM, order="random")


B, V = np.diag([-1.0, -1.0, 1.0]), np.diag([-1.0, 1.0, -2.0])
FOLLOWED = Attention([[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8]], B, V, 2.0, 1.0)


def test_a_smaller_tolerance_is_a_smaller_error():
    exact = attention_reference(FOLLOWED).tokens
    errors = [abs(attention_adaptive(FOLLOWED, t).tokens - exact).max() for t in (1e-3, 1e-6, 1e-11)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-10
    assert abs(np.linalg.norm(attention_adaptive(FOLLOWED, 1e-3).tokens, axis=1) - 1).max() < 1e-14


def test_it_needs_fewer_evaluations_than_fixed_steps_at_equal_error():
    exact = attention_reference(FOLLOWED).tokens
    adaptive, fixed = attention_adaptive(FOLLOWED, 1e-6), attention_steps(FOLLOWED, 1e-3)
    assert abs(adaptive.tokens - exact).max() < abs(fixed.tokens - exact).max()
    assert adaptive.evaluations < fixed.steps


def test_a_tolerance_out_of_range_is_refused():
    with pytest.raises(BadInput, match=r"tolerance is 0\.5; give a number from 1e-13 to 0\.1"):
        attention_adaptive(FOLLOWED, 0.5)
