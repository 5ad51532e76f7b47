"""The same numbers on every machine: decimals in which the last bits of a processor's arithmetic do not show.

Sums of linear algebra and vectorised logarithms end in other bits on another processor. What a choice rests on, and what is
written into a file, is therefore rounded here first: a choice is made between rounded numbers, ties by a rule that is stated
where the choice is made, and a sum that should be zero is zero.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["KEPT", "PREFIXES", "SAME", "engineering", "quiet", "significant"]

KEPT = 12
"""Significant decimal digits of a number that is written: a thousand times coarser than rounding errors of short sums."""

SAME = 1e-12
"""Relative distance at which two numbers count as one."""

PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
"""Of units, by the power of ten that each stands for."""

_SILENT = 1e-13
"""Part of what was added and subtracted below which the rest of a sum is rounding error."""


def significant(value: float, digits: int = KEPT) -> float:
    """`value` with so many significant decimal digits; never −0.0."""
    value = float(value)
    return float(f"{value:.{digits}g}") + 0.0 if math.isfinite(value) else value


def quiet(values: ArrayLike, scale: ArrayLike) -> NDArray[np.float64]:
    """`values` with zeros where less is left than the rounding errors of sums whose terms are as large as `scale`."""
    values = np.asarray(values, dtype=float)
    return np.where(abs(values) <= _SILENT * np.asarray(scale), 0.0, values)


def engineering(value: float) -> str:
    """Number in steps of a thousand with the prefix of the unit: 14300 is ``14.3k``."""
    for power, prefix in reversed(PREFIXES.items()):
        if abs(value) >= 0.9999995 * 10.0**power:
            return f"{value / 10.0**power:.4g}{prefix}"
    return f"{value:.4g}"
