"""CPU seconds of sides that solve one problem by turns in one process; of each the least, as other work only adds."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping

__all__ = ["cpu_seconds", "least_seconds"]


LONG = 1.0
"""Seconds of a run above which one round is enough."""


def least_seconds(sides: Mapping[str, Callable[[], object]], *, rounds: int = 3) -> dict[str, float]:
    """CPU seconds of one run of each side, the least over rounds in which all that are not long had their turn.

    What only the first run loads is left out so.
    """
    least = dict.fromkeys(sides, math.inf)
    for _ in range(rounds):
        for name, run in sides.items():
            if not LONG < least[name] < math.inf:
                least[name] = min(least[name], cpu_seconds(run))
    return least


def cpu_seconds(run: Callable[[], object], least: float = 0.02, clock: Callable[[], float] = time.process_time) -> float:
    """CPU seconds of one run, or those of another clock; a short one is repeated for `least` seconds.

    As `timeit` does, it keeps Python from collecting garbage meanwhile, which takes as long as the process has loaded much.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        started, runs = clock(), 0
        while not runs or clock() - started < least:
            run()
            runs += 1
        return (clock() - started) / runs
    finally:
        if collects:
            gc.enable()
