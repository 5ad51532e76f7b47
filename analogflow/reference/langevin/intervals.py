"""Interval arithmetic on arrays: what a formula may be anywhere in a box, so that nothing is missed between points."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.problems.expression import Expression

__all__ = ["Interval", "range_of"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Interval:
    """Numbers from `low` to `high`, elementwise; what is not known is without end. Rounding is not directed outward."""

    low: Array
    high: Array

    def __add__(self, other: Interval | float) -> Interval:
        low, high = _ends(other)
        return _known(self.low + low, self.high + high)

    __radd__ = __add__

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __pos__(self) -> Interval:
        return self

    def __sub__(self, other: Interval | float) -> Interval:
        low, high = _ends(other)
        return _known(self.low - high, self.high - low)

    def __rsub__(self, other: float) -> Interval:
        return -self + other

    def __mul__(self, other: Interval | float) -> Interval:
        if other is self:
            return self**2
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
    return Interval(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))


def _rising(function: Callable[[Array], Array], least: float = -np.inf) -> Callable[[Interval], Interval]:
    def ends(x: Interval) -> Interval:
        return _known(function(np.maximum(x.low, least)), function(np.maximum(x.high, least)))

    return ends


def _cosine(x: Interval, shift: float = 0.0) -> Interval:
    low, high = x.low - shift, x.high - shift
    a, b = np.cos(low), np.cos(high)

    def meets(place: float) -> NDArray[np.bool_]:
        """Whether a whole number of turns after `place` lies between; also where it is not known."""
        return ~(np.floor((high - place) / (2 * np.pi)) < np.ceil((low - place) / (2 * np.pi)))

    return _known(np.where(meets(np.pi), -1.0, np.minimum(a, b)), np.where(meets(0.0), 1.0, np.maximum(a, b)))


_FUNCTIONS: Mapping[str, Callable[..., Interval]] = {
    "exp": _rising(np.exp),
    "log": _rising(np.log, 0.0),
    "sqrt": _rising(np.sqrt, 0.0),
    "tanh": _rising(np.tanh),
    "cos": _cosine,
    "sin": lambda x: _cosine(x, np.pi / 2),
}


def range_of(expression: Expression, names: tuple[str, ...], low: Array, high: Array) -> Interval:
    """What a smooth formula can be in boxes with corners of shape (boxes, n), each of shape (boxes,); never too narrow."""
    sides = {name: Interval(low[:, k], high[:, k]) for k, name in enumerate(names)}
    with np.errstate(all="ignore"):
        found = expression.evaluate(sides, _FUNCTIONS)
    ends = _ends(found)
    return Interval(*(np.broadcast_to(np.asarray(end, dtype=float), low.shape[:1]) for end in ends))
