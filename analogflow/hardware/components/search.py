"""Search for the combination of realisable weights that leaves a row of a crossbar without bias.

It knows neither resistors nor converters: each leg comes with two realisable weights at each scale of the row.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["combine", "scale_grid"]

Array = NDArray[np.float64]

_FREE_LEGS = 16
"""Legs that are decided by search; 2^16 combinations of E24 reach 1e-6 nat, and two sorted halves of 2^8 cover them all."""
_SCALES = 301

_QUANTUM = 1e-3
"""Part of the tolerance in whole numbers of which biases are counted, so that sums of them are exact and ties are ties."""

_DECIMALS = 9
"""Of a distance, below which two are the same."""


def scale_grid(smallest: float, largest: float) -> Array:
    """Scales of a row to try, dimensionless, shape (s,): evenly spaced in ratio, the nearest to 1 first."""
    grid = np.append(np.geomspace(smallest, largest, _SCALES), np.clip(1.0, smallest, largest))
    return grid[np.argsort(abs(np.log(grid)), kind="stable")]


def combine(
    exact: Array, lever: Array, scales: Array, low: Array, high: Array, tolerance: float
) -> tuple[int, NDArray[np.bool_]]:
    """Choice of one scale and of `low` or `high` for each leg with the smallest |weights @ lever| / scale.

    Parameters
    ----------
    exact : array, shape (k,)
        Exact weights of a row at scale 1.
    lever : array, shape (k,)
        What a unit of weight adds to the row's net current, nats; ``exact @ lever`` is 0.
    scales : array, shape (s,)
        Scales of the row, those to prefer first.
    low, high : arrays, shape (s, k)
        The two realisable weights beside ``scale * exact``, for each scale.
    tolerance : float
        Nats below which two combinations are equally good; then the one nearer to the exact weights is taken, its
        distance being the sum of squares in units of ``high - low``. Of combinations equal in that too the first is taken:
        that of the scale preferred.

    Returns
    -------
    index : int
        Of the scale.
    upper : array of bool, shape (k,)
        Whether a leg takes ``high[index]``.

    Notes
    -----
    Up to 16 legs every combination is covered, by meeting in the middle: sums of one half of the legs are sorted and each
    sum of the other half looks up its opposite. Of more legs, 16 of small and large effect are decided so and the rest
    take the nearer value.
    """
    found, best, seen = (0, np.zeros(len(exact), dtype=bool)), (np.inf, np.inf), set()
    for index, scale in enumerate(scales):
        key = low[index].tobytes() + high[index].tobytes()
        if key in seen:
            continue
        seen.add(key)
        score, upper = _combine_at(scale * exact, lever / scale, low[index], high[index], tolerance)
        if score < best:
            found, best = (index, upper), score
    return found


def _combine_at(
    wanted: Array, lever: Array, low: Array, high: Array, tolerance: float
) -> tuple[tuple[float, float], NDArray[np.bool_]]:
    step = high - low
    position = np.divide(wanted - low, step, out=np.zeros_like(step), where=step > 0)
    upper = position > 0.5 + 10.0**-_DECIMALS
    # Whole numbers: their sums do not depend on the order in which a processor adds.
    quantum = _QUANTUM * tolerance
    moves = np.round(step * lever / quantum)
    free = np.flatnonzero(moves)
    if len(free) > _FREE_LEGS:
        ranked = free[np.argsort(abs(moves[free]), kind="stable")]
        free = ranked[np.linspace(0, len(ranked) - 1, _FREE_LEGS).astype(int)]
    upper[free] = False
    rest = np.round(math.fsum(np.where(upper, high, low) * lever) / quantum)
    fixed_distance = np.square(upper - position).sum()
    # Distance of the upper choice less that of the lower: (1 − p)² − p².
    farther = 1 - 2 * position
    left, right = free[::2], free[1::2]
    left_bits, right_bits = _choices(len(left)), _choices(len(right))
    left_sums, right_sums = left_bits @ moves[left], right_bits @ moves[right]
    order = np.argsort(right_sums, kind="stable")
    place = np.searchsorted(right_sums[order], -rest - left_sums)
    partners = order[np.clip(np.stack([place - 1, place]), 0, len(order) - 1)]
    bias = np.maximum(abs(rest + left_sums + right_sums[partners]), 1 / _QUANTUM)
    distance = fixed_distance + left_bits @ farther[left] + (right_bits @ farther[right])[partners]
    distance = np.round(distance, _DECIMALS)
    side, row = np.unravel_index(np.lexsort((distance.ravel(), bias.ravel()))[0], bias.shape)
    upper[left] = left_bits[row] > 0
    upper[right] = right_bits[partners[side, row]] > 0
    return (quantum * float(bias[side, row]), float(distance[side, row])), upper


@functools.lru_cache(maxsize=_FREE_LEGS)
def _choices(legs: int) -> Array:
    """All choices between two values for each of `legs` legs, as 0 and 1, shape (2^legs, legs)."""
    return (np.arange(2**legs)[:, None] >> np.arange(legs) & 1).astype(float)
