"""Reads the raw files that ``ngspice -r`` and ``write`` produce, binary or text, and believes nothing they announce."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.contents import read_bytes
from analogflow.errors import BadInput, SimulationFailed

__all__ = ["Plot", "parse_raw", "read_raw"]

_LINE = re.compile(rb"[^\n]{0,4096}\n")
_TOKEN = re.compile(rb"\s*(\S+)")
_MOST_HEADER_LINES = 100
_LARGEST = 2**30


@dataclasses.dataclass(frozen=True, eq=False)
class Plot:
    """One analysis of a raw file.

    Parameters
    ----------
    title, name : str
        Title of the deck and name of the plot, such as "Transient Analysis".
    vectors : mapping of name to array, shape (points,)
        In the file's order and units (seconds, volts, amperes); float64, or complex128 for an AC analysis.
        The first is the scale, such as ``time``.
    """

    title: str
    name: str
    vectors: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        for array in self.vectors.values():
            array.setflags(write=False)

    def __repr__(self) -> str:
        points = len(next(iter(self.vectors.values())))
        return f"Plot({self.name!r}, {len(self.vectors)} vectors, {points} points)"


def read_raw(path: str | Path) -> tuple[Plot, ...]:
    """All plots of a raw file.

    Raises
    ------
    BadInput
        The file can not be read or is not a whole raw file; the text says where it stops being one.
    SimulationFailed
        The run that wrote it broke off: ngspice fills in the number of points at the end.
    """
    return parse_raw(read_bytes(path, what="a raw file of ngspice", most=_LARGEST), name=str(path))


def parse_raw(data: bytes, *, name: str = "raw file") -> tuple[Plot, ...]:
    """All plots of a raw file's content; `name` stands in messages. Raises as `read_raw` does."""
    plots, position = [], 0
    while token := _TOKEN.match(data, position):  # blank lines may stand between plots
        plot, position = _plot(data, token.start(1), f"{name!r}, plot {len(plots) + 1}")
        plots.append(plot)
    if not plots:
        raise BadInput(f"{name!r} is empty; it holds no results of ngspice.")
    return tuple(plots)


def _plot(data: bytes, position: int, where: str) -> tuple[Plot, int]:
    header: dict[str, str] = {}
    for _ in range(_MOST_HEADER_LINES):
        line, position = _line(data, position, where)
        key, colon, value = line.partition(":")
        if not colon:
            raise BadInput(f"{where}: the header line {line[:60]!r} has no colon, so this is not a raw file.")
        if key.strip().lower() == "variables":
            break
        header[key.strip().lower()] = value.strip()
    else:
        raise BadInput(f"{where}: {_MOST_HEADER_LINES} header lines and no list of variables, so this is not a raw file.")
    columns, points = (_count(header, key, where) for key in ("no. variables", "no. points"))
    if columns * 4 > len(data) - position:
        raise BadInput(
            f"{where}: announces {columns} variables, more than the file has room for; it is damaged or cut short."
        )
    names = []
    for _ in range(columns):
        line, position = _line(data, position, where)
        fields = line.split()
        if len(fields) < 3:
            raise BadInput(f"{where}: the line of a variable, {line[:60]!r}, does not hold number, name and kind.")
        names.append(fields[1])
    if not names or len(set(names)) < len(names):
        raise BadInput(f"{where}: has no variables, or two of the same name.")
    mark, position = _line(data, position, where)
    if points == 0:
        raise SimulationFailed(f"{where}: says that it has no points, so the run that wrote it broke off; run it again.")
    kind = np.dtype("<c16" if "complex" in header.get("flags", "").lower().split() else "<f8")
    if mark.strip().lower() == "binary:":
        table, position = _binary(data, position, (points, columns), kind, where)
    elif mark.strip().lower() == "values:":
        table, position = _text(data, position, (points, columns), kind, where)
    else:
        raise BadInput(f"{where}: {mark[:60]!r} stands where 'Binary:' or 'Values:' should.")
    vectors = {label: np.ascontiguousarray(table[:, k]) for k, label in enumerate(names)}
    return Plot(header.get("title", ""), header.get("plotname", ""), vectors), position


def _binary(data: bytes, position: int, shape: tuple[int, int], kind: np.dtype[Any], where: str) -> tuple[NDArray[Any], int]:
    size = shape[0] * shape[1] * kind.itemsize
    if size > len(data) - position:
        raise BadInput(
            f"{where}: announces {shape[0]} points of {shape[1]} variables, which is {size} bytes, but holds "
            f"{len(data) - position}; it is damaged or cut short."
        )
    table = np.frombuffer(data, kind, shape[0] * shape[1], position).reshape(shape)
    return table.astype(kind.newbyteorder("=")), position + size


def _text(data: bytes, position: int, shape: tuple[int, int], kind: np.dtype[Any], where: str) -> tuple[NDArray[Any], int]:
    points, columns = shape
    if 2 * points * (columns + 1) > len(data) - position + 1:
        raise BadInput(f"{where}: announces {points} points of {columns} variables, but is too short for them.")
    values = np.empty(shape, kind.newbyteorder("="))
    for point in range(points):
        for column in range(-1, columns):
            token = _TOKEN.match(data, position)
            if token is None:
                raise BadInput(f"{where}: ends at point {point} of {points}; it is damaged or cut short.")
            position = token.end()
            if column < 0:
                continue  # the number of the point
            try:
                real, _, imaginary = token[1].partition(b",")
                values[point, column] = complex(float(real), float(imaginary)) if imaginary else float(real)
            except (ValueError, TypeError):
                raise BadInput(f"{where}: {token[1][:40]!r} at point {point} is not a number.") from None
    return values, position


def _line(data: bytes, position: int, where: str) -> tuple[str, int]:
    match = _LINE.match(data, position)
    if match is None:
        raise BadInput(f"{where}: ends, or has an endless line, inside its header; it is not a whole raw file.")
    return match[0].decode("utf-8", "replace").rstrip("\r\n"), match.end()


def _count(header: Mapping[str, str], key: str, where: str) -> int:
    text = header.get(key, "")
    if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII):
        raise BadInput(f"{where}: its header says {text[:40]!r} for {key!r}, which is not a count; this is not a raw file.")
    return int(text)
