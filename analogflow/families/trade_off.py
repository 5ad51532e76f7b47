"""What a family's curve is: what is traded for what, where its points are, and which problem a circuit solves at one."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from analogflow.errors import call_theirs
from analogflow.run import Run

__all__ = ["TradeOff"]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TradeOff:
    """A curve of values in nats, convex or concave, against what is traded for them.

    Parameters
    ----------
    at, value : str
        Names of both in tables that programs read: "distortion", "rate_nats".
    says, value_says : str
        What people call them.
    ends : callable
        ``ends(problem, which)``: where the curve begins, which is no point of it, and where its value stops to change;
        `which` is which of several quantities is traded, from 0.
    point : callable
        ``point(problem, at, which)``: an object with ``at``, ``lower`` and ``upper``, which hold the value there, and
        ``slope``.
    posed : callable
        ``posed(problem, point, which)``: the problem whose answer is the point, for a circuit; None where there is none.
    read : callable
        ``read(run, which)``: where a run ended on the curve, and its value there.
    """

    at: str
    value: str
    says: str
    value_says: str
    ends: Callable[[Any, int], tuple[float, float]]
    point: Callable[[Any, float, int], Any]
    posed: Callable[[Any, Any, int], Any]
    read: Callable[[Run, int], tuple[float, float]]

    def __post_init__(self) -> None:
        for name in ("ends", "point", "posed", "read"):
            given = getattr(self, name)
            told = functools.partial(call_theirs, f"the curve of {self.value_says}: its {name}", "mend it", given)
            object.__setattr__(self, name, told)
