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
        # Samples march nearly side by side: what they play at one time lies together in memory, source by source.
        self._by_time = np.ascontiguousarray(drawn.transpose(1, 2, 0)) * (field.density / np.sqrt(noise.step))[:, None]
        self.knots = self._by_time.transpose(2, 0, 1)
        self.last_segment = self.knots.shape[1] - 2
        self._sources, self._rows = np.arange(self.knots.shape[2])[:, None], np.arange(len(samples))

    def segment(self, number: NDArray[np.intp]) -> tuple[Array, Array]:
        """Value at the beginning of each sample's segment and change over it, each of shape (samples, sources)."""
        first = number[0]
        if (number == first).all():
            start, end = self._by_time[first], self._by_time[first + 1]
        else:
            start, end = (self._by_time[which, self._sources, self._rows] for which in (number, number + 1))
        return start.T, (end - start).T

    def at(self, time: float) -> Array:
        """Noise of every sample at one time, in τ; shape (samples, sources)."""
        number = min(int(time / self.step), self.last_segment)
        start = self.knots[:, number]
        return start + (time / self.step - number) * (self.knots[:, number + 1] - start)
