"""What NumPy lacks, for arrays and signals alike: the function that is the equation also places the block."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from analogflow.blocks import Block, Comparator, Log, Normaliser, Softmax, Switch
from analogflow.blocks.block import frozen
from analogflow.checks import real_array
from analogflow.errors import BadInput
from analogflow.graph.signal import Signal, refuse

__all__ = ["comparator", "log", "normalise", "softmax", "switch", "white_noise"]

T = TypeVar("T", np.ndarray, Signal)


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
    a, b = (x if isinstance(x, Signal) else builder.constant(x) for x in (a, b))
    shape = np.broadcast_shapes(a.shape, b.shape)
    block = make(size=int(np.prod(shape, dtype=int)), **parameters)
    return builder.place(block, (a.broadcast(shape), b.broadcast(shape)), shape)
