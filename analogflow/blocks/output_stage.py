"""The output stage: what is wrong with a block's output, in one place after the block's ideal relation."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from analogflow.blocks.block import Array, Block, Derivative, Diagonal, shown

__all__ = ["OutputStage"]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class OutputStage(Block):
    """y_i = clip(g_i x_i + o_i + n_i, −L, L): gain error, offset, noise and saturation of the block that drives x.

    ``gain`` g and ``offset`` o have shape (size,) or (samples, size); ``limit`` is L. The noise n is a port like x.
    """

    ports: ClassVar = ("x", "noise")
    gain: Array
    offset: Array
    limit: float = np.inf

    def relation(self, *inputs: Array) -> Array:
        """Scaled, shifted, noisy and limited input."""
        x, noise = inputs
        y = self.gain * x + self.offset + noise
        return y if self.limit == np.inf else np.clip(y, -self.limit, self.limit)

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """The gain, and 1 for the noise; both 0 where the output is limited."""
        x, noise = inputs
        y = self.gain * x + self.offset + noise
        free = np.where(abs(y) < self.limit, 1.0, 0.0)
        return Diagonal(self.gain * free), Diagonal(free)

    def parameters(self) -> str:
        """Gain, offset and limit."""
        limit = f", limit {self.limit:.4g}" if self.limit < np.inf else ""
        return f"gain {shown(self.gain)}, offset {shown(self.offset)}{limit}"
