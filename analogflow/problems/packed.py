"""Tables in files that are no text: NumPy arrays and archives, MATLAB files, Excel workbooks, Parquet.

Each kind is told by its first bytes and read by the library that is kept for it, within bounds that it announces: nothing is
unpacked that would be larger, and no object is ever loaded. Of several tables in a file one must be named.
"""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from analogflow.contents import parse_npy
from analogflow.errors import BadInput
from analogflow.problems.arrays import MOST_NUMBERS, ProbabilityTable, table_of

__all__ = ["Packed", "chosen_of", "packed_tables"]

_MOST_BYTES = 2**28
_EXTRAS = {"openpyxl": "excel", "pyarrow": "parquet"}
"""Packages that are not there for everybody, and the extra that brings each."""


@dataclasses.dataclass(frozen=True)
class Packed:
    """One table in a file: its shape, and what loads its numbers, or its cells as text where names may be among them."""

    shape: tuple[int, ...]
    load: Callable[[], ProbabilityTable | list[list[str]]]


def packed_tables(content: bytes, name: str) -> dict[str, Packed]:
    """Tables in the bytes of a file by their names; empty where it is text, and one without a name where there are no names.

    Raises
    ------
    BadInput
        It is broken, holds more than is allowed, or its reader is not installed; `name` is that of the file.
    """
    usual = _array if name.lower().endswith(".npy") else None
    read = next((reader for mark, reader in _KINDS.items() if content.startswith(mark)), usual)
    if read is None:
        return {}
    try:
        return read(content, name)
    except (BadInput, MemoryError):
        raise
    except ImportError as fault:
        extra = next((extra for package, extra in _EXTRAS.items() if package in str(fault)), None)
        if extra is None:
            raise
        raise BadInput(
            f"{name!r}: the package that reads it is not installed; pip install 'analogflow[{extra}]', or save it as CSV."
        ) from None
    except Exception as fault:  # noqa: BLE001 - a forged file makes its reader fail in a dozen ways
        why = (str(fault).splitlines() or [""])[0][:120]
        raise BadInput(f"{name!r} can not be read ({type(fault).__name__}: {why}); save it as CSV.") from None


def chosen_of(shapes: Mapping[str, tuple[int, ...]], key: str | None, name: str) -> tuple[str, list[str]]:
    """Which of several tables is meant: the one that is named, or the only matrix among them; and what is said of that.

    Raises
    ------
    BadInput
        There is none of that name, or not exactly one matrix; `name` begins the sentence.
    """
    listed = ", ".join(f"{each!r} ({' × '.join(map(str, shape))})" for each, shape in list(shapes.items())[:8])
    if key is not None:
        if list(shapes) == [""]:
            raise BadInput(f"{name} holds one table without a name; leave the key {key!r} out.")
        if key not in shapes:
            raise BadInput(f"{name} has no table {key!r}; it has {listed or 'none'}.")
        return key, []
    matrices = [each for each, shape in shapes.items() if len(shape) == 2 and min(shape) > 1]
    if not matrices and len(shapes) == 1:
        matrices = list(shapes)
    if len(matrices) > 1:
        raise BadInput(f"{name} holds several matrices, {listed}; name one as key=NAME.", words=["key=NAME"])
    if not matrices:
        raise BadInput(f"{name} holds no matrix{listed and ', but '}{listed}; give one row of numbers for each input.")
    return matrices[0], [f"{matrices[0]!r} is taken as the matrix"] if len(shapes) > 1 else []


def _bounded(shape: tuple[int, ...], name: str) -> None:
    if (size := int(np.prod(shape, dtype=object))) > MOST_NUMBERS:
        raise BadInput(f"{name!r} holds {size} numbers, more than {MOST_NUMBERS}, which no problem here needs.")


def _of_array(array: Any, name: str) -> Packed:
    _bounded(array.shape, name)
    return Packed(array.shape, lambda: table_of(array, repr(name)))


def _array(content: bytes, name: str) -> dict[str, Packed]:
    return {"": _of_array(parse_npy(content, name), name)}


