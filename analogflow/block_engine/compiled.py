"""Lowers a vector field to the operations of kernel.c, and marches samples through them.

A block that the kernel does not know, as one that another package brings, leaves the field to the march in NumPy.
"""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine.methods import IMPLICIT, Method
from analogflow.block_engine.native import library
from analogflow.block_engine.vector_field import VectorField
from analogflow.blocks import (
    Arctan,
    Block,
    Comparator,
    Crossbar,
    Divider,
    Exp,
    Gain,
    Integrator,
    Log,
    MatrixProduct,
    Multiplier,
    Normaliser,
    OutputStage,
    PositivePart,
    Scaled,
    Sine,
    Softmax,
    SquareRoot,
    Sum,
    Switch,
    Tanh,
    Waveform,
    Wire,
)
from analogflow.blocks.dynamic import CLAMP, NEAR_KNOT

__all__ = ["WIDEST", "Marched", "Operations", "compiled_program", "marched"]

Array = NDArray[np.float64]

_CODES = (
    "crossbar lane_crossbar sum_first sum_pair sum_next wire multiplier divider log exp square_root positive_part tanh sine "
    "comparator switch softmax normaliser matrix_product shift clip scale arctan waveform"
).split()
_CODE = {name: number for number, name in enumerate(_CODES)}

_OP = np.dtype(
    [(name, np.int64) for name in "code out size a a_size b b_size rows inner columns table".split()]
    + [(name, np.float64) for name in "cd"]
)
_PART = np.dtype([(name, np.int64) for name in "start size rate rate_size gain leak".split()] + [("limit", np.float64)])


_RODAS: Any = IMPLICIT


@functools.cache
def _methods() -> dict[str, Array]:
    """Coefficients of the two methods, as the kernel reads them."""
    explicit: Any = scipy.integrate.RK45
    tables = {
        "a": explicit.A, "b": explicit.B, "c": explicit.C, "e": explicit.E, "p": explicit.P,
        "ra": _RODAS.a, "rc": _RODAS.c, "rtime": _RODAS.time, "rdrift": _RODAS.drift,
    }  # fmt: skip
    return {name: np.ascontiguousarray(values, dtype=float) for name, values in tables.items()}


WIDEST = 2**13
"""Numbers of one sample's signals beyond which NumPy marches: its arrays are long then, and its products BLAS's."""

_LANES, _ROOM, _VECTOR = 64, 2.0**21, 8
"""Samples that go side by side, bytes that what they work with should stay below, as a processor's cache does, and samples
of one vector, of which lanes are a multiple: a lane that stays empty costs less than a loop's rest."""

_LONG = 0.05
"""Seconds of work after which Python is asked whether to go on."""


@dataclasses.dataclass(frozen=True)
class _Place:
    """Slots of a signal."""

    first: int
    size: int


class _Unknown(Exception):
    """The kernel has no operation for a block."""


