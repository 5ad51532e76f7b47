"""CPU seconds of sides that solve one problem by turns in one process; of each the least, as other work only adds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

__all__ = ["cpu_seconds", "least_seconds"]


def least_seconds(sides: Mapping[str, Callable[[], object]], *, rounds: int = 5) -> dict[str, float]:
    """CPU seconds of one run of each side, the least over rounds in which all of them had their turn."""
    for run in sides.values():
        run()  # the first run loads what it needs, and is not timed
    found = [{name: cpu_seconds(run) for name, run in sides.items()} for _ in range(rounds)]
    return {name: min(times[name] for times in found) for name in sides}


def cpu_seconds(run: Callable[[], object], least: float = 0.02) -> float:
    """CPU seconds of one run; a short one is repeated for `least` seconds."""
    started, runs = time.process_time(), 0
    while not runs or time.process_time() - started < least:
        run()
        runs += 1
    return (time.process_time() - started) / runs
