"""Matrices that are functions of time as blocks: each function once, and gains for its place in the matrix."""

from __future__ import annotations

from typing import Any

from analogflow.flows.custom import played, written
from analogflow.problems.equations import TIME
from analogflow.problems.expression import Expression
from analogflow.problems.timed import TimedMatrix

__all__ = ["timed"]


def timed(matrix: TimedMatrix, time: Any, name: str) -> Any:
    """`matrix` at `time`, an array or signal of one element that is the flow's clock; `name` is what it is called."""
    values: dict[str, Any] = {TIME: time}
    for key, function in matrix.inputs.items():
        values[key] = _value(function, values, key)
    whole: Any = matrix.base
    for number, (function, part) in enumerate(matrix.parts, start=1):
        whole = _value(function, values, f"{name}{number}") * part + whole
    return whole


def _value(function: Any, values: dict[str, Any], name: str) -> Any:
    if isinstance(function, Expression):
        return written(function, values, name)
    return played(function, values[TIME], name)
