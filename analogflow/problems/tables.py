"""Readers from CSV and NPY files to tables of probabilities; every fault is a sentence with the place of the fault.

Names of rows and columns are told from probabilities by rules, each in one function. Where a file can be read in two ways
it is refused, with both; where numbers are taken as names a warning says so.
"""

from __future__ import annotations

import csv
import dataclasses
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analogflow.contents import parse_npy, read_bytes, read_text
from analogflow.errors import AssumptionWarning, BadInput

__all__ = ["ProbabilityTable", "read_csv_table", "read_npy_matrix"]

_MOST_NUMBERS = 2**25

_SUM = 1e-6
"""Departure from 1 up to which the sum of a row tells that it holds probabilities, and no names."""


@dataclasses.dataclass(frozen=True, eq=False)
class ProbabilityTable:
    """Numbers of a table, and the names that stand beside them.

    Parameters
    ----------
    values : array, shape (rows, columns)
    rows, columns : tuple of str
        Names; empty where there are none.
    """

    values: NDArray[np.float64]
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclasses.dataclass
class _Grid:
    """Cells of a file as text, with the number of each row's line."""

    path: Path
    lines: list[int]
    cells: list[list[str]]
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


def read_csv_table(path: str | Path) -> ProbabilityTable:
    """Read rows of probabilities from a comma-separated file; blank and ``#`` lines are skipped.

    A first row of words, or with an empty first cell, names the columns; a first column of words names the rows. So do
    whole numbers that count up, where the rest are probabilities and they can be none: a warning says so.

    Raises
    ------
    BadInput
        The file can not be read, a cell is no number, rows differ in length, or the first row may be both, names and an
        input.

    Warns
    -----
    AssumptionWarning
        Numbers were taken as names, or 0.0 and 1.0 as an input.
    """
    path = Path(path)
    text = read_text(path, what="a CSV file with one row of numbers for each input symbol")
    grid = _Grid(path, [], [])
    try:
        for line, cells in enumerate(csv.reader(text.splitlines()), start=1):
            if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
                grid.lines.append(line)
                grid.cells.append([cell.strip() for cell in cells])
    except csv.Error as fault:
        raise BadInput(f"{str(path)!r} can not be read as CSV ({fault}); write plain numbers separated by commas.") from None
    if not grid.cells:
        raise BadInput(f"{str(path)!r} is empty; write one row of probabilities for each input symbol.")
    _take_words(grid)
    values = _numbers(grid)
    values = _take_counted_rows(grid, values)
    values = _take_counted_columns(grid, values)
    return ProbabilityTable(values, grid.rows, grid.columns)


def _take_words(grid: _Grid) -> None:
    """Take the first row and the first column where they are words, or the corner is empty."""
    first, rest = grid.cells[0], grid.cells[1:]
    beside = [row[0] for row in rest]
    labels = _counts(beside) or not any(_is_number(label) for label in beside)
    short = bool(rest) and labels and all(len(row) == len(first) + 1 for row in rest)
    words = not any(_is_number(cell) for cell in first)
    counted = not _is_number(first[0]) and _counts(first[1:]) and all(map(_is_number, beside))
    corner = len(first) > 1 and (first[0] == "" or counted)
    if rest and (words or corner or short):
        grid.columns = tuple(first[1:] if corner else first)
        del grid.cells[0], grid.lines[0]
    named = all(row[0] and not _is_number(row[0]) and len(row) > 1 for row in grid.cells)
    if named or corner or short:
        grid.rows = tuple(row[0] for row in grid.cells)
        grid.cells = [row[1:] for row in grid.cells]
        if named and grid.columns and not (corner or short):
            grid.columns = grid.columns[1:]


def _numbers(grid: _Grid) -> NDArray[np.float64]:
    shift = bool(grid.rows)
    rows: list[NDArray[np.float64]] = []
    for line, cells in zip(grid.lines, grid.cells, strict=True):
        numbers = (_cell(cell, grid.path, line, column + shift) for column, cell in enumerate(cells, start=1))
        rows.append(np.fromiter(numbers, float, len(cells)))
        if len(rows[-1]) != len(rows[0]):
            raise BadInput(
                f"{str(grid.path)!r}, row {line}: {len(rows[-1])} entries where the first row has {len(rows[0])}; "
                "every row needs the same number."
            )
    if grid.columns and len(grid.columns) != len(rows[0]):
        raise BadInput(
            f"{str(grid.path)!r}: the first row names {len(grid.columns)} columns, and the rows below hold {len(rows[0])} "
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
    if not all(_is_whole(cell) for cell in first):
        if values[0].tolist() == [0.0, 1.0]:
            _warn(
                f"{str(grid.path)!r}: the first row ({', '.join(first)}) is taken as an input that always gives output 2, "
                "not as the names of the outputs; delete it if it holds names."
            )
        return values
    if _sum_to_one(values[:1]):
        others = [cell for row in grid.cells[1:] for cell in row]
        # Who writes 0 as 0.0 further down would not write an input as 1,0.
        otherwise = any(
            not _is_whole(cell) and float(value).is_integer() for cell, value in zip(others, values[1:].flat, strict=True)
        )
        if _counts(first) or otherwise or not any(_is_whole(cell) for cell in others):
            raise BadInput(
                f"{str(grid.path)!r}: the first row, {','.join(first)}, may name the columns, or be an input that always "
                f"gives output {int(values[0].argmax()) + 1}; delete it if it holds names, and write "
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
    _warn(f"{str(grid.path)!r}: the first {what} ({shown}) is taken as the names of the {of}, not as probabilities.")


def _warn(sentence: str) -> None:
    warnings.warn(sentence, AssumptionWarning, stacklevel=5)


@np.errstate(over="ignore")
def _sum_to_one(values: NDArray[np.float64]) -> bool:
    return bool((values >= 0).all() and (abs(values.sum(axis=1) - 1) <= _SUM).all())


def _counts(cells: list[str]) -> bool:
    """Whether these are 0, 1, 2 … or 1, 2, 3 …, written as whole numbers."""
    return cells in ([str(k) for k in range(len(cells))], [str(k + 1) for k in range(len(cells))])


def _is_whole(cell: str) -> bool:
    return cell.isascii() and cell.isdigit()


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii()


def _cell(cell: str, path: Path, row: int, column: int) -> float:
    # float() also takes '1_0', which no spreadsheet means as ten, and the digits of every script.
    if "_" in cell or not _is_number(cell):
        raise BadInput(f"{str(path)!r}, row {row}, column {column}: {cell[:40]!r} is not a number; {_remedy(cell)}.")
    return float(cell)


def _remedy(cell: str) -> str:
    """What to write in place of a cell that is no number."""
    if not cell:
        return "write 0 for a probability of zero, and delete a comma at the end of the row"
    if ";" in cell or "\t" in cell:
        return "write commas between the cells and points in the numbers, as in 0.9,0.1"
    if cell.endswith("%") and _is_number(share := cell[:-1].strip()):
        return f"write the share of 1: {float(share) / 100:g}"
    if _is_number(point := cell.replace(",", ".")):
        return f"write it with a point: {point}"
    return "write a plain number such as 0.25"


def read_npy_matrix(path: str | Path) -> NDArray[np.float64]:
    """Read an array of real numbers written by ``numpy.save``; pickled objects are refused."""
    path = Path(path)
    array = parse_npy(read_bytes(path), str(path))
    if array.size > _MOST_NUMBERS:
        raise BadInput(f"{str(path)!r} holds {array.size} numbers, more than {_MOST_NUMBERS}, which no problem here needs.")
    return np.array(array, dtype=float)
