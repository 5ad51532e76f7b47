"""Primal-dual interior point for the capacity of many channels at once: Newton on the optimality conditions.

The unknowns are the input distribution p > 0, slacks s > 0 and the capacity C; at the optimum D(p_i‖q) + s_i = C,
Σp = 1 and p_i s_i = 0. It does not decide whether its answer is good enough; the certificate does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from analogflow.reference.capacity.certificate import divergences

__all__ = ["InteriorPoint", "interior_point"]

_TO_THE_BOUNDARY = 0.995
_PATIENCE = 8
"""Iterations without a smaller gap after which a channel is given up: rounding, not the method, then rules the gap."""

Array = NDArray[np.float64]


class InteriorPoint(NamedTuple):
    """Best distributions met, shape (k, n), their gaps in nats, shape (k,), and the iterations of the longest run."""

    distributions: Array
    gaps: Array
    iterations: int


def interior_point(matrices: Array, entropies: Array, start: Array, *, aim: float, most: int = 100) -> InteriorPoint:
    """Follow the central path of k channels until each certified gap is at most `aim`, or no longer falls.

    Parameters
    ----------
    matrices : array, shape (k, n, m)
        Transition matrices.
    entropies : array, shape (k, n)
        Negative entropies of their rows, nats.
    start : array, shape (k, n)
        Positive input distributions to start from.
    aim : float
        Gap to reach, nats.
    most : int
        Iterations allowed.

    Notes
    -----
    Mehrotra's predictor and corrector, with separate step lengths for p and (s, C). One n × n system a step.

    References
    ----------
    S. Mehrotra, On the implementation of a primal-dual interior point method, SIAM J. Optim. 2 (1992) 575.
    """
    best, gaps = start.copy(), np.full(len(start), np.inf)
    stale = np.zeros(len(start), dtype=int)
    active = np.arange(len(start))
    now = _first(matrices, entropies, start)
    for iteration in range(most):
        gap = now.D.max(axis=1) - (now.p * now.D).sum(axis=1)
        stale[active] = np.where(gap < 0.9 * gaps[active], 0, stale[active] + 1)
        better = gap < gaps[active]
        best[active[better]], gaps[active[better]] = now.p[better], gap[better]
        going = np.isfinite(gap) & (gap > aim) & (stale[active] < _PATIENCE)
        if not going.any():
            return InteriorPoint(best, np.maximum(gaps, 0), iteration)
        if not going.all():
            active, now = active[going], _Iterate(*(array[going] for array in now))
        now = _step(now)
    return InteriorPoint(best, np.maximum(gaps, 0), most)


class _Iterate(NamedTuple):
    """Channels still in work: matrices W, negative entropies h, unknowns p, s, C, and what follows: D and q."""

    W: Array
    h: Array
    p: Array
    s: Array
    C: Array
    D: Array
    q: Array


def _first(W: Array, h: Array, p: Array) -> _Iterate:
    D, q = divergences(W, h, p)
    top = D.max(axis=1)
    # Strictly feasible slacks of the size of the gap put the first iterate near the central path.
    C = top + np.maximum(top - (p * D).sum(axis=1), np.finfo(float).tiny)
    return _Iterate(W, h, p, C[:, None] - D, C, D, q)


def _step(now: _Iterate) -> _Iterate:
    """One predictor-corrector step."""
    W, h, p, s, C, D, q = now
    solve = _newton_system(W, q, s / p)
    mu = (p * s).mean(axis=1)
    defect = D - C[:, None]
    missing = 1 - p.sum(axis=1)
    predictor, ones = np.moveaxis(solve(np.stack([defect, np.ones_like(p)], axis=-1)), -1, 0)

    def direction(solution: Array, complement: Array) -> tuple[Array, Array, Array]:
        """(dp, ds, dC) that moves p s by `complement` − p s, from the solution without dC."""
        dC = (solution.sum(axis=1) - missing) / ones.sum(axis=1)
        dp = solution - dC[:, None] * ones
        return dp, complement / p - s - s * dp / p, dC

    dp, ds, _ = direction(predictor, np.zeros_like(p))
    predicted = ((p + _length(p, dp) * dp) * (s + _length(s, ds) * ds)).mean(axis=1)
    centring = np.clip(predicted / mu, 0, 1) ** 3
    complement = (centring * mu)[:, None] - dp * ds
    dp, ds, dC = direction(solve((defect + complement / p)[..., None])[..., 0], complement)
    p = p + _length(p, dp) * dp
    p /= p.sum(axis=1, keepdims=True)
    dual = _length(s, ds)
    return _Iterate(W, h, p, s + dual * ds, C + dual[:, 0] * dC, *divergences(W, h, p))


def _length(x: Array, dx: Array) -> Array:
    """Largest step, at most 1, that keeps x + step·dx well inside the positive orthant; shape (k, 1)."""
    ratio = np.full_like(x, np.inf)
    np.divide(-x, dx, out=ratio, where=dx < 0)
    return np.minimum(_TO_THE_BOUNDARY * ratio.min(axis=1, keepdims=True), 1)


def _newton_system(W: Array, q: Array, ratio: Array) -> Callable[[Array], Array]:
    """Solver of (P diag(1/q) Pᵀ + diag(s/p)) x = b for right-hand sides b of shape (k, n, number of them)."""
    scaled = W / np.sqrt(q)[:, None, :]
    matrix = np.matmul(scaled, scaled.transpose(0, 2, 1))
    diagonal = np.einsum("kii->ki", matrix)
    # Rows that repeat leave the first term singular; a relative lift near rounding keeps the sum solvable.
    diagonal += ratio + 1e-15 * diagonal
    if len(W) == 1:
        try:
            factor = scipy.linalg.cho_factor(matrix[0], lower=True, check_finite=False)
            return lambda b: scipy.linalg.cho_solve(factor, b[0], check_finite=False)[None]
        except scipy.linalg.LinAlgError:
            pass
    return lambda b: np.linalg.solve(matrix, b)
