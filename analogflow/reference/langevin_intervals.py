"""What a smooth formula can be in boxes: interval arithmetic on many boxes at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.problems.expression import Expression
from analogflow.problems.slopes import traced, value_and_slopes

__all__ = ["Interval", "ranges_of"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Interval:
    """Numbers from `low` to `high`, elementwise; what is not known is without end. Rounding is not directed outward."""

    low: Array
    high: Array

    def __add__(self, other: Interval | float) -> Interval:
        if not isinstance(other, Interval) and math.isfinite(other):
            return Interval(self.low + other, self.high + other)
        low, high = _ends(other)
        return _known(self.low + low, self.high + high)

    __radd__ = __add__

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __pos__(self) -> Interval:
        return self

    def __sub__(self, other: Interval | float) -> Interval:
        if not isinstance(other, Interval):
            return self + -other
        low, high = _ends(other)
        return _known(self.low - high, self.high - low)

    def __rsub__(self, other: float) -> Interval:
        return -self + other

    def __mul__(self, other: Interval | float) -> Interval:
        if other is self:
            return self**2
        if not isinstance(other, Interval) and other and math.isfinite(other):
            low, high = self.low * other, self.high * other
            return Interval(low, high) if other > 0 else Interval(high, low)
        ends = [a * b for a in _ends(self) for b in _ends(other)]
        ends = [np.where(np.isnan(end), 0.0, end) for end in ends]  # 0 times no end is 0
        return Interval(np.minimum.reduce(ends), np.maximum.reduce(ends))

    __rmul__ = __mul__

    def __truediv__(self, other: Interval | float) -> Interval:
        if not isinstance(other, Interval):
            return self * (1 / other) if other else _known(self.low * np.nan, self.high * np.nan)
        return self * other._inverse()

    def __rtruediv__(self, other: float) -> Interval:
        return self._inverse() * other

    def _inverse(self) -> Interval:
        through = (self.low <= 0) & (self.high >= 0)
        low, high = (np.where(through, np.nan, 1 / np.where(through, 1.0, end)) for end in (self.high, self.low))
        return _known(low, high)

    def __pow__(self, power: float) -> Interval:
        if power < 0:
            return (self**-power)._inverse()
        if power != int(power):
            return Interval(*(np.maximum(end, 0.0) ** power for end in (self.low, self.high)))
        low, high = self.low**power, self.high**power
        if power % 2:
            return Interval(low, high)
        through = (self.low <= 0) & (self.high >= 0)
        return Interval(np.where(through, 0.0, np.minimum(low, high)), np.maximum(low, high))


def _ends(value: Interval | float) -> tuple[Any, Any]:
    return (value.low, value.high) if isinstance(value, Interval) else (value, value)


def _known(low: Array, high: Array) -> Interval:
    return Interval(np.fmax(low, -np.inf), np.fmin(high, np.inf))


def _rising(function: Callable[[Array], Array], least: float = -np.inf) -> Callable[[Interval], Interval]:
    def ends(x: Interval) -> Interval:
        return _known(function(np.maximum(x.low, least)), function(np.maximum(x.high, least)))

    return ends


def _cosine(x: Interval, shift: float = 0.0) -> Interval:
    low, high = x.low - shift, x.high - shift
    a, b = np.cos(low), np.cos(high)
    low, high = low / (2 * np.pi), high / (2 * np.pi)

    def meets(turns: float) -> NDArray[np.bool_]:
        """Whether a whole number of turns after so many lies between; also where it is not known."""
        return ~(np.floor(high - turns) < np.ceil(low - turns))

    return _known(np.where(meets(0.5), -1.0, np.minimum(a, b)), np.where(meets(0.0), 1.0, np.maximum(a, b)))


def _cosh(x: Interval) -> Interval:
    a, b = np.cosh(x.low), np.cosh(x.high)
    through = (x.low <= 0) & (x.high >= 0)
    return _known(np.where(through, 1.0, np.minimum(a, b)), np.maximum(a, b))


_FUNCTIONS: Mapping[str, Callable[..., Interval]] = {
    "exp": _rising(np.exp),
    "log": _rising(np.log, 0.0),
    "sqrt": _rising(np.sqrt, 0.0),
    "tanh": _rising(np.tanh),
    "sinh": _rising(np.sinh),
    "cosh": _cosh,
    "cos": _cosine,
    "sin": lambda x: _cosine(x, np.pi / 2),
}


_TRACED = traced(_FUNCTIONS)


def ranges_of(
    expression: Expression, names: tuple[str, ...], low: Array, high: Array
) -> tuple[Interval, Callable[[], list[Interval]]]:
    """What a smooth formula can be in boxes with corners of shape (boxes, n), each of shape (boxes,); never too narrow.

    With it comes what gives the same of its slopes by each of its names. What is not known warns, unless NumPy is told to
    ignore it.
    """
    sides = {name: Interval(low[:, k], high[:, k]) for k, name in enumerate(names)}
    value, slopes = value_and_slopes(expression, sides, _TRACED)
    return _interval(value, len(low)), lambda: [_interval(slope, len(low)) for slope in slopes()]


def _interval(found: Interval | float, count: int) -> Interval:
    return found if isinstance(found, Interval) else Interval(*(np.full(count, float(found)) for _ in range(2)))
