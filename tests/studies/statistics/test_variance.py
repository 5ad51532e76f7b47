"""Known variances are found again with intervals that cover, in both designs.

Counts are held against bounds that a right method misses with a probability of at most 1e-6; seeds are fixed.
"""

import numpy as np
import pytest
import study_zoo
from study_zoo import least_hits

from analogflow.errors import BadInput
from analogflow.studies.statistics import CAUSES, split_crossed, split_runs, split_study

TRUE = {"mismatch": 4.0, "noise": 1.0, "both at once": 0.25}
TRIALS = 200


def crossed(seed, *, shape=(12, 15), sizes=(2.0, 1.0, 0.5)):
    rng = np.random.default_rng(seed)
    rows, columns = shape
    return (
        7.0 + sizes[0] * rng.normal(size=(rows, 1)) + sizes[1] * rng.normal(size=columns) + sizes[2] * rng.normal(size=shape)
    )


@pytest.mark.parametrize("cause", CAUSES)
def test_a_crossed_design_covers_its_variances_and_shares_as_often_as_stated(cause):
    found = [split_crossed(crossed(seed)) for seed in range(TRIALS)]
    assert sum(f.parts[cause].low <= TRUE[cause] <= f.parts[cause].high for f in found) >= least_hits(TRIALS, 0.94)
    share = TRUE[cause] / 5.25
    assert sum(f.shares[cause].low <= share <= f.shares[cause].high for f in found) >= least_hits(TRIALS, 0.94)
    assert np.mean([f.parts[cause].value for f in found]) == pytest.approx(TRUE[cause], rel=0.15)


def test_a_cause_that_is_not_there_has_an_interval_that_reaches_zero():
    found = split_crossed(crossed(0, sizes=(2.0, 0.0, 0.5)))
    assert found.parts["noise"].low == 0
    assert found.shares["mismatch"].value > 0.8
    assert (found.design, found.measure) == ("crossed", "variance")
    swapped = split_crossed(crossed(0, sizes=(2.0, 0.0, 0.5)).T)
    assert swapped.parts["noise"].value == pytest.approx(found.parts["mismatch"].value)


def three(seed, *, samples=150, dimensions=3):
    x, y = np.random.default_rng(seed).normal(size=(2, samples, dimensions))
    return tuple(np.linalg.norm(v, axis=1) for v in (2 * x + y, 2 * x, y))


def test_mean_squares_of_distances_add_up_and_their_shares_are_covered():
    found = [split_runs(*three(seed), resamples=300) for seed in range(TRIALS)]
    for cause, share in zip(CAUSES, (0.8, 0.2, 0.0), strict=True):
        hits = sum(f.shares[cause].low <= share <= f.shares[cause].high for f in found)
        assert hits >= least_hits(TRIALS, 0.93)
        assert np.mean([f.shares[cause].value for f in found]) == pytest.approx(share, abs=0.02)


def test_variances_of_distances_do_not_add_up_where_their_mean_squares_do():
    runs = three(0, samples=20_000, dimensions=1)
    shifted = [run + 1 for run in runs]
    assert split_runs(*shifted, measure="variance", resamples=10).shares["both at once"].value == pytest.approx(0, abs=0.03)
    assert abs(split_runs(*shifted, resamples=10).shares["both at once"].value) > 0.2


def test_a_sample_that_failed_in_one_run_is_left_out_of_all_three():
    both, mismatch, noise = three(1)
    spoilt = both.copy()
    spoilt[:7] = np.nan
    found = split_runs(spoilt, mismatch, noise)
    clean = split_runs(both[7:], mismatch[7:], noise[7:])
    assert found.left_out == 7
    assert found.shares["noise"].value == clean.shares["noise"].value
    assert found.shares["noise"].low == clean.shares["noise"].low


def test_a_study_that_holds_the_level_zero_of_both_is_split():
    found = split_study(study_zoo.synthetic_study(samples=300), noise=0.01, mismatch=0.03, form="logdomain")
    assert found.shares["mismatch"].low < 0.9 < found.shares["mismatch"].high
    assert found.shares["noise"].low < 0.1 < found.shares["noise"].high
    assert (found.design, found.measure) == ("three runs", "mean square")


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: split_crossed(np.ones((4, 9))), r"the shape is \(4, 9\); give at least 5 circuits by 5 noises"),
        (lambda: split_crossed(np.ones((5, 5))), "all readings are equal"),
        (lambda: split_crossed(np.full((5, 5), np.nan)), "25 of 25 runs failed, and a variance needs them all"),
        (lambda: split_runs([1], [1, 2], [1]), r"the shapes are \(1,\), \(2,\), \(1,\); give the same samples"),
        (lambda: split_runs([1] * 4, [1] * 4, [1] * 4), "4 of 4 samples settled in all three, and 5 are needed"),
        (lambda: split_runs([0] * 5, [1] * 5, [1] * 5), "does not spread"),
        (lambda: split_runs([0] * 5, [1] * 5, [1] * 5, measure="range"), "measure 'range' is none of"),
        (lambda: split_study(study_zoo.synthetic_study(), noise=0.01, mismatch=0.03), "form takes more than one value"),
        (
            lambda: split_study(study_zoo.synthetic_study(noise=(0.01,)), noise=0.01, mismatch=0.03, form="logdomain"),
            r"noise = 0\.0 was not run",
        ),
    ],
)
def test_what_can_not_be_split_is_refused(call, sentence):
    with pytest.raises(BadInput, match=sentence):
        call()
