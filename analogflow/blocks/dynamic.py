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

__all__ = ["CLAMP", "NEAR_KNOT", "PADE", "Clock", "Delay", "Integrator", "Latch", "NoiseSource", "Waveform"]

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

    def slopes(self, x: Array, y: Array) -> tuple[Array, Array]:
        """∂ẏ/∂x and −∂ẏ/∂y, shape () or (..., size)."""
        return self.gain, np.where(abs(y) > self.limit, CLAMP, 0.0) + self.leak

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


_LATCHING, _EDGE = 1e5, 1e-5
"""Rate, per τ, at which a latch goes to its other value where it is followed as a state that moves, and the width of what it
compares by, over the distance of its thresholds."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Latch(Integrator):
    r"""y = 1 from when x rises above ``high`` until it falls below ``low``, and 0 from then on (Schmitt trigger).

    Where nobody can switch it at once it is the state ẏ = k (½ (1 + tanh((x + D y − H)/w)) − y) with k = 10⁵ per τ,
    w = 10⁻⁵ (high − low) and D, H such that the folds of its rests lie at the thresholds. It then comes late, by about
    2.34 (w/(k² |ẋ|))^⅓, the time in which a fold that is passed at the speed ẋ is left (2 · 10⁻⁵ τ at high − low per τ).
    """

    symbol: ClassVar = "hyst"
    low: float
    high: float

    def beyond(self, x: Array, y: Array) -> Array:
        """How far x is beyond the threshold at which y switches; negative before it."""
        return np.where(y < 0.5, x - self.high, self.low - x)

    def switched(self, x: Array, y: Array) -> Array:
        """Output, 0 or 1, as x has it."""
        return np.where(x > self.high, 1.0, np.where(x < self.low, 0.0, np.where(y < 0.5, 0.0, 1.0)))

    def rate(self, x: Array, y: Array) -> Array:
        """ẏ per τ, shape (..., size), of the state that stands for it."""
        distance, over, width = self._folds
        return _LATCHING * (0.5 * (1 + np.tanh((x + distance * y - self.high - over) / width)) - y)

    def slopes(self, x: Array, y: Array) -> tuple[Array, Array]:
        """∂ẏ/∂x and −∂ẏ/∂y of that state, shape (..., size)."""
        distance, over, width = self._folds
        compared = np.tanh((x + distance * y - self.high - over) / width)
        steep = 0.5 * _LATCHING * (1 - compared**2) / width
        return steep, _LATCHING - distance * steep

    @functools.cached_property
    def _folds(self) -> tuple[float, float, float]:
        """D, H − high and w: a fold is where the slope in y is 1, at e^{2u/w} = w/2D."""
        distance = self.high - self.low
        width, over = _EDGE * distance, 0.0
        for _ in range(8):
            over = 0.5 * width * (np.log(2 * (distance + 2 * over) / width) + 1)
        return distance + 2 * over, over, width


PADE = "a state z'' = 12 / T**2 * (u - z) - 6 / T * z' and u - T * z' in place of delay(u, T) (Padé)"
"""What delays signals that are slower than T, where there is no memory of them."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Delay(Integrator):
    r"""y(t) = x(t − T), and ``initial`` until T has passed.

    Engines know the past of x or refuse it. Where graphs are compared, or an orbit near their own is enough, it is the lag
    ẏ = (x − y)/T.

    Parameters
    ----------
    delay : float
        T, in τ.
    """

    symbol: ClassVar = "e^−sT"
    delay: float

    def rate(self, x: Array, y: Array) -> Array:
        """ẏ per τ, shape (..., size), of the lag."""
        return (x - y) / self.delay

    def slopes(self, x: Array, y: Array) -> tuple[Array, Array]:
        """∂ẏ/∂x and −∂ẏ/∂y of the lag, shape ()."""
        return frozen(1 / self.delay), frozen(1 / self.delay)

    def parameters(self) -> str:
        """Name and delay."""
        return f"{self.label} {self.delay:g} τ"


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
