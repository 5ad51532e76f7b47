r"""The search for the distribution that carries the most within limits of several mean costs. It proves nothing of it.

A primal-dual interior point, as for capacities without a cost, with a slack t and a price λ for each cost more:

.. math:: D(p_i \| q) - \sum_k \lambda_k e_{ki} + s_i = C, \quad \sum_i p_i e_{ki} + t_k = E_k, \quad p_i s_i = 0,
    \quad \lambda_k t_k = 0
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.reference.capacity_search import divergences

__all__ = ["Priced", "on_support", "priced_distribution"]

Array = NDArray[np.float64]

_TO_THE_BOUNDARY, _STEPS, _PATIENCE = 0.995, 200, 12

_LIFTS = (1e-15, 1e-14, 1e-13, 1e-12, 1e-11)
"""What the scaled diagonal is raised by, the least that does: rows that nearly repeat leave the matrix nearly singular."""

_IDLE, _BALANCING = 1e-4, 3
"""Weight above which an input is needed, and Newton steps after weight was taken away."""

_SPENT = 1e-13
"""By how much of a cost's range a distribution may exceed its limit."""


class Priced(NamedTuple):
    """Input distribution, shape (n,), and the price of each cost's limit, nats per unit of cost, shape (k,)."""

    distribution: Array
    prices: Array


def priced_distribution(W: Array, h: Array, costs: Array, limits: Array, *, aim: float) -> Priced:
    """Distribution whose mean costs keep their limits and that carries the most, and its prices.

    Parameters
    ----------
    W : array, shape (n, m)
        Transition matrix.
    h : array, shape (n,)
        Negative entropies of its rows, nats.
    costs : array, shape (k, n)
    limits : array, shape (k,)
        Some distribution keeps below all of them.
    aim : float
        Gap at which to stop, nats; the least that was met where it is not reached.

    References
    ----------
    S. Mehrotra, On the implementation of a primal-dual interior point method, SIAM J. Optim. 2 (1992) 575. R. Blahut, IEEE
    Trans. Inf. Theory 18 (1972) 460, section IV (one cost, by its price).
    """
    least = costs.min(axis=1)
    spans = np.where(np.ptp(costs, axis=1) > 0, np.ptp(costs, axis=1), 1.0)
    # From 0 to 1: a constant added to a cost, or a factor of it, changes the price alone.
    e, E = (costs - least[:, None]) / spans[:, None], (limits - least) / spans
    p = np.full(len(W), 1 / len(W))
    t, prices = np.maximum(E - e @ p, 0.1), np.full(len(E), 0.1)
    D, q = divergences(W, h, p)
    worth = D - prices @ e
    C = float(worth.max()) + 0.1
    s = C - worth
    best, gap, stale = Priced(p, prices / spans), np.inf, 0
    for _ in range(_STEPS):
        over = float((e @ p - E).max())
        reached = float((D - prices @ e).max() + prices @ E - p @ D)
        if over <= _SPENT and reached < 0.9 * gap:
            best, gap, stale = Priced(p, prices / spans), reached, 0
        else:
            stale += 1
        if gap <= aim or (stale > _PATIENCE and gap < np.inf):
            break
        moved = _stepped(W, e, E, _Point(p, s, t, prices, C, D, q))
        if moved is None:
            break
        p, s, t, prices, C = moved
        D, q = divergences(W, h, p)
    return best


