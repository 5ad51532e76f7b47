"""What matrix is in an object of Python: rows of numbers, arrays and tensors, frames with names, sparse ones, joint laws.

Kinds are told by what an object can do, so that no library is loaded for objects that it did not make.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import real_array
from analogflow.errors import BadInput

__all__ = ["MOST_NUMBERS", "ProbabilityTable", "holds_matrix", "table_of", "turned"]

MOST_NUMBERS = 2**25
"""Numbers of a matrix: what is sparse, or unpacked, may have no more."""

_WANTED = "probabilities between 0 and 1"
_SUM = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class ProbabilityTable:
    """Numbers of a table, the names that stand beside them, and how it was read.

    Parameters
    ----------
    values : array, shape (rows, columns)
    rows, columns : tuple of str
        Names; empty where there are none.
    said : tuple of str
        What was understood where it was not plain; the parts of a sentence that begins with the file.
    rounding : float
        Spacing of the numbers' type at 1, from which each of them may be half as far off, over its size.
    """

    values: NDArray[np.float64]
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    rounding: float = 0.0


def turned(table: ProbabilityTable) -> ProbabilityTable:
    """The table with rows and columns exchanged."""
    return dataclasses.replace(table, values=table.values.T, rows=table.columns, columns=table.rows)


def holds_matrix(given: object) -> bool:
    """Whether `given` is of a kind that `table_of` takes: rows, an array, a frame, a law, and no text."""
    return isinstance(given, list | tuple | Mapping | np.ndarray | ProbabilityTable) or any(
        hasattr(given, way) for way in ("__array__", "__dlpack__", "toarray", "pmf")
    )


def table_of(given: Any, name: str) -> ProbabilityTable:
    """Matrix of numbers in an object, with the names that it has.

    Parameters
    ----------
    given : array_like
        Rows of numbers, an array or tensor, which gives itself by ``__array__`` or ``__dlpack__``; a data frame; a labelled
        array of two dimensions; a sparse matrix; a mapping of rows or of columns, as data frames are written to JSON; or a
        joint law p(x, y) of `dit`, of which it is p(y|x).
    name : str
        First words of the sentence of a refusal.

    Raises
    ------
    BadInput
        It holds something else than real numbers, or may be meant in two ways.
    """
    if isinstance(given, ProbabilityTable):
        return given
    if isinstance(given, Mapping):
        return _of_mapping(given, name)
    if isinstance(given, list | tuple) and given and all(isinstance(row, Mapping) for row in given):
        return _of_records(given, name)
    if hasattr(given, "iloc") and hasattr(given, "columns"):
        return _of_frame(given, name)
    if hasattr(given, "dims") and hasattr(given, "coords"):
        return _of_labelled(given, name)
    if hasattr(given, "pmf") and hasattr(given, "outcomes"):
        return _of_law(given, name)
    return _of_numbers(_as_array(given, name), name)


def _as_array(given: Any, name: str) -> Any:
    """What NumPy can look at: lists as they are, and what other libraries hold, each by its own way out."""
    if isinstance(given, list | tuple | np.ndarray):
        return given
    try:
        if hasattr(given, "toarray"):
            if int(np.prod(given.shape, dtype=object)) > MOST_NUMBERS:
                raise BadInput(f"{name} has {given.shape} entries with its zeros, more than {MOST_NUMBERS} together.")
            return given.toarray()
        if hasattr(given, "__array__"):
            return np.asarray(given)
        if hasattr(given, "__dlpack__"):
            return np.from_dlpack(given)
    except BadInput:
        raise
    except Exception as fault:  # noqa: BLE001 - of another library, which may refuse in any way
        why = (str(fault).splitlines() or [type(fault).__name__])[0][:120]
        raise BadInput(
            f"{name}: {type(given).__name__} does not give its numbers ({why}); hand over an array of NumPy."
        ) from None
    return given


def _of_numbers(given: Any, name: str) -> ProbabilityTable:
    try:
        values = real_array(given, name, _WANTED)
    except BadInput:
        lengths = [len(row) if isinstance(row, Sequence) else 1 for row in given] if isinstance(given, Sequence) else []
        if len(set(lengths)) > 1:
            odd = next(i for i, length in enumerate(lengths) if length != lengths[0])
            raise BadInput(
                f"{name}: row {odd + 1} has {lengths[odd]} entries and row 1 has {lengths[0]}; "
                "every row needs one probability for each output."
            ) from None
        raise
    kind = np.asarray(given).dtype
    return ProbabilityTable(values, rounding=float(np.finfo(kind).eps) if kind.kind == "f" else 0.0)


def _names(labels: Any) -> tuple[str, ...]:
    """Labels as names; none where they only count from 0, as frames do by themselves."""
    found = [str(label) for label in labels]
    return () if found == [str(k) for k in range(len(found))] else tuple(found)


def _of_frame(frame: Any, name: str) -> ProbabilityTable:
    """Of a data frame: its columns are outputs; a first column of words, or of an index that was saved, names the inputs."""
    said, rows = [], _names(frame.index)
    columns = [str(label) for label in frame.columns]
    if len(columns) > 1 and not rows and (columns[0].startswith("Unnamed: 0") or _words(frame.iloc[:, 0])):
        rows = tuple(str(label) for label in frame.iloc[:, 0])
        said.append(
            f"the first column ({', '.join(rows[:4])}{', …' if len(rows) > 4 else ''}) is taken as names of the inputs"
        )
        frame, columns = frame.iloc[:, 1:], columns[1:]
    kinds = [getattr(kind, "numpy_dtype", kind) for kind in frame.dtypes]
    found = _of_numbers(frame.to_numpy(), name)
    floats = [float(np.finfo(kind).eps) for kind in kinds if getattr(kind, "kind", "") == "f"]
    return dataclasses.replace(
        found, rows=rows, columns=_names(columns), said=tuple(said), rounding=max(floats, default=0.0)
    )


def _words(column: Any) -> bool:
    return all(isinstance(label, str) for label in column)


def _of_labelled(array: Any, name: str) -> ProbabilityTable:
    """Of an array with named dimensions; the first one are the inputs, unless the names say that it holds the outputs."""
    dims = [str(dim) for dim in array.dims]
    if len(dims) == 2 and (dims[0].lower().startswith("out") or dims[1].lower().startswith("inp")):
        raise BadInput(
            f"{name}: its dimensions are {dims[0]!r} and {dims[1]!r}, and the first one must hold the inputs; transpose it."
        )
    labels = [_names(array.coords[dim].values) if dim in array.coords else () for dim in array.dims]
    found = _of_numbers(np.asarray(array), name)
    return dataclasses.replace(found, rows=labels[0], columns=labels[1]) if len(labels) == 2 else found


def _of_law(law: Any, name: str) -> ProbabilityTable:
    """p(y|x) of a joint law of two variables, as `dit` holds it: outcomes, and the probability of each or its logarithm."""
    linear = law.copy(base="linear") if hasattr(law, "copy") and getattr(law, "is_log", bool)() else law
    outcomes = [tuple(outcome) for outcome in linear.outcomes]
    if not outcomes or any(len(outcome) != 2 for outcome in outcomes):
        raise BadInput(
            f"{name}: a law of {len(outcomes[0]) if outcomes else 0} variables; give a joint law of two, x and y."
        )
    rows, columns = (sorted({outcome[k] for outcome in outcomes}, key=str) for k in (0, 1))
    joint = np.zeros((len(rows), len(columns)))
    for outcome, mass in zip(outcomes, linear.pmf, strict=True):
        joint[rows.index(outcome[0]), columns.index(outcome[1])] += mass
    joint = joint[(kept := joint.sum(axis=1) > 0)]
    rows = [row for row, there in zip(rows, kept, strict=True) if there]
    said = "of a joint law p(x, y), the rows are p(y|x)"
    return ProbabilityTable(joint / joint.sum(axis=1, keepdims=True), _names(rows), _names(columns), (said,))


def _of_records(records: Sequence[Mapping[Any, Any]], name: str) -> ProbabilityTable:
    """Of one mapping a row, as data frames are written to JSON by records."""
    keys = list(records[0])
    if any(list(record) != keys for record in records):
        raise BadInput(f"{name}: its rows have different keys; give each row the same, in the same order.")
    found = _of_numbers([[*record.values()] for record in records], name)
    return dataclasses.replace(found, columns=_names(keys))


def _of_mapping(given: Mapping[Any, Any], name: str) -> ProbabilityTable:
    """Of a mapping whose values are rows or columns, lists or mappings themselves: which of them, their sums must tell."""
    if set(given) == {"columns", "index", "data"}:
        found = _of_numbers(given["data"], name)
        return dataclasses.replace(found, rows=_names(given["index"]), columns=_names(given["columns"]))
    inner = list(given.values())
    if inner and all(isinstance(line, Mapping) for line in inner):
        keys = list(inner[0])
        if any(list(line) != keys for line in inner):
            raise BadInput(f"{name}: its parts have different keys; give each the same, in the same order.")
        inner, across = [[*line.values()] for line in inner], _names(keys)
    else:
        across = ()
    if not inner or not all(isinstance(line, Sequence) and not isinstance(line, str) for line in inner):
        raise BadInput(f"{name}: {json.dumps(list(map(str, given)))[:80]} are no rows of numbers; give a matrix.")
    by_rows = dataclasses.replace(_of_numbers(inner, name), rows=_names(given), columns=across)
    if by_rows.values.ndim != 2 or 0 in by_rows.values.shape:
        raise BadInput(f"{name}: holds no rows of numbers; give a matrix.")
    ways = [_sum_to_one(by_rows.values), _sum_to_one(by_rows.values.T)]
    if ways[0] == ways[1] and not np.array_equal(by_rows.values, by_rows.values.T):
        first, both = str(next(iter(given))), "both sum to 1" if ways[0] else "neither sums to 1"
        raise BadInput(
            f"{name}: {first!r} may be a row, as most write them, or a column, as data frames are written, and {both}; "
            "give a list of rows."
        )
    if ways[0]:
        return dataclasses.replace(by_rows, said=(f"{str(next(iter(given)))!r} and the others are rows",))
    return dataclasses.replace(turned(by_rows), said=(f"{str(next(iter(given)))!r} and the others are columns",))


@np.errstate(over="ignore", invalid="ignore")
def _sum_to_one(values: NDArray[np.float64]) -> bool:
    return bool((abs(values.sum(axis=1) - 1) <= _SUM).all())
