"""The reference for one channel: its capacity, a distribution that achieves it, and the gap that proves both."""

from __future__ import annotations

import contextlib
import dataclasses
import math

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from analogflow.checks import is_positive
from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import Channel
from analogflow.reference.capacity.certificate import capacity_certificate, divergences, negative_entropies
from analogflow.reference.capacity.cost import cost_certificate, priced_distribution
from analogflow.reference.capacity.screening import solve

__all__ = ["CapacityReference", "allowed_gap", "capacity_reference", "single_thread", "without_idle_inputs"]

_ROUNDING = 8 * float(np.finfo(float).eps)

_GAP, _GAP_WITH_COST = 1e-12, 1e-10

_WORTH_LIMITING = 64 * 64
"""Entries of a matrix below which BLAS starts no second thread, so that looking for its thread pool is wasted time."""


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
        max_i (D(p_i‖q) − s e_i) + s E − I(z) over the available inputs, nats, with its rounding, recomputed from
        `input_distribution`; without a cost s is 0.
    iterations : int
        Newton iterations, and multiplicative steps where the method takes some; not counted with a cost, and 0.
    method : str
        What found the distribution; the gap does not depend on it.
    price : float
        Multiplier s of the limit on the mean cost, nats per unit of cost: dC/dE. 0 where there is none or it does not bind.
    """

    capacity_nats: float
    input_distribution: NDArray[np.float64]
    gap: float
    iterations: int
    method: str
    price: float = 0.0


def capacity_reference(channel: Channel, *, gap: float | None = None) -> CapacityReference:
    """Capacity of `channel`, certified to `gap`.

    Parameters
    ----------
    channel : Channel, n inputs, m outputs
        Inputs it declares unavailable keep probability 0, and the gap is over the others. With a cost, the capacity is that
        of distributions whose mean cost keeps the limit.
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
    gap = allowed_gap(gap if gap is not None else _GAP if channel.cost is None else _GAP_WITH_COST)
    if channel.cost is not None:
        return _with_cost(channel, gap)
    W = channel.reduced().transition
    with single_thread(W.size):
        found = solve(W, aim=0.1 * gap)
        h = negative_entropies(W)
        z = without_idle_inputs(W[None], h[None], found.distribution[None], 0.1 * gap)[0]
        bounds = capacity_certificate(W, z)
    _refuse_wide(channel, bounds.gap, gap)
    distribution = np.zeros(channel.inputs)
    distribution[channel.available] = z
    distribution.setflags(write=False)
    return CapacityReference(bounds.lower, distribution, bounds.gap + _rounding(W), found.iterations, found.method)


def _with_cost(channel: Channel, gap: float) -> CapacityReference:
    z, price = priced_distribution(channel)
    lower, upper = cost_certificate(channel, z, price)
    _refuse_wide(channel, upper - lower, gap)
    z.setflags(write=False)
    rounding = _rounding(channel.transition) + _ROUNDING * price * float(channel.cost_limit or 0.0)
    return CapacityReference(lower, z, max(upper - lower, 0.0) + rounding, 0, "price of the cost", price)


def _rounding(W: NDArray[np.float64]) -> float:
    """What rounding may take from or add to both bounds of a channel, nats."""
    return _ROUNDING * (1 + math.log(W.shape[1]))


def _refuse_wide(channel: Channel, found: float, gap: float) -> None:
    if not found <= gap:
        raise SimulationFailed(
            f"the capacity of {channel!r} is certified to {found:.2g} nat only, not to the {gap:g} asked for; "
            f"ask for a gap of {2 * found:.1g} or more."
        )


def without_idle_inputs(
    W: NDArray[np.float64], h: NDArray[np.float64], z: NDArray[np.float64], limit: float
) -> NDArray[np.float64]:
    """Distributions `z`, shape (k, n), with the weight an interior point leaves on unneeded inputs set to exactly 0.

    An interior point ends at z_i > 0 for all inputs, with z_i times its slack equal for all; weight that is small beside
    its slack is an artefact. Where the change makes a gap worse and above `limit`, the distribution stays as it was.
    """
    D, _ = divergences(W, h, z)
    top = D.max(axis=1, keepdims=True)
    gap = top[:, 0] - (z * D).sum(axis=1)
    pruned = np.where((z < 1e-4) & (z < 10 * (top - D)), 0, z)
    pruned /= pruned.sum(axis=1, keepdims=True)
    D, _ = divergences(W, h, pruned)
    gap_after = D.max(axis=1) - (pruned * D).sum(axis=1)
    return np.where((gap_after <= np.maximum(gap, limit))[:, None], pruned, z)


def allowed_gap(gap: float) -> float:
    """`gap` as a float, or BadInput where no solver could reach it."""
    if not is_positive(gap):
        raise BadInput(
            f"gap {gap!r} is not a positive number of nats; 1e-12 is the default and 1e-9 is enough to rank solvers."
        )
    return float(gap)


def single_thread(size: int) -> contextlib.AbstractContextManager[object]:
    """Keep BLAS on one thread for matrices of `size` entries, where more only wait for each other."""
    return threadpool_limits(limits=1) if size >= _WORTH_LIMITING else contextlib.nullcontext()