def on_support(W: Array, h: Array, costs: Array, limits: Array, found: Priced, *, aim: float) -> Priced:
    """`found` without the weight and the prices that an interior point leaves on what the optimum does not need.

    Newton steps balance the inputs in use under the limits that bind. Where what they lead to breaks a limit, or its gap is
    larger than before and above `aim`, it stays as it was.
    """
    spans = np.where(np.ptp(costs, axis=1) > 0, np.ptp(costs, axis=1), 1.0)
    z, prices = found.distribution.copy(), found.prices.copy()
    D, _ = divergences(W, h, z)
    before = _gap_of(D, costs, limits, found)
    worth = D - prices @ costs
    used = np.flatnonzero(~((z < _IDLE) & (z < 10 * (worth.max() - worth))))
    left = limits - costs @ z
    binding = np.flatnonzero(prices * spans > left / spans)
    z[np.setdiff1d(np.arange(len(z)), used)] = 0.0
    prices[np.setdiff1d(np.arange(len(prices)), binding)] = 0.0
    e, count = (costs[binding] / spans[binding, None])[:, used], len(used)
    for _ in range(_BALANCING):
        D, q = divergences(W, h, z)
        border = np.vstack([np.ones(count), e])
        matrix = np.block([[(W[used] / q) @ W[used].T, border.T], [border, np.zeros((len(border), len(border)))]])
        over = limits[binding] - costs[binding] @ z
        wanted = np.concatenate([D[used], [1 - z.sum()], over / spans[binding]])
        found_step = np.linalg.lstsq(matrix, wanted)[0]
        z[used] += found_step[:count]
        prices[binding] = found_step[count + 1 :] / spans[binding]
    moved = Priced(z, prices)
    if not (z.min() >= 0 and prices.min(initial=0.0) >= 0 and ((costs @ z - limits) / spans).max() <= _SPENT):
        return found
    D, _ = divergences(W, h, z)
    return moved if _gap_of(D, costs, limits, moved) <= max(before, aim) else found


def _gap_of(D: Array, costs: Array, limits: Array, of: Priced) -> float:
    return float((D - of.prices @ costs).max() + of.prices @ limits - of.distribution @ D)


class _Point(NamedTuple):
    """Unknowns, and what follows of them: D and q."""

    p: Array
    s: Array
    t: Array
    prices: Array
    C: float
    D: Array
    q: Array


def _stepped(W: Array, e: Array, E: Array, now: _Point) -> tuple[Array, Array, Array, Array, float] | None:
    """One predictor-corrector step; None where its matrix is singular."""
    p, s, t, prices, C, D, q = now
    scaled = W / np.sqrt(q)
    matrix = scaled @ scaled.T + (e.T * (prices / t)) @ e
    diagonal = matrix.diagonal() + s / p
    unit = 1 / np.sqrt(diagonal)
    matrix *= unit[:, None] * unit
    for lift in _LIFTS:
        matrix.flat[:: len(p) + 1] = 1 + lift
        with contextlib.suppress(scipy.linalg.LinAlgError):
            factor = scipy.linalg.cho_factor(matrix, lower=True, check_finite=False)
            break
    else:
        return None

    def solved(b: Array) -> Array:
        return unit * scipy.linalg.cho_solve(factor, unit * b, check_finite=False)

    defect, missing, left = D - prices @ e + s - C, 1 - p.sum(), E - e @ p - t
    ones = solved(np.ones_like(p))

    def direction(of_p: Array, of_t: Array) -> tuple[Array, Array, Array, Array, float]:
        """Of p, s, t, prices and C, so that p s changes by `of_p` and prices t by `of_t`."""
        free = solved(defect + of_p / p - ((of_t - prices * left) / t) @ e)
        dC = float((free.sum() - missing) / ones.sum())
        dp = free - dC * ones
        dt = left - e @ dp
        return dp, (of_p - s * dp) / p, dt, (of_t - prices * dt) / t, dC

    dp, ds, dt, dl, _ = direction(-p * s, -prices * t)
    count = len(p) + len(t)
    mu = (p @ s + prices @ t) / count
    primal, dual = _length((p, dp), (t, dt)), _length((s, ds), (prices, dl))
    foreseen = ((p + primal * dp) @ (s + dual * ds) + (t + primal * dt) @ (prices + dual * dl)) / count
    # Weights that vanish before divergences balance could not balance them any more.
    late = abs(defect).max() > count * mu
    centre = mu * (1.0 if late else min(max(foreseen / mu, 0.0), 1.0) ** 3)
    dp, ds, dt, dl, dC = direction(centre - p * s - dp * ds, centre - prices * t - dl * dt)
    primal, dual = _length((p, dp), (t, dt)), _length((s, ds), (prices, dl))
    return p + primal * dp, s + dual * ds, t + primal * dt, prices + dual * dl, C + dual * dC


def _length(*moved: tuple[Array, Array]) -> float:
    """Largest step, at most 1, that keeps every value positive."""
    shrinking = [float((-value[move < 0] / move[move < 0]).min()) for value, move in moved if (move < 0).any()]
    return min(1.0, _TO_THE_BOUNDARY * min(shrinking, default=np.inf))
