"""Blocks whose output is a fixed linear map of their inputs, and the sources."""

from __future__ import annotations

import dataclasses
import functools
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks.block import Array, Block, Dense, Derivative, Diagonal, LinearMap, flat, in_groups, shown

__all__ = ["Constant", "Crossbar", "Gain", "Input", "Sum", "Wire"]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Constant(Block):
    """y = c.

    ``values`` has shape (size,), or (samples, size). A ``label`` names a constant that a pass may set, such as a gauge.
    """

    symbol: ClassVar = "const"
    values: Array
    label: str = ""

    def relation(self, *inputs: Array) -> Array:
        """Return the constant, shape (size,)."""
        return self.values

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """Nothing: a constant has no ports."""
        return ()

    def parameters(self) -> str:
        """Label or first values."""
        return f"{self.label} = {shown(self.values)}" if self.label else shown(self.values)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Input(Block):
    """y = the external waveform called ``label``; an engine supplies it as a function of time."""

    symbol: ClassVar = "in"
    label: str

    def relation(self, *inputs: Array) -> Array:
        """Not defined: an engine supplies the waveform."""
        raise NotImplementedError(f"the waveform {self.label!r} comes from the engine, not from the block")

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """Nothing: an input has no ports."""
        return ()

    def parameters(self) -> str:
        """Name of the waveform."""
        return self.label


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Crossbar(Block):
    """y = W x, for each of ``rows`` consecutive groups of x.

    ``weight`` has shape (a, b), the same for each group, or (..., rows, a, b), leading axes being samples; x has size
    rows·b, y has size rows·a.
    """

    ports: ClassVar = ("x",)
    symbol: ClassVar = "W·x"
    weight: Array
    rows: int = 1

    def relation(self, *inputs: Array) -> Array:
        """Matrix-vector product, group by group."""
        (x,) = inputs
        if self.rows == 1 and self.weight.ndim == 2:
            # The product is laid out in memory as x is: by samples, or by elements.
            return (self.weight @ x.T).T if x.ndim == 2 and x.flags.f_contiguous else x @ self.weight.T
        groups = x.reshape(*x.shape[:-1], self.rows, self.weight.shape[-1])
        products = groups @ self.weight.T if self.weight.ndim == 2 else (self.weight @ groups[..., None])[..., 0]
        return products.reshape(*products.shape[:-2], self.size)

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """W, once for each group on the diagonal."""
        if self.rows == 1:
            return (Dense(self.weight if self.weight.ndim == 2 else self.weight[..., 0, :, :]),)
        return (LinearMap(lambda tangent: flat(self.weight @ in_groups(tangent, self.rows))),)

    def parameters(self) -> str:
        """Shape of the weights."""
        return f"{self.weight.shape[-2]}×{self.weight.shape[-1]}" + (f" × {self.rows}" if self.rows > 1 else "")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Sum(Block):
    """y = Σ_k c_k x_k over its ports, with fixed ``coefficients`` c_k (one for each port)."""

    ports: ClassVar = ("x1", "x2", "...")
    symbol: ClassVar = "Σ"
    coefficients: tuple[float, ...]

    def relation(self, *inputs: Array) -> Array:
        """Weighted sum of the inputs."""
        total, *others = (x if c in (1, -1) else c * x for c, x in zip(self.coefficients, inputs, strict=True))
        total = -total if self.coefficients[0] == -1 else total
        for c, x in zip(self.coefficients[1:], others, strict=True):
            total = total - x if c == -1 else total + x
        return np.asarray(total) if np.shape(total)[-1] == self.size else np.repeat(total, self.size, axis=-1)

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """The coefficients."""
        return tuple(Diagonal(np.full(self.size, c)) for c in self.coefficients)

    def parameters(self) -> str:
        """The coefficients, as signs where they are ±1."""
        return " ".join({1.0: "+", -1.0: "−"}.get(c, f"{c:+.4g}") for c in self.coefficients)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Gain(Block):
    """y_i = c_i x_i with fixed ``coefficients``, shape (..., size): a potentiometer or a row of them."""

    ports: ClassVar = ("x",)
    symbol: ClassVar = "k·x"
    coefficients: Array

    def relation(self, *inputs: Array) -> Array:
        """Product with the coefficients."""
        return self.coefficients * inputs[0]

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """The coefficients."""
        return (Diagonal(self.coefficients),)

    def parameters(self) -> str:
        """First coefficients."""
        return shown(self.coefficients)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Wire(Block):
    """y_i = x_{k(i)}: selection, repetition or rearrangement of signals, which costs no part in a circuit.

    ``indices`` has shape (size,).
    """

    ports: ClassVar = ("x",)
    indices: tuple[int, ...]

    @functools.cached_property
    def _order(self) -> NDArray[np.intp]:
        return np.array(self.indices, dtype=np.intp)

    def relation(self, *inputs: Array) -> Array:
        """Selected elements."""
        return inputs[0][..., self._order]

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """The same selection."""
        return (LinearMap(lambda tangent: tangent[..., self._order, :]),)

    def parameters(self) -> str:
        """First indices."""
        return ", ".join(map(str, self.indices[:6])) + (", ..." if self.size > 6 else "")
