"""A discrete memoryless channel: the question of how much information it carries. It does not know how to solve it."""

from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_finite, is_whole, real_array
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.problems.arrays import ProbabilityTable, table_of, turned
from analogflow.problems.tables import read_table

__all__ = [
    "ROW_SUM_TOLERANCE",
    "Channel",
]

ROW_SUM_TOLERANCE = 1e-9
"""Largest departure of a row's sum from 1 that is accepted, and divided out."""

_ROUNDED = 0.01
"""Departure from 1 up to which what is left of a row without a name counts as a whole row of rounded probabilities."""

_SHOWN = 8
"""Names that a summary shows."""


@dataclasses.dataclass(frozen=True, eq=False)
class Channel:
    """Discrete memoryless channel given by its transition matrix.

    Parameters
    ----------
    transition : array_like, shape (n, m)
        p(j|i): row i is the distribution of the output when input i is sent. Each row sums to 1 within 1e-9, or twice the
        rounding of its kind of number. Also a data frame, a labelled or sparse array, a tensor, or a joint law of `dit`, of
        which the conditional one is taken; names that these have are kept.
    initial : array, shape (n,), optional
        Input distribution a flow starts from; uniform over the available inputs if not given.
    unavailable : sequence of int, optional
        Inputs (counted from 0) that may not be used; their probability is held at 0.
    cost : array, shape (n,), optional
        Cost of sending each input, 0 or more, such as energy. Needs `cost_limit`.
    cost_limit : float, optional
        Largest mean cost Σ z_i cost_i; at least one available input must cost less.
    input_names, output_names : sequence of str, optional
        What people call the inputs and outputs; shown to people, and nowhere else.
    counts : array, shape (n, m), optional
        Observations of each output when each input was sent, of which `transition` is the shares: `from_counts` gives both.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    transition: NDArray[np.float64]
    initial: NDArray[np.float64] | None = None
    unavailable: tuple[int, ...] = ()
    cost: NDArray[np.float64] | None = None
    cost_limit: float | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    counts: NDArray[np.float64] | None = None

    def __init__(
        self,
        transition: Any,
        initial: ArrayLike | None = None,
        unavailable: Sequence[int] = (),
        cost: ArrayLike | None = None,
        cost_limit: float | None = None,
        input_names: Sequence[str] = (),
        output_names: Sequence[str] = (),
        counts: Any = None,
    ) -> None:
        table = table_of(transition, "Channel.transition")
        matrix = table.values
        _refuse_matrix(table)
        _say("Channel.transition", table)
        input_names, output_names = input_names or table.rows, output_names or table.columns
        closed = _indices(unavailable, len(matrix))
        sums = matrix.sum(axis=1, keepdims=True)
        # A row that is right to rounding stays as the user wrote it; others are brought to the simplex.
        matrix = np.where(abs(sums - 1) <= 4 * np.finfo(float).eps, matrix, matrix / sums)
        counted = None if counts is None else _counts_of(counts, matrix)
        start = None if initial is None else _distribution(initial, len(matrix), closed)
        costs, limit = _costs(cost, cost_limit, np.setdiff1d(np.arange(len(matrix)), closed), len(matrix))
        for kind, names, size in (("input", input_names, len(matrix)), ("output", output_names, matrix.shape[1])):
            object.__setattr__(self, f"{kind}_names", _names(names, kind, size))
        for array in (matrix, start, costs, counted):
            if array is not None:
                array.setflags(write=False)
        object.__setattr__(self, "transition", matrix)
        object.__setattr__(self, "initial", start)
        object.__setattr__(self, "unavailable", closed)
        object.__setattr__(self, "cost", costs)
        object.__setattr__(self, "cost_limit", limit)
        object.__setattr__(self, "counts", counted)

    @classmethod
    def from_file(cls, path: str | Path, *, key: str | None = None, **keywords: Any) -> Channel:
        """Read a channel from a table in a file: one row for each input, one column for each output, and perhaps names.

        Parameters
        ----------
        path : path
            Text with numbers separated by commas, semicolons, tabs or spaces; or a file of NumPy (.npy, .npz), MATLAB
            (.mat), Excel (.xlsx) or Parquet.
        key : str, optional
            Which array, variable or sheet it is, in a file that holds several.
        keywords
            As for `from_table`.

        Raises
        ------
        BadInput
            As `from_table` does, and where the file can not be read or may be read in two ways.

        Warns
        -----
        AssumptionWarning
            With how the file was understood, where it is not plain numbers with points, separated by commas.
        """
        return cls.from_table(
            read_table(path, key=key, transpose=keywords.pop("transpose", False)), where=repr(str(path)), **keywords
        )

    @classmethod
    def from_csv(cls, path: str | Path, **keywords: Any) -> Channel:
        """`from_file`, which reads more than CSV."""
        return cls.from_file(path, **keywords)

    @classmethod
    def from_table(
        cls,
        table: Any,
        *,
        transpose: bool = False,
        normalise: bool = False,
        counts: bool = False,
        where: str = "Channel",
        **keywords: Any,
    ) -> Channel:
        """Make a channel of a table that is not yet a matrix of p(j|i), and say what was done to it.

        Rows that all sum to 100 are percentages; outputs that no input produces are left out.

        Parameters
        ----------
        table : array_like, shape (n, m)
        transpose : bool
            Whether columns are inputs.
        normalise : bool
            Whether each row is divided by its sum: of rounded probabilities, of weights, or of a joint law p(x, y).
        counts : bool
            Whether these are numbers of observations, which are kept beside their shares.
        where : str
            Begins the sentence.
        keywords
            As for `Channel`.

        Raises
        ------
        BadInput
            As `Channel` does, and where dividing rows by their sums would hide what the table is: columns that sum to 1,
            totals, or numbers that may be names.

        Warns
        -----
        AssumptionWarning
            With all that was done.
        """
        found = table_of(table, "Channel.transition")
        if counts and normalise:
            raise BadInput(f"{where}: counts are divided by their sums as they are; leave normalise out.")
        found = turned(found) if transpose else found
        if counts:
            found, keywords["counts"] = _counted(found)
        else:
            found = _readied(found, normalise=normalise)
        made = cls(dataclasses.replace(found, said=()), **keywords)
        _say(where, found)
        return made

    @classmethod
    def from_counts(cls, counts: Any, **keywords: Any) -> Channel:
        """Make a channel of numbers of observations: how often each output came when each input was sent.

        What they tell of its capacity, `reference.capacity_interval` computes, and `solve` says beside the answer.

        Parameters
        ----------
        counts : array_like, shape (n, m)
            Whole numbers; a confusion matrix, for one.
        keywords
            As for `from_table`.

        Raises
        ------
        BadInput
            As `from_table` does, and where they are not whole numbers, or an input has none.
        """
        return cls.from_table(counts, counts=True, **keywords)

    @property
    def inputs(self) -> int:
        """Number n of input symbols."""
        return self.transition.shape[0]

    @property
    def outputs(self) -> int:
        """Number m of output symbols."""
        return self.transition.shape[1]

    @property
    def available(self) -> NDArray[np.intp]:
        """Indices of the inputs that may be used, ascending, shape (number available,)."""
        inputs = np.arange(self.inputs)
        return np.setdiff1d(inputs, self.unavailable) if self.unavailable else inputs

    @property
    def summary(self) -> str:
        """Size and names for a person, and what could be taken wrongly."""
        parts = [" × ".join(f"{n} {kind}{'s' * (n != 1)}" for n, kind in ((self.inputs, "input"), (self.outputs, "output")))]
        for kind, names in (("inputs", self.input_names), ("outputs", self.output_names)):
            if names:
                parts.append(f"{kind} {', '.join(names[:_SHOWN])}" + (", …" if len(names) > _SHOWN else ""))
        P = self.transition
        if P.shape[0] == P.shape[1] and _distributions(P.T) and not np.array_equal(P, P.T):
            parts.append("the columns sum to 1, too: rows were taken as inputs")
        return "; ".join(parts)

    def refuse_cost(self, by: str) -> None:
        """Refuse a channel with a cost, which `by` would ignore."""
        if self.cost is not None:
            raise BadInput(f"{by} does not know the cost of inputs, and {self!r} has one; leave cost and cost_limit out.")

    def start(self) -> NDArray[np.float64]:
        """Input distribution a flow starts from, shape (n,); zero on unavailable inputs."""
        if self.initial is not None:
            return self.initial
        start = np.zeros(self.inputs)
        start[self.available] = 1 / len(self.available)
        return start

    def reduced(self) -> Channel:
        """Same channel without its unavailable inputs and without the outputs only they could produce."""
        if not self.unavailable:
            return self
        rows = self.transition[self.available]
        initial = None if self.initial is None else self.initial[self.available]
        cost = None if self.cost is None else self.cost[self.available]
        used = rows.sum(axis=0) > 0
        inputs = tuple(self.input_names[i] for i in self.available) if self.input_names else ()
        outputs = tuple(np.array(self.output_names, dtype=object)[used]) if self.output_names else ()
        counts = None if self.counts is None else self.counts[self.available][:, used]
        return Channel(rows[:, used], initial, (), cost, self.cost_limit, inputs, outputs, counts)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the problem: equal problems have equal fingerprints on every machine."""
        digest = hashlib.sha256(repr((self.transition.shape, self.unavailable)).encode())
        digest.update(np.ascontiguousarray(self.transition, dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(self.start(), dtype="<f8").tobytes())
        if self.cost is not None:
            digest.update(np.append(self.cost, self.cost_limit or 0.0).astype("<f8").tobytes())
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Channel({self.inputs} inputs, {self.outputs} outputs, fingerprint {self.fingerprint})"


def _say(where: str, table: ProbabilityTable) -> None:
    if table.said:
        warnings.warn(f"{where}: {'; '.join(table.said)}.", AssumptionWarning, stacklevel=3)


_NORMALISE = "Channel.from_table(…, normalise=True)"
_TRANSPOSE = "Channel.from_table(…, transpose=True)"


def _refuse_matrix(table: ProbabilityTable) -> None:
    if faults := _faults_of_matrix(table.values, max(ROW_SUM_TOLERANCE, 2 * table.rounding)):
        raise BadInput(
            f"Channel.transition: {'; '.join(faults)}.",
            words=["Channel.from_table(…, normalise=True)", "Channel.from_table(…, transpose=True)", "Channel.from_counts"],
        )


@np.errstate(over="ignore", invalid="ignore")
def _readied(table: ProbabilityTable, *, normalise: bool) -> ProbabilityTable:
    """The table without percentages and empty outputs, with rows divided by their sums where that is asked for."""
    values, said = table.values, list(table.said)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all() or (values < 0).any():
        return table  # which is refused with all its faults
    sums = values.sum(axis=1)
    if (abs(sums - 100) <= 100 * ROW_SUM_TOLERANCE).all():
        said.append("every row sums to 100, so the numbers are taken as percentages")
        values = values / 100
    elif normalise and not _distributions(values):
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


def _counted(table: ProbabilityTable) -> tuple[ProbabilityTable, NDArray[np.float64]]:
    """The shares in a table of counts, and the counts themselves, both without outputs that were never seen."""
    values = table.values
    if values.ndim != 2 or not values.size or not np.isfinite(values).all() or (values < 0).any():
        _refuse_matrix(table)
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
    return _readied(shares, normalise=False), values[:, values.any(axis=0)]


def _counts_of(counts: Any, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
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
        alone, hint = _names_among(values)
        faults = [hint] if alone or (hint and not table.rows and not table.columns) else []
    if faults:
        raise BadInput(f"Channel.transition: {'; '.join(faults)}.", words=["Channel.from_table(…, transpose=True)"])


def _orientation(matrix: NDArray[np.float64]) -> list[str]:
    if _distributions(matrix) or not _distributions(matrix.T):
        return []
    return [
        "the columns sum to 1 and the rows do not, so each column seems to be an input; give the transposed matrix, or use "
        + _TRANSPOSE
    ]


def _sums_among(matrix: NDArray[np.float64]) -> list[str]:
    totals = [f"{name} {k + 1}" for name, lines in (("column", matrix.T), ("row", matrix)) for k in _totals(lines)]
    if not totals or _distributions(matrix):
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
    if not _distributions(matrix):
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


def _names_among(matrix: NDArray[np.float64]) -> tuple[bool, str]:
    """Whether all else sums to 1 without what stands first and may be names; and a sentence for a person, or none.

    Divided by its sum, a row with its name in it would be a channel, and a wrong one.
    """
    counted = ""
    for where, line, others in (
        ("first column", matrix[:, 0], matrix[:, 1:]),
        ("first row", matrix[0], matrix[1:]),
        ("first row and the first column", matrix[0], matrix[1:, 1:]),
    ):
        if len(others) < 2 or others.shape[1] < 2:
            continue
        said = (
            f"the {where} ({', '.join(f'{value:g}' for value in line[:4])}{', …' if len(line) > 4 else ''}) may hold names"
        )
        named = (line > 1).any() or np.array_equal(line, np.round(line)) or (np.diff(line) > 0).all()
        if named and (abs(others.sum(axis=1) - 1) <= _ROUNDED).all():
            return True, f"{said}, since all else sums to 1 in each row: delete names, or give them as words"
        if not counted and any(np.array_equal(line, np.arange(len(line)) + first) for first in (0, 1)):
            counted = f"{said}, since it counts: delete names first"
    return False, counted


def _totals(lines: NDArray[np.float64]) -> list[int]:
    """Which of these, if it is one only, is the sum of all others; of two it can not be told."""
    found = np.flatnonzero((abs(lines.sum(axis=0) - 2 * lines) <= ROW_SUM_TOLERANCE * lines.max()).all(axis=1))
    return found.tolist() if len(lines) > 2 and len(found) == 1 else []


def _distributions(rows: NDArray[np.float64]) -> bool:
    return bool((abs(rows.sum(axis=1) - 1) <= ROW_SUM_TOLERANCE).all())


def _names(names: Sequence[str], kind: str, size: int) -> tuple[str, ...]:
    if isinstance(names, str) or len(names) not in (0, size) or not all(isinstance(name, str) for name in names):
        raise BadInput(f"Channel.{kind}_names: {names!r} are no names; give one text for each of the {size} {kind}s.")
    return tuple(names)


def _indices(unavailable: Sequence[int], inputs: int) -> tuple[int, ...]:
    if isinstance(unavailable, str) or not isinstance(unavailable, Sequence | np.ndarray):
        raise BadInput(f"Channel.unavailable: {unavailable!r} is not a list of inputs; give indices from 0 to {inputs - 1}.")
    bad = [i for i in unavailable if not is_whole(i, 0, inputs - 1)]
    if bad:
        raise BadInput(f"Channel.unavailable: {bad[0]!r} is not one of the inputs; give indices from 0 to {inputs - 1}.")
    closed = tuple(sorted({int(i) for i in unavailable}))
    if inputs - len(closed) < 2:
        raise BadInput(f"Channel.unavailable: {len(closed)} of {inputs} inputs are unavailable; at least two must remain.")
    return closed


def _distribution(initial: ArrayLike, inputs: int, closed: tuple[int, ...]) -> NDArray[np.float64]:
    start = real_array(initial, "Channel.initial", "one probability for each input")
    if start.shape != (inputs,):
        raise BadInput(f"Channel.initial: has shape {start.shape}, must have one entry for each of the {inputs} inputs.")
    if not np.isfinite(start).all() or (start < 0).any() or abs(start.sum() - 1) > ROW_SUM_TOLERANCE:
        raise BadInput(
            f"Channel.initial: must be non-negative and sum to 1 within {ROW_SUM_TOLERANCE:g}; its sum is {start.sum():.9g}."
        )
    available = np.setdiff1d(np.arange(inputs), closed)
    if (start[available] == 0).any():
        dead = available[start[available] == 0][0]
        raise BadInput(
            f"Channel.initial: input {dead} starts at 0 and could never be used; give it weight or list it as unavailable."
        )
    if any(start[i] != 0 for i in closed):
        raise BadInput("Channel.initial: an unavailable input has weight; its entry must be 0.")
    return start / start.sum()


def _costs(
    cost: ArrayLike | None, limit: float | None, available: NDArray[np.intp], inputs: int
) -> tuple[NDArray[np.float64] | None, float | None]:
    if (cost is None) != (limit is None):
        raise BadInput("Channel: cost and cost_limit belong together; give both or neither.")
    if cost is None or limit is None:
        return None, None
    costs = real_array(cost, "Channel.cost", "one cost for each input")
    if not is_finite(limit):
        raise BadInput(f"Channel.cost_limit: {limit!r} is not a finite number; give the largest mean cost.")
    bound = float(limit)
    if costs.shape != (inputs,):
        raise BadInput(f"Channel.cost: has shape {costs.shape}, must have one entry for each of the {inputs} inputs.")
    if not np.isfinite(costs).all() or (costs < 0).any():
        raise BadInput("Channel.cost: costs must be finite and 0 or more.")
    cheapest = costs[available].min()
    if not cheapest < bound:
        raise BadInput(
            f"Channel.cost_limit: {limit!r} leaves no freedom; it must exceed the cost of the cheapest input, {cheapest:g}."
        )
    return costs, bound
