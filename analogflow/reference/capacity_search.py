"""The search for the distribution that achieves a capacity. It does not decide whether that is near enough.

A small channel is solved by Newton's method on the inputs that the optimum uses, which are found on the way. Where that
fails, and for many channels at once, a primal-dual interior point takes Newton steps on the optimality conditions: the
unknowns are the input distribution p > 0, slacks s > 0 and the capacity C, with D(p_i‖q) + s_i = C, Σp = 1 and p_i s_i = 0
at the optimum. One channel with many inputs is solved on the few that matter, proved on all, and what was missed is added:
usually a small share of the inputs carries the optimum, and the Newton system needs only those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

__all__ = ["InteriorPoint", "SearchResult", "divergences", "interior_point", "negative_entropies", "solve"]

_SMALLEST = float(np.finfo(float).tiny)
# Entries handled at a time: the block and its logarithm stay in the second-level cache, which makes the pass over a
# 2048 × 2048 matrix three times faster than scipy.special.xlogy on the whole.
_BLOCK = 32_768

_TO_THE_BOUNDARY = 0.995
_PATIENCE = 8
"""Iterations without a smaller gap after which a channel is given up: rounding, not the method, then rules the gap."""

Array = NDArray[np.float64]

_DENSE = 64
"""Inputs up to which screening costs more than it saves."""

_SUPPORT_STEPS, _DAMPING = 30, 0.1
"""Newton steps on the support at most, and the part of the gap that damps them."""

_BALANCED, _ENTERING = 0.1, 0.01
"""Difference of divergences in use, over the gap, below which another input joins, and its weight."""

_WARM_STEPS = 60

_ROUNDS = 60

_MORE_STEPS = (300, 3000, 30000)

_ROUNDING = 1e-13

_MOST_PRODUCTS = 3e9


def negative_entropies(matrix: Array) -> Array:
    """Σ_j p_ij ln p_ij of each row, nats; shape (..., n) for a matrix of shape (..., n, m)."""
    rows = matrix.reshape(-1, matrix.shape[-1])
    sums = np.empty(len(rows))
    height = max(1, _BLOCK // rows.shape[1])
    for first in range(0, len(rows), height):
        block = rows[first : first + height]
        # 0 ln 0 = 0: the logarithm of the smallest number is finite, and zero times it is zero.
        terms = np.maximum(block, _SMALLEST)
        np.log(terms, out=terms)
        terms *= block
        terms.sum(axis=1, out=sums[first : first + height])
    return sums.reshape(matrix.shape[:-1])


def divergences(matrix: Array, entropies: Array, z: Array) -> tuple[Array, Array]:
    """D(p_i‖q), nats, shape (..., n), and q = Pᵀz, shape (..., m), where `entropies` are the rows' negative entropies."""
    q = np.maximum(np.matmul(z[..., None, :], matrix)[..., 0, :], _SMALLEST)
    D = entropies - np.matmul(matrix, np.log(q)[..., None])[..., 0]
    return np.maximum(D, 0), q


def _divergences_of_one(W: Array, h: Array, z: Array) -> tuple[Array, Array]:
    """The same of one channel, z being a vector: several times as fast where the matrix is small."""
    q = np.maximum(z @ W, _SMALLEST)
    return np.maximum(h - W @ np.log(q), 0), q


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


class SearchResult(NamedTuple):
    """Input distribution, its gap (nats), iterations (Newton and multiplicative), and the name of the method."""

    distribution: Array
    gap: float
    iterations: int
    method: str


def solve(W: Array, h: Array, *, aim: float) -> SearchResult:
    """Input distribution of the channel `W`, shape (n, m), whose gap is at most `aim`, or the best that was found.

    `h` are the negative entropies of its rows.

    Notes
    -----
    The first subset holds the inputs that 60 over-relaxed Blahut-Arimoto steps leave above 3 % of the uniform weight, or
    whose divergence exceeds the mutual information, and one input for every output they miss. If the certificate over
    all inputs fails, the inputs that break it join. If the interior point stalls, multiplicative steps from its best
    point and a restart from there are tried.
    """
    n = len(W)
    uniform = np.full(n, 1 / n)
    if n <= _DENSE:
        exact = _by_support(W, h, uniform, aim)
        if exact is not None:
            return exact
        z, gap, iterations = _interior(W, h, uniform, aim)
        method = "interior point"
    else:
        z, gap, iterations = _by_subset(W, h, multiplicative_steps(W, h, uniform, _WARM_STEPS), aim)
        iterations += _WARM_STEPS
        method = "interior point on screened inputs"
    for steps in _MORE_STEPS:
        # Below the first bound rounding rules the gap, and no further step helps.
        if gap <= max(aim, _ROUNDING) or steps * W.size > _MOST_PRODUCTS:
            break
        warm = multiplicative_steps(W, h, 0.999 * z + 0.001 * uniform, steps)
        again, gap_again, more = _interior(W, h, 0.9 * warm + 0.1 * uniform, aim)
        iterations += steps + more
        for candidate, its_gap in ((warm, _gap(W, h, warm)), (again, gap_again)):
            if its_gap < gap:
                z, gap, method = candidate, its_gap, "interior point and over-relaxed Blahut-Arimoto"
    return SearchResult(z, gap, iterations, method)


def _by_support(W: Array, h: Array, start: Array, aim: float) -> SearchResult | None:
    r"""Newton's method for D(p_i‖q) = C on the inputs in use, others having weight 0; None where it does not arrive.

    .. math:: (P\, \mathrm{diag}(1/q)\, P^\top + \lambda\, \mathrm{diag}(1/z)) x = D, \qquad z \leftarrow z + x - z \sum x

    The second term, which makes a short Blahut-Arimoto step of it, damps where the optimum is far or not unique. Inputs
    whose weight would not be positive leave; one whose divergence is too large joins where those in use are balanced.
    """
    used, matrix, z = np.arange(len(W)), W, start
    for iteration in range(_SUPPORT_STEPS):
        D, q = _divergences_of_one(W, h, z if len(used) == len(W) else _spread(z, used, len(W)))
        inside = D[used]
        information, top = float(z @ inside), float(D.max())
        gap = top - information
        if gap <= aim:
            return SearchResult(_spread(z, used, len(W)), gap, iteration, "Newton's method on the support")
        if max(abs(inside.max() - information), abs(inside.min() - information)) < _BALANCED * gap:
            used, z = np.append(used, D.argmax()), np.append((1 - _ENTERING) * z, _ENTERING)
            matrix = W[used]
            continue
        system = (matrix / q) @ matrix.T
        system.flat[:: len(z) + 1] += _DAMPING * gap / z
        try:
            x = np.linalg.solve(system, inside)
        except np.linalg.LinAlgError:
            return None
        z = z + x - x.sum() * z
        if not z.min() > 0:
            keep = z > 0
            if not keep.any():
                return None
            used, z = used[keep], z[keep] / z[keep].sum()
            matrix = W[used]
    return None


def _spread(z: Array, used: NDArray[np.intp], inputs: int) -> Array:
    """Weights `z` of the inputs in use among zeros."""
    whole = np.zeros(inputs)
    whole[used] = z
    return whole


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
