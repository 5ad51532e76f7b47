"""What every block is: a size, named ports, a relation and its derivative, all vectorised over leading sample axes.

And a block between signals in machine units, which amplitude scaling makes of every block that is not linear.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import real_array

__all__ = [
    "Array",
    "Block",
    "Dense",
    "Derivative",
    "Diagonal",
    "LinearMap",
    "Scaled",
    "flat",
    "frozen",
    "in_groups",
    "shown",
]

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
    symbol: ClassVar[str] = ""
    """What a diagram writes into the box of the block; its kind where this is empty."""

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

    def formula(self, *operands: str) -> str:
        """Element i of the output as a formula of element i of each port; empty unless the block is elementwise.

        It is built of the text of the `operands`, numbers as `names.number` writes them, ``+ − * /``, ``a ? b : c``
        and the functions ``ln exp sqrt tanh sin atan min max``, which every simulator knows.
        """
        return ""

    def identity(self) -> tuple[object, ...]:
        """Hashable value equal for two blocks that compute the same thing."""
        values = (getattr(self, field.name) for field in dataclasses.fields(self))
        return (type(self), *(_hashable(value) for value in values))

    def parameters(self) -> str:
        """Short text of what sets this block apart from others of its kind; empty if nothing does."""
        return ""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Scaled(Block):
    """Y = s · f(X_1/s_1, X_2/s_2, ...) for a block y = f(x_1, x_2, ...).

    ``output`` is s, ``inputs`` holds the s_k, one for each port, in machine units per flow unit.
    """

    block: Block
    output: float
    inputs: tuple[float, ...]

    def _unscaled(self, inputs: tuple[Array, ...]) -> list[Array]:
        return [x / s for x, s in zip(inputs, self.inputs, strict=True)]

    def relation(self, *inputs: Array) -> Array:
        """Scaled output of the block."""
        return self.output * self.block.relation(*self._unscaled(inputs))

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """The block's derivatives times s/s_k."""
        partials = self.block.derivative(*self._unscaled(inputs))
        return tuple(_times(self.output / s, partial) for s, partial in zip(self.inputs, partials, strict=True))

    def identity(self) -> tuple[object, ...]:
        """That of the block, and the scales."""
        return (type(self), self.size, self.output, self.inputs, *self.block.identity())

    def parameters(self) -> str:
        """Kind and parameters of the block."""
        own = self.block.parameters()
        return f"{self.block.kind()} {own}".strip() + f", {self.output:.4g} per unit"


def _times(factor: float, derivative: Derivative) -> Derivative:
    match derivative:
        case Diagonal():
            return Diagonal(factor * derivative.values)
        case Dense():
            return Dense(factor * derivative.matrix)
    return LinearMap(lambda tangent: factor * derivative.apply(tangent))


def _hashable(value: object) -> object:
    if isinstance(value, np.ndarray):
        return (value.shape, np.ascontiguousarray(value).tobytes())
    return value


def frozen(values: object) -> Array:
    """Read-only copy of `values` as an array of floats."""
    array = real_array(values, "a block's parameter")
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
