"""At the edge of what a family means every run ends right, or in one sentence: one case a family, or all with ``--slow``."""

import itertools

import pytest
from stress.extremes import Case, cases, happened, judged, runs, unlike

CASES = cases()
NAMES = [f"{case.family}: {case.asked}" for case in CASES]
FIRST = [next(group) for _, group in itertools.groupby(CASES, lambda case: case.family)]


@pytest.mark.parametrize("case", FIRST, ids=lambda case: case.family)
def test_the_first_case_of_a_family_ends_right(case):
    form, technology, engine = next(iter(runs(case)))
    found = happened(case, form, technology, engine)
    assert found["end"] == "right", found["said"]


@pytest.mark.ngspice
@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_every_run_ends_right_or_says_why(case):
    found = {run: happened(case, *run) for run in runs(case)}
    assert {run: one["said"] for run, one in found.items() if one["end"] == "FAULT"} == {}


@pytest.mark.parametrize(
    ("code", "out", "err"),
    [
        (1, "", "Traceback (most recent call last):\n"),
        (0, "{}", "a warning\n"),
        (0, '{"checks": [{"name": "a", "detail": "b", "passed": false}], "errors": {}, "reference": {"gap": 0.0}}', ""),
        (
            0,
            '{"checks": [{"name": "a", "detail": "b", "passed": true}], "errors": {}, "reference": {"gap": 0.0},'
            ' "answer": {"x": [1.0]}}',
            "",
        ),
    ],
    ids=["traceback", "warning", "passes what failed", "passes what a formula denies"],
)
def test_anything_else_is_a_fault(code, out, err):
    assert judged(Case("custom", "", {}, {"x": [2.0]}), "ideal", code, out, err)["end"] == "FAULT"


def test_an_answer_is_held_against_its_formula():
    assert unlike({"x": [1.0]}, {"x": [1.0 + 1e-8]}, {}) == []
    assert unlike({"x": [1.0]}, {"x": [1.001]}, {}) == ["x is [1.001] and should be [1.0]"]
