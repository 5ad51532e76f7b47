"""Capacity of one channel with many inputs: solve on the few that matter, prove it on all, add what was missed.

Usually a small share of the inputs carries the optimum, and the Newton system needs only those. It does not decide
whether the gap that was asked for is reached.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analogflow.reference.capacity.certificate import divergences, negative_entropies
from analogflow.reference.capacity.interior_point import interior_point

__all__ = ["Solution", "solve"]

_DENSE = 64
"""Inputs up to which screening costs more than it saves."""
_WARM_STEPS = 60
_ROUNDS = 60
_PATIENCE = (300, 3000, 30000)
_ROUNDING = 1e-13
_MOST_PRODUCTS = 3e9

Array = NDArray[np.float64]


class Solution(NamedTuple):
    """Input distribution, its gap (nats), iterations (Newton and multiplicative), and the name of the method."""

    distribution: Array
    gap: float
    iterations: int
    method: str


def solve(W: Array, *, aim: float) -> Solution:
    """Input distribution of the channel `W`, shape (n, m), whose gap is at most `aim`, or the best that was found.

    Notes
    -----
    The first subset holds the inputs that 60 over-relaxed Blahut-Arimoto steps leave above 3 % of the uniform weight, or
    whose divergence exceeds the mutual information, and one input for every output they miss. If the certificate over
    all inputs fails, the inputs that break it join. If the interior point stalls, multiplicative steps from its best
    point and a restart from there are tried.
    """
    h = negative_entropies(W)
    n = len(W)
    uniform = np.full(n, 1 / n)
    if n <= _DENSE:
        z, gap, iterations = _interior(W, h, uniform, aim)
        method = "interior point"
    else:
        z, gap, iterations = _by_subset(W, h, multiplicative_steps(W, h, uniform, _WARM_STEPS), aim)
        iterations += _WARM_STEPS
        method = "interior point on screened inputs"
    for steps in _PATIENCE:
        # Below the first bound rounding rules the gap, and no further step helps.
        if gap <= max(aim, _ROUNDING) or steps * W.size > _MOST_PRODUCTS:
            break
        warm = multiplicative_steps(W, h, 0.999 * z + 0.001 * uniform, steps)
        again, gap_again, more = _interior(W, h, 0.9 * warm + 0.1 * uniform, aim)
        iterations += steps + more
        for candidate, its_gap in ((warm, _gap(W, h, warm)), (again, gap_again)):
            if its_gap < gap:
                z, gap, method = candidate, its_gap, "interior point and over-relaxed Blahut-Arimoto"
    return Solution(z, gap, iterations, method)


def multiplicative_steps(W: Array, h: Array, z: Array, steps: int) -> Array:
    """Over-relaxed Blahut-Arimoto: z ← z exp(τ D)/Σ with τ grown by half while I(z) rises, and reset to 1 when it falls."""
    tau, information = 1.0, -np.inf
    safe_z, safe_D = z, np.zeros_like(z)
    for _ in range(steps):
        D, _ = divergences(W, h, z)
        if z @ D < information and tau > 1:
            z, D, tau = safe_z, safe_D, 1.0
        else:
            information, safe_z, safe_D, tau = z @ D, z, D, 1.5 * tau
        z = z * np.exp(tau * (D - D.max()))
        z /= z.sum()
    return z


def _by_subset(W: Array, h: Array, warm: Array, aim: float) -> tuple[Array, float, int]:
    """Interior point on a growing set of inputs, certified on all of them."""
    n, m = W.shape
    D, _ = divergences(W, h, warm)
    keep = (warm > 0.03 / n) | (warm @ D < D)
    # An optimum on at most m inputs exists; of many near-equal candidates the first rounds need only some.
    crowd = 4 * m + _DENSE
    if keep.sum() > crowd:
        keep[:] = False
        keep[np.argpartition(-(warm + 1e-3 * np.exp(D - D.max()) / n), crowd)[:crowd]] = True
    best, best_gap, iterations = warm, float(D.max() - warm @ D), 0
    for _ in range(_ROUNDS):
        uncovered = np.flatnonzero(W[keep].max(axis=0) == 0)
        keep[np.argmax(W[:, uncovered], axis=0)] = True
        subset = np.flatnonzero(keep)
        start = np.maximum(warm[subset], 1e-3 / n)
        part, _, more = _interior(W[subset], h[subset], start / start.sum(), aim / 2)
        iterations += more
        z = np.zeros(n)
        z[subset] = part
        D, _ = divergences(W, h, z)
        gap = float(D.max() - z @ D)
        if gap < best_gap:
            best, best_gap = z, gap
        outside = np.flatnonzero(~keep & (D > z @ D + aim / 2))
        if gap <= aim or not len(outside):
            break
        warm = np.maximum(warm, z)
        keep[outside[np.argsort(-D[outside])[:crowd]]] = True
    return best, max(best_gap, 0.0), iterations


def _interior(W: Array, h: Array, start: Array, aim: float) -> tuple[Array, float, int]:
    point = interior_point(W[None], h[None], start[None], aim=aim)
    return point.distributions[0], float(point.gaps[0]), point.iterations


def _gap(W: Array, h: Array, z: Array) -> float:
    D, _ = divergences(W, h, z)
    return float(D.max() - z @ D)
