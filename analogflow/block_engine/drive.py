"""The waveform of every noise source of every sample: Gaussian knots joined by straight lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine.vector_field import VectorField
from analogflow.noise import Noise

__all__ = ["Drive"]

Array = NDArray[np.float64]


class Drive:
    """Noise of the sources of a field for some samples, flow units per τ.

    Parameters
    ----------
    field : VectorField
    noise : Noise
        Seed and distance of the knots; intensities are those of the field's own sources.
    samples : sequence of int
        Numbers of the samples.
    time_constants : float
        Length in τ.

    Attributes
    ----------
    knots : array, shape (samples, knots, sources)
    step : float
        Distance of the knots in τ.
    last_segment : int
        Number of the last pair of knots.
    """

    def __init__(self, field: VectorField, noise: Noise, samples: Sequence[int], time_constants: float) -> None:
        self.step = noise.step
        drawn = noise.knots(samples, field.streams.tolist(), time_constants)
        self.knots = drawn * (field.density / np.sqrt(noise.step))
        self.last_segment = self.knots.shape[1] - 2
        self._rows = np.arange(len(samples))

    def segment(self, number: NDArray[np.intp]) -> tuple[Array, Array]:
        """Value at the beginning of each sample's segment and change over it, each of shape (samples, sources)."""
        start = self.knots[self._rows, number]
        return start, self.knots[self._rows, number + 1] - start

    def at(self, time: float) -> Array:
        """Noise of every sample at one time, in τ; shape (samples, sources)."""
        number = min(int(time / self.step), self.last_segment)
        start = self.knots[:, number]
        return start + (time / self.step - number) * (self.knots[:, number + 1] - start)
