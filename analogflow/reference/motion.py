"""A path of equations as a motion: where it is at any time, how paths beside it part, and short stretches from elsewhere."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

__all__ = ["Parting", "Path", "growth_along"]

Array = NDArray[np.float64]

_STEP = 1e-6
"""Relative size of the difference that a derivative along a direction is taken with."""

_TURNED = 0.1
"""Share of a path after which growth is measured: until then a perturbation turns to the leading direction."""

_CHAOTIC = 5.0
"""Exponent times length from which a path is called chaotic: in proportion to it, perturbations grow 150-fold."""

_POINTS = 1025
"""Evenly spaced times that the slope of the growth is fitted to."""

_TOLERANCE, _STRETCH_TOLERANCE = 1e-9, 1e-11
"""Relative tolerances of DOP853 for a tangent, whose logarithm is wanted to a percent, and for a stretch of a path."""


@dataclasses.dataclass(frozen=True, eq=False)
class Path:
    """States from 0 to a time, and how far they are known.

    Parameters
    ----------
    end : mapping of name to array
        States at the end, by DOP853.
    gap : float
        Largest disagreement of two methods there.
    known : float
        Time, in τ, until which they agree to what counts as certain; the end unless the path is chaotic.
    pieces : tuple
        Results of `scipy.integrate.solve_ivp` with dense output, one after another.
    field : callable
        ``field(t, y)``: rates of all states, flat.
    places : sequence of (str, slice, tuple of int)
        Name, place and shape of each state.
    corners : tuple of float
        Times over which no step may go.
    read : callable, optional
        ``read(states, t)``: what else is read, by name.
    measured : Parting, optional
        Of paths beside it, where that is known already.
    """

    end: Mapping[str, Array]
    gap: float
    known: float
    pieces: tuple[Any, ...]
    field: Callable[[float, Array], Array]
    places: Sequence[tuple[str, slice, tuple[int, ...]]]
    corners: tuple[float, ...] = ()
    read: Callable[[Mapping[str, Array], float], Mapping[str, Array]] | None = None
    measured: Parting | None = None

    @property
    def time(self) -> float:
        """Its length in τ."""
        return float(self.pieces[-1].t[-1])

    @functools.cached_property
    def growth(self) -> Parting:
        """How paths beside this one part from it."""
        return self.measured or growth_along(self)

    @functools.cached_property
    def peaks(self) -> Array:
        """Largest magnitude of each state on the way, 1 where it is always 0."""
        peaks = np.max([abs(piece.y).max(axis=1) for piece in self.pieces], axis=0)
        return np.where(peaks > 0, peaks, 1.0)

    def states_at(self, times: Array) -> Array:
        """States, flat, at ascending `times` in τ, shape (k, size)."""
        edges = [piece.t[-1] for piece in self.pieces[:-1]]
        which = np.searchsorted(edges, times)
        return np.concatenate([
            piece.sol(times[which == k]).T for k, piece in enumerate(self.pieces) if (which == k).any()
        ])  # fmt: skip

    def signals(self, states: Array, times: Array) -> dict[str, Array]:
        """States, shape (k, size), and what is read of them at `times` in τ, by name, shape (k, its size)."""
        found = {name: states[:, place] for name, place, _ in self.places}
        if self.read is not None:
            read = [self.read(self._named(y), t) for y, t in zip(states, times.tolist(), strict=True)]
            found |= {name: np.array([np.ravel(each[name]) for each in read]) for name in read[0]}
        return found

    def packed(self, values: Mapping[str, Array]) -> Array:
        """States by name, shape (k, its size), as one array of shape (k, size)."""
        return np.concatenate([values[name] for name, _, _ in self.places], axis=1)

    def stretch(self, start: Array, begin: float, end: float) -> Array:
        """Where the equations lead from `start` at `begin` until `end`, in τ; NaN where they run away."""
        y = start
        stops = [corner for corner in self.corners if begin < corner < end]
        with np.errstate(all="ignore"):
            for t, until in itertools.pairwise([begin, *stops, end]):
                run = scipy.integrate.solve_ivp(
                    self.field, (t, until), y, method="DOP853", rtol=_STRETCH_TOLERANCE,
                    atol=_STRETCH_TOLERANCE * float(self.peaks.max()),
                )  # fmt: skip
                if not run.success:
                    return np.full(len(start), np.nan)
                y = run.y[:, -1]
        return y

    def agrees_until(self, others: Sequence[Any], share: float) -> float:
        """Last time, in τ, until which integrations of the same pieces stay within a share of the largest peak."""
        within = 0.0
        for piece, other in zip(self.pieces, others, strict=True):
            apart = abs(piece.sol(other.t) - other.y).max(axis=0) > share * self.peaks.max()
            if apart.any():
                return float(other.t[max(int(np.argmax(apart)) - 1, 0)])
            within = float(other.t[-1])
        return within

    def _named(self, y: Array) -> dict[str, Array]:
        return {name: y[place] if len(shape) == 1 else y[place].reshape(shape) for name, place, shape in self.places}


@dataclasses.dataclass(frozen=True)
class Parting:
    """How a small perturbation of a path grows.

    Parameters
    ----------
    exponent : float
        Mean slope of the logarithm of its size, relative to how large the states have been so far: an estimate of the
        largest Lyapunov exponent, per τ.
    time : float
        Length of the path in τ.
    """

    exponent: float
    time: float

    @property
    def chaotic(self) -> bool:
        """Whether paths that start next to each other have parted by the end, at an exponential rate."""
        return self.exponent * self.time > _CHAOTIC


def growth_along(path: Path) -> Parting:
    """Parting of a perturbation along `path`, whose direction is kept at length 1 (Benettin and others 1980).

    The tangent is that of the equations, by central differences of the rates, in units of each state's peak.
    """
    peaks, size = path.peaks, len(path.peaks)
    direction = np.random.default_rng(1).normal(size=size)

    def rates(t: float, packed: Array) -> Array:
        y, u = packed[:size], packed[size : 2 * size]
        u = u / np.linalg.norm(u)
        ahead, behind = (path.field(t, y + h * _STEP * peaks * u) for h in (1, -1))
        stretched = (ahead - behind) / (2 * _STEP * peaks)
        along = float(u @ stretched)
        return np.concatenate([path.field(t, y), stretched - along * u, [along]])

    packed = np.concatenate([path.pieces[0].y[:, 0], direction / np.linalg.norm(direction), [0.0]])
    times, logs, sizes = [], [], []
    scale = np.concatenate([peaks, np.ones(size + 1)])
    with np.errstate(all="ignore"):
        for begin, until in itertools.pairwise([0.0, *path.corners, path.time]):
            run = scipy.integrate.solve_ivp(
                rates, (begin, until), packed, method="DOP853", rtol=_TOLERANCE, atol=_TOLERANCE * scale
            )
            if not run.success:
                return Parting(0.0, path.time)
            packed = run.y[:, -1]
            times.append(run.t)
            logs.append(run.y[-1])
            sizes.append((abs(run.y[:size]) / peaks[:, None]).max(axis=0))
    time, log = np.concatenate(times), np.concatenate(logs)
    log = log - np.log(np.maximum(np.maximum.accumulate(np.concatenate(sizes)), 1e-300))
    even = np.linspace(_TURNED * path.time, path.time, _POINTS)
    log = np.interp(even, time, log)
    return Parting(float(np.polyfit(even, log, 1)[0]) if np.isfinite(log).all() else 0.0, path.time)
