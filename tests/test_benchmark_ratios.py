"""What `make benchmark` says of two tables: which ratios moved, and which only scattered."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def logic() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        yield runpy.run_path(str(BENCHMARKS / "ratios.py"))


def ratio(logic: dict[str, Any], times: float, spread: float = 1.0) -> Any:
    return logic["Ratio"](ours=1.0, peer=times, times_as_fast=times, spread=spread)


def test_a_ratio_is_the_median_of_rounds_and_not_the_quotient_of_medians(logic: dict[str, Any]) -> None:
    # The machine was three times as slow in the second round, for both sides.
    found = logic["by_turns"]([(1.0, 4.0), (3.0, 12.0), (1.0, 5.0)])
    assert (found.ours, found.peer, found.times_as_fast, found.spread) == (1.0, 5.0, 4.0, 1.25)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [(10, 14.9, ""), (10, 15.1, "faster"), (10, 6.7, ""), (10, 6.6, "slower"), (0.5, 0.3, "slower"), (10, 10, "")],
)
def test_a_ratio_moves_when_it_leaves_the_band(logic: dict[str, Any], before: float, now: float, said: str) -> None:
    assert logic["moved"](ratio(logic, before), ratio(logic, now)) == said


@pytest.mark.parametrize("spreads", [(4.0, 1.0), (1.0, 4.0)])
def test_a_ratio_that_scattered_on_either_day_must_move_further(logic: dict[str, Any], spreads: tuple[float, float]) -> None:
    before, now = ratio(logic, 10, spreads[0]), ratio(logic, 30, spreads[1])
    assert logic["moved"](before, now) == ""
    assert logic["moved"](before, ratio(logic, 41, spreads[1])) == "faster"


def test_what_moved_came_and_went_is_said(logic: dict[str, Any]) -> None:
    before = {"same": ratio(logic, 2), "quick": ratio(logic, 100), "lost": ratio(logic, 3)}
    now = {"same": ratio(logic, 2.2), "quick": ratio(logic, 20), "found": ratio(logic, 7)}
    said = logic["compared"](before, now)
    assert said == ["quick: slower, 100 → 20 times as fast as its peer", "lost: gone, it was 3", "found: new, 7"]


def test_what_was_not_to_be_measured_is_not_gone(logic: dict[str, Any]) -> None:
    before = {"one": ratio(logic, 2), "other": ratio(logic, 3)}
    assert logic["compared"](before, {"one": ratio(logic, 2)}, frozenset({"one"})) == []
    assert logic["compared"](before, {}, frozenset({"one"})) == ["one: gone, it was 2"]


def test_a_table_is_read_as_it_was_written(logic: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert logic["read"](path) == {}
    table = {"ours, peer": ratio(logic, 12.5, 1.25)}
    logic["write"](path, table, "a machine")
    assert logic["read"](path) == table
    assert "12" in str(logic["shown"](table, table))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"ratios": {"a": {"ours": 1}}}',
        '{"ratios": {"a": {"ours": 1, "peer": 1, "times_as_fast": 0, "spread": 1}}}',
    ],
)
def test_what_is_no_table_is_refused(logic: dict[str, Any], tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match="is no table of ratios"):
        logic["read"](path)


def test_the_committed_table_can_be_read_and_names_lines_of_the_suite(logic: dict[str, Any]) -> None:
    lines = (BENCHMARKS / "suite.py").read_text(encoding="utf-8")
    assert [name for name in logic["read"](BENCHMARKS / "results.json") if f'"{name}"' not in lines] == []
