"""Blocks that are no function of their inputs: the integrator, the one block with memory, and the noise source.

The waveform of noise comes from the engine, which plays the same knots whichever engine it is.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from analogflow.blocks.block import Array, Block, Derivative, frozen, shown

__all__ = ["CLAMP", "Integrator", "NoiseSource"]

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


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class NoiseSource(Block):
    """y_i = d_i ξ_i(t) with independent white noises ξ_i of unit intensity per √τ.

    ``density`` d has shape (size,), flow units per √τ. Element i plays the stream numbered ``first`` + i of its sample.
    """

    ports: ClassVar = ()
    symbol: ClassVar = "noise"
    density: Array
    first: int

    def relation(self, *inputs: Array) -> Array:
        """Not defined: an engine supplies the waveform."""
        raise NotImplementedError("the waveform of a noise source comes from the engine, not from the block")

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """Nothing: a noise source has no ports."""
        return ()

    def parameters(self) -> str:
        """First densities."""
        return shown(self.density)
