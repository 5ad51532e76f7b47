"""Matrices that are functions of time as blocks: each function once, and gains for its place in the matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.flows.custom import played, written
from analogflow.problems.equations import TIME
from analogflow.problems.expression import Expression
from analogflow.problems.timed import TimedMatrix

__all__ = ["applied", "timed"]


def timed(matrix: TimedMatrix, time: Any, name: str, entries: NDArray[np.intp] | None = None) -> Any:
    """`matrix` at `time`, an array or signal of one element that is the flow's clock; `name` is what it is called.

    Where `entries` are given, flat, only those, shape (k,).
    """
    picked = (lambda array: array) if entries is None else (lambda array: array.ravel()[entries])
    whole: Any = picked(matrix.base)
    for value, part in _parts(matrix, time, name):
        whole = value * picked(part) + whole
    return whole


def applied(matrix: TimedMatrix, time: Any, x: Any, name: str, *, turned: bool = False) -> Any:
    """`matrix` at `time`, or its transpose if `turned`, times x: crossbars, and a multiplier for each function and row."""
    whole: Any = (matrix.base.T if turned else matrix.base) @ x if matrix.base.any() else None
    for value, part in _parts(matrix, time, name):
        share = value * ((part.T if turned else part) @ x)
        whole = share if whole is None else whole + share
    return whole


def _parts(matrix: TimedMatrix, time: Any, name: str) -> Iterator[tuple[Any, NDArray[np.float64]]]:
    values: dict[str, Any] = {TIME: time}
    for key, function in matrix.inputs.items():
        values[key] = _value(function, values, key)
    for number, (function, part) in enumerate(matrix.parts, start=1):
        yield _value(function, values, f"{name}{number}"), part


def _value(function: Any, values: dict[str, Any], name: str) -> Any:
    if isinstance(function, Expression):
        return written(function, values, name)
    return played(function, values[TIME], name)
