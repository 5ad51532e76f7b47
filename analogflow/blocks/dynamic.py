"""Blocks of time: the integrator, the one block with memory, the clock and what it plays, and the noise source.

The waveform of noise comes from the engine, which plays the same knots whichever engine it is.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks.block import Array, Block, Derivative, Diagonal, frozen, shown

__all__ = ["CLAMP", "NEAR_KNOT", "Clock", "Integrator", "NoiseSource", "Waveform"]

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
class Clock(Integrator):
    """y = t: time in τ, as an integrator of the constant 1 has it, whose start is 0.

    Engines that integrate graphs need to know no more. In a circuit it is no integrator: what depends on it alone is the
    waveform of a generator.
    """

    symbol: ClassVar = "t"


NEAR_KNOT = 1e-10
"""Part of a waveform's length before a knot at which its next line begins: the clock comes to knots but for rounding."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Waveform(Block):
    """y = the straight lines between points (``times``, ``values``) at x, and the first or last value outside of them.

    Parameters
    ----------
    times : array, shape (k,)
        Ascending, in the unit of x; two at least.
    values : array, shape (k,)
    label : str
        What it is called.
    """

    ports: ClassVar = ("x",)
    symbol: ClassVar = "u(t)"
    times: Array
    values: Array
    label: str = ""

    @functools.cached_property
    def slopes(self) -> Array:
        """Slope of each line, shape (k − 1,)."""
        return frozen(np.diff(self.values) / np.diff(self.times))

    def _held(self, x: Array) -> tuple[Array, NDArray[np.intp]]:
        """Arguments within the times, and the line that each is on."""
        near = NEAR_KNOT * (self.times[-1] - self.times[0])
        held = np.clip(x, self.times[0], self.times[-1])
        return held, np.clip(np.searchsorted(self.times, held + near, side="right") - 1, 0, len(self.times) - 2)

    def relation(self, *inputs: Array) -> Array:
        """Value between two points."""
        held, line = self._held(inputs[0])
        return self.values[line] + (held - self.times[line]) * self.slopes[line]

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """Slope of the line that begins, 0 outside of all."""
        held, line = self._held(inputs[0])
        return (Diagonal(np.where(held == inputs[0], self.slopes[line], 0.0)),)

    def parameters(self) -> str:
        """Name and number of points."""
        return f"{self.label} {len(self.times)} points".strip()


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
