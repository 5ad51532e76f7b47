"""How a signal in flow units is read off a circuit: which voltages and currents, and the numbers they are multiplied by."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks.block import frozen

__all__ = ["Reading", "direct"]


@dataclasses.dataclass(frozen=True, eq=False)
class Reading:
    """y = G x + c from the raw vectors x; with `shares`, x is divided by its sum first.

    Parameters
    ----------
    vectors : tuple of str, length k
        Node names, or ``i(name)`` for the current through a voltage source, in volts and amperes.
    gain : array, shape (k,) or (size, k)
        Flow units per volt or ampere; one-dimensional where each element is read from a vector of its own.
    offset : array, shape (size,) or ()
        Flow units.
    shares : float
        If positive, the values are shares of their sum, which is about this many amperes (or volts).
    """

    vectors: tuple[str, ...]
    gain: NDArray[np.float64]
    offset: NDArray[np.float64] = dataclasses.field(default_factory=lambda: frozen(0.0))
    shares: float = 0.0

    def apply(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signal in flow units, shape (..., size), from raw values, shape (..., k)."""
        if self.shares:
            raw = raw / raw.sum(axis=-1, keepdims=True)
        scaled = raw * self.gain if self.gain.ndim == 1 else raw @ self.gain.T
        return scaled + self.offset

    @property
    def resolution(self) -> float:
        """Volts or amperes that one flow unit is worth at least."""
        return (self.shares or 1.0) / float(abs(self.gain).max())

    @property
    def size(self) -> int:
        """Number of scalar signals."""
        return self.gain.shape[0]


def direct(nodes: tuple[str, ...], volts_per_unit: float | NDArray[np.float64] = 1.0) -> Reading:
    """Reading of one node voltage for each element."""
    return Reading(nodes, frozen(np.broadcast_to(1 / np.asarray(volts_per_unit, dtype=float), (len(nodes),))))
