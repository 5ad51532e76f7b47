"""Attention by DOP853: as exact as its tolerance, on the sphere, and cheaper than fixed steps."""

import numpy as np
import pytest

from analogflow.digital import attention_adaptive, attention_steps
from analogflow.errors import BadInput
from analogflow.problems import Attention
from analogflow.reference import attention_reference

B, V = np.diag([-1.0, -1.0, 1.0]), np.diag([-1.0, 1.0, -2.0])
PROBLEM = Attention([[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8]], B, V, 2.0, 1.0)


def test_a_smaller_tolerance_is_a_smaller_error():
    exact = attention_reference(PROBLEM).tokens
    errors = [abs(attention_adaptive(PROBLEM, t).tokens - exact).max() for t in (1e-3, 1e-6, 1e-11)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-10
    assert abs(np.linalg.norm(attention_adaptive(PROBLEM, 1e-3).tokens, axis=1) - 1).max() < 1e-14


def test_it_needs_fewer_evaluations_than_fixed_steps_at_equal_error():
    exact = attention_reference(PROBLEM).tokens
    adaptive, fixed = attention_adaptive(PROBLEM, 1e-6), attention_steps(PROBLEM, 1e-3)
    assert abs(adaptive.tokens - exact).max() < abs(fixed.tokens - exact).max()
    assert adaptive.evaluations < fixed.steps


def test_a_tolerance_out_of_range_is_refused():
    with pytest.raises(BadInput, match=r"tolerance is 0\.5; give a number from 1e-13 to 0\.1"):
        attention_adaptive(PROBLEM, 0.5)
