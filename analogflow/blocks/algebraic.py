"""Blocks that are sums with constant coefficients, or elementwise functions.

A nonlinear one limits its argument to its domain, as the circuit that realises it does.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks.block import Array, Block, Dense, Derivative, Diagonal, LinearMap, flat, in_groups, shown
from analogflow.names import number

__all__ = [
    "Arctan",
    "Comparator",
    "Constant",
    "Crossbar",
    "Divider",
    "Exp",
    "Gain",
    "Log",
    "Multiplier",
    "PositivePart",
    "Sine",
    "SquareRoot",
    "Sum",
    "Switch",
    "Tanh",
    "Wire",
]


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


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Multiplier(Block):
    """y = x1 x2."""

    ports: ClassVar = ("x1", "x2")
    symbol: ClassVar = "×"

    def relation(self, *inputs: Array) -> Array:
        """Product."""
        return inputs[0] * inputs[1]

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """The other factor."""
        x1, x2 = np.broadcast_arrays(*inputs)
        return Diagonal(x2), Diagonal(x1)

    def formula(self, *operands: str) -> str:
        """Product."""
        return f"{operands[0]}*{operands[1]}"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Divider(Block):
    """y = x1 / x2, with the size of x2 held at or above ``floor``."""

    ports: ClassVar = ("x1", "x2")
    symbol: ClassVar = "÷"
    floor: float = 1e-12

    def _denominator(self, x2: Array) -> Array:
        return np.where(x2 >= 0, np.maximum(x2, self.floor), np.minimum(x2, -self.floor))

    def relation(self, *inputs: Array) -> Array:
        """Quotient."""
        return inputs[0] / self._denominator(inputs[1])

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """1/x2, and −x1/x2² where x2 is not held."""
        x1, x2 = np.broadcast_arrays(*inputs)
        held = self._denominator(x2)
        return Diagonal(1 / held), Diagonal(np.where(held == x2, -x1 / held**2, 0.0))

    def formula(self, *operands: str) -> str:
        """Quotient, with the denominator held away from 0 on its own side."""
        (x1, x2), f = operands, number(self.floor)
        return f"{x1}/({x2}>=0 ? max({x2},{f}) : min({x2},-{f}))"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Log(Block):
    """y = ln max(x, ``floor``)."""

    ports: ClassVar = ("x",)
    symbol: ClassVar = "ln"
    floor: float = 1e-12

    def relation(self, *inputs: Array) -> Array:
        """Natural logarithm, nats."""
        return np.log(np.maximum(inputs[0], self.floor))

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """1/x above the floor, 0 below."""
        x = inputs[0]
        return (Diagonal(np.where(x > self.floor, 1 / np.maximum(x, self.floor), 0.0)),)

    def formula(self, *operands: str) -> str:
        """Natural logarithm."""
        return f"ln(max({operands[0]},{number(self.floor)}))"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Exp(Block):
    """y = exp min(x, ``ceiling``)."""

    ports: ClassVar = ("x",)
    symbol: ClassVar = "exp"
    ceiling: float = 80.0

    def relation(self, *inputs: Array) -> Array:
        """Exponential."""
        return np.exp(np.minimum(inputs[0], self.ceiling))

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """The output below the ceiling, 0 above."""
        x = inputs[0]
        return (Diagonal(np.where(x < self.ceiling, self.relation(x), 0.0)),)

    def formula(self, *operands: str) -> str:
        """Exponential."""
        return f"exp(min({operands[0]},{number(self.ceiling)}))"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SquareRoot(Block):
    """y = √max(x, ``floor``)."""

    ports: ClassVar = ("x",)
    symbol: ClassVar = "√"
    floor: float = 0.0

    def relation(self, *inputs: Array) -> Array:
        """Square root."""
        return np.sqrt(np.maximum(inputs[0], self.floor))

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """1/(2y) above the floor (taken as 0 at x = 0), 0 below."""
        x = inputs[0]
        root = self.relation(x)
        return (Diagonal(np.where((x > self.floor) & (root > 0), 0.5 / np.where(root > 0, root, 1.0), 0.0)),)

    def formula(self, *operands: str) -> str:
        """Square root; its derivative is infinite at 0, and 1e-30 under the root moves the output by 1e-15 at most."""
        return f"sqrt(max({operands[0]},{number(max(self.floor, 1e-30))}))"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PositivePart(Block):
    """y = max(x, 0): a precision rectifier."""

    ports: ClassVar = ("x",)
    symbol: ClassVar = "x⁺"

    def relation(self, *inputs: Array) -> Array:
        """Positive part."""
        return np.maximum(inputs[0], 0.0)

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """1 where x > 0, else 0."""
        return (Diagonal((inputs[0] > 0).astype(float)),)

    def formula(self, *operands: str) -> str:
        """Positive part."""
        return f"max({operands[0]},0)"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Tanh(Block):
    """y = tanh x: what a differential pair delivers."""

    ports: ClassVar = ("x",)
    symbol: ClassVar = "tanh"

    def relation(self, *inputs: Array) -> Array:
        """Hyperbolic tangent."""
        return np.tanh(inputs[0])

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """1 − y²."""
        return (Diagonal(1 - np.tanh(inputs[0]) ** 2),)

    def formula(self, *operands: str) -> str:
        """Hyperbolic tangent."""
        return f"tanh({operands[0]})"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Sine(Block):
    """y = sin x, x in radians."""

    ports: ClassVar = ("x",)
    symbol: ClassVar = "sin"

    def relation(self, *inputs: Array) -> Array:
        """Sine."""
        return np.sin(inputs[0])

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """Cosine."""
        return (Diagonal(np.cos(inputs[0])),)

    def formula(self, *operands: str) -> str:
        """Sine."""
        return f"sin({operands[0]})"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Arctan(Block):
    """y = arctan x, radians."""

    ports: ClassVar = ("x",)
    symbol: ClassVar = "arctan"

    def relation(self, *inputs: Array) -> Array:
        """Inverse tangent."""
        return np.arctan(inputs[0])

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """1/(1 + x²)."""
        return (Diagonal(1 / (1 + inputs[0] ** 2)),)

    def formula(self, *operands: str) -> str:
        """Inverse tangent."""
        return f"atan({operands[0]})"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Comparator(Block):
    """y = ½ (1 + tanh((x1 − x2)/``width``)): 1 where x1 exceeds x2, 0 where it does not.

    The finite width is what a comparator without hysteresis shows, and what lets a simulator converge.
    """

    ports: ClassVar = ("x1", "x2")
    symbol: ClassVar = "x > y"
    width: float = 1e-3

    def relation(self, *inputs: Array) -> Array:
        """Smoothed step of the difference."""
        return 0.5 * (1 + np.tanh((inputs[0] - inputs[1]) / self.width))

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """± the slope of the smoothed step."""
        x1, x2 = np.broadcast_arrays(*inputs)
        slope = 0.5 / self.width * (1 - np.tanh((x1 - x2) / self.width) ** 2)
        return Diagonal(slope), Diagonal(-slope)

    def formula(self, *operands: str) -> str:
        """Smoothed step of the difference."""
        return f"0.5*(1+tanh(({operands[0]}-{operands[1]})/{number(self.width)}))"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Switch(Block):
    """y = x · control, with control limited to [0, 1]: closed at 1, open at 0."""

    ports: ClassVar = ("x", "control")
    symbol: ClassVar = "switch"

    def relation(self, *inputs: Array) -> Array:
        """The input as far as the switch is closed."""
        return inputs[0] * np.clip(inputs[1], 0.0, 1.0)

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """The control, and x where the control is inside its limits."""
        x, control = np.broadcast_arrays(*inputs)
        inside = (control > 0) & (control < 1)
        return Diagonal(np.clip(control, 0.0, 1.0)), Diagonal(np.where(inside, x, 0.0))

    def formula(self, *operands: str) -> str:
        """The input as far as the switch is closed."""
        return f"{operands[0]}*min(max({operands[1]},0),1)"
