"""What is looked for while a circuit simulator runs: numbers that are not finite, or beyond a limit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["first_wild"]


def first_wild(values: list[NDArray[np.float64]], start: int, limits: Sequence[float]) -> tuple[int, int, int] | None:
    """First point from `start` on that is not finite or beyond its limit: (point, vector, number of points to keep)."""
    found = None
    for which, (value, limit) in enumerate(zip(values, limits, strict=True)):
        tail = np.abs(value[start:])
        bad = ~(tail <= limit) | ~np.isfinite(tail)
        if bad.any():
            point = start + int(np.argmax(bad))
            if found is None or point < found[0]:
                found = (point, which)
    if found is None:
        return None
    point, which = found
    return point, which, point + all(np.isfinite(value[point]) for value in values)
