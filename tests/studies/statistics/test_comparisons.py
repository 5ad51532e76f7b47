"""Engines that draw from one law are told apart no more often than stated, and a wrong engine is found out.

Counts are held against bounds that a right method misses with a probability of at most 1e-6; seeds are fixed.
"""

import numpy as np
import pytest
from study_zoo import most_hits

from analogflow.errors import BadInput
from analogflow.studies.statistics import compare_engines

TRIALS = 60


def test_engines_of_one_law_are_told_apart_no_more_often_than_stated():
    rng = np.random.default_rng(0)
    found = [compare_engines(*rng.lognormal(size=(2, 40)), permutations=99, seed=k) for k in range(TRIALS)]
    for p_values in ([f.p_value for f in found], [f.kolmogorov_p for f in found], [f.energy_p for f in found]):
        assert sum(p <= 0.05 for p in p_values) <= most_hits(TRIALS, 0.05)


@pytest.mark.parametrize(
    "change, caught_by",
    [
        (lambda e: 1.5 * e, "energy_p"),
        (lambda e: 1.5 * e, "kolmogorov_p"),
        (lambda e: e**2, "energy_p"),
        (lambda e: np.where(np.arange(len(e)) % 10 == 0, np.nan, e), "failures_p"),
    ],
)
def test_a_wrong_engine_is_found_out(change, caught_by):
    first, second = np.random.default_rng(1).lognormal(size=(2, 200))
    assert compare_engines(first, second).p_value > 0.05
    found = compare_engines(first, change(second))
    assert getattr(found, caught_by) < 0.01
    assert found.p_value < 0.02


def test_failures_are_counted_and_compared_apart():
    first, second = np.random.default_rng(2).lognormal(size=(2, 30))
    first[:3], second[:4] = np.nan, np.inf
    found = compare_engines(first, second)
    assert (found.samples, found.failed) == ((30, 30), (3, 4))
    assert found.failures_p == pytest.approx(1.0)
    assert compare_engines(first, second).energy_p == found.energy_p


def test_errors_that_are_rounding_count_as_equal():
    found = compare_engines(np.full(20, 1e-17), np.zeros(20), permutations=99)
    assert (found.kolmogorov, found.energy, found.p_value) == (0.0, 0.0, 1.0)


def test_what_can_not_be_compared_is_said():
    with pytest.raises(BadInput, match=r"second engine: 1 of 2 samples did not fail, and 2 are needed"):
        compare_engines([1.0, 2.0], [1.0, np.nan])
    with pytest.raises(BadInput, match="permutations: 9 are too few"):
        compare_engines([1.0, 2.0], [1.0, 2.0], permutations=9)
    with pytest.raises(BadInput, match="second engine: 0 samples were given"):
        compare_engines([1.0, 2.0], [])
