"""Whether a table is one of p(output|input): what is wrong with it, and what makes it one where that is asked for.

Of percentages, counts, weights and joint laws it makes probabilities; names, totals and a table that lies the other way it
tells from numbers that are only to be divided.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import real_array
from analogflow.errors import BadInput
from analogflow.problems.arrays import ProbabilityTable

__all__ = ["ROW_SUM_TOLERANCE", "counted_table", "counts_of", "distributions", "readied_table", "refuse_matrix"]

ROW_SUM_TOLERANCE = 1e-9
"""Largest departure of a row's sum from 1 that is accepted, and divided out."""

_SHOWN = 8
"""Names of outputs that a sentence shows."""

_ROUNDED = 0.01
"""Departure from 1 up to which what is left of a row without a name counts as a whole row of rounded probabilities."""

_NORMALISE = "Channel.from_table(…, normalise=True)"

_TRANSPOSE = "Channel.from_table(…, transpose=True)"


def refuse_matrix(table: ProbabilityTable) -> None:
    """Raise `BadInput` with all that keeps a table from being one of p(output|input)."""
    if faults := _faults_of_matrix(table.values, max(ROW_SUM_TOLERANCE, 2 * table.rounding)):
        raise BadInput(
            f"Channel.transition: {'; '.join(faults)}.",
            words=["Channel.from_table(…, normalise=True)", "Channel.from_table(…, transpose=True)", "Channel.from_counts"],
        )


@np.errstate(over="ignore", invalid="ignore")
def readied_table(table: ProbabilityTable, *, normalise: bool) -> ProbabilityTable:
    """The table without percentages and empty outputs, with rows divided by their sums where that is asked for."""
    values, said = table.values, list(table.said)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all() or (values < 0).any():
        return table  # which is refused with all its faults
    sums = values.sum(axis=1)
    if (abs(sums - 100) <= 100 * ROW_SUM_TOLERANCE).all():
        said.append("every row sums to 100, so the numbers are taken as percentages")
        values = values / 100
    elif normalise and not distributions(values):
        _refuse_dividing(table)
        low, high = f"{sums.min():.6g}", f"{sums.max():.6g}"
        said.append(f"each row is divided by its sum, which is {low if low == high else f'{low} to {high}'}")
        values = values / sums[:, None]
    columns = table.columns
    if (empty := values.max(axis=0) == 0).any() and not empty.all():
        which = [columns[j] if columns else str(j + 1) for j in np.flatnonzero(empty)]
        shown = ", ".join(which[:_SHOWN]) + (", …" if len(which) > _SHOWN else "")
        said.append(
            f"output{'s' * (len(which) > 1)} {shown} {'are' if len(which) > 1 else 'is'} never produced and left out"
        )
        values = values[:, ~empty]
        columns = tuple(name for name, out in zip(columns, empty, strict=True) if not out) if columns else ()
    return dataclasses.replace(table, values=values, columns=columns, said=tuple(said))


def counted_table(table: ProbabilityTable) -> tuple[ProbabilityTable, NDArray[np.float64]]:
    """The shares in a table of counts, and the counts themselves, both without outputs that were never seen."""
    values = table.values
    if values.ndim != 2 or not values.size or not np.isfinite(values).all() or (values < 0).any():
        refuse_matrix(table)
    if (values != np.round(values)).any():
        i, j = np.argwhere(values != np.round(values))[0]
        raise BadInput(
            f"Channel.counts: row {i + 1}, column {j + 1} is {values[i, j]:g}, and counts are whole numbers; of weights, "
            f"use {_NORMALISE}.",
            words=["Channel.from_table(…, normalise=True)"],
        )
    _refuse_dividing(table)
    sums = values.sum(axis=1)
    low, high = f"{sums.min():.0f}", f"{sums.max():.0f}"
    said = f"counts of {sums.sum():.0f} observations, {low if low == high else f'{low} to {high}'} of each input"
    shares = dataclasses.replace(table, values=values / sums[:, None], said=(*table.said, said))
    return readied_table(shares, normalise=False), values[:, values.any(axis=0)]


