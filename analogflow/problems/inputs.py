"""Inputs of a flow that come as points in time: written down, or read from a table or a sound; every fault is a sentence."""

from __future__ import annotations

import dataclasses
import io
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.checks import is_positive, is_whole, real_array, refuse_unknown
from analogflow.contents import read_bytes
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.problems.delimited import cells_of, is_number, number_of

__all__ = ["PiecewiseLinear", "beside", "read_points"]

_POINTS, _FILE = ("times", "values"), ("file", "seconds", "column")

_MOST_POINTS = 2**18
_CLOSEST = 1e-9
"""Least distance of two points over that of the first and the last: circuits and clocks tell no closer ones apart."""

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class PiecewiseLinear:
    """Straight lines between points; before the first and after the last their values.

    Parameters
    ----------
    times : array, shape (k,)
        In τ, ascending; two at least.
    values : array, shape (k,)
    """

    times: Array
    values: Array

    def at(self, t: Any) -> Any:
        """Value at times `t`, in τ."""
        return np.interp(t, self.times, self.values)

    def until(self, time: float) -> PiecewiseLinear:
        """The same up to `time`, without the points that no run to it comes to."""
        count = max(2, int(np.searchsorted(self.times, time)) + 1)
        return PiecewiseLinear(self.times[:count], self.values[:count])


def read_points(given: Any, where: str) -> PiecewiseLinear:
    """Input from ``{times, values}``, or from ``{file}`` with a CSV or WAV file.

    Of a table `column` is the name or the number of the column of values, the second if not given; the first holds the
    times. Of a sound it is the channel, the first if not given; full scale is 1. ``seconds`` is how much of the file's time
    is one τ: 1 if not given of a table; a sound's must be.

    Raises
    ------
    BadInput
        It is neither, a key is unknown, the file can not be read, or the points do not ascend.
    """
    if isinstance(given, PiecewiseLinear):
        return given
    if not isinstance(given, Mapping):
        raise BadInput(
            f"{where}: {given!r} is no input; write an expression of t between quotation marks, "
            "{ times = [0, 1], values = [0, 5] }, or { file = 'drive.csv' }."
        )
    for key in given:
        refuse_unknown(str(key), _FILE if "file" in given else _POINTS, f"{where}: the key")
    if "file" in given:
        try:
            return _checked(*_of_file(given, where), where)
        except BadInput as fault:
            raise fault if where in str(fault) else BadInput(f"{where}: {fault}") from None
    for key in _POINTS:
        if key not in given:
            raise BadInput(f"{where}: the key {key!r} is missing; write {{ times = [0, 1], values = [0, 5] }}.")
    times, values = (real_array(given[key], f"{where}.{key}", "a row of numbers") for key in _POINTS)
    return _checked(times, values, where)


def beside(inputs: Any, folder: Path) -> Any:
    """Inputs of a file in `folder`, whose own files are named as seen from there."""
    if not isinstance(inputs, Mapping):
        return inputs
    return {
        name: {**given, "file": str(folder / given["file"])}
        if isinstance(given, Mapping) and isinstance(given.get("file"), str)
        else given
        for name, given in inputs.items()
    }


def _of_file(given: Mapping[str, Any], where: str) -> tuple[Array, Array]:
    """Times in τ and values of a file."""
    file, column, seconds = given["file"], given.get("column"), given.get("seconds")
    if not isinstance(file, str) or Path(file).suffix.lower() not in (".csv", ".wav"):
        raise BadInput(f"{where}: the file {file!r} must end in .csv, of two columns time and value, or in .wav.")
    if seconds is not None and not is_positive(seconds):
        raise BadInput(f"{where}: seconds is {seconds!r}; give a positive number, how much of the file's time is one τ.")
    path = Path(file)
    if path.suffix.lower() == ".csv":
        times, values = _of_table(path, column, where)
        return times / (seconds or 1.0), values
    if seconds is None:
        raise BadInput(f"{where}: a sound is played in seconds; say how many of them are one τ, as in seconds = 1e-3.")
    rate, values = _of_sound(path, column, where)
    return np.arange(len(values)) / (rate * seconds), values


