"""What matrix is in a file: here alone that is told, and what was understood where it was not plain.

Names of rows and columns are told from probabilities by rules, each in one function. Where a file can be read in two ways it
is refused, with both. Text is taken apart in `delimited`, other files in `packed`; what objects hold, `arrays` tells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from analogflow.contents import read_bytes
from analogflow.errors import BadInput
from analogflow.problems.arrays import ProbabilityTable, table_of, turned
from analogflow.problems.delimited import cells_of, is_number, is_whole, number_of
from analogflow.problems.packed import chosen_of, packed_tables

__all__ = ["TableOptions", "named_table", "read_table"]

_SUM = 1e-6
"""Departure from 1 up to which the sum of a row tells that it holds probabilities, and no names."""


class TableOptions(TypedDict, total=False):
    """How a table in a file is read; `key` is the name of an array, a variable or a sheet."""

    key: str | None
    transpose: bool
    normalise: bool
    counts: bool


@dataclasses.dataclass
class _Grid:
    """Cells of a file as text, with the number of each row's line; `name` begins sentences."""

    name: str
    lines: list[int]
    cells: list[list[str]]
    said: list[str]
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    turned: bool = False

    def turn(self) -> None:
        """Exchange rows and columns."""
        self.cells = [list(column) for column in zip(*self.cells, strict=True)]
        self.rows, self.columns, self.turned = self.columns, self.rows, True

    def first(self, what: str) -> str:
        """Where a row or a column stands first in the file."""
        return f"the first {what if not self.turned else {'row': 'column', 'column': 'row'}[what]}"


def read_table(path: str | Path, *, key: str | None = None, transpose: bool = False) -> ProbabilityTable:
    """Read rows of probabilities from a file.

    In text, a first row of words, or with an empty first cell, names the columns; a first column of words names the rows. So
    do whole numbers that count up, where the rest are probabilities and they can be none.

    Parameters
    ----------
    path : path
        Text with numbers separated by commas, semicolons, tabs or spaces, a NumPy array or archive, a MATLAB file, an Excel
        workbook or a Parquet file; its content decides, not its ending.
    key : str, optional
        Name of an array, a variable or a sheet, where the file holds several.
    transpose : bool
        Whether columns of the file are rows of the table.

    Raises
    ------
    BadInput
        The file can not be read, a cell is no number, rows differ in length, or there are two ways to read it; or the
        package that reads its kind is not installed.
    """
    path = Path(path)
    name = repr(str(path))
    content = read_bytes(path, what="a file with one row of numbers for each input symbol")
    if found := packed_tables(content, str(path)):
        chosen, said = chosen_of({each: table.shape for each, table in found.items()}, key, name)
        table = found[chosen].load()
        if isinstance(table, ProbabilityTable):
            table = dataclasses.replace(table, said=(*said, *table.said))
            return turned(table) if transpose else table
        lines = [k + 1 for k, row in enumerate(table) if any(row)]
        return _table_of(_Grid(name, lines, [row for row in table if any(row)], said), transpose=transpose)
    if key is not None:
        raise BadInput(f"{name} holds one table; leave the key {key!r} out.")
    found = cells_of(content, name)
    return _table_of(_Grid(name, found.lines, found.cells, found.said), transpose=transpose)


def named_table(
    values: Mapping[str, Any] | list[Any], known: Collection[str], key: str | None, name: str
) -> ProbabilityTable | None:
    """The matrix in what a file of JSON or TOML holds; None where it holds the keys of a problem.

    Parameters
    ----------
    values : mapping or list
    known : collection of str
        Keys of a problem.
    key : str, optional
        Of the matrix.
    name : str
        Begins the sentence of a refusal.

    Raises
    ------
    BadInput
        The key is not there, or there are several matrices and no key.
    """
    if isinstance(values, list):
        if key is not None:
            raise BadInput(f"{name} is one matrix without a name; leave the key {key!r} out.")
        return table_of(values, name) if values else None
    if key is None and (not values or any(one in known for one in values)):
        return None
    if key is None and all(isinstance(one, Mapping) or (isinstance(one, list) and _flat(one)) for one in values.values()):
        return table_of(values, name)
    if key is None and set(values) == {"columns", "index", "data"}:
        return table_of(values, name)
    shapes = {each: _shape(one) for each, one in values.items() if isinstance(one, list | Mapping)}
    if key is None and not any(len(shape) == 2 for shape in shapes.values()):
        return None  # which is refused for its keys
    chosen, _ = chosen_of(shapes, key, name)
    found = table_of(values[chosen], name)
    return dataclasses.replace(found, said=(f"{chosen!r} is taken as the matrix", *found.said))