def _zip(content: bytes, name: str) -> dict[str, Packed]:
    """Of an archive of NumPy arrays, or a workbook, which is an archive too."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if (size := sum(member.file_size for member in members)) > _MOST_BYTES:
            raise BadInput(f"{name!r} unpacks to {size} bytes, more than {_MOST_BYTES}, which no problem here needs.")
        if any(member.filename == "[Content_Types].xml" for member in members):
            return _workbook(content, name)
        arrays = {PurePosixPath(one.filename).stem: one for one in members if one.filename.endswith(".npy")}
        if not arrays:
            raise BadInput(f"{name!r} is an archive without NumPy arrays; give the file that is inside.")
        return {each: _of_array(parse_npy(archive.read(one), f"{name}, {each}"), name) for each, one in arrays.items()}


def _workbook(content: bytes, name: str) -> dict[str, Packed]:
    import pandas

    sheets = pandas.read_excel(
        io.BytesIO(content), sheet_name=None, header=None, dtype=object, keep_default_na=False, engine="openpyxl"
    )
    found = {}
    for each, sheet in sheets.items():
        _bounded(sheet.shape, name)
        cells = _trimmed([[_text(value) for value in row] for row in sheet.itertuples(index=False, name=None)])
        if cells:
            found[str(each)] = Packed((len(cells), len(cells[0])), lambda cells=cells: cells)
    if not found:
        raise BadInput(f"{name!r} has no sheet with anything in it; write one row of numbers for each input.")
    return found


def _trimmed(cells: list[list[str]]) -> list[list[str]]:
    """Cells without empty rows and columns around them."""
    rows = [k for k, row in enumerate(cells) if any(row)]
    columns = [k for k, column in enumerate(zip(*cells, strict=True)) if any(column)]
    return [row[columns[0] : columns[-1] + 1] for row in cells[rows[0] : rows[-1] + 1]] if rows else []


def _text(value: object) -> str:
    """A cell of a sheet as it would stand in a text: a number as short as it is exact."""
    return repr(float(value)) if isinstance(value, float) else str(value).strip()


def _parquet(content: bytes, name: str) -> dict[str, Packed]:
    from pyarrow import parquet

    about = parquet.read_metadata(io.BytesIO(content))
    _bounded((about.num_rows, about.num_columns), name)
    import pandas

    frame = pandas.read_parquet(io.BytesIO(content), engine="pyarrow")
    return {"": Packed(frame.shape, lambda: table_of(frame, repr(name)))}


def _matlab(content: bytes, name: str) -> dict[str, Packed]:
    import scipy.io

    found = {}
    for each, shape, kind in scipy.io.whosmat(io.BytesIO(content)):
        if kind in ("double", "single", "sparse", "logical") or kind.startswith(("int", "uint")):
            _bounded(shape, name)
            found[each] = Packed(shape, lambda each=each: _variable(content, each, name))
    if not found:
        raise BadInput(f"{name!r} holds no variable of numbers; save a matrix.")
    return found


def _variable(content: bytes, each: str, name: str) -> ProbabilityTable:
    import scipy.io

    try:
        value = scipy.io.loadmat(io.BytesIO(content), variable_names=[each])[each]
    except Exception as fault:  # noqa: BLE001 - a forged file makes its reader fail in a dozen ways
        raise BadInput(f"{name!r}: the variable {each!r} can not be read ({type(fault).__name__}); save it anew.") from None
    return table_of(value, f"{name!r}, {each}")


def _refused(content: bytes, name: str) -> dict[str, Packed]:
    raise BadInput(
        f"{name!r} is a file of HDF5, as MATLAB's -v7.3 writes; save it by save(…, '-v7'), or as CSV."
        if content.startswith(b"\x89HDF") or content.startswith(b"MATLAB 7.3")
        else f"{name!r} is an old Excel workbook (.xls); save it as .xlsx or CSV."
    )


_KINDS: Mapping[bytes, Callable[[bytes, str], dict[str, Packed]]] = {
    b"\x93NUMPY": _array,
    b"PK\x03\x04": _zip,
    b"PAR1": _parquet,
    b"MATLAB 7.3": _refused,
    b"MATLAB 5.0": _matlab,
    b"\x89HDF": _refused,
    b"\xd0\xcf\x11\xe0": _refused,
}
"""Reader by the first bytes of a file."""