def counts_of(counts: Any, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts as floats; raises `BadInput` where they are not whole numbers whose shares are `matrix`."""
    found = real_array(counts, "Channel.counts", "a whole number for each input and output")
    if found.shape != matrix.shape or not np.isfinite(found).all() or (found < 0).any() or (found != np.round(found)).any():
        raise BadInput(
            f"Channel.counts: must be whole numbers from 0 in the shape {matrix.shape} of transition; give them to "
            "Channel.from_counts, which makes the shares.",
            words=["Channel.from_counts"],
        )
    sums = found.sum(axis=1, keepdims=True)
    if (abs(found - matrix * sums) > ROW_SUM_TOLERANCE * np.maximum(sums, 1)).any() or not sums.all():
        raise BadInput(
            "Channel.counts: their shares are not transition; use Channel.from_counts.", words=["Channel.from_counts"]
        )
    return found


def _refuse_dividing(table: ProbabilityTable) -> None:
    """Refuse to divide rows by their sums where these tell that something else is meant."""
    values = table.values
    faults = [f"row {i + 1} sums to 0, and can not be divided by that" for i in np.flatnonzero(values.sum(axis=1) == 0)[:3]]
    if not faults and not (faults := _orientation(values) or _sums_among(values)):
        _, hint = _names_among(values, rows=bool(table.rows), columns=bool(table.columns))
        faults = [hint] if hint else []
    if faults:
        raise BadInput(f"Channel.transition: {'; '.join(faults)}.", words=["Channel.from_table(…, transpose=True)"])


def _orientation(matrix: NDArray[np.float64]) -> list[str]:
    if distributions(matrix) or not distributions(matrix.T):
        return []
    return [
        "the columns sum to 1 and the rows do not, so each column seems to be an input; give the transposed matrix, or use "
        + _TRANSPOSE
    ]


def _sums_among(matrix: NDArray[np.float64]) -> list[str]:
    totals = [f"{name} {k + 1}" for name, lines in (("column", matrix.T), ("row", matrix)) for k in _totals(lines)]
    if not totals or distributions(matrix):
        return []
    holds, them = ("holds", "it") if len(totals) == 1 else ("hold", "them")
    said = f"{' and '.join(totals)} {holds} the sums of the others, as totals do: delete {them}, then divide each row"
    return [f"{said} by its sum"]


@np.errstate(over="ignore", invalid="ignore")  # sums of what is far from a probability may be infinite
def _faults_of_matrix(matrix: NDArray[np.float64], tolerance: float) -> list[str]:
    if matrix.ndim != 2:
        return [f"given as {matrix.ndim}-dimensional, must be a matrix (rows: inputs, columns: outputs)"]
    inputs, outputs = matrix.shape
    if inputs == 0 or outputs == 0:
        return ["the matrix is empty; give one row for each input symbol"]
    faults = []
    for i, j in np.argwhere(~np.isfinite(matrix))[:3]:
        faults.append(f"row {i + 1}, column {j + 1} is {matrix[i, j]}; probabilities must be finite")
    for i, j in np.argwhere(matrix < 0)[:3]:
        faults.append(f"row {i + 1}, column {j + 1} is {matrix[i, j]:g}; probabilities can not be negative")
    if faults:
        return faults
    if inputs == 1:
        faults.append(
            "there is only one input symbol, so the capacity is 0 and there is nothing to compute; give at least two rows"
        )
    sums = matrix.sum(axis=1)
    if found := _orientation(matrix) or _sums_among(matrix):
        return found
    if not distributions(matrix):
        alone, hint = _names_among(matrix)
        faults += [hint] if hint else []
        if alone:
            return faults
    off = np.flatnonzero(abs(sums - 1) > tolerance)[:3]
    if len(off):
        if abs(matrix.sum() - 1) <= tolerance:
            faults.append(
                "all entries together sum to 1, as a joint law p(x, y) does, of which rows by their sums are p(y|x)"
            )
        each = ", ".join(f"row {i + 1} {'' if k else 'sums '}to {sums[i]:.12g}" for k, i in enumerate(off))
        counted = bool((matrix == np.round(matrix)).all())
        more = ", or Channel.from_counts for counts" if counted else ""
        faults.append(f"{each}; rows must sum to 1 within {tolerance:g}: divide each by its sum, or use {_NORMALISE}{more}")
    for j in np.flatnonzero(matrix.max(axis=0) == 0)[:3]:
        faults.append(f"output symbol {j + 1} is never produced (its column is all zeros); remove the column")
    return faults


def _names_among(matrix: NDArray[np.float64], *, rows: bool = False, columns: bool = False) -> tuple[bool, str]:
    """Whether all else sums to 1 without what stands first and may be names; and a sentence for a person, or none.

    Divided by its sum, a row with its name in it would be a channel, and a wrong one. Where rows or columns have names of
    their own, numbers that only count are none.
    """
    counted = "" if rows else _listed(matrix)
    for where, line, others, known in (
        ("first column", matrix[:, 0], matrix[:, 1:], rows),
        ("first row", matrix[0], matrix[1:], columns),
        ("first row and the first column", matrix[0], matrix[1:, 1:], rows or columns),
    ):
        if len(others) < 2 or others.shape[1] < 2:
            continue
        said = (
            f"the {where} ({', '.join(f'{value:g}' for value in line[:4])}{', …' if len(line) > 4 else ''}) may hold names"
        )
        named = (line > 1).any() or np.array_equal(line, np.round(line)) or (np.diff(line) > 0).all()
        if named and (abs(others.sum(axis=1) - 1) <= _ROUNDED).all():
            return True, f"{said}, since all else sums to 1 in each row: delete names, or give them as words"
        if not counted and not known and _counting(line):
            other = "rows" if where == "first column" else "columns"
            counted = f"{said}, since it counts: delete names first, and if there are none give the {other} words for names"
    return False, counted


def _listed(matrix: NDArray[np.float64]) -> str:
    """What to say of rows that may be pairs of an input and an output, each with its number; nothing of others."""
    pairs = matrix[:, :2]
    if matrix.shape[1] != 3 or len(np.unique(pairs, axis=0)) < len(pairs):
        return ""
    if not all(_counting(np.unique(column)) and 2 <= len(np.unique(column)) < len(column) for column in pairs.T):
        return ""
    shown = ", ".join(f"({i:g}, {j:g})" for i, j in pairs[:3])
    return (
        f"the first two columns may name pairs of an input and an output, {shown}, …: make a table of such a list, a row "
        "for each input and a column for each output, as the pivot of pandas does; if it is a table, give the rows words "
        "for names"
    )


def _counting(values: NDArray[np.float64]) -> bool:
    """Whether these are 0, 1, 2 … or 1, 2, 3 …."""
    return any(np.array_equal(values, np.arange(len(values)) + first) for first in (0, 1))


def _totals(lines: NDArray[np.float64]) -> list[int]:
    """Which of these, if it is one only, is the sum of all others; of two it can not be told."""
    found = np.flatnonzero((abs(lines.sum(axis=0) - 2 * lines) <= ROW_SUM_TOLERANCE * lines.max()).all(axis=1))
    return found.tolist() if len(lines) > 2 and len(found) == 1 else []


def distributions(rows: NDArray[np.float64]) -> bool:
    """Whether every row sums to 1."""
    return bool((abs(rows.sum(axis=1) - 1) <= ROW_SUM_TOLERANCE).all())
