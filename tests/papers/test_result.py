"""Verdicts of lines: computed by one function, never typed in, and each can fail."""

import dataclasses
import functools
import math
import re
from pathlib import Path

import numpy as np
import pytest
from figure_zoo import found

from analogflow.cli import main
from analogflow.papers import FIGURES, Line, Reproduction
from analogflow.papers import result as verdicts
from analogflow.papers.result import AGREES, DIFFERS, ERRATUM, UNJUDGED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/errata.md").read_text(encoding="utf-8")
PLACES = [line.split(" | ")[0].removeprefix("| ") for line in PAGE.splitlines() if line.startswith("| ")]

SMALL = {
    "attention-figure-1": {"count": 60},
    "attention-figure-2": {"count": 60},
    "attention-figure-4": {"tokens": 20, "runs": 2},
    **{f"attention-figure-{number}": {"tokens": 20, "runs": 2} for number in (6, 7, 8, 9)},
    "attention-figure-10": {"tokens": 20},
}
"""Sizes at which the paths of code are the same and the paper's claims are none: their verdicts are for `--slow`."""
LONG = {"transport-figure-1"}
"""Figures that take a while and have no smaller size."""


@functools.cache
def computed(name):
    return FIGURES[name](**SMALL[name]) if name in SMALL else found(name)


QUICK = [name for name in FIGURES if name not in LONG]


def judged(name):
    return [line for line in computed(name).lines if not line.why]


def far(line):
    """Numbers that neither the claim nor its correction allows, of several tried."""
    scale = 1 + abs(np.asarray(line.paper)) + abs(np.asarray(line.corrected if line.corrected is not None else 0.0))
    middle = (np.asarray(line.paper) + np.asarray(line.corrected if line.corrected is not None else line.paper)) / 2
    return [middle, *(middle + way * (10 * line.tolerance + 10 * scale) for way in (1, -1))]


@pytest.mark.few(12)
@pytest.mark.parametrize("name", QUICK)
def test_a_wrong_number_planted_in_any_line_is_told(name):
    for line in judged(name):
        wrong = {dataclasses.replace(line, found=number).verdict for number in far(line)}
        assert DIFFERS in wrong, f"{line.claim}: no number is an unexpected difference"
        assert dataclasses.replace(line, found=line.found * math.nan).verdict == DIFFERS
        assert dataclasses.replace(line, found=line.paper).verdict == AGREES
        if line.corrected is not None:
            assert dataclasses.replace(line, found=line.corrected).verdict == ERRATUM, f"{line.claim}: paper and page agree"


@pytest.mark.parametrize("name", QUICK)
def test_every_correction_names_its_row_and_every_other_line_its_reason(name):
    assert judged(name)
    for line in computed(name).lines:
        assert line.why or line.says, line.claim
        assert (line.corrected is None) == (line.row == ""), line.claim
        assert not line.row or any(line.row in place for place in PLACES), line.row
        assert line.tolerance >= 0
        assert len(line.cells()) == len(verdicts.HEAD)


@pytest.mark.parametrize("name", [name for name in QUICK if name not in SMALL])
def test_no_difference_is_unexplained(name):
    assert [line.claim for line in computed(name).lines if line.verdict == DIFFERS] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SMALL, *LONG])
def test_no_difference_is_unexplained_at_the_papers_sizes(name):
    assert [line.claim for line in FIGURES[name]().lines if line.verdict == DIFFERS] == []


@pytest.mark.parametrize("name", QUICK)
def test_every_curve_has_a_name_and_is_finite(name):
    for panel in computed(name).panels:
        assert all(curve.label.strip("_ ") for curve in panel.curves)
        assert all(np.isfinite([curve.x, curve.y]).all() for curve in panel.curves)


def test_verdicts_are_words_of_one_module():
    typed = re.compile(r"""["'](agrees|differs|cannot be)\b""")
    modules = list((ROOT / "analogflow/papers").rglob("*.py"))
    assert typed.search((ROOT / "analogflow/papers/result.py").read_text(encoding="utf-8"))
    assert len(modules) > 10
    for module in modules:
        if module.name != "result.py":
            assert not typed.search(module.read_text(encoding="utf-8")), module


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (Line("", 1.0, 1.05, 0.1), AGREES),
        (Line("", 1.0, 1.2, 0.1), DIFFERS),
        (Line("", 1.0, 0.5, relation="≤"), AGREES),
        (Line("", 1.0, 1.5, 0.1, "≤"), DIFFERS),
        (Line("", 1.0, 1.5, relation="≥"), AGREES),
        (Line("", 1.0, 0.5, 0.1, "≥"), DIFFERS),
        (Line("", 1.0, 2.0, 0.1, corrected=2.05, row="x"), ERRATUM),
        (Line("", 1.0, 3.0, 0.1, corrected=2.0, row="x"), DIFFERS),
        (Line("", 1.0, 3.0, 0.1, corrected=2.0, corrected_relation="≥", row="x"), ERRATUM),
        (Line("", np.array([1.0, 2.0]), np.array([1.0, 2.5]), 0.1), DIFFERS),
        (Line("", np.array([1.0, 2.0]), np.array([1.0, 2.05]), 0.1), AGREES),
        (Line("", 1.0, math.nan, 10.0), DIFFERS),
        (Line.unjudged("", "", "no data"), UNJUDGED),
    ],
)
def test_verdict_of_two_numbers_and_a_tolerance(line, verdict):
    assert line.verdict == verdict


def test_an_unexplained_difference_is_exit_code_1_and_a_sentence(tmp_path, capsys, monkeypatch):
    good = computed("rate-distortion-figure-8")
    name, wrong = good.lines[0].claim, dataclasses.replace(good.lines[0], found=7.0)
    planted = dataclasses.replace(good, lines=(wrong, *good.lines[1:]))
    monkeypatch.setitem(FIGURES, "rate-distortion-figure-8", lambda: planted)
    assert main(["reproduce", "rate-distortion-figure-8", "-o", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert shown.err == (
        f"reproduce: rate-distortion-figure-8: {name}: this difference is not explained by docs/errata.md.\n"
    )
    assert "cannot be judged" in shown.out
    monkeypatch.setitem(FIGURES, "rate-distortion-figure-8", lambda: good)
    assert main(["reproduce", "rate-distortion-figure-8", "-o", str(tmp_path), "--force"]) == 0


def test_a_long_figure_says_how_far_it_is(tmp_path, monkeypatch):
    told, drawn = [], computed("rate-distortion-figure-8")

    def slow(*, on_progress):
        """Takes long."""
        on_progress(0.5)
        told.append("half")
        return drawn

    monkeypatch.setitem(FIGURES, "rate-distortion-figure-8", slow)
    assert main(["reproduce", "rate-distortion-figure-8", "-o", str(tmp_path)]) == 0
    assert told == ["half"]
    parts = []
    assert isinstance(FIGURES["attention-figure-4"](20, 2, on_progress=parts.append), Reproduction)
    assert parts == sorted(parts)
    assert len(parts) == 6
