"""Intervals cover a known value as often as they say, whatever the law; a failed sample is never dropped.

Each count of hits is held against a bound that a right interval misses with a probability of at most 1e-6; seeds are fixed.
"""

import numpy as np
import pytest
import study_zoo
from scipy import stats
from study_zoo import least_hits

from analogflow.errors import BadInput
from analogflow.studies.statistics import at, conditions, errors_at, quantile_estimate, rate_estimate, summarise, was_run

STUDY = study_zoo.synthetic_study()


def one(**changes):
    return {"form": "logdomain", "noise": 0.03, "mismatch": 0.01} | changes


def test_failed_samples_are_infinite_and_none_is_dropped():
    errors = errors_at(STUDY, **one())
    failed = STUDY["error"].isel(problem=0, technology=0, temperature=0).sel(**one()).isnull()
    assert len(errors) == STUDY.sizes["sample"]
    assert np.array_equal(np.isinf(errors), failed.values)
    assert 0 < failed.sum() < len(errors)


def test_a_sample_that_was_not_run_counts_as_nothing():
    study = STUDY.copy(deep=True)
    for name, nothing in (("outcome", ""), ("reason", ""), ("verdict", ""), ("error", np.nan)):
        study[name].loc[{"sample": slice(60, None)}] = nothing
    assert len(errors_at(study, **one())) == 60
    assert bool(was_run(study).sel(sample=59).all())
    assert not bool(was_run(study).sel(sample=60).any())
    summary = summarise(study, limit=0.01)
    assert (summary["samples"] == 60).all()
    assert (summary["not_run"] == 40).all()
    assert (summary["verdicts"].sum("verdict") == 60).all()
    padded = STUDY.isel(sample=slice(60)).reindex(sample=STUDY["sample"])
    assert len(errors_at(padded, **one())) == 60


def test_dimensions_of_one_value_need_not_be_said_and_numbers_may_be_rounded():
    assert conditions(STUDY) == ("problem", "form", "technology", "noise", "mismatch", "temperature")
    same = errors_at(STUDY, **one(temperature=300.0, problem="paper", mismatch=0.1 * 0.1))
    assert np.array_equal(same, errors_at(STUDY, **one()))
    assert at(STUDY, noise=0.0)["error"].dims == ("problem", "form", "technology", "mismatch", "temperature", "sample")


@pytest.mark.parametrize(
    "condition, sentence",
    [
        (one(noise=0.02), r"noise = 0\.02 was not run; there are 0\.0, 0\.001"),
        (one(form="printed"), "form = 'printed' was not run; there are logdomain, replicator"),
        (one(humidity=1), "'humidity' is not varied here; the dimensions are problem, form"),
        ({"form": "logdomain", "noise": 0.0}, r"mismatch takes more than one value; say which, as in mismatch=0\.0"),
        (one(variable="loss"), "'loss' is not a variable of it; there are outcome, reason, error"),
    ],
)
def test_a_condition_that_is_not_there_is_named(condition, sentence):
    with pytest.raises(BadInput, match=sentence):
        errors_at(STUDY, **condition)


def test_an_empty_selection_and_no_study_are_refused():
    empty = STUDY.where(False)
    with pytest.raises(BadInput, match="no sample was run at"):
        errors_at(empty, **one())
    with pytest.raises(BadInput, match="no sample of it was run, so there is nothing to summarise"):
        summarise(empty)
    with pytest.raises(BadInput, match="the dataset holds outcome; a study has a variable 'error'"):
        conditions(STUDY[["outcome"]])


def test_a_summary_agrees_with_its_parts():
    summary = summarise(STUDY, limit=0.01, confidence=0.9)
    place = {"problem": "paper", "technology": "ideal", "temperature": 300.0, **one()}
    errors = errors_at(STUDY, **one())
    assert summary["value"].sel(place).sel(quantile=0.5) == np.quantile(errors, 0.5, method="inverted_cdf")
    assert summary["yield"].sel(place) == np.mean(errors <= 0.01)
    assert summary["failed"].sel(place) == np.isinf(errors).sum()
    assert summary["verdicts"].sel(place).sel(verdict="not settled") == summary["failed"].sel(place)
    assert summary["value"].attrs["units"] == "nat"
    assert (summary["value_low"] <= summary["value"]).all()
    assert (summary["value_high"] >= summary["value"]).all()


TRIALS = 400


def hits(method, quantile, samples, *, confidence=0.95):
    law = stats.lognorm(2.0)
    draws = law.rvs((TRIALS, samples), random_state=np.random.default_rng(1))
    true = law.ppf(quantile)
    found = [quantile_estimate(row, quantile, confidence=confidence, method=method, resamples=300) for row in draws]
    return sum(estimate.low <= true <= estimate.high for estimate in found)


