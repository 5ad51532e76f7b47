"""Noise of the sources of a field as a march plays it: Gaussian knots joined by straight lines."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine.vector_field import VectorField
from analogflow.noise import Noise

__all__ = ["Drive"]

Array = NDArray[np.float64]

_OF_SAMPLE = 39
"""Bits of the number of a sample."""


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
    chains : sequence of int, optional
        Which noise each sample plays; that of `noise` if not given.
    played : mapping of int to array, shape (samples, knots), optional
        Values at the knots, flow units per τ, of sources that draw nothing, by their place among the field's own.

    Attributes
    ----------
    step : float
        Distance of the knots in τ.
    numbers : array of int, shape (samples,)
        Each sample's number, and from bit 39 on that of its chain.
    streams : tuple of int
        Number of the stream that each source plays in chain 0.
    scale : array, shape (sources,)
        What a standard normal number is multiplied by.
    last_segment : int
        Number of the last pair of knots.
    """

    def __init__(
        self,
        field: VectorField,
        noise: Noise,
        samples: Sequence[int],
        time_constants: float,
        chains: Sequence[int] | None = None,
        *,
        played: Mapping[int, Array] = MappingProxyType({}),
    ) -> None:
        self.step, self.seed = noise.step, noise.seed
        numbered = [noise.chain] * len(samples) if chains is None else chains
        self.numbers = np.asarray(samples, dtype=np.int64) + (np.asarray(numbered, dtype=np.int64) << _OF_SAMPLE)
        self.streams = dataclasses.replace(noise, chain=0).streams(field.streams.tolist())
        self.scale = noise.amplitude(field.density)
        self.played = played
        self.last_segment = len(noise.knot_times(time_constants)) - 2
        self._draw = functools.partial(_knots, noise, samples, field.streams.tolist(), time_constants, chains)
        self._sources, self._rows = np.arange(len(self.streams))[:, None], np.arange(len(samples))

    @functools.cached_property
    def _by_time(self) -> Array:
        """Knots, drawn when they are first asked for: the compiled march draws its own."""
        # Samples march nearly side by side: what they play at one time lies together in memory, source by source.
        found = np.ascontiguousarray(self._draw().transpose(1, 2, 0)) * self.scale[:, None]
        for place, values in self.played.items():
            found[:, place] = values.T
        return found

    @property
    def knots(self) -> Array:
        """Values at the knots, flow units per τ."""
        return self._by_time.transpose(2, 0, 1)

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


def _knots(
    noise: Noise, samples: Sequence[int], sources: Sequence[int], time_constants: float, chains: Sequence[int] | None
) -> Array:
    """Knots of samples, each of which plays a chain of its own where `chains` are given."""
    if chains is None:
        return noise.knots(samples, sources, time_constants)
    each = zip(samples, chains, strict=True)
    drawn = [dataclasses.replace(noise, chain=chain).knots([k], sources, time_constants) for k, chain in each]
    return np.concatenate(drawn)