def _flat(values: list[Any]) -> bool:
    return not any(isinstance(value, list | Mapping) for value in values)


def _shape(value: Any) -> tuple[int, ...]:
    """Shape that lists in lists seem to have, two levels deep."""
    inner = list(value.values()) if isinstance(value, Mapping) else value
    return (len(inner), len(inner[0])) if inner and isinstance(inner[0], list | Mapping) else (len(inner),)


def _table_of(grid: _Grid, *, transpose: bool) -> ProbabilityTable:
    _take_words(grid)
    values = _numbers(grid)
    if transpose:
        grid.turn()
        values = values.T
    values = _take_counted_rows(grid, values)
    values = _take_counted_columns(grid, values)
    return ProbabilityTable(values, grid.rows, grid.columns, tuple(grid.said))


def _take_words(grid: _Grid) -> None:
    """Take the first row and the first column where they are words, or the corner is empty."""
    first, rest = grid.cells[0], grid.cells[1:]
    beside = [row[0] for row in rest]
    labels = _counts(beside) or not any(is_number(label) for label in beside)
    short = bool(rest) and labels and all(len(row) == len(first) + 1 for row in rest)
    words = not any(is_number(cell) for cell in first)
    counted = not is_number(first[0]) and _counts(first[1:]) and all(map(is_number, beside))
    corner = len(first) > 1 and (first[0] == "" or counted)
    if rest and (words or corner or short):
        grid.columns = tuple(first[1:] if corner else first)
        del grid.cells[0], grid.lines[0]
    named = all(row[0] and not is_number(row[0]) and len(row) > 1 for row in grid.cells)
    if named or corner or short:
        grid.rows = tuple(row[0] for row in grid.cells)
        grid.cells = [row[1:] for row in grid.cells]
        if named and grid.columns and not (corner or short):
            grid.columns = grid.columns[1:]


def _numbers(grid: _Grid) -> NDArray[np.float64]:
    shift = bool(grid.rows)
    if shift and all(len(row) == 2 and row[0] and not is_number(row[0]) for row in grid.cells) and len(grid.cells) > 1:
        raise BadInput(
            f"{grid.name}: the first two columns are words, as in a list of pairs of an input and an output, each with its "
            "number; make a table of it, a row for each input and a column for each output, as the pivot of pandas does."
        )
    rows: list[NDArray[np.float64]] = []
    for line, cells in zip(grid.lines, grid.cells, strict=True):
        numbers = (_cell(cell, grid.name, line, column + shift) for column, cell in enumerate(cells, start=1))
        rows.append(np.fromiter(numbers, float, len(cells)))
        if len(rows[-1]) != len(rows[0]):
            raise BadInput(
                f"{grid.name}, row {line}: {len(rows[-1])} entries where the first row has {len(rows[0])}; "
                "every row needs the same number."
            )
    if grid.columns and len(grid.columns) != len(rows[0]):
        raise BadInput(
            f"{grid.name}: the first row names {len(grid.columns)} columns, and the rows below hold {len(rows[0])} "
            "numbers; give a name for each column, and one more for a column of names."
        )
    return np.array(rows)


