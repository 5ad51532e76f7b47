"""A failed sample is never dropped, one that was not run never counts, and a wrong question is answered with a sentence."""

import numpy as np
import pytest
import study_zoo

from analogflow.errors import BadInput
from analogflow.studies.statistics import at, conditions, errors_at, summarise, was_run

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
