"""Whichever look stops a study, its interval covers as often as stated; looking after every sample decides on luck.

Counts are held against bounds that a right method misses with a probability of at most 1e-6; seeds are fixed.
"""

import numpy as np
import pytest
from scipy import stats
from study_zoo import least_hits, most_hits

from analogflow.errors import BadInput
from analogflow.studies.statistics import Looks, plan_looks, rate_estimate, stop_for_quantile, stop_for_yield

TRIALS = 300
PLAN = plan_looks(800, first=50, looks=5)


@pytest.mark.parametrize("rate", [0.7, 0.9, 0.97])
def test_a_yield_that_stopped_its_study_is_covered_as_often_as_stated(rate):
    errors = np.random.default_rng(0).random((TRIALS, 800)) / rate
    found = [stop_for_yield(row, PLAN, limit=1.0, half_width=0.06) for row in errors]
    assert sum(d.estimate.low <= rate <= d.estimate.high for d in found) >= least_hits(TRIALS, 0.95)
    assert all(d.stop and d.met == (d.estimate.high - d.estimate.low <= 0.12) for d in found)
    assert {d.samples for d in found} <= set(PLAN.sizes)


@pytest.mark.slow
def test_a_quantile_that_stopped_its_study_is_covered_as_often_as_stated():
    errors = np.random.default_rng(1).lognormal(size=(TRIALS, 800))
    found = [stop_for_quantile(row, PLAN, ratio=1.6) for row in errors]
    assert sum(d.estimate.low <= 1 <= d.estimate.high for d in found) >= least_hits(TRIALS, 0.95)
    assert len({d.samples for d in found}) > 1


def test_a_yield_at_its_target_is_decided_wrongly_no_more_often_than_stated():
    errors = np.random.default_rng(2).random((TRIALS, 800)) / 0.9
    found = [stop_for_yield(row, PLAN, limit=1.0, half_width=0.001, target=0.9) for row in errors]
    assert sum(d.met for d in found) <= most_hits(TRIALS, 0.05)
    good = [stop_for_yield(0.9 * row, PLAN, limit=1.0, half_width=0.001, target=0.9) for row in errors[:20]]
    assert all(d.met and d.samples <= 100 and d.estimate.low > 0.9 for d in good)


@pytest.mark.slow
def test_looking_after_every_sample_decides_wrongly_far_more_often():
    rows = np.random.default_rng(2).random((TRIALS, 200)) <= 0.9
    sizes = np.arange(20, 201)
    counts = np.cumsum(rows, axis=1)[:, sizes - 1]
    found = {(c, n): rate_estimate(c, n) for c, n in {*zip(counts.ravel(), np.tile(sizes, TRIALS), strict=True)}}
    decided = [
        any(not found[c, n].low <= 0.9 <= found[c, n].high for c, n in zip(row, sizes, strict=True)) for row in counts
    ]
    assert sum(decided) > most_hits(TRIALS, 0.05)


def test_a_look_rests_on_its_samples_alone():
    errors = np.array([0.5] * 60 + [2.0] * 40)
    early = stop_for_yield(errors, Looks((10, 50, 200)), limit=1.0, half_width=0.08)
    assert (early.stop, early.met, early.samples, early.estimate.value) == (True, True, 50, 1.0)
    assert early.estimate.confidence == 0.95
    assert Looks((10, 50, 200)).each == pytest.approx(1 - 0.05 / 3)
    on = stop_for_yield(errors[:30], Looks((10, 50, 200)), limit=1.0, half_width=0.08)
    assert (on.stop, on.samples, on.upto) == (False, 10, 50)
    first = stop_for_yield([], Looks((10, 50)), limit=1.0, half_width=0.08)
    assert (first.stop, first.upto, first.estimate) == (False, 10, None)
    end = stop_for_yield(errors, Looks((10, 20)), limit=1.0, half_width=0.01)
    assert (end.stop, end.met, end.samples, end.upto) == (True, False, 20, 20)


def test_a_quantile_among_failures_never_stops_early():
    errors = np.where(np.arange(100) % 10 < 6, np.nan, 1.0)
    found = stop_for_quantile(errors, Looks((50, 100)), ratio=100.0)
    assert (found.stop, found.met, found.estimate.failed) == (True, False, 60)
    assert found.estimate.value == np.inf


def test_looks_are_planned_in_geometric_progression():
    assert PLAN.sizes == (50, 100, 200, 400, 800)
    assert plan_looks(10, first=8, looks=9).sizes == (8, 9, 10)
    assert plan_looks(10, first=1, looks=1).sizes == (10,)


def test_the_price_of_looking_is_a_wider_interval():
    alone, plan = (Looks(sizes) for sizes in ((800,), PLAN.sizes))
    widths = []
    for looks in (alone, plan):
        found = stop_for_yield(np.arange(800) / 400, looks, limit=1.0, half_width=0.001)
        widths.append(found.estimate.high - found.estimate.low)
    assert 1 < widths[1] / widths[0] < 1.01 * stats.norm.isf(0.005) / stats.norm.isf(0.025)


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: Looks((50, 50)), r"looks: \(50, 50\) are not ascending numbers of samples"),
        (lambda: Looks(()), r"looks: \(\) are not ascending"),
        (lambda: Looks((5,), confidence=1), "confidence is 1; give a number between 0 and 1"),
        (lambda: plan_looks(10, first=20), "5 looks from 20 to 10 samples; give at least one"),
        (lambda: stop_for_yield([1.0], PLAN, limit=1.0, half_width=2), "half_width is 2; give a number between 0 and 1"),
        (lambda: stop_for_quantile([1.0], PLAN, ratio=1), "ratio: 1 is no factor"),
        (lambda: stop_for_quantile([-1.0], PLAN, ratio=2), "is negative"),
    ],
)
def test_what_is_no_plan_is_refused(call, sentence):
    with pytest.raises(BadInput, match=sentence):
        call()
