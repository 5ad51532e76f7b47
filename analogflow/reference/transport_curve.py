r"""Points of the curve of transport: least information that a plan of a given mean cost has between row and column.

.. math:: I(c) = \min_P \sum_{ij} P_{ij} \ln \frac{P_{ij}}{a_i b_j}, \quad \sum_{ij} C_{ij} P_{ij} \le c,
          \qquad \frac{dI}{dc} = -\frac{1}{\epsilon}

Masses are divided by their sum: costs are those of a unit of mass. Information is H(a) + H(b) less the entropy of the plan.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import xlogy

from analogflow.errors import BadInput
from analogflow.problems import Transport
from analogflow.reference.curves import TradeOffPoint
from analogflow.reference.transport import feasible, transport_limit, transport_reference

__all__ = ["at_temperature", "information", "transport_curve_ends", "transport_curve_point"]

Array = NDArray[np.float64]

_COLDEST = 1e-5
"""Temperature, over the costs' range, below which no point is looked for."""


def information(plan: Array) -> float:
    """Mutual information, nats, of row and column, of a plan of any mass; of its own marginals."""
    P = plan / plan.sum()
    return float(xlogy(P, P).sum() - xlogy(P.sum(axis=0), P.sum(axis=0)).sum() - xlogy(P.sum(axis=1), P.sum(axis=1)).sum())


def transport_curve_ends(problem: Transport, which: int = 0) -> tuple[float, float]:
    """Least mean cost of any plan, and that of the plan without information, a_i b_j.

    Raises
    ------
    BadInput
        `which` is not 0: there is one cost; or a cost is infinite, so that no plan is without information.
    """
    if which:
        raise BadInput(f"{problem!r} has one cost, and no cost {which + 1}; leave it out.")
    if not np.isfinite(problem.cost).all():
        raise BadInput(f"{problem!r} has infinite costs, which the plan without information can not avoid; it has no curve.")
    return transport_limit(problem).cost / problem.mass, float(problem.row @ problem.cost @ problem.column) / problem.mass**2


def transport_curve_point(problem: Transport, cost: float, which: int = 0) -> TradeOffPoint:
    """I(c) at a mean cost c, whatever the temperature of `problem`.

    The temperature is sought at which the optimal plan costs c. Each proves a line below the whole curve, by its dual; the
    mixture of the two nearest plans that costs c itself has at least as much information as the curve.

    Raises
    ------
    BadInput
        c is not above the least cost, or too close to it.
    SimulationFailed
        A plan was not certified.
    """
    least, most = transport_curve_ends(problem, which)
    if cost >= most:
        return TradeOffPoint(cost, 0.0, 0.0, 0.0)
    if not cost > least:
        raise BadInput(f"the cost {cost:g} is not above the least possible one, {least:g}; give a larger one.")
    a, b, C = problem.row / problem.mass, problem.column / problem.mass, problem.cost
    entropies = -float(xlogy(a, a).sum() + xlogy(b, b).sum())
    span, lowest = problem.span, 0.0
    cheap: tuple[float, float, Array] | None = None
    dear = (math.inf, most, np.outer(a, b))

    def away(log_epsilon: float) -> float:
        nonlocal cheap, dear, lowest
        epsilon = math.exp(log_epsilon)
        unit = Transport(C, a, b, epsilon)
        found = transport_reference(unit)
        plan = feasible(unit, found.plan)
        costs = float((C * plan).sum())
        dual = costs + epsilon * float(xlogy(plan, plan).sum()) - found.gap
        lowest = max(lowest, (dual - cost) / epsilon + entropies)
        if costs <= cost:
            cheap = (epsilon, costs, plan) if cheap is None or epsilon > cheap[0] else cheap
        elif epsilon < dear[0]:
            dear = (epsilon, costs, plan)
        return costs - cost

    warm = cold = math.log(span)
    while away(cold) > 0:
        warm, cold = cold, cold - math.log(4)
        if cold < math.log(_COLDEST * span):
            raise BadInput(f"the cost {cost:g} is too close to the least possible one, {least:g}; give a larger one.")
    while away(warm) <= 0:
        warm += math.log(4)
    brentq(away, cold, warm, xtol=1e-13)
    assert cheap is not None
    share = (dear[1] - cost) / (dear[1] - cheap[1])
    mixed = share * cheap[2] + (1 - share) * dear[2]
    attained = float(xlogy(mixed, mixed).sum()) + entropies
    nearer = cheap if share > 0.5 else dear
    return TradeOffPoint(cost, min(lowest, attained), max(lowest, attained), -1 / nearer[0])


def at_temperature(problem: Transport, slope: float) -> Transport | None:
    """The problem whose optimal plan is a point of that slope; None where the curve is flat."""
    return Transport(problem.cost, problem.row, problem.column, -1 / slope) if slope < 0 else None
