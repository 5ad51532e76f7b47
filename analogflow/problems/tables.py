"""Readers from CSV and NPY files to matrices of numbers; every fault is a sentence with the place of the fault."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.problems.contents import parse_npy, read_bytes, read_text

__all__ = ["read_csv_matrix", "read_npy_matrix"]

_MOST_NUMBERS = 2**25


def read_csv_matrix(path: str | Path) -> NDArray[np.float64]:
    """Read a matrix of numbers from a comma-separated file, shape (rows, columns); blank and ``#`` lines are skipped."""
    path = Path(path)
    text = read_text(path, what="a CSV file with one row of numbers for each input symbol")
    rows: list[NDArray[np.float64]] = []
    try:
        for line, cells in enumerate(csv.reader(text.splitlines()), start=1):
            if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                continue
            numbers = (_cell(cell, path, line, column) for column, cell in enumerate(cells, start=1))
            rows.append(np.fromiter(numbers, float, len(cells)))
            if len(rows[-1]) != len(rows[0]):
                raise BadInput(
                    f"{str(path)!r}, row {line}: {len(rows[-1])} entries where the first row has {len(rows[0])}; "
                    "every row needs the same number."
                )
    except csv.Error as fault:
        raise BadInput(f"{str(path)!r} can not be read as CSV ({fault}); write plain numbers separated by commas.") from None
    if not rows:
        raise BadInput(f"{str(path)!r} is empty; write one row of probabilities for each input symbol.")
    return np.array(rows)


def _cell(cell: str, path: Path, row: int, column: int) -> float:
    try:
        # float() also takes '1_0', which no spreadsheet means as ten, and the digits of every script.
        if "_" in cell or not cell.isascii():
            raise ValueError
        return float(cell)
    except ValueError:
        raise BadInput(f"{str(path)!r}, row {row}, column {column}: {cell.strip()[:40]!r} is not a number.") from None


def read_npy_matrix(path: str | Path) -> NDArray[np.float64]:
    """Read an array of real numbers written by ``numpy.save``; pickled objects are refused."""
    path = Path(path)
    array = parse_npy(read_bytes(path), str(path))
    if array.size > _MOST_NUMBERS:
        raise BadInput(f"{str(path)!r} holds {array.size} numbers, more than {_MOST_NUMBERS}, which no problem here needs.")
    return np.array(array, dtype=float)