def _take_counted_rows(grid: _Grid, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take a first column that counts 0, 1, 2 … or 1, 2, 3 …, where each row sums to 1 without it."""
    headless = 1 if not grid.columns and len(values) > 2 and not _counts([row[0] for row in grid.cells]) else 0
    names = [row[0] for row in grid.cells[headless:]]
    if grid.rows or values.shape[1] < 2 or not _counts(names) or not _sum_to_one(values[headless:, 1:]):
        return values
    if headless and not _counts(grid.cells[0][1:]):
        return values
    grid.rows = tuple(names)
    grid.cells = [row[1:] for row in grid.cells]
    if grid.columns:
        grid.columns = grid.columns[1:]
    elif headless:
        grid.columns = tuple(grid.cells.pop(0))
        _say(grid, "row", grid.columns, "outputs")
    _say(grid, "column", grid.rows, "inputs")
    return values[headless:, 1:]


def _take_counted_columns(grid: _Grid, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take a first row of whole numbers that rise or fall, where all others sum to 1 and it does not."""
    first = grid.cells[0]
    # Without it, two inputs at least must remain.
    if grid.columns or len(values) < 3 or not _sum_to_one(values[1:]):
        return values
    if not all(is_whole(cell) for cell in first):
        if values[0].tolist() == [0.0, 1.0]:
            grid.said.append(
                f"{grid.first('row')} ({', '.join(first)}) is taken as an input that always gives output 2, not as the "
                "names of the outputs; delete it if it holds names"
            )
        return values
    if _sum_to_one(values[:1]):
        others = [cell for row in grid.cells[1:] for cell in row]
        # Who writes 0 as 0.0 further down would not write an input as 1,0.
        otherwise = any(
            not is_whole(cell) and float(value).is_integer() for cell, value in zip(others, values[1:].flat, strict=True)
        )
        if _counts(first) or otherwise or not any(is_whole(cell) for cell in others):
            place = grid.first("row")
            raise BadInput(
                f"{grid.name}: {place}, {','.join(first)}, may name the {'rows' if grid.turned else 'columns'}, or be an "
                f"input that always gives output {int(values[0].argmax()) + 1}; delete it if it holds names, and write "
                f"{','.join(f'{float(cell)}' for cell in first)} if it is an input."
            )
        return values
    steps = np.diff(values[0])
    if not ((steps > 0).all() or (steps < 0).all()):
        return values
    grid.columns, grid.rows = tuple(first), grid.rows[1:]  # what stands beside names of columns is the corner
    _say(grid, "row", grid.columns, "outputs")
    return values[1:]


def _say(grid: _Grid, what: str, names: tuple[str, ...], of: str) -> None:
    shown = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
    grid.said.append(f"{grid.first(what)} ({shown}) is taken as the names of the {of}, not as probabilities")


@np.errstate(over="ignore")
def _sum_to_one(values: NDArray[np.float64]) -> bool:
    """Whether each row sums to 1, or each to 100, as percentages do."""
    sums = values.sum(axis=1)
    return bool((values >= 0).all() and ((abs(sums - 1) <= _SUM).all() or (abs(sums / 100 - 1) <= _SUM).all()))


def _counts(cells: list[str]) -> bool:
    """Whether these are 0, 1, 2 … or 1, 2, 3 …, written as whole numbers."""
    return cells in ([str(k) for k in range(len(cells))], [str(k + 1) for k in range(len(cells))])


def _cell(cell: str, name: str, row: int, column: int) -> float:
    value = number_of(cell)
    if value is None:
        raise BadInput(f"{name}, row {row}, column {column}: {cell[:40]!r} is not a number; {_remedy(cell)}.")
    return value


def _remedy(cell: str) -> str:
    """What to write in place of a cell that is no number."""
    if not cell:
        return "write 0 for a probability of zero, and delete a comma at the end of the row"
    if ";" in cell or "\t" in cell:
        return "write commas between the cells and points in the numbers, as in 0.9,0.1"
    if is_number(point := cell.replace(",", ".")):
        return f"write it with a point: {point}"
    return "write a plain number such as 0.25"