@pytest.mark.few(4)
@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("samples", [8, 60, 200])
def test_order_statistics_cover_any_quantile_at_least_as_often_as_stated(quantile, samples):
    assert hits("order", quantile, samples) >= least_hits(TRIALS, 0.95)


def test_the_bootstrap_covers_the_median_about_as_often_as_stated():
    assert hits("bootstrap", 0.5, 100) >= least_hits(TRIALS, 0.93)


def test_the_bootstrap_of_a_far_quantile_of_few_samples_is_too_narrow_and_order_statistics_say_that_they_can_not_know():
    assert hits("bootstrap", 0.95, 20) < least_hits(TRIALS, 0.95)
    estimate = quantile_estimate(np.arange(1.0, 21.0), 0.95)
    assert (estimate.low, estimate.high) == (17.0, np.inf)


def test_an_interval_of_too_little_confidence_is_noticed():
    assert hits("order", 0.5, 60, confidence=0.8) < least_hits(TRIALS, 0.95)


def test_both_methods_agree_for_many_samples():
    errors = np.random.default_rng(3).lognormal(size=400)
    exact, resampled = (quantile_estimate(errors, 0.5, method=method) for method in ("order", "bootstrap"))
    assert exact.value == resampled.value
    assert resampled.low == pytest.approx(exact.low, rel=0.05)
    assert resampled.high == pytest.approx(exact.high, rel=0.05)
    again = quantile_estimate(errors, 0.5, method="bootstrap")
    assert (again.low, again.high) == (resampled.low, resampled.high)


@pytest.mark.parametrize("method", ["order", "bootstrap"])
def test_failures_are_the_largest_errors(method):
    errors = np.arange(1.0, 101.0)
    spoilt = np.where(errors > 70, np.nan, errors)
    whole, part = (quantile_estimate(e, 0.5, method=method) for e in (errors, spoilt))
    assert (part.value, part.low, part.high) == (whole.value, whole.low, whole.high)
    assert (part.samples, part.failed, whole.failed) == (100, 30, 0)
    assert quantile_estimate(spoilt, 0.95, method=method).value == np.inf
    assert quantile_estimate(np.full(10, np.nan), 0.5, method=method).low == np.inf


def test_intervals_commute_with_a_change_of_scale():
    errors = np.random.default_rng(4).exponential(size=50)
    for method in ("order", "bootstrap"):
        plain, squared = (quantile_estimate(e, 0.5, method=method) for e in (errors, errors**2))
        assert (squared.low, squared.high) == (plain.low**2, plain.high**2)


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.9, 0.99])
def test_exact_rates_cover_at_least_as_often_as_stated(rate):
    samples = 80
    counts = np.arange(samples + 1)
    found = [rate_estimate(count, samples, method="exact") for count in counts]
    covered = np.array([estimate.low <= rate <= estimate.high for estimate in found])
    assert stats.binom.pmf(counts, samples, rate)[covered].sum() >= 0.95


def test_wilson_covers_about_as_often_as_stated_on_average_over_rates():
    samples, rates = 80, np.linspace(0.005, 0.995, 199)
    found = [rate_estimate(count, samples) for count in range(samples + 1)]
    low, high = (np.array([getattr(e, end) for e in found]) for end in ("low", "high"))
    covered = (low <= rates[:, None]) & (rates[:, None] <= high)
    mean = (stats.binom.pmf(np.arange(samples + 1), samples, rates[:, None]) * covered).sum(axis=1).mean()
    assert 0.94 <= mean <= 0.97


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: quantile_estimate([]), "0 samples were given, and 1 are needed"),
        (lambda: quantile_estimate([1.0, -2.0]), r"errors: .*-2\.0.* is negative"),
        (lambda: quantile_estimate([[1.0]]), r"an array of shape \(1, 1\) was given; give one row"),
        (lambda: quantile_estimate(["a"]), "is not a row of numbers"),
        (lambda: quantile_estimate([1.0], 1.5), r"quantile is 1\.5; give a number between 0 and 1"),
        (lambda: quantile_estimate([1.0], confidence=95), "confidence is 95; give a number between 0 and 1"),
        (lambda: quantile_estimate([1.0, 2.0], method="normal"), "method 'normal' is none of 'order' and 'bootstrap'"),
        (lambda: quantile_estimate([1.0], method="bootstrap"), "1 sample was given, and 2 are needed"),
        (lambda: rate_estimate(0, 0), "0 of 0 samples is no rate"),
        (lambda: rate_estimate(3, 2), "3 of 2 samples is no rate"),
        (lambda: rate_estimate(1, 2, method="wald"), "method 'wald' is none of 'wilson' and 'exact'"),
    ],
)
def test_what_is_no_sample_is_refused(call, sentence):
    with pytest.raises(BadInput, match=sentence):
        call()
