"""How closely a machine follows a flow, until when that can be told, and whether its signals stay within the machine.

Paths of a chaotic flow that start next to each other separate, whatever computes them: e-fold every 1/λ, where λ is the
leading Lyapunov exponent. What two paths have in common then ends where a perturbation has grown to the limit, and they are
compared until there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.hardware.fitting.machine import path

__all__ = ["Followed", "Growth", "compare", "growth_of", "horizon", "overload"]

Array = NDArray[np.float64]
Field = Callable[[Array], Array]

_STEP = 1e-6
"""Relative size of the difference that a derivative along a direction is taken with."""

_SETTLING = 0.1
"""Share of the run after which growth is measured: until then a perturbation turns to the leading direction."""

_CHAOTIC = 5.0
"""λ times the length of the run from which a flow is called chaotic: in proportion to it, perturbations grow 150-fold."""


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
    """

    times: Array
    log: Array
    exponent: float

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
) -> Followed:
    """Hold quantities `found` against those `expected`, each of shape (points, size), at the `times` within `span`.

    A peak is the largest value of a quantity along the whole expected run.
    """
    since, until = span
    seen = (times >= since) & (times <= until * (1 + 1e-12))
    worst: tuple[float, str, float, float] = (-1.0, "", 0.0, 0.0)
    outside = np.zeros(times.shape, dtype=bool)
    for name, values in expected.items():
        peak = float(abs(values).max()) or 1.0
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
        τ.
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
    run = path(rates, packed, times, accuracy=1e-7, far=np.inf)
    so_far = np.maximum.accumulate(abs(run[:, :size]).max(axis=1))
    log = run[:, -1] - np.log(np.maximum(so_far, 1e-300))
    log = np.where(np.isfinite(log), log, np.inf)
    later = (times >= _SETTLING * times[-1]) & np.isfinite(log)
    exponent = float(np.polyfit(times[later], log[later], 1)[0]) if later.sum() > 2 else 0.0
    return Growth(times, log, exponent)


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
