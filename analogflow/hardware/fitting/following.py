"""How closely a machine follows a flow, until when that can be told, and whether its signals stay within the machine.

Paths of a chaotic flow that start next to each other separate, whatever computes them: e-fold every 1/λ, where λ is the
leading Lyapunov exponent. What two paths have in common then ends where a perturbation has grown to the limit, and they are
compared until there. Whether a flow is chaotic, and how far it goes, is read off a motion of a length that is its own: of so
many turns, whatever its end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.hardware.fitting.machine import in_legs

__all__ = ["Followed", "Growth", "compare", "growth_of", "horizon", "overload", "turns", "usual_motion"]

Array = NDArray[np.float64]
Field = Callable[[Array], Array]

_STEP = 1e-6
"""Relative size of the difference that a derivative along a direction is taken with."""

_SETTLING = 0.1
"""Share of the run after which growth is measured: until then a perturbation turns to the leading direction."""

_CHAOTIC = 5.0
"""λ times the length of the run from which a flow is called chaotic: in proportion to it, perturbations grow 150-fold."""

_TURNS = 64
"""How often a usual motion turns: the state that does most often."""

_MOTION_POINTS = 2049

_LONGEST = 8
"""How many times as long as a path that is to be compared a usual motion may be: longer ones would take too long."""

_STEADY = 1.25
"""By how much a state may go farther in the second half of a usual motion than in the first."""


@dataclasses.dataclass(frozen=True)
class Followed:
    """Distance of what a machine computes from the flow.

    Parameters
    ----------
    error : float
        Largest distance of the answer, flow units; NaN where the machine was left.
    relative : float
        Largest distance of any compared quantity, relative to its peak.
    where : str
        That quantity.
    peak : float
        Its peak.
    at : float
        τ at which it is so far.
    within : float
        τ until which every quantity stays within the limit.
    until : float
        τ until which was compared.
    """

    error: float
    relative: float
    where: str
    peak: float
    at: float
    within: float
    until: float


@dataclasses.dataclass(frozen=True, eq=False)
class Growth:
    """How a small perturbation of a flow grows.

    Parameters
    ----------
    times : array, shape (points,)
        τ.
    log : array, shape (points,)
        Logarithm of its size, relative to how large the state has been so far.
    exponent : float
        Its mean slope: an estimate of the leading Lyapunov exponent, per τ; of a flow that itself grows, by how much faster.
    states : array, shape (points, size)
        The motion along which it grows, flow units.
    """

    times: Array
    log: Array
    exponent: float
    states: Array

    @property
    def chaotic(self) -> bool:
        """Whether paths that start next to each other have parted by the end."""
        return self.exponent * float(self.times[-1]) > _CHAOTIC


def compare(
    expected: Mapping[str, Array],
    found: Mapping[str, Array],
    times: Array,
    answer: str,
    limit: float,
    span: tuple[float, float],
    peaks: Mapping[str, float],
) -> Followed:
    """Hold quantities `found` against those `expected`, each of shape (points, size), at the `times` within `span`."""
    since, until = span
    seen = (times >= since) & (times <= until * (1 + 1e-12))
    worst: tuple[float, str, float, float] = (-1.0, "", 0.0, 0.0)
    outside = np.zeros(times.shape, dtype=bool)
    for name, values in expected.items():
        peak = peaks[name] or 1.0
        distance = abs(found[name] - values).max(axis=-1) / peak
        distance = np.where(np.isfinite(distance), distance, np.inf)
        outside |= (distance > limit) & (times >= since)
        k = int(np.argmax(np.where(seen, distance, -1.0)))
        worst = max(worst, (float(distance[k]), name, peak, float(times[k])))
    relative, where, peak, at = worst
    first = int(np.argmax(outside)) if outside.any() else len(times)
    within = float(times[min(max(first - 1, 0), len(times) - 1)])
    error = float(abs(found[answer] - expected[answer])[seen].max())
    return Followed(error, relative, where, peak, at, within, until)


def growth_of(field: Field, initial: Array, peaks: Array, times: Array) -> Growth:
    """Growth of a perturbation along the path of `field`, by the variational equation, in units of each state's peak.

    Parameters
    ----------
    field : callable
        Rates at states of shape (..., size), per τ.
    initial, peaks : array, shape (size,)
    times : array
        τ, evenly spaced.
    """
    size = len(initial)
    start = np.random.default_rng(1).normal(size=size)

    def rates(packed: Array) -> Array:
        y, u = packed[:size], packed[size : 2 * size]
        u = u / np.linalg.norm(u)
        here, ahead, behind = field(peaks * np.stack([y, y + _STEP * u, y - _STEP * u])) / peaks
        stretched = (ahead - behind) / (2 * _STEP)
        along = float(u @ stretched)
        return np.concatenate([here, stretched - along * u, [along]])

    packed = np.concatenate([initial / peaks, start / np.linalg.norm(start), [0.0]])
    run = in_legs(rates, packed, times, far=np.inf)
    so_far = np.maximum.accumulate(abs(run[:, :size]).max(axis=1))
    log = run[:, -1] - np.log(np.maximum(so_far, 1e-300))
    log = np.where(np.isfinite(log), log, np.inf)
    later = (times >= _SETTLING * times[-1]) & np.isfinite(log)
    exponent = float(np.polyfit(times[later], log[later], 1)[0]) if later.sum() > 2 else 0.0
    return Growth(times, log, exponent, peaks * run[:, :size])


def usual_motion(field: Field, initial: Array, peaks: Array, end: float, turned: int) -> Growth | None:
    """Growth along the motion until a power of two, in τ, by when it has turned 64 times; None where it has no such motion.

    Parameters
    ----------
    field, initial
        As `growth_of` takes them.
    peaks : array, shape (size,)
        What the states reach until `end`.
    end : float
        τ; which one of the same motion does not matter.
    turned : int
        How often the motion turns until then.

    Notes
    -----
    A flow has none that comes to rest, runs away, goes farther and farther, or turns less than 8 times until `end`.
    """
    if _LONGEST * turned < _TURNS:
        return None

    def tried(length: float, units: Array) -> Array:
        times = np.linspace(0.0, length, _MOTION_POINTS)
        return units * in_legs(lambda y: field(units * y) / units, initial / units, times, accuracy=1e-6, far=1e6)

    units = 2.0 ** np.ceil(np.log2(peaks))
    length = 2.0 ** np.ceil(np.log2(end * _TURNS / turned))
    states = tried(length, units)
    while np.isfinite(states).all() and turns(shorter := tried(length / 2, units)) >= _TURNS:
        length, states = length / 2, shorter
    while np.isfinite(states).all() and turns(states) < _TURNS and length <= _LONGEST * end:
        length = 2 * length
        states = tried(length, units)
    if not np.isfinite(states).all() or turns(states) < _TURNS:
        return None
    reached = abs(states).max(axis=0)
    units = 2.0 ** np.ceil(np.log2(np.where(reached > 0, reached, units)))
    found = growth_of(field, initial, units, np.linspace(0.0, length, _MOTION_POINTS))
    early, late = (abs(half).max(axis=0) / units for half in np.array_split(found.states, 2))
    return found if (late <= _STEADY * early + 1e-3).all() else None


def turns(states: Array) -> int:
    """How often that of `states`, shape (points, size), turns which does most often.

    Ripples of a thousandth of its peak do not count.
    """
    coarse = np.round(states / np.maximum(abs(states).max(axis=0), 1e-300), 3)
    counts = [0]
    for column in np.diff(coarse, axis=0).T:
        going = np.sign(column[column != 0])
        counts.append(int((going[1:] != going[:-1]).sum()))
    return max(counts)


def horizon(growth: Growth, start: float, drive: Array, limit: float) -> float:
    """τ at which a perturbation of relative size `start`, driven by `drive` per τ at each time, has grown to `limit`."""
    size = start
    for k, step in enumerate(np.diff(growth.times)):
        size = (size + drive[k] * step) * np.exp(min(growth.log[k + 1] - growth.log[k], 700.0))
        if not size <= limit:
            return float(growth.times[k])
    return float(growth.times[-1])


def overload(signals: Callable[[Array], Mapping[str, float]], outputs: Array, times: Array) -> str:
    """First signal beyond a machine unit along `outputs`, shape (points, integrators), and when; empty if there is none."""
    for time, row in zip(times.tolist(), outputs, strict=True):
        if not np.isfinite(row).all():
            return f"a signal runs away at {time:.3g} τ"
        beyond = {name: value for name, value in signals(row).items() if not abs(value) <= 1 + 1e-9}
        if beyond:
            name = max(beyond, key=lambda name: abs(beyond[name]))
            return f"{name} passes a machine unit at {time:.3g} τ"
    return ""
