"""What `make benchmark` says of two tables: which ratios moved, and which only scattered."""

from __future__ import annotations

import runpy
import time
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
    lines = "".join((BENCHMARKS / name).read_text(encoding="utf-8") for name in ("suite.py", "peers.py"))
    named = (name.rpartition(" at ")[0] or name for name in logic["read"](BENCHMARKS / "results.json"))
    assert [name for name in named if f'"{name}"' not in lines] == []


@pytest.fixture(scope="module")
def peers() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        yield runpy.run_path(str(BENCHMARKS / "peers.py"))


def beside(peers: dict[str, Any], times: dict[int, float], **kept: Any) -> tuple[str, ...]:
    """Cells of a line whose ratios at some sizes are given."""
    line = peers["Line"](case=lambda size: None, sizes=(3, 16, 64))
    found = {
        f"a peer at {size}": peers["Ratio"](1.0, ratio, ratio, 1.0, accuracy=1e-9, **kept) for size, ratio in times.items()
    }
    return peers["chart"]({"a peer": line}, found, {"a peer at 64"} - {*found}).rows[0]


def test_a_chart_says_from_where_on_we_are_faster_and_where_we_are_not(peers: dict[str, Any]) -> None:
    assert beside(peers, {3: 0.5, 16: 2.0, 64: 30.0}) == ("a peer", "0.5", "2", "30", "16", "3", "1e-09")
    assert beside(peers, {3: 2.0, 16: 0.9, 64: 0.8})[4:6] == ("not yet", "16, 64")
    assert beside(peers, {3: 2.0, 16: 3.0, 64: 4.0})[4:6] == ("3", "nowhere")


def test_a_chart_tells_what_was_not_tried_from_what_has_no_answer(peers: dict[str, Any]) -> None:
    assert beside(peers, {16: 2.0})[1:4] == ("", "2", "no answer")


def test_a_chart_adds_our_certificate_to_what_the_peer_took(peers: dict[str, Any]) -> None:
    assert beside(peers, {3: 0.5, 16: 2.0, 64: 200.0}, judging=0.3)[1:4] == ("0.5 (0.8)", "2 (2.3)", "200")


def test_a_peer_that_is_not_installed_is_named_with_what_installs_it(peers: dict[str, Any]) -> None:
    lines = {"theirs": peers["Line"](case=lambda size: pytest.fail("it was run"), package="no-such-peer")}
    peers["measured"].__globals__["LINES"] = lines
    ((name, said),) = peers["measured"](["theirs"], quick=True)
    assert name == "theirs"
    assert said.startswith("no-such-peer is not installed: 'pip install --group peers'")


def test_a_peer_without_an_answer_gets_no_ratio(peers: dict[str, Any]) -> None:
    def case(size: int) -> None:
        raise peers["Unanswered"]

    assert peers["timed"](peers["Line"](case=case), 3) == peers["NO_ANSWER"]


def test_the_quick_look_leaves_out_the_large_sizes(peers: dict[str, Any]) -> None:
    def case(size: int) -> Any:
        return peers["Case"](lambda: time.sleep(0.001), lambda: time.sleep(0.001))

    peers["measured"].__globals__["LINES"] = {"ours": peers["Line"](case=case, clock=time.perf_counter)}
    sizes = {quick: [name for name, _ in peers["measured"](["ours"], quick=quick)] for quick in (True, False)}
    assert sizes == {
        True: [f"ours at {k}" for k in (3, 16, 64, 256)],
        False: [f"ours at {k}" for k in (3, 16, 64, 256, 1024)],
    }
