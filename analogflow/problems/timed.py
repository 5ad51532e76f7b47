"""Matrices that are functions of time: entries that are expressions of t and of inputs, or lines from matrix to matrix."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_finite, is_number, numbers
from analogflow.errors import BadInput
from analogflow.problems.equations import TIME
from analogflow.problems.expression import NAME, Expression, read_expression
from analogflow.problems.inputs import PiecewiseLinear, read_points

__all__ = ["TimedMatrix", "instants_of", "read_timed"]

Array = NDArray[np.float64]

_STEP = 1e-5
"""Step in τ of the differences that rates are taken by."""

_LOOKED_AT = 513
"""Instants at which a matrix is looked at, beside its corners."""

Function = Expression | PiecewiseLinear


@dataclasses.dataclass(frozen=True, eq=False)
class TimedMatrix:
    """base + Σ_l s_l(t) M_l.

    Parameters
    ----------
    base : array, shape (n, m)
    parts : sequence of (function of time, array of shape (n, m))
        s_l and M_l.
    inputs : mapping of name to function of time
        What expressions may name beside t.
    """

    base: Array
    parts: tuple[tuple[Function, Array], ...]
    inputs: Mapping[str, Function]

    @property
    def corners(self) -> tuple[float, ...]:
        """Times, in τ, at which a line ends and another begins."""
        given = [*(function for function, _ in self.parts), *self.inputs.values()]
        points = [function.times for function in given if isinstance(function, PiecewiseLinear)]
        return tuple(np.unique(np.concatenate(points)).tolist()) if points else ()

    def at(self, time: float) -> Array:
        """The matrix at a time in τ, shape (n, m)."""
        values: dict[str, Any] = {TIME: time}
        values |= {name: _value(function, values, time) for name, function in self.inputs.items()}
        whole = self.base.copy()
        for function, part in self.parts:
            whole += _value(function, values, time) * part
        return whole

    def rate(self, time: float) -> Array:
        """Its rate just before a time, per τ: at a corner that of the line which ends."""
        return (3 * self.at(time) - 4 * self.at(time - _STEP) + self.at(time - 2 * _STEP)) / (2 * _STEP)


def _value(function: Function, values: Mapping[str, Any], time: float) -> float:
    if isinstance(function, PiecewiseLinear):
        return float(function.at(time))
    return float(np.ravel(function.evaluate(values))[0])


def instants_of(matrix: TimedMatrix, time: float) -> list[float]:
    """Instants from 0 to `time`, in τ, at which `matrix` is looked at."""
    corners = [t for t in matrix.corners if 0 <= t <= time]
    return np.union1d(np.linspace(0, time, _LOOKED_AT), corners).tolist()


def read_timed(
    one: object, inputs: object, several: object, times: object, names: tuple[str, str], faults: list[str]
) -> tuple[TimedMatrix, dict[str, Any]] | None:
    """Matrix of the entries `one` and of `inputs`, or of `several` at `times`; and what was read, by the names of the keys.

    `names` are those of `one` and of `several`. None and faults where it is none.
    """
    name, plural = names
    kept: dict[str, Any] = dict.fromkeys((name, "inputs", plural, "times"))
    if (one is None) == (several is None):
        faults.append(f"give {name}, with entries that are functions of t, or {plural} and their times")
        return None
    if several is not None:
        if inputs is not None:
            faults.append(f"inputs are named by entries of {name}; leave them out where there are {plural}")
        found = _read_sequence(several, times, names, faults)
        return None if found is None else (found[0], {**kept, plural: found[1], "times": found[2]})
    if times is not None:
        faults.append(f"times are of {plural}; leave them out")
    functions = {} if inputs is None else _read_inputs(inputs, faults)
    entries = None if faults else _read_entries(one, functions, name, faults)
    return None if entries is None else (entries[0], {**kept, name: entries[1], "inputs": functions or None})


def _read_inputs(given: object, faults: list[str]) -> dict[str, Function]:
    """Functions of time by name: an expression of t, or points."""
    if not isinstance(given, Mapping):
        faults.append(f"inputs is {given!r}; give functions of t by name")
        return {}
    found: dict[str, Function] = {}
    for name, value in given.items():
        if not NAME.fullmatch(str(name)) or name == TIME:
            faults.append(f"inputs: {name!r} is no name for an input; take letters, digits and _, and not {TIME!r}")
            continue
        try:
            if isinstance(value, str | Expression) or is_number(value):
                found[name] = read_expression(getattr(value, "text", value), [TIME], where=f"inputs.{name}")
            else:
                found[name] = read_points(value, f"inputs.{name}")
        except BadInput as fault:
            faults.append(str(fault).rstrip("."))
    return found


def _read_entries(
    given: object, inputs: Mapping[str, Function], name: str, faults: list[str]
) -> tuple[TimedMatrix, tuple[tuple[float | Expression, ...], ...]] | None:
    """Matrix of rows of numbers and expressions, and its entries as they were read; None and faults if it is none."""
    rows = [list(row) for row in given if not isinstance(row, str)] if _is_rows(given) else []  # type: ignore[union-attr]
    if not rows or len({len(row) for row in rows}) != 1 or not rows[0]:
        faults.append(
            f"{name} is no matrix; give rows of one length, of numbers and of expressions of t between quotation marks"
        )
        return None
    base, marks, functions = np.zeros((len(rows), len(rows[0]))), {}, {}
    entries: list[list[float | Expression]] = [[] for _ in rows]
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            where = f"{name}, row {i + 1}, column {j + 1}"
            if is_number(entry):
                if not is_finite(entry):
                    faults.append(f"{where}: {entry} is not a finite number")
                    return None
                base[i, j] = entry
                entries[i].append(float(entry))
                continue
            try:
                read = read_expression(getattr(entry, "text", entry), [*inputs, TIME], where=where)
            except BadInput as fault:
                faults.append(str(fault).rstrip("."))
                return None
            functions.setdefault(read.text, read)
            marks.setdefault(read.text, np.zeros_like(base))[i, j] = 1.0
            entries[i].append(read)
    parts = tuple((functions[text], marks[text]) for text in functions)
    return TimedMatrix(base, parts, dict(inputs)), tuple(map(tuple, entries))


def _read_sequence(
    given: object, times: object, names: tuple[str, str], faults: list[str]
) -> tuple[TimedMatrix, tuple[Array, ...], Array] | None:
    """Matrix that is each of a list at its time, and on straight lines between."""
    name, plural = names
    matrices = list(given) if isinstance(given, Sequence | np.ndarray) and not isinstance(given, str) else []
    found = [numbers(one, f"{name} {k + 1}", (2,), "a matrix", faults) for k, one in enumerate(matrices)]
    if len(found) < 2 or any(one is None for one in found):
        if len(found) < 2:
            faults.append(f"{plural} is no list of two matrices or more, one for each of times")
        return None
    each = [one for one in found if one is not None]
    if len({one.shape for one in each}) > 1:
        faults.append(f"{plural} differ in shape: {', '.join(str(one.shape) for one in each)}; give all one shape")
        return None
    when = numbers([] if times is None else times, "times", (1,), "a time in τ for each matrix", faults)
    if when is None:
        return None
    try:
        hats = [read_points({"times": when, "values": row}, "times") for row in np.eye(len(each))[:, : len(when)]]
    except BadInput as fault:
        faults.append(str(fault).rstrip("."))
        return None
    if len(when) != len(each):
        faults.append(f"there are {len(each)} {plural} and {len(when)} times; give a time for each")
        return None
    # Shares of all but the first, whose own is what they leave of 1.
    parts = tuple((hat, one - each[0]) for hat, one in zip(hats[1:], each[1:], strict=True))
    for one in (*each, when):
        one.setflags(write=False)
    return TimedMatrix(each[0].copy(), parts, {}), tuple(each), when


def _is_rows(given: object) -> bool:
    return (
        isinstance(given, Sequence | np.ndarray)
        and not isinstance(given, str)
        and all(isinstance(row, Sequence | np.ndarray) and not isinstance(row, str) for row in given)
    )