class Operations:
    """Operations of a field over slots; constants may differ from sample to sample."""

    def __init__(self, field: VectorField) -> None:
        self.size, self.sources, self.breaks = field.size, len(field.streams), field.breaks
        self.ops: list[dict[str, Any]] = []
        self.tables: list[int] = []
        self.weights: list[Array] = []
        self.constants: list[tuple[int, Array]] = []
        self._weighed = 0
        self.slots = self.size + self.sources
        self.at: dict[str, _Place] = {}
        for label, part in field.slices.items():
            self.at[field.graph.states[label]] = _Place(part.start, part.stop - part.start)
        for node, part in field.sources.items():
            self.at[node] = _Place(field.size + part.start, part.stop - part.start)
        for node, values in field.constants.items():
            self.at[node] = self.constant(values)
        if field.latches:
            raise _Unknown(field.latches[0][2].kind())
        for node, inputs in field.program:
            self.at[node] = self.lower(field.graph.block(node), [self.at[origin] for origin in inputs])
        self.parts = [
            (
                part.start,
                part.stop - part.start,
                rate.first,
                rate.size,
                *self._coefficients(block, part.stop - part.start),
                block.limit,
            )
            for part, origin, block in field.integrators
            for rate in [self.at[origin]]
        ]

    @functools.cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the kernel reads of it; none is empty, so that each has an address."""
        slots, offset = [], 0
        for first, value in self.constants:
            each = value.shape[-1] if value.ndim > 1 and len(value) > 1 else 0
            slots.append((first, value.shape[-1], offset, each))
            offset += value.size
        return {
            "program": _records(self.ops, _OP),
            "integrators": np.array(self.parts, dtype=_PART),
            "weights": np.concatenate([*self.weights, np.zeros(1)]),
            "tables": np.array([*self.tables, 0], dtype=np.int64),
            "constant_slot": np.array([*slots, (0, 0, 0, 0)], dtype=np.int64),
            "constant_value": np.concatenate([*(np.ravel(value) for _, value in self.constants), np.zeros(1)]),
        }

    def constant(self, values: Array, size: int = 0) -> _Place:
        """Slots of values of shape (..., size), which they are repeated to."""
        values = np.atleast_1d(np.asarray(values, dtype=float))
        if size and values.shape[-1] != size:
            values = np.broadcast_to(values, (*values.shape[:-1], size))
        place = self._new(values.shape[-1])
        self.constants.append((place.first, values))
        return place

    def emit(self, code: str, size: int, a: _Place, b: _Place | None = None, **numbers: Any) -> _Place:
        """Slots of an operation's output; operands of no such size are refused, since C would read beyond them."""
        for operand, allowed in zip((a, b), _allowed(code, size, **numbers), strict=True):
            if operand is not None and allowed and operand.size not in allowed:
                raise ValueError(f"{code} of size {size} can not take an operand of size {operand.size}, only of {allowed}")
        out = self._new(size)
        other = {"b": -1, "b_size": 0} if b is None else {"b": b.first, "b_size": b.size}
        self.ops.append(
            {"code": _CODE[code], "out": out.first, "size": size, "a": a.first, "a_size": a.size, **other, **numbers}
        )
        return out

    def lower(self, block: Block, inputs: Sequence[_Place]) -> _Place:
        """Slots of a block's output."""
        found = _LOWERED.get(type(block))
        if found is None:
            raise _Unknown(block.kind())
        return found(self, block, *inputs)

    def weigh(self, weight: Array) -> int:
        """Where numbers that are the same for all samples begin: of the weights of a crossbar column by column."""
        first = self._weighed
        self.weights.append(np.ascontiguousarray(weight.T).ravel())
        self._weighed += weight.size
        return first

    def _new(self, size: int) -> _Place:
        place = _Place(self.slots, size)
        self.slots += size
        return place

    def _coefficients(self, block: Integrator, size: int) -> tuple[int, int]:
        """Slots of an integrator's gain and leak; -1 for those of an ideal one."""
        gain = -1 if block.gain.ndim == 0 and block.gain == 1 else self.constant(block.gain, size).first
        leak = -1 if block.leak.ndim == 0 and block.leak == 0 else self.constant(block.leak, size).first
        return gain, leak


