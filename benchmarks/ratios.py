"""A table of ratios, and what moved between two of them.

A ratio is how many times as fast ours is as its peer, both run by turns in one process on one problem. It does not measure;
`suite.py` does.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path

from tables import Table, table

__all__ = ["Ratio", "by_turns", "compared", "moved", "number", "read", "shown", "write"]

NOISE = 1.5
"""Factor up to which a ratio may differ before it is said to have moved: twice what it scattered on a shared server."""


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Seconds of both sides, their ratio, and how far its rounds were apart.

    Parameters
    ----------
    ours, peer : float
        Medians over the rounds, seconds for the same amount of work.
    times_as_fast : float
        Median over the rounds of peer ÷ ours.
    spread : float
        Greatest ratio of a round over the least, at least 1.
    judging : float
        Seconds that judging the peer's answer takes, which ours has judged already; 0 where nothing is judged.
    accuracy : float
        What both were held to, 0 where no number says it.
    """

    ours: float
    peer: float
    times_as_fast: float
    spread: float
    judging: float = 0.0
    accuracy: float = 0.0


def by_turns(rounds: list[tuple[float, float]]) -> Ratio:
    """Ratio of rounds in each of which ours ran and then the peer; seconds of both."""
    middle = len(rounds) // 2
    ratios = sorted(peer / ours for ours, peer in rounds)
    ours, peer = (sorted(side)[middle] for side in zip(*rounds, strict=True))
    return Ratio(ours, peer, ratios[middle], ratios[-1] / ratios[0])


def moved(before: Ratio, now: Ratio) -> str:
    """``faster``, ``slower`` or nothing: whether a ratio left the band of `NOISE`, or that of its own scatter if wider."""
    band = max(NOISE, before.spread, now.spread)
    change = now.times_as_fast / before.times_as_fast
    return "faster" if change > band else "slower" if change < 1 / band else ""


def compared(before: Mapping[str, Ratio], now: Mapping[str, Ratio], chosen: frozenset[str] | None = None) -> list[str]:
    """A sentence for each ratio that moved, came or went; `chosen` names those that were measured now, None for all."""
    said = []
    for name in dict.fromkeys([*before, *now]):
        if name not in now:
            if chosen is None or name in chosen:
                said.append(f"{name}: gone, it was {number(before[name].times_as_fast)}")
        elif name not in before:
            said.append(f"{name}: new, {number(now[name].times_as_fast)}")
        elif direction := moved(before[name], now[name]):
            change = f"{number(before[name].times_as_fast)} → {number(now[name].times_as_fast)}"
            said.append(f"{name}: {direction}, {change} times as fast as its peer")
    return said


def number(value: float) -> str:
    """A ratio with two digits."""
    return f"{value:.2g}" if value < 100 else f"{value:.0f}"


def shown(ratios: Mapping[str, Ratio], before: Mapping[str, Ratio] | None = None) -> Table:
    """Table, with what the ratios were if that is given."""
    rows = []
    for name, ratio in ratios.items():
        old = before.get(name) if before else None
        times = (f"{1e3 * ratio.ours:.3g}", f"{1e3 * ratio.peer:.3g}", number(ratio.times_as_fast), number(ratio.spread))
        rows.append((name, *times, *([number(old.times_as_fast) if old else ""] if before else [])))
    head = ("ours against its peer", "ours, ms", "peer, ms", "times as fast", "spread")
    return table((*head, "committed") if before else head, rows)


def write(path: Path, ratios: Mapping[str, Ratio], machine: str, unanswered: Collection[str] = ()) -> None:
    """Write a table, with what computed it and the lines that the peer has no answer for, to a file."""
    kept = {
        name: {field: float(f"{value:.3g}") for field, value in dataclasses.asdict(ratio).items()}
        for name, ratio in ratios.items()
    }
    contents = {"machine": machine, "unanswered": list(unanswered), "ratios": kept}
    path.write_text(json.dumps(contents, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Ratio]:
    """The table of a file; an empty one if there is no file.

    Raises
    ------
    SystemExit
        It holds something else.
    """
    if not path.exists():
        return {}
    try:
        ratios = {name: Ratio(**fields) for name, fields in json.loads(path.read_text(encoding="utf-8"))["ratios"].items()}
        for *positive, judging, accuracy in map(dataclasses.astuple, ratios.values()):
            if not (min(positive) > 0 <= min(judging, accuracy) and math.isfinite(sum(positive) + judging + accuracy)):
                raise ValueError("a number that is not positive")
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise SystemExit(f"{path} is no table of ratios ({fault}); restore it, or write it anew with --write.") from None
    return ratios
