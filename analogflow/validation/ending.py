"""What a run that did not come to rest is worth: its answer where that is proved, and how long it would have had to be."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from analogflow.errors import AnalogflowError
from analogflow.families import judging_family
from analogflow.families.check import Check
from analogflow.run import Outcome, Run

__all__ = ["ending", "ends_well", "time_needed"]

_NO_RATE = 1e-12
"""Rate, per τ, below which a reference knows of none: several answers, or an approach like 1/t."""

_FAR = 10.0
"""How far from right an answer is taken to be, in its own size, when nothing can be seen of its slowest rate."""

_MARGIN = 1.25
"""By which a time that was read off a path is longer: the rate behind it is no better known."""


def ending(problem: Any, run: Run, ended: Check, others: Sequence[Check], tolerance: float) -> Check:
    """The check on how a run ended, given all other checks on it.

    A deterministic run may still creep where the other checks say by themselves how far its answer is from right, as those
    of some families do: both is said, and the answer is judged. Elsewhere it is said how fast it creeps, and for how long
    it would have to run.

    Parameters
    ----------
    problem : object
    run : Run
    ended : Check
        Whether the run ended as it was asked to.
    others : sequence of Check
    tolerance : float
        Largest error that the checks let pass.
    """
    if run.creep is None or ended.passed:
        return ended
    if run.detail:  # it was stopped while it still had far to go, and says so
        return ended
    why = judging_family(problem).why_slow(problem, _slowest(problem)) if run.outcome is Outcome.ALGEBRAIC else ""
    creeps = f"still creeps at {run.creep.speed:.2g} per τ after {run.time[-1]:g} τ"
    if ends_well(problem, run.outcome, all(check.passed for check in others)):
        return Check(ended.name, True, f"The state {creeps}; {why}the answer is certified to {tolerance:g} as it stands.")
    needed = time_needed(problem, run, tolerance)
    seen = "no end of that can be seen" if needed is None else f"about {needed:g} τ are needed"
    if needed is None and "time" in judging_family(problem).keys:
        seen += "; if its path is the answer, give it an end time (time = …)"
    return dataclasses.replace(ended, detail=f"{ended.detail} It {creeps}; {why}{seen}.")


def ends_well(problem: Any, outcome: Outcome, passed: bool) -> bool:
    """Whether an outcome is no fault of a run all of whose other checks `passed`, or failed: the rule of `ending`."""
    return outcome.ok or (outcome.creeps and passed and judging_family(problem).slowest is not None)


def time_needed(problem: Any, run: Run, tolerance: float) -> float | None:
    """Length of a run in τ, to two digits, after which what moves here would be within `tolerance` of its limit.

    The rate is the slowest that the problem's reference knows, or the one that the end of the path shows; None where there
    is neither, where the run came to rest, or where it swings without end.
    """
    creep, end = run.creep, float(run.time[-1])
    if creep is None or creep.swings:
        return None
    aim = tolerance * creep.size
    if creep.power:
        return _rounded(end * max(creep.left / aim, 1.0) ** (1 / creep.power))
    slowest = _slowest(problem)
    if slowest > _NO_RATE:
        # A path that has not come near its answer shows nothing of the slowest rate, nor how far it has to go.
        return _rounded(end + math.log(_FAR / tolerance) / slowest)
    if not creep.rate > 0 or not math.isfinite(creep.left):
        return None
    near = min(aim, creep.resting / creep.rate) if creep.resting else aim
    return _rounded(end + _MARGIN * max(math.log(creep.left / near), 1.0) / creep.rate)


def _slowest(problem: Any) -> float:
    """Slowest rate at the answer, per τ, as far as a reference knows it; else 0."""
    slowest = judging_family(problem).slowest
    try:
        rate = 0.0 if slowest is None else slowest(problem)
    except (AnalogflowError, np.linalg.LinAlgError):
        return 0.0
    return rate if math.isfinite(rate) else 0.0


def _rounded(time: float) -> float | None:
    """The next time of two digits."""
    if not math.isfinite(time):
        return None
    digit = 10.0 ** (math.floor(math.log10(time)) - 1)
    return float(f"{math.ceil(time / digit) * digit:.2g}")
