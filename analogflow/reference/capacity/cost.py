"""Capacity of a channel whose inputs cost something and whose mean cost is limited."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import Channel
from analogflow.reference.capacity.certificate import divergences, negative_entropies
from analogflow.reference.capacity.interior_point import interior_point

__all__ = ["CostReference", "capacity_cost_reference", "cost_certificate"]

Array = NDArray[np.float64]


class CostReference(NamedTuple):
    """Capacity under a limit on the mean cost.

    Parameters
    ----------
    capacity_nats : float
    input_distribution : array, shape (n,)
        0 on unavailable inputs.
    price : float
        Multiplier of the constraint, nats per unit of cost: dC/d(limit). 0 where the limit does not bind.
    gap : float
        Certified: no distribution within the limit carries more than `capacity_nats` + `gap`.
    """

    capacity_nats: float
    input_distribution: Array
    price: float
    gap: float


def capacity_cost_reference(channel: Channel, *, gap: float = 1e-10) -> CostReference:
    r"""Capacity–cost function at the channel's limit: max I(z) over Σ z_i e_i ≤ E, certified.

    The price s is found where the optimum of I(z) − s Σ z e spends just E; where that optimum jumps, two of them are mixed.

    Parameters
    ----------
    channel : Channel
        With a cost.
    gap : float
        Largest certified gap to accept, nats.

    Raises
    ------
    BadInput
        The channel has no cost.
    SimulationFailed
        The gap was not reached.

    References
    ----------
    R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. Inf. Theory 18 (1972) 460,
    section IV.
    """
    if channel.cost is None or channel.cost_limit is None:
        raise BadInput(f"{channel!r} has no cost; use capacity_reference, or give cost and cost_limit.")
    problem = channel.reduced()
    P, e, limit = problem.transition, np.asarray(problem.cost), channel.cost_limit
    h, uniform = negative_entropies(P), np.full((1, len(P)), 1 / len(P))

    def optimum(price: float) -> Array:
        # Bounds from information theory hold D ≥ 0; the same constant added to every input changes no optimum.
        shifted = h - price * e + price * e.max()
        return interior_point(P[None], shifted[None], uniform, aim=1e-15).distributions[0]

    z, price = optimum(0.0), 0.0
    if z @ e > limit:
        z, price = _priced(optimum, e, limit)
    lower, upper = cost_certificate(channel, _whole(channel, z), price)
    if not upper - lower <= gap:
        raise SimulationFailed(f"the capacity of {channel!r} under its cost is certified to {upper - lower:.2g} nat only.")
    return CostReference(lower, _whole(channel, z), price, max(upper - lower, 0.0))


def cost_certificate(channel: Channel, z: Array, price: float) -> tuple[float, float]:
    """I(z), and max_i (D(p_i‖q) − s e_i) + s E: an upper bound on the capacity for any price s ≥ 0; nats."""
    P, e, limit = channel.transition[channel.available], channel.cost, channel.cost_limit
    if e is None or limit is None:
        raise BadInput(f"{channel!r} has no cost.")
    weights = np.maximum(z[channel.available], 0)
    weights = weights / weights.sum()
    D, _ = divergences(P, negative_entropies(P), weights)
    return float(weights @ D), float((D - price * e[channel.available]).max() + price * limit)


def _priced(optimum: Callable[[float], Array], e: Array, limit: float) -> tuple[Array, float]:
    """Distribution that spends `limit`, and its price."""
    dear = 1.0
    while optimum(dear) @ e > limit and dear < 1e12:
        dear *= 4
    price = float(brentq(lambda s: optimum(s) @ e - limit, 0.0, dear, xtol=1e-15, rtol=1e-14))  # pyright: ignore[reportArgumentType]
    z = optimum(price)
    if abs(z @ e - limit) <= 1e-11 * max(1.0, limit):
        return z, price
    width = 1e-9 * max(price, 1e-3)
    rich, poor = optimum(max(price - width, 0.0)), optimum(price + width)
    spread = (rich - poor) @ e
    share = float(np.clip((limit - poor @ e) / spread, 0, 1)) if spread > 0 else 0.0
    return share * rich + (1 - share) * poor, price


def _whole(channel: Channel, z: Array) -> Array:
    full = np.zeros(channel.inputs)
    full[channel.available] = z
    return full
