"""From NumPy's universal functions to blocks, by a table; and what NumPy lacks, as functions of arrays and signals alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from analogflow.blocks import (
    Arctan,
    Block,
    Comparator,
    Crossbar,
    Divider,
    Exp,
    Gain,
    Log,
    MatrixProduct,
    Multiplier,
    Normaliser,
    PositivePart,
    Sine,
    Softmax,
    SquareRoot,
    Sum,
    Switch,
    Tanh,
    Waveform,
)
from analogflow.blocks.block import frozen
from analogflow.checks import real_array
from analogflow.errors import BadInput
from analogflow.graph.signal import Signal, refuse

if TYPE_CHECKING:
    from analogflow.graph.tracing import GraphBuilder

__all__ = [
    "apply_ufunc",
    "clip",
    "comparator",
    "log",
    "normalise",
    "sign",
    "softmax",
    "switch",
    "waveform",
    "where",
    "white_noise",
]

T = TypeVar("T", np.ndarray, Signal)

_LARGEST_POWER = 64
"""Six multipliers square their way there; expressions allow no more either."""

_LEAST_BASE = 1e-300
"""Held above this, 0 to a power that is no whole number is 0 to all digits that matter."""


def log(x: T, *, floor: float = 1e-12) -> T:
    """Natural logarithm of max(x, floor), elementwise: finite wherever x goes."""
    return _apply(Log(size=_size(x), floor=floor), x)


def softmax(x: T, *, tail: ArrayLike | None = None, offsets: ArrayLike | None = None) -> T:
    r"""Tail times softmax over the last axis, :math:`t_r\, e^{x_{rk} - c_{rk}} / \sum_l e^{x_{rl} - c_{rl}}`.

    Parameters
    ----------
    x : array or Signal, shape (k,) or (rows, k)
    tail : array, shape () or (rows,), optional
        Sum t_r of each row; 1 if not given.
    offsets : array, shape of x, optional
        Subtracted from x first; 0 if not given.
    """
    rows = _rows(x)
    block = Softmax(
        size=_size(x),
        rows=rows,
        tail=None if tail is None else frozen(np.broadcast_to(real_array(tail, "tail"), (rows,))),
        offsets=None if offsets is None else frozen(np.broadcast_to(real_array(offsets, "offsets"), x.shape).ravel()),
    )
    return _apply(block, x)


def normalise(x: T) -> T:
    """Positive part of x divided by its sum, over the last axis; x of shape (k,) or (rows, k)."""
    return _apply(Normaliser(size=_size(x), rows=_rows(x)), x)


def comparator(a: Any, b: Any = 0.0, *, width: float = 1e-3) -> Any:
    """1 where a exceeds b and 0 where it does not, with a transition of relative `width`: ½(1 + tanh((a − b)/width))."""
    return _apply_two(Comparator, a, b, width=width)


def switch(x: Any, control: Any) -> Any:
    """Pass x where `control` is 1, block it where it is 0 (control is limited to [0, 1])."""
    return _apply_two(Switch, x, control)


def sign(x: Any) -> Any:
    """−1 below 0 and 1 above, as steep as a comparator is: tanh(1000 x)."""
    return 2.0 * comparator(x) - 1.0


def where(control: Any, x: Any, y: Any) -> Any:
    """`x` where `control` is 1, `y` where it is 0, and between them as a comparator between its two values."""
    return y + switch(x - y, control)


def clip(x: Any, least: Any, most: Any) -> Any:
    """Nearest number to x that is neither below `least` nor above `most`."""
    return np.minimum(np.maximum(x, least), most)


def waveform(time: T, times: ArrayLike, values: ArrayLike, label: str = "") -> T:
    """Straight lines between the points (`times`, `values`) at `time`, the first and last value outside of them.

    Parameters
    ----------
    time : array or Signal of one element
    times, values : array, shape (k,)
        Ascending times, two at least, and the value at each.
    label : str
        What it is called.
    """
    return _apply(Waveform(size=1, times=frozen(times), values=frozen(values), label=label), time)


def white_noise(x: Any, density: ArrayLike = 1.0) -> Any:
    """Independent white noises in the shape of x: the integral of each over a time t (in τ) has variance density² t.

    Evaluated on an array it is 0, so that the function is the drift. Noise is played linear between knots, and a product
    of it with a signal means what Stratonovich's integral means: write Itô's correction into the equation.

    Parameters
    ----------
    x : array or Signal
        Only its shape is read.
    density : float or array that broadcasts to the shape of x
        Flow units per √τ, 0 or more.

    Raises
    ------
    BadInput
        The density is negative, not finite or of another shape.
    """
    shape = np.shape(x)
    try:
        densities = np.array(np.broadcast_to(real_array(density, "density"), shape))
    except (TypeError, ValueError) as fault:
        raise BadInput(f"white_noise: the density must be a number or numbers of shape {shape}, not {density!r}.") from fault
    if not (np.isfinite(densities).all() and (densities >= 0).all()):
        raise BadInput("white_noise: the density must be finite and not negative.")
    return x.builder.noise(densities) if isinstance(x, Signal) else np.zeros(shape)


def _size(x: Any) -> int:
    return x.size if isinstance(x, Signal) else np.size(x)


def _rows(x: Any) -> int:
    if x.ndim not in (1, 2):
        refuse(f"this operation needs a vector or a matrix of rows, not shape {x.shape}")
    return x.shape[0] if x.ndim == 2 else 1


def _apply(block: Block, x: T) -> T:
    if isinstance(x, Signal):
        return x.builder.place(block, (x,), x.shape)
    array = real_array(x, "an operand")
    return block.relation(array.ravel()).reshape(array.shape)


def _apply_two(make: Any, a: Any, b: Any, **parameters: Any) -> Any:
    builder = next((x.builder for x in (a, b) if isinstance(x, Signal)), None)
    if builder is None:
        a, b = np.broadcast_arrays(real_array(a, "an operand"), real_array(b, "an operand"))
        return make(size=a.size, **parameters).relation(a, b)
    return _place(builder, make, a, b, **parameters)


def apply_ufunc(builder: GraphBuilder, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], keywords: Any) -> Signal:
    """Place the block(s) that realise ``ufunc(*inputs)``.

    Raises
    ------
    Untraceable
        No block realises it, or it is asked to write into an existing signal.
    """
    if method == "reduce" and ufunc is np.add:
        return inputs[0].sum(keywords.get("axis", 0))
    if method != "__call__":
        refuse(f"np.{ufunc.__name__}.{method} has no block")
    if keywords.get("out") is not None:
        refuse("an operation in place (+=, out=) has no meaning for signals; give the result a new name")
    if keywords:
        refuse(f"np.{ufunc.__name__} with {', '.join(keywords)} has no block")
    if ufunc not in _TABLE:
        known = ", ".join(sorted(known.__name__ for known in _TABLE))
        refuse(f"np.{ufunc.__name__} has no block; those with one are {known}")
    return _TABLE[ufunc](builder, *inputs)


def _aligned(builder: GraphBuilder, *operands: Any) -> tuple[tuple[Signal, ...], tuple[int, ...]]:
    """All operands as signals of one shape (or scalar), and that shape."""
    try:
        shape = np.broadcast_shapes(*(np.shape(x) if not isinstance(x, Signal) else x.shape for x in operands))
    except ValueError:
        refuse(f"shapes {' and '.join(str(getattr(x, 'shape', np.shape(x))) for x in operands)} do not fit together")
    signals = tuple(x if isinstance(x, Signal) else builder.constant(x) for x in operands)
    return tuple(x.broadcast(shape) for x in signals), shape


def _place(builder: GraphBuilder, make: Callable[..., Block], *operands: Any, **parameters: Any) -> Signal:
    signals, shape = _aligned(builder, *operands)
    return builder.place(make(size=int(np.prod(shape, dtype=int)), **parameters), signals, shape)


def _elementwise(make: Callable[..., Block]) -> Callable[..., Signal]:
    return lambda builder, *operands: _place(builder, make, *operands)


def _weighted(*coefficients: float) -> Callable[..., Signal]:
    def build(builder: GraphBuilder, *operands: Any) -> Signal:
        return _place(builder, Sum, *operands, coefficients=coefficients)

    return build


def _scaled(builder: GraphBuilder, x: Signal, factors: Any) -> Signal:
    factors = real_array(factors, "a constant factor")
    shape = np.broadcast_shapes(x.shape, factors.shape)
    size = int(np.prod(shape, dtype=int))
    coefficients = frozen(np.broadcast_to(factors, shape).ravel())
    return builder.place(Gain(size=size, coefficients=coefficients), (x.broadcast(shape),), shape)


def _multiply(builder: GraphBuilder, a: Any, b: Any) -> Signal:
    if isinstance(a, Signal) and isinstance(b, Signal):
        return _place(builder, Multiplier, a, b)
    return _scaled(builder, a, b) if isinstance(a, Signal) else _scaled(builder, b, a)


def _divide(builder: GraphBuilder, a: Any, b: Any) -> Signal:
    if isinstance(b, Signal):
        return _place(builder, Divider, a, b)
    if (np.asarray(b) == 0).any():
        refuse("a division by the constant 0")
    return _scaled(builder, a, 1 / real_array(b, "a constant divisor"))


def _power(builder: GraphBuilder, base: Any, exponent: Any) -> Signal:
    power = math.nan if isinstance(exponent, Signal) or np.ndim(exponent) else float(real_array(exponent, "an exponent"))
    if power == 0:
        return builder.constant(np.ones(np.shape(base)))
    if not abs(power) <= _LARGEST_POWER:
        refuse(
            f"only powers that are numbers from −{_LARGEST_POWER} to {_LARGEST_POWER} have blocks; write np.exp and np.log"
        )
    if not power.is_integer():
        whole = math.floor(power)
        if power - whole != 0.5:
            return np.exp(power * log(base, floor=_LEAST_BASE))
        return np.sqrt(base) * np.power(base, whole) if whole else np.sqrt(base)
    return _whole_power(base, int(power)) if power > 0 else 1.0 / _whole_power(base, int(-power))


def _whole_power(base: Any, power: int) -> Any:
    """`base` multiplied with itself: squares of squares, so that 8 takes three multipliers."""
    if power == 1:
        return base
    half = _whole_power(base, power // 2)
    return half * half * base if power % 2 else half * half


def _maximum(builder: GraphBuilder, a: Any, b: Any) -> Signal:
    if not isinstance(b, Signal) and not np.any(b):
        return _place(builder, PositivePart, a)
    if not isinstance(a, Signal) and not np.any(a):
        return _place(builder, PositivePart, b)
    return b + np.maximum(a - b, 0.0)


def _matmul(builder: GraphBuilder, a: Any, b: Any) -> Signal:
    inner_a = a.shape[-1] if np.ndim(a) else 0
    inner_b = b.shape[0] if np.ndim(b) else 0
    if not inner_a or inner_a != inner_b or max(np.ndim(a), np.ndim(b)) > 2:
        refuse(f"a matrix product of shapes {np.shape(a)} and {np.shape(b)} does not fit")
    if isinstance(a, Signal) and isinstance(b, Signal):
        return _product_of_signals(builder, a, b)
    if isinstance(a, Signal):
        return _crossbar(builder, real_array(b, "a constant matrix").T, a)
    weight = real_array(a, "a constant matrix")
    return _crossbar(builder, weight, b) if b.ndim == 1 else _crossbar(builder, weight, b.T).T


def _crossbar(builder: GraphBuilder, weight: np.ndarray, x: Signal) -> Signal:
    """``x @ weight.T`` for x of shape (b,) or (rows, b) and weight of shape (b,) or (a, b)."""
    matrix = np.atleast_2d(weight)
    rows = 1 if x.ndim == 1 else x.shape[0]
    shape = (*x.shape[:-1], *weight.shape[:-1])
    block = Crossbar(size=rows * len(matrix), weight=frozen(matrix), rows=rows)
    return builder.place(block, (x,), shape)


def _product_of_signals(builder: GraphBuilder, a: Signal, b: Signal) -> Signal:
    if a.ndim == 2 and b.ndim == 2:
        rows, inner, columns = *a.shape, b.shape[1]
        block = MatrixProduct(size=rows * columns, rows=rows, inner=inner, columns=columns)
        return builder.place(block, (a, b), (rows, columns))
    left = a if a.ndim == 2 else a[None, :]
    right = b.T if b.ndim == 2 else b[None, :]
    products = left[:, None, :] * right[None, :, :]
    shape = (*a.shape[:-1], *b.shape[1:])
    return products.sum(axis=-1).reshape(shape)


_TABLE: dict[np.ufunc, Callable[..., Signal]] = {
    np.add: _weighted(1.0, 1.0),
    np.subtract: _weighted(1.0, -1.0),
    np.negative: lambda builder, x: _scaled(builder, x, -1.0),
    np.positive: lambda builder, x: x,
    np.multiply: _multiply,
    np.divide: _divide,
    np.reciprocal: lambda builder, x: _divide(builder, 1.0, x),
    np.power: _power,
    np.float_power: _power,
    np.square: lambda builder, x: _multiply(builder, x, x),
    np.matmul: _matmul,
    np.log: _elementwise(Log),
    np.exp: _elementwise(Exp),
    np.sqrt: _elementwise(SquareRoot),
    np.tanh: _elementwise(Tanh),
    np.sin: _elementwise(Sine),
    np.arctan: _elementwise(Arctan),
    np.sinh: lambda builder, x: 0.5 * np.exp(x) - 0.5 * np.exp(-x),
    np.cosh: lambda builder, x: 0.5 * np.exp(x) + 0.5 * np.exp(-x),
    np.cos: lambda builder, x: np.sin(x + 0.5 * np.pi),
    np.maximum: _maximum,
    np.minimum: lambda builder, a, b: -_maximum(builder, -a, -b),
    np.absolute: lambda builder, x: np.maximum(x, 0.0) + np.maximum(-x, 0.0),
}
