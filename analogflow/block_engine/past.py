"""The past of signals that are delayed: polynomials through what each was in every step, and when its jumps come back."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks import Delay

__all__ = ["Past"]

Array = NDArray[np.float64]

_DEGREE = 10
"""Of the polynomial through a step, more than that of the method's own."""

_NODES = -np.cos(np.pi * np.arange(_DEGREE + 1) / _DEGREE)
"""Chebyshev's points, of which the first and the last are the step's ends."""

_WEIGHTS = (-1.0) ** np.arange(_DEGREE + 1) * np.where(np.arange(_DEGREE + 1) % _DEGREE == 0, 0.5, 1.0)
"""Barycentric weights of these (Berrut and Trefethen 2004, equation 5.4)."""

_COMES_BACK, _MOST = 10, 400
"""Delays, one after another, after which a jump is in a derivative that no method sees; and returns that are waited for."""

_BESIDE = 1e-13
"""Share of a run by which a delay is looked up inside of a piece: jumps come back to its ends but for rounding."""


class Past:
    """What is delayed in a run, as far as it has come.

    Parameters
    ----------
    delays : sequence of (slice, str, Delay)
        Place of each in the packed states, the node whose signal it delays, and the block.
    breaks : sequence of float
        Times at which anything may jump, beside 0.
    end : float
        Of the run, in τ.

    Attributes
    ----------
    shortest : float
        Delay, and so the longest step after which all that is looked up is known.
    """

    def __init__(self, delays: Sequence[tuple[slice, str, Delay]], breaks: Sequence[float], end: float) -> None:
        self._delays, self._end = delays, end
        self.shortest = min((block.delay for _, _, block in delays), default=np.inf)
        self._ends = [0.0]
        self._pieces: list[tuple[Array, ...]] = []
        self._waited = [(time, 0) for time in [*([0.0] if delays else []), *breaks]]
        self.span = (0.0, np.inf)
        heapq.heapify(self._waited)

    def jumped(self, time: float) -> None:
        """Wait for what jumped at a time."""
        if self._delays:
            heapq.heappush(self._waited, (time, 0))

    def next_break(self, time: float) -> float:
        """First time after `time` at which something may jump, in itself or in a derivative; the end if none is."""
        while self._waited and self._waited[0][0] <= time + _BESIDE * self._end:
            at, times = heapq.heappop(self._waited)
            if times < _COMES_BACK and len(self._waited) < _MOST:
                for delay in {block.delay for _, _, block in self._delays}:
                    heapq.heappush(self._waited, (at + delay, times + 1))
        return min(self._waited[0][0], self._end) if self._waited else self._end

    def filled(self, time: float, y: Array) -> Array:
        """States at a time within `span`, with what is delayed."""
        if not self._delays:
            return y
        y, (begin, until) = y.copy(), self.span
        beside = min(_BESIDE * self._end, 0.25 * (until - begin))
        inside = min(max(time, begin + beside), until - beside)
        for k, (part, _, block) in enumerate(self._delays):
            ago = inside - block.delay
            y[part] = block.initial if ago <= 0 else self._at(k, ago)
        return y

    def _at(self, k: int, time: float) -> Array:
        piece = min(bisect.bisect_left(self._ends, time, lo=1), len(self._ends) - 1)
        begin, until = self._ends[piece - 1 : piece + 1]
        apart = (2 * time - begin - until) / (until - begin) - _NODES
        values = self._pieces[piece - 1][k]
        if not apart.all():
            return values[int(np.argmin(abs(apart)))]
        weights = _WEIGHTS / apart
        return weights @ values / weights.sum()

    def learn(self, until: float, path: Callable[[Array], Array], signals: Callable[[Array], dict[str, Array]]) -> None:
        """Go on until a time by a step whose states are ``path(times)``, shape (size, times)."""
        begin = self._ends[-1]
        if not self._delays or until <= begin:
            return
        times = 0.5 * (begin + until) + 0.5 * (until - begin) * _NODES
        states = np.array([self.filled(time, y) for time, y in zip(times.tolist(), path(times).T, strict=True)])
        values = signals(states)
        self._pieces.append(tuple(
            np.broadcast_to(values[origin], (len(times), block.size)) for _, origin, block in self._delays
        ))  # fmt: skip
        self._ends.append(until)
