"""A pair's ratio is found with an interval that covers, chance is called chance, and the gain of pairing is what it must be.

Counts are held against bounds that a right method misses with a probability of at most 1e-6; seeds are fixed.
"""

import numpy as np
import pytest
import study_zoo
from study_zoo import least_hits, most_hits

from analogflow.errors import BadInput
from analogflow.studies.statistics import compare_paired, compare_study

TRIALS = 300


def pairs(ratio, *, samples=60, shared=1.0, own=0.2, seed=0, trials=TRIALS):
    rng = np.random.default_rng(seed)
    fate = shared * rng.normal(size=(trials, samples))
    first, second = np.exp(fate + own * rng.normal(size=(2, trials, samples)))
    return zip(first, ratio * second, strict=True)


@pytest.mark.slow
def test_the_ratio_is_covered_as_often_as_stated():
    found = [compare_paired(a, b, resamples=10).ratio for a, b in pairs(1.3)]
    assert sum(r.low <= 1.3 <= r.high for r in found) >= least_hits(TRIALS, 0.95)


@pytest.mark.slow
def test_chance_is_rejected_at_most_as_often_as_stated_and_a_difference_is_found():
    for ratio, rejected in ((1.0, lambda n: n <= most_hits(TRIALS, 0.05)), (1.3, lambda n: n > 0.99 * TRIALS)):
        found = [compare_paired(a, b, resamples=10) for a, b in pairs(ratio, seed=1)]
        assert rejected(sum(f.sign_p <= 0.05 for f in found))
        assert rejected(sum(f.wilcoxon_p <= 0.05 for f in found))


def test_the_gain_of_pairing_is_the_ratio_of_variances():
    true = (1.0**2 + 0.2**2) / 0.2**2
    found = [compare_paired(a, b, resamples=200).gain for a, b in pairs(1.0, samples=200, trials=100)]
    assert np.median([g.value for g in found]) == pytest.approx(true, rel=0.05)
    assert sum(g.low <= true <= g.high for g in found) >= least_hits(100, 0.9)
    unpaired = [compare_paired(a, b, resamples=200).gain for a, b in pairs(1.0, samples=200, shared=0.0, trials=20)]
    assert np.median([g.value for g in unpaired]) == pytest.approx(1, rel=0.1)


def test_failures_decide_pairs_and_are_counted():
    first = np.array([1.0] * 10 + [np.nan] * 2 + [1.0] * 20)
    second = np.array([2.0] * 10 + [np.nan] + [1.0] + [np.nan] * 20)
    found = compare_paired(first, second)
    assert (found.first_failed, found.second_failed, found.both_failed) == (1, 20, 1)
    assert found.ratio.value == np.inf
    assert (found.ratio.samples, found.ratio.failed) == (31, 21)
    assert found.sign_p < 1e-6
    assert found.wilcoxon_p < 1e-3
    assert found.gain.samples == 10


def test_equal_columns_show_no_difference():
    errors = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    found = compare_paired(errors, errors)
    assert (found.ratio.value, found.sign_p, found.wilcoxon_p, found.gain.value) == (1.0, 1.0, 1.0, np.inf)
    assert np.isnan(compare_paired([1.0, 2.0], [2.0, 1.0]).gain.value)


def test_forms_of_a_study_are_compared_under_the_same_noise():
    study = study_zoo.synthetic_study()
    found = compare_study(study, "form", "logdomain", "replicator", noise=0.003, mismatch=0.01)
    assert found.ratio.low < 2 < found.ratio.high
    assert found.ratio.high / found.ratio.low < 1.1
    assert found.gain.low > 10
    study["error"].loc[{"sample": slice(50, None), "form": "replicator"}] = np.nan
    study["outcome"].loc[{"sample": slice(50, None), "form": "replicator"}] = ""
    study["reason"].loc[{"sample": slice(50, None), "form": "replicator"}] = ""
    assert compare_study(study, "form", "logdomain", "replicator", noise=0.003, mismatch=0.01).ratio.samples == 50


def test_what_can_not_be_compared_is_said():
    study = study_zoo.synthetic_study()
    with pytest.raises(BadInput, match="3 and 2 errors were given; give the same samples"):
        compare_paired([1, 2, 3], [1, 2])
    with pytest.raises(BadInput, match="every pair failed under both conditions"):
        compare_paired([np.nan], [np.nan])
    with pytest.raises(BadInput, match="noise, mismatch takes more than one value"):
        compare_study(study, "form", "logdomain", "replicator")
    with pytest.raises(BadInput, match="'loss' is not a variable"):
        compare_study(study, "form", "logdomain", "replicator", variable="loss", noise=0.0, mismatch=0.0)
    with pytest.raises(BadInput, match="no sample was run both at form = 'logdomain' and at 'replicator'"):
        compare_study(study.where(study["form"] == "logdomain"), "form", "logdomain", "replicator", noise=0.0, mismatch=0.0)
