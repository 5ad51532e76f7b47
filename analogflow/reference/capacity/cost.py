"""Capacity of a channel whose inputs cost something and whose mean cost is limited."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from analogflow.errors import BadInput
from analogflow.problems import Channel
from analogflow.reference.capacity.certificate import divergences, negative_entropies
from analogflow.reference.capacity.interior_point import interior_point

__all__ = ["cost_certificate", "priced_distribution"]

Array = NDArray[np.float64]


def priced_distribution(channel: Channel) -> tuple[Array, float]:
    r"""Distribution that carries the most within the channel's limit, shape (n,), and the price s of the limit.

    The price is found where the optimum of I(z) − s Σ z e spends just E; where that optimum jumps, two of them are mixed.

    References
    ----------
    R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. Inf. Theory 18 (1972) 460,
    section IV.
    """
    problem = channel.reduced()
    P, e, limit = problem.transition, np.asarray(problem.cost), float(channel.cost_limit or 0.0)
    h, uniform = negative_entropies(P), np.full((1, len(P)), 1 / len(P))

    def optimum(price: float) -> Array:
        # Bounds from information theory hold D ≥ 0; the same constant added to every input changes no optimum.
        shifted = h - price * e + price * e.max()
        return interior_point(P[None], shifted[None], uniform, aim=1e-15).distributions[0]

    z, price = optimum(0.0), 0.0
    if z @ e > limit:
        z, price = _priced(optimum, e, limit)
    return _whole(channel, z), price


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