def _allowed(
    code: str, size: int, *, rows: int = 1, inner: int = 1, columns: int = 1, **_: float
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sizes that the operands of an operation may have; none named where any will do."""
    match code:
        case "wire":
            return (), ()
        case "crossbar" | "lane_crossbar":
            return (rows * columns,), (rows * inner * columns,)
        case "matrix_product":
            return (rows * inner,), (inner * columns,)
        case "softmax" | "normaliser":
            return (size,), (rows,)
    return (1, size), (1, size)


def _simple(code: str, *names: str) -> Callable[..., _Place]:
    """An elementwise operation with what the block calls its limit or width."""

    def lower(program: Operations, block: Any, *inputs: _Place) -> _Place:
        return program.emit(code, block.size, *inputs, c=getattr(block, names[0]) if names else 0.0)

    return lower


def _crossbar(program: Operations, block: Crossbar, x: _Place) -> _Place:
    shape = {"rows": block.rows, "inner": block.weight.shape[-2], "columns": block.weight.shape[-1]}
    if block.weight.ndim == 2:
        return program.emit("crossbar", block.size, x, table=program.weigh(block.weight), **shape)
    groups = block.weight.shape[-3]
    weight = block.weight if groups == block.rows else np.broadcast_to(
        block.weight, (*block.weight.shape[:-3], block.rows, *block.weight.shape[-2:])
    )  # fmt: skip
    flat = weight.reshape(*weight.shape[:-3], -1)
    return program.emit("lane_crossbar", block.size, x, program.constant(flat), **shape)


def _sum(program: Operations, block: Sum, *inputs: _Place) -> _Place:
    c, *rest = block.coefficients
    if not rest:
        return program.emit("sum_first", block.size, *inputs, c=c)
    total = program.emit("sum_pair", block.size, inputs[0], inputs[1], c=c, d=rest[0])
    for c, x in zip(rest[1:], inputs[2:], strict=True):
        total = program.emit("sum_next", block.size, total, x, c=c)
    return total


def _gain(program: Operations, block: Gain, x: _Place) -> _Place:
    return program.emit("multiplier", block.size, program.constant(block.coefficients, block.size), x)


def _wire(program: Operations, block: Wire, x: _Place) -> _Place:
    first = len(program.tables)
    program.tables.extend(int(k) % x.size for k in block.indices)
    return program.emit("wire", block.size, x, table=first)


def _waveform(program: Operations, block: Waveform, x: _Place) -> _Place:
    points = np.concatenate([block.times, block.values, block.slopes])
    near = NEAR_KNOT * (block.times[-1] - block.times[0])
    return program.emit("waveform", block.size, x, table=program.weigh(points), inner=len(block.times), c=near)


def _log(program: Operations, block: Log, x: _Place) -> _Place:
    if not block.floor >= np.finfo(float).tiny:
        raise _Unknown("log of numbers that are not positive and normal")
    return program.emit("log", block.size, x, c=block.floor)


def _softmax(program: Operations, block: Softmax, x: _Place) -> _Place:
    if block.offsets is not None:
        x = program.emit("sum_next", block.size, x, program.constant(block.offsets, block.size), c=-1.0)
    tail = None if block.tail is None else program.constant(block.tail, block.rows)
    return program.emit("softmax", block.size, x, tail, rows=block.rows)


def _normaliser(program: Operations, block: Normaliser, x: _Place) -> _Place:
    return program.emit("normaliser", block.size, x, rows=block.rows, c=block.floor)


def _matrix_product(program: Operations, block: MatrixProduct, a: _Place, b: _Place) -> _Place:
    return program.emit("matrix_product", block.size, a, b, rows=block.rows, inner=block.inner, columns=block.columns)


def _output_stage(program: Operations, block: OutputStage, x: _Place, noise: _Place) -> _Place:
    y = program.emit("multiplier", block.size, program.constant(block.gain, block.size), x)
    y = program.emit("shift", block.size, y, program.constant(block.offset, block.size))
    y = program.emit("shift", block.size, y, noise)
    return y if block.limit == np.inf else program.emit("clip", block.size, y, c=block.limit)


def _scaled(program: Operations, block: Scaled, *inputs: _Place) -> _Place:
    plain = [program.emit("scale", x.size, x, c=s, d=1.0) for x, s in zip(inputs, block.inputs, strict=True)]
    return program.emit("scale", block.size, program.lower(block.block, plain), c=1.0, d=block.output)


_LOWERED: dict[type, Callable[..., _Place]] = {
    Crossbar: _crossbar,
    Sum: _sum,
    Gain: _gain,
    Wire: _wire,
    Multiplier: _simple("multiplier"),
    Divider: _simple("divider", "floor"),
    Log: _log,
    Exp: _simple("exp", "ceiling"),
    SquareRoot: _simple("square_root", "floor"),
    PositivePart: _simple("positive_part"),
    Tanh: _simple("tanh"),
    Sine: _simple("sine"),
    Arctan: _simple("arctan"),
    Comparator: _simple("comparator", "width"),
    Switch: _simple("switch"),
    Softmax: _softmax,
    Normaliser: _normaliser,
    MatrixProduct: _matrix_product,
    OutputStage: _output_stage,
    Waveform: _waveform,
    Scaled: _scaled,
}


def compiled_program(field: VectorField) -> Operations | None:
    """Operations of a field; None where no compiled march is there, the field is wide, or one of its blocks is not known."""
    if library() is None or field.width > WIDEST:
        return None
    try:
        field.operations = field.operations or Operations(field)
    except _Unknown:
        return None
    return field.operations


class _Task(ctypes.Structure):
    """The record `Task` of kernel.c."""

    _fields_ = [(name, kind) for names, kind in (
        ("samples lanes size slots ops parts sources saves watches constants last_segment implicit order sharpens breaks "
         "plays",
         ctypes.c_int64),
        ("end noise_step relative absolute settled fixed_size runaway unit low high shortest_rest least_progress sharpest "
         "jitter patience safety least_growth most_growth shortest look clamp gamma", ctypes.c_double),
        ("seed", ctypes.c_uint64),
        ("program integrators weights tables watched constant_slot constant_value numbers streams density played start save "
         "breaking a b c e p ra rc rtime rdrift states noise final final_noise reached outcome steps", ctypes.c_void_p),
    ) for name in names.split()]  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Marched:
    """What came of a march, each array's first axis the samples; `outcome` is 1 settled, 2 ran away, 3 stuck, else 0."""

    states: Array
    noise: Array
    final: Array
    final_noise: Array
    end: Array
    outcome: NDArray[np.int8]
    steps: int


def marched(
    program: Operations,
    start: Array,
    save: Array,
    end: float,
    method: Method,
    *,
    drive: Any,
    resting: Iterable[str],
    limits: Any,
    on_progress: Callable[[float], None] | None,
    **rules: float,
) -> Marched:
    """March samples in C; arguments are those of `integration.march`, `rules` numbers of its own.

    Raises
    ------
    MemoryError
        There is no memory for the lanes.
    ValueError
        A block holds values of another number of samples.
    """
    samples, implicit = len(start), method is IMPLICIT
    size, sources, saves = program.size, program.sources, len(save)
    out = Marched(
        np.empty((samples, saves, size)), np.empty((samples, saves, sources)), np.empty((samples, size)),
        np.empty((samples, sources)), np.empty(samples), np.empty(samples, dtype=np.int8), 0,
    )  # fmt: skip
    if not samples:
        return out
    steps = np.zeros(1, dtype=np.int64)
    for _, value in program.constants:
        if value.shape[:-1] not in ((), (1,), (samples,)):
            raise ValueError(f"a block holds values of {value.shape[:-1]} samples, and there are {samples}")
    watched = [
        slot for node in resting for slot in range(program.at[node].first, sum(dataclasses.astuple(program.at[node])))
    ]
    arrays: dict[str, NDArray[Any]] = {
        **program.arrays,
        "watched": np.array([*watched, 0], dtype=np.int64),
        "numbers": np.array(drive.numbers if drive else [0] * samples, dtype=np.int64),
        "streams": np.array(drive.streams if drive else [0] * sources, dtype=np.int64),
        "density": np.array(drive.scale if drive else [0.0] * sources, dtype=float),
        "played": np.ascontiguousarray(drive.knots if drive and drive.played else [0.0]),
        "start": np.ascontiguousarray(start, dtype=float),
        "save": np.ascontiguousarray(save, dtype=float),
        "breaking": program.breaks,
        **_methods(),
        "states": out.states, "noise": out.noise, "final": out.final, "final_noise": out.final_noise,
        "reached": out.end, "outcome": out.outcome, "steps": steps,
    }  # fmt: skip
    task = _Task(
        samples=samples, lanes=_lanes(program, samples, implicit=implicit), size=size, slots=program.slots,
        ops=len(program.ops), parts=len(program.parts), sources=sources, saves=saves, watches=len(watched),
        constants=len(program.constants), last_segment=drive.last_segment if drive else 0, implicit=implicit,
        order=method.order, sharpens=limits.sharpens, breaks=len(program.breaks),
        end=end, noise_step=drive.step if drive else 1.0, relative=limits.relative, absolute=limits.absolute,
        settled=limits.settled, fixed_size=limits.size or 0.0, runaway=limits.runaway, unit=limits.unit,
        seed=drive.seed if drive else 0, gamma=_RODAS.gamma, clamp=CLAMP, **rules,
        plays=bool(drive and drive.played), **{name: array.ctypes.data for name, array in arrays.items()},
    )  # fmt: skip
    lib = library()
    assert lib is not None
    walk = lib.analogflow_open(ctypes.byref(task))
    if not walk:
        raise MemoryError("no memory for the samples under way; give fewer of them, or less memory.")
    try:
        done, tries = ctypes.c_double(), 1  # of a large stiff graph one may take a second
        while True:
            began = time.perf_counter()
            left = lib.analogflow_advance(walk, tries, ctypes.byref(done))
            if on_progress is not None:
                # Of one sample the time that it has reached; of many, as if all went side by side.
                running = min(left, task.lanes)
                on_progress(((samples - left) * end + (done.value if running else 0.0)) / samples)
            if not left:
                break
            spent = time.perf_counter() - began
            tries = min(1 << 20, tries * 2) if spent < 0.5 * _LONG else max(1, tries // 2) if spent > 2 * _LONG else tries
    finally:
        lib.analogflow_close(walk)
    return dataclasses.replace(out, steps=int(steps[0]))


def _records(rows: Sequence[dict[str, Any]], kind: np.dtype[Any]) -> NDArray[Any]:
    names = kind.names or ()
    return np.array([tuple(row.get(name, 0) for name in names) for row in rows], dtype=kind)


def _lanes(program: Operations, samples: int, *, implicit: bool) -> int:
    """How many samples go side by side: so many that what they work with stays in the cache, in rounds of equal length."""
    size, sources = program.size, program.sources
    each = 8 * (program.slots * (2 if implicit else 1) + 14 * size + 36 * sources + (size * size if implicit else 0))
    most = max(_VECTOR, min(_LANES, int(_ROOM / each)))
    if samples == 1:
        return 1
    equal = -(-samples // -(-samples // most))
    return -(-equal // _VECTOR) * _VECTOR
