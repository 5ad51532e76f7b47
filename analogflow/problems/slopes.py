"""Slopes of a smooth formula where its names have numbers: the chain rule backwards through one evaluation.

It costs a few evaluations however many names there are, and holds for whatever has arithmetic: complex numbers, intervals.
The formula of a slope, which a circuit is made of, is `derivative`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from analogflow.problems.expression import FUNCTIONS, Expression

__all__ = ["slopes_at", "traced", "value_and_slopes"]

_Slope = Callable[[], Any] | None
"""What gives a slope when it is asked for; None for 1."""


class _Traced:
    """A number that knows what it was computed from, and its slope by each of these, in order of making."""

    __slots__ = ("made_of", "place", "trace", "value")

    def __init__(self, trace: list[_Traced], value: Any, *made_of: tuple[_Traced, _Slope]) -> None:
        self.trace, self.place, self.value, self.made_of = trace, len(trace), value, made_of
        trace.append(self)

    def __add__(self, other: _Traced | float) -> _Traced:
        if isinstance(other, _Traced):
            return _Traced(self.trace, self.value + other.value, (self, None), (other, None))
        return _Traced(self.trace, self.value + other, (self, None))

    __radd__ = __add__

    def __neg__(self) -> _Traced:
        return _Traced(self.trace, -self.value, (self, lambda: -1.0))

    def __pos__(self) -> _Traced:
        return self

    def __sub__(self, other: _Traced | float) -> _Traced:
        if isinstance(other, _Traced):
            return _Traced(self.trace, self.value - other.value, (self, None), (other, lambda: -1.0))
        return _Traced(self.trace, self.value - other, (self, None))

    def __rsub__(self, other: float) -> _Traced:
        return _Traced(self.trace, other - self.value, (self, lambda: -1.0))

    def __mul__(self, other: _Traced | float) -> _Traced:
        if isinstance(other, _Traced):
            return _Traced(self.trace, self.value * other.value, (self, lambda: other.value), (other, lambda: self.value))
        return _Traced(self.trace, self.value * other, (self, lambda: other))

    __rmul__ = __mul__

    def __truediv__(self, other: _Traced | float) -> _Traced:
        if isinstance(other, _Traced):
            value = self.value / other.value
            return _Traced(self.trace, value, (self, lambda: 1 / other.value), (other, lambda: -value / other.value))
        return _Traced(self.trace, self.value / other, (self, lambda: 1 / other))

    def __rtruediv__(self, other: float) -> _Traced:
        value = other / self.value
        return _Traced(self.trace, value, (self, lambda: -value / self.value))

    def __pow__(self, power: float) -> _Traced:
        if power == 0:
            return _Traced(self.trace, self.value**0)
        return _Traced(self.trace, self.value**power, (self, lambda: power * self.value ** (power - 1)))


def traced(functions: Mapping[str, Callable[[Any], Any]]) -> Mapping[str, Callable[[Any], Any]]:
    """What smooth functions do to numbers that are traced, of what `functions` do to those numbers themselves."""
    cos, sin, cosh, sinh = (functions[name] for name in ("cos", "sin", "cosh", "sinh"))
    slopes: Mapping[str, Callable[[Any, Any], Any]] = {
        "exp": lambda x, y: y,
        "log": lambda x, y: 1 / x,
        "sqrt": lambda x, y: 0.5 / y,
        "tanh": lambda x, y: 1 - y**2,
        "sin": lambda x, y: cos(x),
        "cos": lambda x, y: -sin(x),
        "sinh": lambda x, y: cosh(x),
        "cosh": lambda x, y: sinh(x),
    }

    def with_slope(function: Callable[[Any], Any], slope: Callable[[Any, Any], Any]) -> Callable[[_Traced], _Traced]:
        def of(x: _Traced) -> _Traced:
            value = function(x.value)
            return _Traced(x.trace, value, (x, lambda: slope(x.value, value)))

        return of

    return {name: with_slope(functions[name], slope) for name, slope in slopes.items()}


_ON_ARRAYS = traced({name: function for name, (count, function) in FUNCTIONS.items() if count == 1})


def slopes_at(expression: Expression, values: Mapping[str, Any]) -> list[Any]:
    """∂(expression)/∂(name) where names mean what `values` says, for each name in its order; a number where it is constant.

    Parameters
    ----------
    expression : Expression
        Of numbers, names, + − * / **, exp, log, sqrt, tanh, sin, cos, sinh and cosh.
    values : mapping of arrays, real or complex
        Of shapes that fit each other.

    Raises
    ------
    BadInput
        A number is out of range.
    """
    return value_and_slopes(expression, values, _ON_ARRAYS)[1]()


def value_and_slopes(
    expression: Expression, values: Mapping[str, Any], functions: Mapping[str, Callable[[Any], Any]]
) -> tuple[Any, Callable[[], list[Any]]]:
    """Value where names mean what `values` says, and what gives the slopes there, as `slopes_at` has them.

    Parameters
    ----------
    expression : Expression
        As of `slopes_at`.
    values : mapping
        Numbers of any kind that has arithmetic.
    functions : mapping
        `traced` functions of that kind.

    References
    ----------
    A. Griewank and A. Walther, Evaluating Derivatives, 2nd ed., SIAM (2008), section 3.2 (reverse mode).
    """
    trace: list[_Traced] = []
    names = [_Traced(trace, value) for value in values.values()]
    found = expression.evaluate(dict(zip(values, names, strict=True)), functions)
    if not isinstance(found, _Traced):
        return found, lambda: [0.0] * len(names)

    def slopes() -> list[Any]:
        so_far: list[Any] = [None] * len(trace)
        so_far[found.place] = 1.0
        for each in reversed(trace):
            if (here := so_far[each.place]) is None:
                continue
            for origin, slope in each.made_of:
                part, before = here if slope is None else here * slope(), so_far[origin.place]
                so_far[origin.place] = part if before is None else before + part
        return [0.0 if so_far[name.place] is None else so_far[name.place] for name in names]

    return found.value, slopes
