r"""Points of curves that trade one thing for another: capacity against mean cost, rate against distortion.

Each is an interval that proves itself, with the slope there, which is the multiplier of what is traded:

.. math:: dC/dB = s, \qquad dR/dD = -\beta
"""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np
import scipy

from analogflow.errors import BadInput
from analogflow.problems import Channel, RateDistortion
from analogflow.reference.capacity import capacity_reference
from analogflow.reference.rate_distortion import CurvePoint, rate_distortion_curve

__all__ = [
    "TradeOffPoint",
    "at_limit",
    "at_slope",
    "capacity_cost_ends",
    "capacity_cost_point",
    "rate_distortion_ends",
    "rate_distortion_point",
]

_CLOSE = 1e-13
"""Share of the range of distortions to which one is met."""

_STEEPEST = 1e9
"""Slope, nats per range of distortions, above which no point is looked for."""

_STEPS = 200

_BINDING = 1e-5
"""Price of a cost's range, nats, up to which its limit counts as one that does not bind."""


class TradeOffPoint(NamedTuple):
    """A point of a curve.

    Parameters
    ----------
    at : float
        Where it is: a mean cost, or a distortion.
    lower, upper : float
        Interval that holds the curve there, nats.
    slope : float
        Of the curve there, nats per unit of `at`; where it has a corner, one of those between both sides.
    """

    at: float
    lower: float
    upper: float
    slope: float


def capacity_cost_ends(channel: Channel, cost: int = 0) -> tuple[float, float]:
    """Least mean of a cost that other limits leave, and the one from which on its limit does not bind.

    Parameters
    ----------
    channel : Channel
    cost : int
        Which of the channel's costs, from 0.

    Raises
    ------
    BadInput
        The channel has no such cost.
    """
    if not 0 <= cost < len(channel.costs):
        count = len(channel.costs)
        known = f" {cost + 1}; it has {count}, counted from 1"
        raise BadInput(
            f"{channel!r} has no cost{known if count else '; give cost and cost_limit, of ready channels mean= or power='}."
        )
    problem = channel.reduced()
    others = np.delete(np.arange(len(problem.costs)), cost)
    row = problem.costs[cost]
    free = dataclasses.replace(
        problem,
        cost=problem.costs[others] if len(others) else None,
        cost_limit=problem.cost_limits[others] if len(others) else None,
        counts=None,
        model=None,
    )
    last = float(capacity_reference(free).input_distribution @ row)
    if not len(others):
        return float(row.min()), last
    found = scipy.optimize.linprog(
        row, A_ub=problem.costs[others], b_ub=problem.cost_limits[others], A_eq=np.ones((1, len(row))), b_eq=[1.0],
        bounds=(0, 1),
    )  # fmt: skip
    return float(found.fun), last


def at_limit(channel: Channel, point: TradeOffPoint, cost: int = 0) -> Channel:
    """The channel whose capacity is a point of the curve: under a limit that binds, or one that is far from binding.

    A limit that just stops to bind has the same answer as one that is far larger, and circuits settle at it like 1/t.
    """
    span = float(np.ptp(channel.costs[cost])) or 1.0
    return _limited(channel, point.at if point.slope * span > _BINDING else point.at + span, cost)


def _limited(channel: Channel, limit: float, cost: int = 0) -> Channel:
    """The channel with another limit of one of its costs."""
    limits = channel.cost_limits.copy()
    limits[cost] = limit
    given = limits if isinstance(channel.cost_limit, np.ndarray) else float(limit)
    return dataclasses.replace(channel, cost_limit=given, model=None)


def capacity_cost_point(channel: Channel, limit: float, cost: int = 0) -> TradeOffPoint:
    """Capacity of a channel under a limit of one of its costs, the others staying as they are.

    Raises
    ------
    BadInput
        No distribution keeps below the limit.
    SimulationFailed
        It was not certified.
    """
    found = capacity_reference(_limited(channel, limit, cost))
    return TradeOffPoint(limit, found.capacity_nats, found.capacity_nats + found.gap, float(found.prices[cost]))


def at_slope(problem: RateDistortion, slope: float) -> RateDistortion | None:
    """The problem whose answer is a point of that slope; None where the curve is flat."""
    return RateDistortion(problem.source, problem.distortion, -slope) if slope < 0 else None


def rate_distortion_ends(problem: RateDistortion, which: int = 0) -> tuple[float, float]:
    """Least distortion, and the least that needs no rate, that of the best single reproduction.

    Raises
    ------
    BadInput
        `which` is not 0: there is one distortion.
    """
    if which:
        raise BadInput(f"{problem!r} has one distortion, and no cost {which + 1}; leave it out.")
    return float(problem.source @ problem.least), float((problem.source @ problem.distortion).min())


def rate_distortion_point(problem: RateDistortion, distortion: float) -> TradeOffPoint:
    """R(D) at a distortion, whatever the slope of `problem`.

    Slopes are tried until their own distortions enclose D, and ever closer. Each proves a line below the whole curve;
    between two points that codes attain, sharing the time attains what lies on the straight line. Where the curve has a
    straight piece its slope is found.

    Raises
    ------
    BadInput
        D is not above the least distortion.
    SimulationFailed
        A point was not certified.
    """
    least, most = rate_distortion_ends(problem)
    if distortion >= most:
        return TradeOffPoint(distortion, 0.0, 0.0, 0.0)
    if not distortion > least:
        raise BadInput(f"the distortion {distortion:g} is not above the least possible one, {least:g}; give a larger one.")
    span = most - least
    # At no rate at all the line is flat, and everything is reproduced alike.
    flat, steep = CurvePoint(0.0, most, 0.0, 0.0), None
    beta, highest = 1 / span, 0.0
    for _ in range(_STEPS):
        found = rate_distortion_curve(problem.source, problem.distortion, [beta])[0]
        highest = max(highest, found.lower + beta * (found.distortion - distortion))
        if found.distortion > distortion:
            flat = found if found.beta > flat.beta else flat
        else:
            steep = found if steep is None or found.beta < steep.beta else steep
        met = steep is not None and (
            min(flat.distortion - distortion, distortion - steep.distortion) <= _CLOSE * span
            or steep.beta - flat.beta <= 4 * math.ulp(steep.beta)
        )
        if met or beta * span > _STEEPEST:
            break
        beta = 4 * beta if steep is None else _between(flat, steep, distortion)
    if steep is None:
        raise BadInput(
            f"the distortion {distortion:g} is too close to the least possible one, {least:g}, for a slope of the curve; "
            "give a larger one."
        )
    share = (flat.distortion - distortion) / (flat.distortion - steep.distortion)
    attained = share * steep.upper + (1 - share) * flat.upper
    nearer = steep if share > 0.5 else flat
    return TradeOffPoint(distortion, min(highest, attained), max(highest, attained), -nearer.beta)


def _between(flat: CurvePoint, steep: CurvePoint, distortion: float) -> float:
    """Slope between two, where a straight line of its logarithm against D would have it, and not too near to either."""
    if flat.beta <= 0:
        return 0.5 * steep.beta
    share = (flat.distortion - distortion) / (flat.distortion - steep.distortion)
    share = min(max(share, 0.02), 0.98)
    low, high = math.log(flat.beta), math.log(steep.beta)
    return math.exp(low + share * (high - low))
