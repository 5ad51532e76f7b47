"""The integrator: the one block with memory, with what keeps a real one from being ideal."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from analogflow.blocks.block import Array, Block, Derivative, frozen

__all__ = ["CLAMP", "Integrator"]

CLAMP = 20.0
"""Rate, per τ, at which a limited integrator is driven back once it passes its limit: the conductance of its clamp."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Integrator(Block):
    r"""τ ẏ = g x − l y − k (y − clip(y, −L, L)), y(0) = initial.

    Parameters
    ----------
    initial : array, shape (size,)
    label : str
        Name of the state.
    hidden : bool
        Whether the state is a part of a cell rather than of the equations, so that users do not see it.
    gain : array, shape () or (..., size)
        g, 1 for an ideal integrator.
    leak : array, shape () or (..., size)
        l: the reciprocal of the gain at zero frequency, 0 for an ideal integrator. With g = l = τ/T it is a single pole of
        time constant T.
    limit : float
        L, where a clamp of conductance `CLAMP` sets in.
    """

    ports: ClassVar = ("x",)
    symbol: ClassVar = "∫"
    initial: Array
    label: str
    gain: Array = dataclasses.field(default_factory=lambda: frozen(1.0))
    leak: Array = dataclasses.field(default_factory=lambda: frozen(0.0))
    limit: float = np.inf
    hidden: bool = False

    def rate(self, x: Array, y: Array) -> Array:
        """ẏ per τ, shape (..., size)."""
        rate = x if self.gain.ndim == 0 and self.gain == 1 else self.gain * x
        if self.leak.ndim or self.leak:
            rate = rate - self.leak * y
        if self.limit < np.inf:
            rate = rate - CLAMP * (y - np.clip(y, -self.limit, self.limit))
        return rate

    def damping(self, y: Array) -> Array:
        """−∂ẏ/∂y at fixed x, shape (..., size)."""
        return np.where(abs(y) > self.limit, CLAMP, 0.0) + self.leak

    def relation(self, *inputs: Array) -> Array:
        """Not defined: the state comes from the engine."""
        raise NotImplementedError(f"the state {self.label!r} comes from the engine, not from its rate")

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """Not defined: the state does not follow its rate algebraically."""
        raise NotImplementedError(f"the state {self.label!r} does not follow its rate algebraically")

    def parameters(self) -> str:
        """Name of the state."""
        return self.label
