"""What every block is: a size, named ports, a relation and its derivative, all vectorised over leading sample axes."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Block", "Dense", "Derivative", "Diagonal", "LinearMap", "flat", "frozen", "in_groups", "shown"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Diagonal:
    """Derivative of an elementwise relation: output i moves with input i alone.

    ``values`` has shape (..., size); an input of size 1 drives every output.
    """

    values: Array

    def apply(self, tangent: Array) -> Array:
        """Map an input tangent, shape (..., size or 1, k), to the output tangent, shape (..., size, k)."""
        return self.values[..., :, None] * tangent


@dataclasses.dataclass(frozen=True, eq=False)
class Dense:
    """Derivative as a full matrix, shape (..., size, input size)."""

    matrix: Array

    def apply(self, tangent: Array) -> Array:
        """Map an input tangent, shape (..., input size, k), to the output tangent, shape (..., size, k)."""
        return self.matrix @ tangent


@dataclasses.dataclass(frozen=True, eq=False)
class LinearMap:
    """Derivative given by what it does to a tangent, where its matrix would be mostly zeros or of low rank."""

    function: Callable[[Array], Array]

    def apply(self, tangent: Array) -> Array:
        """Map an input tangent, shape (..., input size, k), to the output tangent, shape (..., size, k)."""
        return self.function(tangent)


Derivative = Diagonal | Dense | LinearMap


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Block(abc.ABC):
    """One analog operation. Signals are vectors on the last axis; any leading axes are samples.

    An elementwise block accepts inputs of its own size or of size 1, which then drive every element.

    Parameters
    ----------
    size : int
        Number of outputs.
    """

    ports: ClassVar[tuple[str, ...]] = ()
    size: int

    @classmethod
    def kind(cls) -> str:
        """Name of this kind of block, lower case with underscores."""
        return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(cls.__name__))

    @abc.abstractmethod
    def relation(self, *inputs: Array) -> Array:
        """Output, shape (..., size), from inputs, each of shape (..., its size)."""

    @abc.abstractmethod
    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """Derivative of the output with respect to each port, in the order of `ports`."""

    def identity(self) -> tuple[object, ...]:
        """Hashable value equal for two blocks that compute the same thing."""
        values = (getattr(self, field.name) for field in dataclasses.fields(self))
        return (type(self), *(_hashable(value) for value in values))

    def parameters(self) -> str:
        """Short text of what sets this block apart from others of its kind; empty if nothing does."""
        return ""


def _hashable(value: object) -> object:
    if isinstance(value, np.ndarray):
        return (value.shape, np.ascontiguousarray(value).tobytes())
    return value


def frozen(values: object) -> Array:
    """Read-only copy of `values` as an array of floats."""
    array = np.array(values, dtype=float)
    array.setflags(write=False)
    return array


def in_groups(tangent: Array, rows: int) -> Array:
    """Tangent of shape (..., rows·a, k) as (..., rows, a, k)."""
    return tangent.reshape(*tangent.shape[:-2], rows, -1, tangent.shape[-1])


def flat(tangent: Array) -> Array:
    """Tangent of shape (..., rows, a, k) as (..., rows·a, k)."""
    return tangent.reshape(*tangent.shape[:-3], -1, tangent.shape[-1])


def shown(values: Array) -> str:
    """First few of `values` as text; those of the first sample where there are several."""
    first = values.reshape(-1, values.shape[-1])[0]
    return ", ".join(f"{value:.4g}" for value in first[:4]) + (", ..." if first.size > 4 else "")
