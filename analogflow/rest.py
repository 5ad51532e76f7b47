"""What is at rest: by how much it may still move in a time, beside its size. It knows no engines, and asks no circuit."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["ORDINARY", "rest_size", "rested", "size_of", "usual"]

Array = NDArray[np.float64]

_Size = TypeVar("_Size", float, Array)

ORDINARY = (1e-2, 1e2)
"""Sizes that count as 1: tolerances hold for them as they are."""


def usual(size: _Size) -> _Size:
    """The size itself where it is far from 1, or 1 where it is within two decades of it, or is none."""
    found: Any = np.where((size > 0) & (size < np.inf) & ((size < ORDINARY[0]) | (size > ORDINARY[1])), size, 1.0)
    return found if found.ndim else found.item()


def size_of(size: _Size) -> _Size:
    """What errors are relative to of what is at most of this size: that, or 1 where it is up to two decades less."""
    found: Any = np.where((size > 1) & (size < np.inf), size, usual(size))
    return found if found.ndim else found.item()


def rest_size(largest: _Size, size: float | None = None) -> _Size | float:
    """Size, in flow units, that the speed of what rests is relative to.

    Parameters
    ----------
    largest : float or array
        Largest value on the way of what has to rest, flow units.
    size : float, optional
        What is known to be its size; the largest value, which counts as 1 within two decades of that, if not given.
    """
    return usual(largest) if size is None else size


def rested(change: Any, length: Any, largest: Any, speed: Any, *, size: float | None = None, unit: float = 1.0) -> Any:
    """Whether what moved by `change` in a time of `length` rests, in every engine; floats, or arrays of many samples.

    Parameters
    ----------
    change, largest : float or array
        How far it moved, and its largest value on the way, in units of which a flow unit is `unit`.
    length : float or array
        In τ, or in seconds, as `speed` counts them.
    speed : float
        Flow units by which what is of size 1 may move in a unit of time.
    size : float, optional
        As `rest_size` takes it.
    unit : float
    """
    return change <= speed * (rest_size(largest / unit, size) * unit) * length
