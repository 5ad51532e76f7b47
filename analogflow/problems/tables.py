"""Readers from CSV and NPY files to matrices of numbers; every fault is a sentence with the place of the fault."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput

__all__ = ["read_bytes", "read_csv_matrix", "read_npy_matrix"]

_LARGEST_FILE = 256 * 2**20


def read_csv_matrix(path: str | Path) -> NDArray[np.float64]:
    """Read a matrix of numbers from a comma-separated file, shape (rows, columns); blank and ``#`` lines are skipped."""
    path = Path(path)
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(
            f"{str(path)!r} is not a text file; a CSV file holds one row of numbers for each input symbol."
        ) from None
    rows: list[list[float]] = []
    try:
        for line, cells in enumerate(csv.reader(text.splitlines()), start=1):
            if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                continue
            rows.append([_cell(cell, path, line, column) for column, cell in enumerate(cells, start=1)])
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
        # float() also takes '1_0', which no spreadsheet means as ten.
        if "_" in cell:
            raise ValueError
        return float(cell)
    except ValueError:
        raise BadInput(f"{str(path)!r}, row {row}, column {column}: {cell.strip()[:40]!r} is not a number.") from None


def read_bytes(path: Path) -> bytes:
    """Content of a file of at most 256 MiB."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise BadInput(f"{str(path)!r} is larger than {_LARGEST_FILE >> 20} MiB, which no problem here needs.")
        return path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{str(path)!r} does not exist; give the path of a problem file.") from None
    except IsADirectoryError:
        raise BadInput(f"{str(path)!r} is a directory; give the path of a problem file.") from None
    except (OSError, ValueError) as fault:
        raise BadInput(f"{str(path)!r} can not be read ({getattr(fault, 'strerror', None) or fault}).") from None


def read_npy_matrix(path: Path) -> NDArray[Any]:
    """Read an array of real numbers written by ``numpy.save``; pickled objects are refused."""
    read_bytes(path)
    try:
        # A memory map never allocates what a forged header promises; pickled objects would run code.
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OSError, EOFError, SyntaxError, OverflowError) as fault:
        raise BadInput(f"{str(path)!r} is not a NumPy array of numbers ({str(fault)[:120]}).") from None
    if array.dtype.kind not in "fiu":
        raise BadInput(f"{str(path)!r} holds {array.dtype} entries; probabilities must be real numbers.")
    return np.array(array, dtype=float)
