"""What a session and its worker say to each other: a request and a reply, in frames of bytes; and when a run may end early.

A request is checked on both sides, so that neither a mistake here nor a stray byte makes ngspice run anything but elements
and one transient analysis. A frame is a magic word, the lengths of header and arrays, then a JSON header and raw float64
arrays: nothing executable.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_positive
from analogflow.errors import BadInput
from analogflow.rest import rested

__all__ = [
    "FrameError",
    "Reply",
    "Request",
    "Settle",
    "first_wild",
    "for_version",
    "read_frame",
    "vector_key",
    "write_frame",
]

_CARDS = frozenset(
    {".end", ".ends", ".ic", ".model", ".nodeset", ".option", ".options", ".save", ".subckt", ".temp", ".tran"}
)
_ELEMENTS = frozenset("abcdefghijklmqrstvwx")
# Code models that start a program or load a library; the shell command; scripts disguised as comments.
_FORBIDDEN = re.compile(r"d_process|d_cosim|^shell\b|^\*\s*ng_script|^\*#|`", re.IGNORECASE)
_FILE = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}\.txt")
_READS_FILE = re.compile(r"file\s*=|\binclude\b", re.IGNORECASE)
_PRINTABLE = re.compile(r"[ -~]*")
_KLU_SINCE, _LARGE = 42, 1000
"""Version from which ngspice has the solver KLU, and lines of a deck from which it pays: with ngspice 44.2 a channel of 48
symbols takes less than half the time, one of 16 the same."""
_VECTOR = re.compile(r"v\(([a-z0-9_.]+)\)|i\(([a-z0-9_.]+)\)|([a-z0-9_.]+(?:#branch)?)", re.IGNORECASE)

_FRAME = struct.Struct("<4sIQ")

_MAGIC = b"AFW1"

_LONGEST_HEADER = 2**28

_LONGEST_ARRAYS = 2**36


@dataclasses.dataclass(frozen=True)
class Settle:
    """When a run may stop early: every one of `vectors` stays within a band over the last window.

    The band is its tolerance × window wide, and the greatest minus the smallest value counts, not the difference of the
    ends, so that an oscillation is not taken for rest. A state that lingers near a saddle is.

    Parameters
    ----------
    vectors : tuple of str
        Some of the request's vectors.
    tolerances : tuple of float
        One for each vector, in volts (or amperes) per second, positive, for values of size 1.
    size : float, optional
        Of the values, in flow units; None if that is what they show (`rest.rest_size`).
    unit : float
        Volts of one flow unit.
    begin : float
        Seconds before which nothing counts: what is held does not move.
    """

    vectors: tuple[str, ...]
    tolerances: tuple[float, ...]
    size: float | None = 1.0
    unit: float = 1.0
    begin: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", tuple(self.vectors))
        object.__setattr__(self, "tolerances", tuple(self.tolerances))
        if not self.vectors or len(self.tolerances) != len(self.vectors) or not all(map(is_positive, self.tolerances)):
            raise BadInput(
                f"settle: {len(self.vectors)} vectors and tolerances of {self.tolerances!r}; "
                "name at least one vector and give each a positive number of volts per second."
            )

    def at_rest(self, clock: NDArray[np.float64], values: Sequence[NDArray[np.float64]], window: float) -> bool:
        """Whether `values` stayed within the band over the last `window` seconds, from the last point before it on.

        A run begins at 0, whether or not `clock` has a row there.
        """
        if len(clock) < 2 or clock[-1] < self.begin + window:
            return False
        start = max(int(np.searchsorted(clock, clock[-1] - window, side="right")) - 1, 0)
        moved = np.array([float(np.ptp(value[start:])) for value in values])
        begun = int(np.searchsorted(clock, self.begin))
        largest = max(float(abs(value[begun:]).max()) for value in values)
        speeds = np.array(self.tolerances) / self.unit
        return bool(rested(moved, window, largest, speeds, size=self.size, unit=self.unit).all())


@dataclasses.dataclass(frozen=True)
class Request:
    """One transient run.

    Parameters
    ----------
    deck : tuple of str
        Title (a ``*`` comment), elements, models, options, ``.save``, exactly one ``.tran step end 0 max uic``, ``.end``.
        No control section, no included files, no continuation lines.
    vectors : tuple of str
        What to return: ``v(x)`` or ``x`` for a node, ``i(v1)`` for the current of a source, in either case.
    end_time : float
        Seconds; the same as in the ``.tran`` line.
    window : float, optional
        Seconds over which `settle` judges; four times in it the running simulation is looked at (else fifty times in all),
        which does not change the result by a bit.
    settle : Settle, optional
        Stop once settled; needs `window`.
    blow_up : float, optional
        Stop once the magnitude of a vector, of one among `growing` if that is given, exceeds this.
    growing : tuple of str, optional
        Those that run away where a run does: others may be large in themselves, such as an energy.
    tables : mapping of file name to array, shape (rows, columns)
        Files that the deck's ``filesource`` models read, the time in seconds in the first column; they lie in the
        simulator's own folder for as long as the run lasts.

    Raises
    ------
    BadInput
        A line is not of these kinds, a vector is not a name, or a number is out of range.
    """

    deck: tuple[str, ...]
    vectors: tuple[str, ...]
    end_time: float
    window: float | None = None
    settle: Settle | None = None
    blow_up: float | None = None
    growing: tuple[str, ...] | None = None
    tables: Mapping[str, NDArray[np.float64]] = dataclasses.field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for name in ("deck", "vectors"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not is_positive(self.end_time):
            raise BadInput(f"end_time: {self.end_time!r} is not a positive number of seconds.")
        for name in ("window", "blow_up"):
            value = getattr(self, name)
            if value is not None and not is_positive(value):
                raise BadInput(f"{name}: {value!r} is not a positive number.")
        keys = [vector_key(vector) for vector in self.vectors]
        if not keys or len(set(keys)) < len(keys) or "time" in keys:
            raise BadInput(f"vectors: {self.vectors!r} must name at least one vector, none twice, and not the time itself.")
        if self.settle is not None:
            if self.window is None:
                raise BadInput("settle: needs a window, the number of seconds over which rest is judged.")
            self._refuse_unknown("settle", self.settle.vectors)
        if self.growing is not None:
            object.__setattr__(self, "growing", tuple(self.growing))
            self._refuse_unknown("growing", self.growing)
        for name, table in self.tables.items():
            if not _FILE.fullmatch(name) or table.ndim != 2 or not np.isfinite(table).all():
                raise BadInput(f"tables: {name!r} must be a plain name ending in .txt for a matrix of finite numbers.")
        _check_deck(self.deck, self.end_time, self.tables)

    @property
    def skipped_at_the_end(self) -> float:
        """Seconds before its end at which ngspice may stop: 5e-5 of its largest step is what it takes for no step."""
        _, step, end, *rest = next(line.split() for line in self.deck if line.lower().startswith(".tran"))
        largest = float(rest[1]) if len(rest) > 1 and rest[1] != "uic" else min(float(step), float(end) / 50)
        return 5e-5 * largest

    @property
    def limits(self) -> tuple[float, ...]:
        """Magnitude that each vector may have; infinite where none is set."""
        growing = self.vectors if self.growing is None else self.growing
        return tuple(self.blow_up if self.blow_up and vector in growing else math.inf for vector in self.vectors)

    def _refuse_unknown(self, where: str, vectors: Iterable[str]) -> None:
        unknown = sorted(set(vectors) - set(self.vectors))
        if unknown:
            raise BadInput(f"{where}: {', '.join(unknown)} is not among the vectors asked for; add it to vectors.")

    def to_frame(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
        """Header and arrays that `from_frame` reads back."""
        settle = None if self.settle is None else dataclasses.asdict(self.settle)
        shapes = {name: table.shape for name, table in self.tables.items()}
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**fields, "settle": settle, "tables": shapes}, dict(self.tables)

    @classmethod
    def from_frame(cls, header: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float64]]) -> Request:
        """Request written by `to_frame`, checked again."""
        fields = {field.name: header[field.name] for field in dataclasses.fields(cls)}
        if fields["settle"] is not None:
            fields["settle"] = Settle(**fields["settle"])
        fields["tables"] = {name: arrays[name].reshape(shape) for name, shape in fields["tables"].items()}
        return cls(**fields)


@dataclasses.dataclass(frozen=True, eq=False)
class Reply:
    """How a run ended, with everything it computed up to there.

    Parameters
    ----------
    status : {"done", "settled", "blew up", "failed"}
        "settled" came to rest, "done" reached the end time without, "blew up" passed the limit asked for or left the finite
        numbers, "failed" is ngspice giving up. All numbers are finite in every case.
    time : array, shape (k,)
        Seconds, ascending. With ``uic`` there is no row at 0, and after a failure there may be none at all.
    vectors : mapping of name to array, shape (k,)
        Volts or amperes, by the names of the request.
    detail : str
        ngspice's own sentence about a failure, or which vector blew up; else empty.
    node, element : str, optional
        Where ngspice saw the trouble, if it said so.
    messages : tuple of str
        Errors and warnings of ngspice, without its chatter.
    versions : mapping
        ``ngspice``, ``PySpice``, ``numpy``, ``library``.
    """

    status: str
    time: NDArray[np.float64]
    vectors: Mapping[str, NDArray[np.float64]]
    detail: str = ""
    node: str | None = None
    element: str | None = None
    messages: tuple[str, ...] = ()
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for array in (self.time, *self.vectors.values()):
            array.setflags(write=False)

    @property
    def last_time(self) -> float:
        """Time reached, in seconds; 0 if there is no point."""
        return float(self.time[-1]) if len(self.time) else 0.0

    def __repr__(self) -> str:
        reason = f", {self.detail!r}" if self.detail else ""
        return f"Reply({self.status!r}, {len(self.time)} points up to {self.last_time:g} s{reason})"


def vector_key(name: str) -> str:
    """Name of a vector in ngspice's own tables: ``v(X0)`` is ``x0``, ``i(V1)`` is ``v1#branch``.

    Raises
    ------
    BadInput
        `name` is not that of a node voltage or of a source's current.
    """
    match = _VECTOR.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise BadInput(f"{name!r} is not the name of a vector; write v(node), i(source) or a node's name.")
    node, source, bare = (part and part.lower() for part in match.groups())
    return f"{source}#branch" if source else node or bare


def for_version(deck: tuple[str, ...], version: object) -> tuple[str, ...]:
    """The deck with the options that this version of ngspice has and older ones lack.

    Large circuits are solved by KLU from version 42 on. An older ngspice ignores the option without a word, so that nothing
    would tell whether it is in use: it is not asked for it.
    """
    number = re.match(r"\d+", str(version))
    if number is None or int(number[0]) < _KLU_SINCE or len(deck) < _LARGE:
        return deck
    return (*deck[:-1], ".options klu", deck[-1])


def _check_deck(deck: tuple[str, ...], end_time: float, tables: Collection[str]) -> None:
    """Raise unless every line is of a kind that only describes a circuit and one transient analysis.

    What is quoted is the name of a file to ngspice, so it must be that of a table.
    """
    if len(deck) < 3 or not all(isinstance(line, str) for line in deck):
        raise BadInput("deck: must be a list of lines: a title, elements, .save, .tran and .end.")
    analyses = []
    for number, line in enumerate(deck, start=1):
        word = line.split(maxsplit=1)[0].lower() if line.strip() else ""
        allowed = line[:1] == "*" if number == 1 else word in _CARDS or word[:1] in _ELEMENTS or word[:1] in ("*", "")
        quoted = line.split('"')[1::2]
        stray = line.count('"') % 2 or any(name not in tables for name in quoted)
        files = len(_READS_FILE.findall(line)) > len(quoted)
        if not allowed or stray or files or not _PRINTABLE.fullmatch(line) or _FORBIDDEN.search(line.strip()):
            raise BadInput(
                f"deck: line {number}, {line[:80]!r}, is refused; a deck may hold a '*' title, elements and "
                f"{' '.join(sorted(_CARDS))}, in printable ASCII, one statement a line, and nothing that runs a command."
            )
        if word == ".tran":
            analyses.append(line.split())
        if word == ".end" and number != len(deck):
            raise BadInput(f"deck: line {number} is .end, but {len(deck) - number} lines follow; remove them.")
    try:
        (_, _, end, *rest) = analyses[0]
        ends_there = math.isclose(float(end), end_time, rel_tol=1e-9) and (
            not rest or rest[0] == "uic" or float(rest[0]) == 0
        )
    except (IndexError, ValueError):
        ends_there = False
    if len(analyses) != 1 or not ends_there:
        raise BadInput(f"deck: needs exactly one line '.tran step {end_time!r} 0 max uic', in numbers without unit letters.")


def first_wild(values: list[NDArray[np.float64]], start: int, limits: Sequence[float]) -> tuple[int, int, int] | None:
    """First point from `start` on that is not finite or beyond its limit: (point, vector, number of points to keep)."""
    found = None
    for which, (value, limit) in enumerate(zip(values, limits, strict=True)):
        tail = np.abs(value[start:])
        bad = ~(tail <= limit) | ~np.isfinite(tail)
        if bad.any():
            point = start + int(np.argmax(bad))
            if found is None or point < found[0]:
                found = (point, which)
    if found is None:
        return None
    point, which = found
    return point, which, point + all(np.isfinite(value[point]) for value in values)


class FrameError(Exception):
    """The bytes received are not a frame; `EOFError` means there are no more."""


def write_frame(
    stream: BinaryIO, header: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float64]] | None = None
) -> None:
    """Send a header and named float64 arrays."""
    arrays = {name: np.ascontiguousarray(array, dtype="<f8") for name, array in (arrays or {}).items()}
    text = json.dumps({**header, "arrays": [[name, array.size] for name, array in arrays.items()]}).encode("ascii")
    stream.write(_FRAME.pack(_MAGIC, len(text), sum(array.nbytes for array in arrays.values())) + text)
    for array in arrays.values():
        stream.write(array.data)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """Receive a header and its arrays.

    Raises
    ------
    EOFError
        The other side closed the stream.
    FrameError
        The bytes are not a frame.
    """
    magic, text_length, arrays_length = _FRAME.unpack(_exactly(stream, _FRAME.size))
    if magic != _MAGIC or text_length > _LONGEST_HEADER or arrays_length > _LONGEST_ARRAYS:
        raise FrameError(f"a frame begins with {magic!r} and announces {text_length} and {arrays_length} bytes")
    try:
        header = json.loads(_exactly(stream, text_length))
        sizes = [(str(name), int(size)) for name, size in header.pop("arrays")]
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise FrameError(f"the header of a frame is not as agreed ({fault})") from None
    if 8 * sum(size for _, size in sizes) != arrays_length or any(size < 0 for _, size in sizes):
        raise FrameError("the arrays of a frame are not as long as its header says")
    arrays = {name: np.frombuffer(_exactly(stream, 8 * size), dtype="<f8").astype(np.float64) for name, size in sizes}
    return header, arrays


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the stream ended")
    return data
