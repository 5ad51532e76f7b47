"""Capacities of many channels of one shape at once, without a loop over them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.reference.capacity.certificate import divergences, matrix_of, negative_entropies
from analogflow.reference.capacity.interior_point import interior_point
from analogflow.reference.capacity.screening import solve
from analogflow.reference.capacity.solution import allowed_gap, single_thread, without_idle_inputs

__all__ = ["CapacityBatch", "capacity_batch"]

_LARGE = 64
"""Inputs above which a channel is worth the screening, one channel at a time."""
_NUMBERS_AT_ONCE = 2_000_000

Array = NDArray[np.float64]


class CapacityBatch(NamedTuple):
    """Capacities (nats), shape (k,), input distributions, shape (k, n), and certified gaps (nats), shape (k,)."""

    capacities_nats: Array
    input_distributions: Array
    gaps: Array


def capacity_batch(transitions: ArrayLike, gap: float = 1e-9) -> CapacityBatch:
    """Capacities of k channels with n inputs and m outputs each.

    Parameters
    ----------
    transitions : array, shape (k, n, m)
        Rows of each matrix are distributions of the output. A column of zeros is allowed: it pads a smaller channel.
    gap : float
        Gap to reach for each channel, nats.

    Returns
    -------
    CapacityBatch
        A channel that did not reach `gap` is there with the gap it has: look at ``gaps``.

    Raises
    ------
    BadInput
        A matrix is not one of probabilities, or `gap` is not a positive number.

    Notes
    -----
    All channels take their Newton steps together and leave when they are done. Above 64 inputs they are solved one by one.
    """
    matrices = matrix_of(transitions, dimensions=3)
    gap = allowed_gap(gap)
    matrices = matrices / matrices.sum(axis=2, keepdims=True)
    k, n, m = matrices.shape
    height = max(1, _NUMBERS_AT_ONCE // (n * (n + m)))
    with single_thread(n * m):
        if n > _LARGE:
            parts = [_one_by_one(matrices, 0.1 * gap)]
        else:
            parts = [_together(matrices[first : first + height], gap) for first in range(0, k, height)]
    z = np.concatenate(parts)
    h = negative_entropies(matrices)
    D, _ = divergences(matrices, h, z)
    lower = (z * D).sum(axis=1)
    return CapacityBatch(lower, z, np.maximum(D.max(axis=1) - lower, 0))


def _together(W: Array, gap: float) -> Array:
    k, n, _ = W.shape
    h = negative_entropies(W)
    point = interior_point(W, h, np.full((k, n), 1 / n), aim=0.1 * gap)
    z = point.distributions.copy()
    # None of many thousand random channels came here; one that does gets the slower, more patient solver.
    late = np.flatnonzero(point.gaps > gap)
    z[late] = _one_by_one(W[late], 0.1 * gap)
    return without_idle_inputs(W, h, z, 0.1 * gap)


def _one_by_one(W: Array, aim: float) -> Array:
    z = np.empty(W.shape[:2])
    for index, matrix in enumerate(W):
        z[index] = solve(matrix, aim=aim).distribution
    return z
