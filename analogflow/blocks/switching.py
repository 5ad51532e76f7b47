"""Blocks that decide: the comparator and the switch it drives."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from analogflow.blocks.block import Array, Block, Derivative, Diagonal
from analogflow.names import number

__all__ = ["Comparator", "Switch"]


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
