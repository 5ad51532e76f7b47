"""Elementwise nonlinear blocks. Each limits its argument to its domain, as the circuit that realises it does."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from analogflow.blocks.block import Array, Block, Derivative, Diagonal
from analogflow.names import number

__all__ = ["Divider", "Exp", "Log", "Multiplier", "PositivePart", "Sine", "SquareRoot", "Tanh"]


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
