"""Bounds that a plan proves for the transport cost, whoever computed it: a feasible plan above, potentials below.

It does not search for a plan.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, xlogy

from analogflow.checks import real_array
from analogflow.errors import BadInput
from analogflow.problems import Transport

__all__ = ["TransportBounds", "dual_value", "feasible", "primal_value", "transport_certificate", "violation"]

Array = NDArray[np.float64]

_UNDERFLOWN = 1e-280
"""Entries below this say nothing about the potentials: their logarithm is rounding."""


class TransportBounds(NamedTuple):
    """Interval that holds the smallest value of the objective, and how far the judged plan's marginals are off.

    ``lower`` is the dual function at the plan's own potentials, ``upper`` the objective of the plan brought to the right
    marginals, both in units of cost times mass, ``gap`` = upper − lower; ``violation`` = Σ_i |Σ_j P_ij − a_i| +
    Σ_j |Σ_i P_ij − b_j|, in units of mass.
    """

    lower: float
    upper: float
    gap: float
    violation: float


def transport_certificate(problem: Transport, plan: ArrayLike, potential: ArrayLike | None = None) -> TransportBounds:
    r"""Bounds on the optimum of the entropic objective, proved by one plan.

    .. math:: F(P) = \sum_{ij} P_{ij} C_{ij} + \epsilon \sum_{ij} P_{ij} \ln P_{ij}, \qquad
              D(g) = \sum_j b_j g_j + \sum_i a_i \epsilon \ln a_i
                     - \epsilon \sum_i a_i \ln \sum_j e^{(g_j - C_{ij})/\epsilon}

    D(g) ≤ F(P) for every g and every plan with the marginals a and b, with equality at the optimum only.

    Parameters
    ----------
    problem : Transport, n rows, m columns
    plan : array, shape (n, m)
        Negative entries, which a circuit may settle at, count as 0. Its marginals need not be right: what is lacking is
        filled in before the objective is taken.
    potential : array, shape (m,), optional
        g, in units of the cost. If not given, it is read from ε ln P_ij + C_ij = φ_i + g_j by least squares.

    Raises
    ------
    BadInput
        The plan or potential does not fit the problem or is not finite, or no entry of the plan is positive.

    References
    ----------
    M. Cuturi and G. Peyré, SIAM J. Imaging Sci. 9 (2016) 320 (the semi-dual). J. Altschuler, J. Weed and P. Rigollet,
    Near-linear time approximation algorithms for optimal transport via Sinkhorn iteration, 2017, algorithm 2 (rounding).
    """
    P = real_array(plan, "plan")
    if P.shape != problem.cost.shape:
        raise BadInput(f"plan has shape {P.shape}; give one entry for each of the {problem.cost.shape} costs.")
    if not np.isfinite(P).all() or not (P > 0).any():
        raise BadInput("plan is not finite or has no positive entry, so it moves nothing; give a settled answer.")
    g = _potential_of(problem, P) if potential is None else real_array(potential, "potential")
    if g.shape != problem.column.shape or not np.isfinite(g).all():
        raise BadInput(f"potential has shape {g.shape}; give one finite number for each of the {problem.columns} columns.")
    upper, lower = primal_value(problem, feasible(problem, P)), dual_value(problem, g)
    return TransportBounds(lower, upper, upper - lower, violation(problem, P))


def violation(problem: Transport, plan: Array) -> float:
    """Σ_i |Σ_j P_ij − a_i| + Σ_j |Σ_i P_ij − b_j|, in units of mass."""
    return float(abs(plan.sum(axis=1) - problem.row).sum() + abs(plan.sum(axis=0) - problem.column).sum())


def primal_value(problem: Transport, plan: Array) -> float:
    """F(P), for non-negative P, in units of cost times mass."""
    return float((plan * problem.cost).sum() + problem.epsilon * xlogy(plan, plan).sum())


def dual_value(problem: Transport, potential: Array) -> float:
    """D(g), in units of cost times mass."""
    a, epsilon = problem.row, problem.epsilon
    exponents = (potential - problem.cost) / epsilon
    spread = np.log(a) - logsumexp(exponents, axis=1)
    return float(problem.column @ potential + epsilon * (a @ spread))


def feasible(problem: Transport, plan: Array) -> Array:
    """Plan with the problem's marginals near `plan`: rows and columns with too much are scaled down, the rest spread."""
    P = np.maximum(plan, 0)
    for axis, wanted in ((1, problem.row), (0, problem.column)):
        sums = P.sum(axis=axis)
        P = P * np.expand_dims(np.minimum(1, wanted / np.where(sums > 0, sums, 1)), axis)
    rows, columns = problem.row - P.sum(axis=1), problem.column - P.sum(axis=0)
    lacking = np.maximum(rows, 0).sum()
    return P if lacking <= 0 else P + np.outer(np.maximum(rows, 0), np.maximum(columns, 0)) / lacking


def _potential_of(problem: Transport, plan: Array) -> Array:
    """Column potentials of the plan: the additive model of ε ln P + C that fits best where P is not lost."""
    seen = (plan > _UNDERFLOWN).astype(float)
    values = np.where(seen > 0, problem.epsilon * np.log(np.maximum(plan, _UNDERFLOWN)) + problem.cost, 0.0)
    # The entropic optimum has every entry positive; where many are lost, their graph may fall into pieces.
    normal = np.block([[np.diag(seen.sum(axis=1)), seen], [seen.T, np.diag(seen.sum(axis=0))]])
    right = np.concatenate([values.sum(axis=1), values.sum(axis=0)])
    return np.linalg.lstsq(normal, right, rcond=None)[0][problem.rows :]
