"""The reference for channels: a capacity, a distribution that achieves it, and the gap that proves both.

A certificate takes two matrix-vector products and needs no trust in whoever computed the distribution. Inputs may cost
something and their mean cost be limited; many channels of one shape are solved at once, without a loop over them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from analogflow.checks import is_positive, real_array
from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import Channel
from analogflow.reference.capacity_cost import on_support, priced_distribution
from analogflow.reference.capacity_search import divergences, interior_point, negative_entropies, solve

__all__ = [
    "CapacityBatch",
    "CapacityBounds",
    "CapacityReference",
    "capacity_batch",
    "capacity_certificate",
    "capacity_reference",
    "cost_certificate",
]

_ROUNDING = 8 * float(np.finfo(float).eps)

_GAP, _GAP_WITH_COST = 1e-12, 1e-10

_IDLE = 1e-4
"""Weight above which an input is needed."""

# Newton steps after weight was taken away; weights of 1e-12 and less are made up for by the first one.
_BALANCING = 2

_WORTH_LIMITING = 64 * 64
"""Entries of a matrix below which BLAS starts no second thread, so that looking for its thread pool is wasted time."""

_ROW_SUM_TOLERANCE = 1e-9

Array = NDArray[np.float64]

_LARGE = 64
"""Inputs above which a channel is worth the screening, one channel at a time."""

_NUMBERS_AT_ONCE = 2_000_000


@dataclasses.dataclass(frozen=True, eq=False)
class CapacityReference:
    """Capacity of a channel with its proof.

    Parameters
    ----------
    capacity_nats : float
        Mutual information at `input_distribution`; the capacity exceeds it by at most `gap`.
    input_distribution : array, shape (n,), read-only
        An optimal input distribution; exactly 0 on unavailable inputs and on those the optimum does not need.
    gap : float
        max_i (D(p_i‖q) − Σ_k s_k e_ki) + Σ_k s_k E_k − I(z) over the available inputs, nats, with its rounding, recomputed
        from `input_distribution`; without a cost s is 0.
    iterations : int
        Newton iterations, and multiplicative steps where the method takes some; not counted with a cost, and 0.
    method : str
        What found the distribution; the gap does not depend on it.
    prices : array, shape (k,), read-only
        Multiplier s of each limit on a mean cost, nats per unit of cost: dC/dE. 0 where it does not bind.
    """

    capacity_nats: float
    input_distribution: Array
    gap: float
    iterations: int
    method: str
    prices: Array = dataclasses.field(default_factory=lambda: np.zeros(0))

    @property
    def price(self) -> float:
        """The price of the only limit; 0 where there is none.

        Raises
        ------
        BadInput
            There are several.
        """
        if len(self.prices) > 1:
            raise BadInput(f"there are {len(self.prices)} costs, each with a price; take prices.")
        return float(self.prices.sum())


def capacity_reference(channel: Channel, *, gap: float | None = None) -> CapacityReference:
    """Capacity of `channel`, certified to `gap`.

    Parameters
    ----------
    channel : Channel, n inputs, m outputs
        Inputs it declares unavailable keep probability 0, and the gap is over the others. With costs, the capacity is that
        of distributions whose mean costs keep their limits.
    gap : float, optional
        Largest certified gap to accept, nats; 1e-12 if not given, and 1e-10 with a cost.

    Returns
    -------
    CapacityReference

    Raises
    ------
    BadInput
        `gap` is not a positive number.
    SimulationFailed
        The gap was not reached; the text says which was.

    Notes
    -----
    Where several distributions are optimal, one of them is returned. The capacity is accurate absolutely, not relatively:
    of a capacity below 1e-15 nat only that much is known.

    References
    ----------
    S. Mehrotra, SIAM J. Optim. 2 (1992) 575 (predictor and corrector). S. Arimoto, IEEE Trans. Inf. Theory 18 (1972) 14,
    and R. Blahut, the same volume, 460 (multiplicative steps, bounds).
    """
    gap = _allowed_gap(gap if gap is not None else _GAP if channel.cost is None else _GAP_WITH_COST)
    if channel.cost is not None:
        return _with_cost(channel, gap)
    W = channel.reduced().transition
    with _single_thread(W.size):
        h = negative_entropies(W)
        found = solve(W, h, aim=0.1 * gap)
        z = _without_idle_inputs(W[None], h[None], found.distribution[None], 0.1 * gap)[0]
        bounds = _bounds(W, h, z)
    _refuse_wide(channel, bounds.gap, gap)
    distribution = np.zeros(channel.inputs)
    distribution[channel.available] = z
    distribution.setflags(write=False)
    return CapacityReference(bounds.lower, distribution, bounds.gap + _rounding(W), found.iterations, found.method)


def _with_cost(channel: Channel, gap: float) -> CapacityReference:
    z, prices = _priced(channel, 0.1 * gap)
    lower, upper = cost_certificate(channel, z, prices)
    _refuse_wide(channel, upper - lower, gap)
    for array in (z, prices):
        array.setflags(write=False)
    over = float(prices @ np.maximum(channel.costs @ z - channel.cost_limits, 0.0))
    rounding = _rounding(channel.transition) + _ROUNDING * float(prices @ channel.cost_limits) + over
    return CapacityReference(lower, z, max(upper - lower, 0.0) + rounding, 0, "interior point with prices", prices)


def _rounding(W: Array) -> float:
    """What rounding may take from or add to both bounds of a channel, nats."""
    return _ROUNDING * (1 + math.log(W.shape[1]))


def _refuse_wide(channel: Channel, found: float, gap: float) -> None:
    if not found <= gap:
        raise SimulationFailed(
            f"the capacity of {channel!r} is certified to {found:.2g} nat only, not to the {gap:g} asked for; "
            f"ask for a gap of {2 * found:.1g} or more."
        )


def _without_idle_inputs(W: Array, h: Array, z: Array, limit: float) -> Array:
    """Distributions `z`, shape (k, n), with the weight an interior point leaves on unneeded inputs set to exactly 0.

    An interior point ends at z_i > 0 for all inputs, with z_i times its slack equal for all; weight that is small beside
    its slack is an artefact. What it did for the balance of the others they make up for. Where the change makes a gap worse
    and above `limit`, the distribution stays as it was.
    """
    if not ((z > 0) & (z < _IDLE)).any():
        return z
    D, _ = divergences(W, h, z)
    top = D.max(axis=1, keepdims=True)
    allowed = np.maximum(top[:, 0] - (z * D).sum(axis=1), limit)
    pruned = np.where((z < _IDLE) & (z < 10 * (top - D)), 0, z)
    pruned /= pruned.sum(axis=1, keepdims=True)
    for _ in range(_BALANCING):
        D, q = divergences(W, h, pruned)
        wide = np.flatnonzero(D.max(axis=1) - (pruned * D).sum(axis=1) > allowed)
        for k in wide:
            pruned[k] = _balanced(W[k], q[k], D[k], pruned[k])
    D, _ = divergences(W, h, pruned)
    gap_after = D.max(axis=1) - (pruned * D).sum(axis=1)
    return np.where((gap_after <= allowed)[:, None], pruned, z)


def _balanced(W: Array, q: Array, D: Array, z: Array) -> Array:
    """`z` after a Newton step towards equal divergences of the inputs that it uses; its other weights stay 0."""
    used = np.flatnonzero(z)
    ones = np.ones((len(used), 1))
    bordered = np.block([[(W[used] / q) @ W[used].T, ones], [ones.T, np.zeros((1, 1))]])
    moved = z.copy()
    moved[used] += np.linalg.lstsq(bordered, np.append(D[used], 0.0))[0][:-1]
    return moved if moved.min() >= 0 else z


def _allowed_gap(gap: float) -> float:
    """`gap` as a float, or BadInput where no solver could reach it."""
    if not is_positive(gap):
        raise BadInput(
            f"gap {gap!r} is not a positive number of nats; 1e-12 is the default and 1e-9 is enough to rank solvers."
        )
    return float(gap)


def _single_thread(size: int) -> contextlib.AbstractContextManager[object]:
    """Keep BLAS on one thread for matrices of `size` entries, where more only wait for each other."""
    return threadpool_limits(limits=1) if size >= _WORTH_LIMITING else contextlib.nullcontext()


class CapacityBounds(NamedTuple):
    """Interval that holds the capacity: ``lower`` = I(z), ``upper`` = max_i D(p_i‖q), ``gap`` = upper − lower; nats."""

    lower: float
    upper: float
    gap: float


def capacity_certificate(transition: ArrayLike, z: ArrayLike) -> CapacityBounds:
    r"""Bounds on the capacity proved by one input distribution.

    .. math:: I(z) \le C \le \max_i D(p_i \| q), \qquad q = P^\top z

    Both are equalities exactly when z is optimal, so the gap judges an answer without knowing the right one.

    Parameters
    ----------
    transition : array, shape (n, m)
        Row i is the distribution of the output when input i is sent.
    z : array, shape (n,)
        Input distribution. Negative entries, which a circuit may settle at, count as 0 and the rest is divided by its
        sum: the bounds are about that distribution.

    Returns
    -------
    CapacityBounds
        ``lower``, ``upper`` and ``gap``, nats.

    Raises
    ------
    BadInput
        The matrix is not one of probabilities, or `z` does not fit it, is not finite or has no positive entry.

    Notes
    -----
    An output that no input with weight reaches has q = 0; the smallest normal number stands in for it, which keeps the
    bound finite and true. Rounding, which the bounds do not include, is about 1e-15 ln m.

    References
    ----------
    R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. Inf. Theory 18 (1972) 460,
    theorem 2. Equality is the condition by which Beretta and Pelillo, Entropy 27(4):362, 2025, section 6.1, sort inputs.
    """
    matrix = _matrix_of(transition, dimensions=2)
    weights = real_array(z, "z")
    if weights.shape != matrix.shape[:1]:
        raise BadInput(f"z has shape {weights.shape}; give one probability for each of the {len(matrix)} inputs.")
    positive = np.maximum(weights, 0)
    total = positive.sum()
    if not np.isfinite(weights).all() or not 0 < total < np.inf:
        raise BadInput("z is not finite or has no positive entry, so it is no input distribution; give a settled answer.")
    distribution = positive / total
    return _bounds(matrix, negative_entropies(matrix), distribution)


def _bounds(W: Array, h: Array, z: Array) -> CapacityBounds:
    D, _ = divergences(W, h, z)
    lower, upper = float(z @ D), float(D.max())
    return CapacityBounds(lower, upper, max(upper - lower, 0.0))


def _matrix_of(transition: ArrayLike, *, dimensions: int) -> Array:
    """Check that `transition` holds conditional distributions along its last axis, and return it as floats.

    Raises
    ------
    BadInput
        Wrong number of dimensions, an entry that is no probability, or a row that does not sum to 1.
    """
    matrix = np.ascontiguousarray(real_array(transition, "transition"))
    if matrix.ndim != dimensions or 0 in matrix.shape:
        shape = "(n, m)" if dimensions == 2 else "(k, n, m)"
        raise BadInput(f"the transition probabilities have shape {matrix.shape}; give an array of shape {shape}.")
    sums = matrix.sum(axis=-1)
    # One comparison that NaN and infinity fail as well.
    if not (matrix.min() >= 0 and abs(sums - 1).max() <= _ROW_SUM_TOLERANCE):
        worst = np.unravel_index(np.argmax(np.where(np.isfinite(sums), abs(sums - 1), np.inf)), sums.shape)
        raise BadInput(
            f"the transition probabilities must be non-negative with rows that sum to 1 within {_ROW_SUM_TOLERANCE:g}; "
            f"row {tuple(int(i) for i in worst)} sums to {sums[worst]:.12g} and the smallest entry is {matrix.min():g}."
        )
    return matrix


def _priced(channel: Channel, aim: float) -> tuple[Array, Array]:
    """Distribution that carries the most within the channel's limits, shape (n,), and their prices, shape (k,)."""
    problem = channel.reduced()
    W, costs, limits = problem.transition, problem.costs, problem.cost_limits
    with _single_thread(W.size):
        h = negative_entropies(W)
        z, prices = solve(W, h, aim=aim).distribution, np.zeros(len(limits))
        if not (costs @ z > limits).any():
            return _whole(channel, _without_idle_inputs(W[None], h[None], z[None], aim)[0]), prices
        found = priced_distribution(W, h, costs, limits, aim=aim)
        z, prices = on_support(W, h, costs, limits, found, aim=aim)
    return _whole(channel, z), prices