def _of_table(path: Path, column: Any, where: str) -> tuple[Array, Array]:
    found = cells_of(read_bytes(path, what="a table of times and values"), repr(str(path)))
    if found.said:
        warnings.warn(f"{where}: {'; '.join(found.said)}.", AssumptionWarning, stacklevel=2)
    names: list[str] = []
    if found.cells and not all(map(is_number, found.cells[0])):
        names, *found.cells = found.cells
        del found.lines[0]
    rows = []
    for line, cells in zip(found.lines, found.cells, strict=True):
        numbers = [number_of(cell) for cell in cells]
        if None in numbers or len(cells) != len(found.cells[0]) or len(cells) < 2:
            raise BadInput(
                f"{where}: {str(path)!r}, row {line}: {', '.join(cells)[:60]!r} is not a time and values as the first row "
                "has them; write as many numbers in each row, two at least."
            )
        rows.append(numbers)
    if not rows:
        raise BadInput(f"{where}: {str(path)!r} holds no numbers; write a time and a value in each row.")
    values = np.array(rows, dtype=float)
    if isinstance(column, str):
        refuse_unknown(column, names, f"{where}: the column")
        return values[:, 0], values[:, names.index(column)]
    if column is None and values.shape[1] > 2:
        other = repr(names[2]) if len(names) == values.shape[1] else "3"
        warnings.warn(
            f"{where}: of {values.shape[1] - 1} columns of values the first is taken; column = {other} names another.",
            AssumptionWarning,
            stacklevel=2,
        )
    return values[:, 0], values[:, _number(column, 2, values.shape[1], "column", where) - 1]


def _of_sound(path: Path, channel: Any, where: str) -> tuple[float, Array]:
    """Samples per second, and samples of one channel from −1 to 1."""
    content = read_bytes(path, what="a sound")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of chunks that hold no sound
            rate, samples = scipy.io.wavfile.read(io.BytesIO(content))
    except (ValueError, TypeError, struct.error, EOFError, ZeroDivisionError, MemoryError, IndexError, KeyError) as fault:
        raise BadInput(f"{where}: {str(path)!r} can not be read as a WAV file ({fault}).") from None
    tracks = samples[:, None] if samples.ndim == 1 else samples
    values = tracks[:, _number(channel, 1, tracks.shape[1], "channel", where) - 1].astype(float)
    if samples.dtype.kind == "u":
        values = values - 128.0
    scale = {"u": 128.0, "i": 2.0 ** (8 * samples.dtype.itemsize - 1)}.get(samples.dtype.kind, 1.0)
    return float(rate), values / scale


def _number(column: Any, usual: int, count: int, what: str, where: str) -> int:
    if column is None:
        return usual
    if not is_whole(column, 1, count):
        raise BadInput(f"{where}: column is {column!r}; there are {what}s 1 to {count}.")
    return int(column)


def _checked(times: Array, values: Array, where: str) -> PiecewiseLinear:
    if times.ndim != 1 or values.shape != times.shape or len(times) < 2:
        raise BadInput(
            f"{where}: there are {times.size} times and {values.size} values; give as many of each, two at least."
        )
    if len(times) > _MOST_POINTS:
        raise BadInput(f"{where}: there are {len(times)} points, more than {_MOST_POINTS}; cut or thin them.")
    if not (np.isfinite(times).all() and np.isfinite(values).all()):
        raise BadInput(f"{where}: a time or a value is no finite number.")
    steps = np.diff(times)
    if not (steps > _CLOSEST * (times[-1] - times[0])).all():
        k = int(np.argmin(steps))
        raise BadInput(
            f"{where}: after the time {times[k]:g} comes {times[k + 1]:g}; times must rise, a jump in a short time, as "
            f"from {times[k]:g} to {times[k] + max(abs(times[k]), 1.0) * 1e-3:g}."
        )
    for array in (times, values):
        array.setflags(write=False)
    return PiecewiseLinear(times, values)
