"""Yields count failures as losses, their intervals and bands cover, and a tolerance is never proved by luck.

Counts are held against bounds that a right method misses with a probability of at most 1e-6; seeds are fixed.
"""

import numpy as np
import pytest
import study_zoo
from scipy import stats
from study_zoo import least_hits, most_hits

from analogflow.errors import BadInput
from analogflow.studies.statistics import errors_at, largest_tolerated, study_tolerance, yield_at, yield_curve

TRIALS = 300
LEVELS = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0])
TRUE = 1 / stats.norm.isf(0.025)
"""Sample k passes at a level where level · |x_k| ≤ 1, so a yield of 0.95 is reached up to here: 0.5102."""


def test_a_failed_sample_is_a_loss():
    errors = [0.1, 0.2, 0.3, np.nan, np.inf]
    found = yield_at(errors, 0.25)
    assert (found.value, found.samples, found.failed) == (0.4, 5, 2)
    assert yield_at(errors, 1e9).value == 0.6
    assert yield_at([np.nan] * 4, 1.0).value == 0.0


def test_a_curve_rises_and_agrees_with_its_points():
    errors = np.random.default_rng(0).lognormal(size=50)
    curve = yield_curve([*errors, np.nan], [0.5, 1.0, 2.0])
    point = yield_at([*errors, np.nan], 1.0)
    assert (curve.yields[1], curve.low[1], curve.high[1]) == (point.value, point.low, point.high)
    assert (np.diff(curve.yields) >= 0).all()
    assert (curve.samples, curve.failed) == (51, 1)


def test_the_band_covers_the_whole_curve_as_often_as_stated_and_the_points_alone_do_not():
    limits = np.geomspace(0.05, 20, 60)
    true = stats.lognorm(1.0).cdf(limits)
    rows = np.random.default_rng(1).lognormal(size=(100, 40))
    curves = [yield_curve(row, limits) for row in rows]
    assert sum((abs(c.yields - true) <= c.band).all() for c in curves) >= least_hits(100, 0.95)
    assert sum(((c.low <= true) & (true <= c.high)).all() for c in curves) < least_hits(100, 0.95)


def tolerances(samples, *, levels=LEVELS, seed=2, trials=TRIALS):
    draws = abs(np.random.default_rng(seed).normal(size=(trials, samples)))
    passed = (levels[:, None] * draws[:, None, :] <= 1).sum(axis=2)
    return [(row, largest_tolerated(levels, row, np.full(len(levels), samples))) for row in passed]


def test_a_tolerance_is_proved_wrongly_no_more_often_than_stated_though_all_levels_share_their_samples():
    found = [tolerance for _, tolerance in tolerances(300)]
    assert sum(t.low > TRUE for t in found) <= most_hits(TRIALS, 0.025)
    assert sum(t.high <= TRUE for t in found) <= most_hits(TRIALS, 0.025)
    assert np.median([t.value for t in found]) == pytest.approx(TRUE, rel=0.03)
    assert np.median([t.low for t in found]) == 0.4


def test_the_largest_level_that_happened_to_pass_is_wrong_far_more_often():
    fine = np.linspace(0.3, 0.7, 9)
    lucky = sum(fine[np.flatnonzero(row >= 0.95 * 300)[-1]] > TRUE for row, _ in tolerances(300, levels=fine))
    assert lucky > most_hits(TRIALS, 0.025)


def test_a_tolerance_outside_the_grid_is_said_to_be_there():
    above = largest_tolerated([1, 2], [100, 99], [100, 100])
    assert (above.where, above.low, above.high) == ("above", 1.0, np.inf)
    assert np.isnan(above.value)
    assert above.note == "Even the largest level, 2, reaches a yield of 0.95: the answer lies above the grid."
    below = largest_tolerated([1, 2], [50, 0], [100, 100])
    assert (below.where, below.high) == ("below", 1.0)
    assert np.isnan(below.low)
    assert "misses a yield of 0.95: the answer lies below the grid" in below.note


def test_too_few_samples_prove_nothing_and_say_how_many_would():
    few = largest_tolerated([2, 1], [10, 50], [50, 50])
    assert few.where == "inside"
    assert few.note == "50 samples can not prove a yield of 0.95: 72 are needed."
    assert np.isnan(few.low)
    assert largest_tolerated([1, 2], [72, 0], [72, 72]).low == 1.0
    assert np.isnan(largest_tolerated([1, 2], [71, 0], [71, 71]).low)


def test_the_fit_is_monotone_and_weighs_samples():
    found = largest_tolerated([1, 2, 3], [90, 10, 0], [100, 10, 100], target=0.5)
    assert np.allclose(found.fit, [100 / 110, 100 / 110, 0])
    assert found.value == pytest.approx(2 + (100 / 110 - 0.5) / (100 / 110))


def test_a_study_has_a_tolerance_for_each_condition():
    study = study_zoo.synthetic_study(samples=200)
    found = study_tolerance(study, "noise", 0.02, target=0.9, mismatch=0.0)
    assert found["tolerance"].dims == ("problem", "form", "technology", "temperature")
    first, second = found["tolerance"].values.ravel()
    assert first == pytest.approx(0.02 / stats.chi(3).ppf(0.9), rel=0.3)
    assert first > second
    assert found["tolerance"].attrs["units"] == "1/√τ"
    one = largest_tolerated(
        study["noise"].values,
        [
            yield_at(errors_at(study, form="replicator", noise=n, mismatch=0.0), 0.02).value * 200
            for n in study["noise"].values
        ],
        [200] * 5,
        target=0.9,
    )
    assert one.value == second
    assert (found["where"] == "inside").all()


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: yield_at([], 1.0), "0 samples were given, and 1 are needed"),
        (lambda: yield_at([1.0], 0), "limit: 0 is not a positive number"),
        (lambda: yield_curve([1.0], []), "limits: none was given"),
        (lambda: largest_tolerated([1], [1], [1]), r"have the shapes \(1,\), \(1,\) and \(1,\); give one number of each"),
        (lambda: largest_tolerated([1, 1], [1, 1], [2, 2]), "are not distinct finite numbers"),
        (lambda: largest_tolerated([1, 2], [1, 0], [2, 0]), "no sample was run at the level 2"),
        (lambda: study_tolerance(study_zoo.synthetic_study(), "form", 0.1), "'form' is not a dimension of numbers"),
        (lambda: study_tolerance(study_zoo.synthetic_study(), "noise", 0.1, variable="loss"), "'loss' is not a variable"),
    ],
)
def test_what_has_no_yield_is_refused(call, sentence):
    with pytest.raises(BadInput, match=sentence):
        call()