def cost_certificate(channel: Channel, z: Array, prices: ArrayLike) -> tuple[float, float]:
    """I(z), and max_i (D(p_i‖q) − Σ_k s_k e_ki) + Σ_k s_k E_k, nats: above the capacity for any prices s ≥ 0.

    Parameters
    ----------
    channel : Channel, n inputs, k costs
    z : array, shape (n,)
    prices : array, shape (k,), or a number where there is one cost

    Raises
    ------
    BadInput
        It has no cost.
    """
    P, e = channel.transition[channel.available], channel.costs[:, channel.available]
    if not len(e):
        raise BadInput(f"{channel!r} has no cost.")
    s = np.broadcast_to(np.asarray(prices, dtype=float), len(e))
    weights = np.maximum(z[channel.available], 0)
    weights = weights / weights.sum()
    D, _ = divergences(P, negative_entropies(P), weights)
    return float(weights @ D), float((D - s @ e).max() + s @ channel.cost_limits)


def _whole(channel: Channel, z: Array) -> Array:
    full = np.zeros(channel.inputs)
    full[channel.available] = z
    return full


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
    matrices = _matrix_of(transitions, dimensions=3)
    gap = _allowed_gap(gap)
    matrices = matrices / matrices.sum(axis=2, keepdims=True)
    k, n, m = matrices.shape
    height = max(1, _NUMBERS_AT_ONCE // (n * (n + m)))
    with _single_thread(n * m):
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
    return _without_idle_inputs(W, h, z, 0.1 * gap)


def _one_by_one(W: Array, aim: float) -> Array:
    z = np.empty(W.shape[:2])
    for index, matrix in enumerate(W):
        z[index] = solve(matrix, negative_entropies(matrix), aim=aim).distribution
    return z
