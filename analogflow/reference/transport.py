"""The reference for transport: the plan, its cost, and the violation and gap that prove both; and its limit as ε → 0.

A feasible plan bounds the objective from above and potentials from below, whoever computed them: the search needs no trust.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.sparse import identity, kron, vstack

from analogflow.checks import is_positive, real_array
from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import Transport
from analogflow.reference.transport_search import search

__all__ = [
    "TransportBounds",
    "TransportReference",
    "feasible",
    "transport_certificate",
    "transport_limit",
    "transport_reference",
    "violation",
]

Array = NDArray[np.float64]

_TINY = float(np.finfo(float).tiny)

_BLOCK = 32_768
"""Entries of a plan that are judged at a time: they stay in a cache."""

_LOST, _MENDING_SWEEPS = 1e-300, 1000
"""Least share of a pair that has mass in every plan of positive temperature, and sweeps after which mending is given up."""

_UNDERFLOWN = 1e-280
"""Entries below this say nothing about the potentials: their logarithm is rounding."""


@dataclasses.dataclass(frozen=True, eq=False)
class TransportReference:
    """Optimal plan with its proof.

    Parameters
    ----------
    plan : array, shape (n, m), read-only
    cost : float
        Σ C_ij P_ij, cost times mass.
    potential : array, shape (m,), read-only
        Column potentials g, in units of the cost; the plan is P_i· = a_i softmax_j((g_j − C_ij)/ε). Σ_j b_j g_j = 0.
    violation : float
        Sum of the absolute errors of all marginals over the total mass.
    gap : float
        Objective of the plan with its marginals made exact, minus the dual at `potential`; cost times mass.
    iterations : tuple of int
        Sinkhorn sweeps and Newton steps; for a linear programme, 0 and the simplex iterations.
    """

    plan: Array
    cost: float
    potential: Array
    violation: float
    gap: float
    iterations: tuple[int, int]


def transport_reference(problem: Transport, *, violation: float = 1e-12, gap: float = 1e-9) -> TransportReference:
    """Optimal plan at the problem's temperature, certified.

    Parameters
    ----------
    problem : Transport
        Its schedule is not looked at: the answer does not depend on how it was cooled.
    violation : float
        Largest sum of the errors of the marginals, over the mass.
    gap : float
        Largest certified gap, over the mass times the cost's range or the temperature, whichever is larger.

    Raises
    ------
    BadInput
        A limit is not positive.
    SimulationFailed
        A limit was not reached; the text says what was.

    Notes
    -----
    The problem is turned so that the potentials are those of its shorter side.
    """
    for name, limit in (("violation", violation), ("gap", gap)):
        if not is_positive(limit, finite=False):
            raise BadInput(f"{name} is {limit!r}; give a positive limit, such as 1e-12.")
    turned = problem.columns > problem.rows
    cost, row, column = problem.cost, problem.row, problem.column
    if turned:
        cost, row, column = np.ascontiguousarray(cost.T), column, row
    span = problem.span
    found = search(cost, row, column, problem.epsilon, aim=0.1 * violation, span=span)
    plan, g = found.plan, found.potential
    if turned:
        plan, g = plan.T, _other_side(problem, g)
    bounds = _bounds(problem, plan, g)
    off, certified = bounds.violation / problem.mass, max(bounds.gap, 0.0)
    if not (off <= violation and certified <= gap * problem.mass * max(span, problem.epsilon)):
        raise SimulationFailed(
            f"the plan of {problem!r} is certified to a violation of {off:.2g} and a gap of {certified:.2g} only; "
            "ask for less, or take a larger epsilon."
        )
    # What rounding may take from either bound, beside the sizes of what they are sums of.
    rounding = 8 * np.finfo(float).eps * problem.mass * (problem.dearest + problem.epsilon + abs(g).max())
    return _frozen(problem, plan, g, off, certified + float(rounding), (found.sweeps, found.newton_steps))


def transport_limit(problem: Transport) -> TransportReference:
    """Plan of least cost without entropy, ε → 0: a linear programme, with its own certificate.

    Where several plans are optimal, one of them is returned; entropic plans tend to the one of largest entropy.

    Raises
    ------
    SimulationFailed
        The solver gave up.

    References
    ----------
    Q. Huangfu and J. A. J. Hall, Parallelizing the dual revised simplex method, Math. Prog. Comp. 10 (2018) 119 (HiGHS).
    """
    n, m = problem.cost.shape
    # Sums of rows, then of columns; the plan is flattened row after row.
    used = problem.allowed.ravel()
    sums = vstack([kron(identity(n), np.ones((1, m))), kron(np.ones((1, n)), identity(m))]).tocsr()[:, used]
    wanted = np.concatenate([problem.row, problem.column])
    solved = linprog(problem.cost.ravel()[used], A_eq=sums, b_eq=wanted, bounds=(0, None), method="highs")
    if not solved.success:
        raise SimulationFailed(f"the linear programme of {problem!r} was not solved: {solved.message}")
    plan = np.zeros(n * m)
    plan[used] = solved.x
    plan = feasible(problem, plan.reshape(n, m))
    g = np.asarray(solved.eqlin.marginals)[n:]
    g = g - problem.column @ g / problem.mass
    lower = problem.column @ g + problem.row @ (problem.cost - g).min(axis=1)
    gap = max(float((plan * problem.finite_cost).sum() - lower), 0.0)
    return _frozen(problem, plan, g, violation(problem, plan) / problem.mass, gap, (0, int(solved.nit)))


def _other_side(problem: Transport, f: Array) -> Array:
    """Column potentials from row potentials f at the optimum: g_j = ε ln b_j − ε ln Σ_i exp((f_i − C_ij)/ε)."""
    exponents = (f[:, None] - problem.cost) / problem.epsilon
    top = exponents.max(axis=0)
    g = problem.epsilon * (np.log(problem.column) - top - np.log(np.exp(exponents - top).sum(axis=0)))
    return g - problem.column @ g / problem.mass


def _frozen(
    problem: Transport,
    plan: Array,
    potential: Array,
    off: float,
    gap: float,
    iterations: tuple[int, int],
) -> TransportReference:
    plan = np.ascontiguousarray(plan)
    for array in (plan, potential):
        array.setflags(write=False)
    return TransportReference(plan, float(np.vdot(plan, problem.finite_cost)), potential, off, gap, iterations)


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
    if P.shape == problem.cost.shape:
        P = np.where(problem.allowed, P, 0.0)
    if P.shape != problem.cost.shape:
        raise BadInput(f"plan has shape {P.shape}; give one entry for each of the {problem.cost.shape} costs.")
    if not (np.isfinite(P.min()) and 0 < P.max() < np.inf):
        raise BadInput("plan is not finite or has no positive entry, so it moves nothing; give a settled answer.")
    g = _potential_of(problem, P) if potential is None else real_array(potential, "potential")
    if g.shape != problem.column.shape or not np.isfinite(g).all():
        raise BadInput(f"potential has shape {g.shape}; give one finite number for each of the {problem.columns} columns.")
    return _bounds(problem, P, g)


def _bounds(problem: Transport, plan: Array, g: Array) -> TransportBounds:
    upper, lower = _values(problem, plan if plan.min() >= 0 else np.maximum(plan, 0), g)
    return TransportBounds(lower, upper, upper - lower, violation(problem, plan))


def violation(problem: Transport, plan: Array) -> float:
    """Σ_i |Σ_j P_ij − a_i| + Σ_j |Σ_i P_ij − b_j|, in units of mass."""
    return float(abs(plan.sum(axis=1) - problem.row).sum() + abs(plan.sum(axis=0) - problem.column).sum())


def _values(problem: Transport, plan: Array, g: Array) -> tuple[float, float]:
    """F of the feasible plan near `plan` ≥ 0, and D(g), in units of cost times mass; some rows at a time."""
    epsilon, a, finite = problem.epsilon, problem.row, problem.finite_cost
    whole = bool(problem.allowed.all())
    if not whole:
        plan = feasible(problem, plan)
    x, y, rows, columns = _mending(problem, plan) if whole else _as_it_is(problem)
    upper, lower = 0.0, float(problem.column @ g)
    height = min(max(1, _BLOCK // problem.columns), problem.rows)
    rooms = np.empty((2, height, problem.columns))
    for first in range(0, problem.rows, height):
        part = slice(first, first + height)
        cost, some = problem.cost[part], a[part]
        P, terms = rooms[:, : len(some)]
        np.multiply(plan[part], x[part, None], out=P)
        P *= y
        P += rows[part, None] * columns
        # 0 ln 0 = 0: the logarithm of the smallest number is finite, and zero times it is zero.
        np.log(np.maximum(P, _TINY, out=terms), out=terms)
        terms *= epsilon
        terms += finite[part]
        upper += float(np.vdot(terms, P))
        exponents = np.subtract(g, cost, out=terms)
        exponents /= epsilon
        top = exponents.max(axis=1)
        exponents -= top[:, None]
        sums = np.exp(exponents, out=exponents).sum(axis=1)
        lower += epsilon * float(some @ (np.log(some / sums) - top))
    return upper, lower


def feasible(problem: Transport, plan: Array) -> Array:
    """Plan with the problem's marginals near `plan`: rows and columns with too much are scaled down, the rest spread."""
    P = np.maximum(plan, 0)
    if not problem.allowed.all():
        return _feasible_among(problem, np.where(problem.allowed, P, 0.0))
    x, y, rows, columns = _mending(problem, P)
    return P * x[:, None] * y + np.outer(rows, columns)


def _feasible_among(problem: Transport, P: Array) -> Array:
    """Plan with the problem's marginals near P ≥ 0 that has no mass where P has none: P_ij (1 + α_i + β_j).

    Both marginals are linear in α and β. Where an entry would fall below 0, a sweep of Sinkhorn's goes first. What is lost
    where mass must go counts as nearly lost only, as it does where there are no forbidden pairs.
    """
    P = np.where(problem.allowed, np.maximum(P, _LOST * problem.mass), 0.0)
    wanted = np.concatenate([problem.row, problem.column])
    for _ in range(_MENDING_SWEEPS):
        sums = np.concatenate([P.sum(axis=1), P.sum(axis=0)])
        root = 1 / np.sqrt(sums)
        normal = np.block([[np.diag(sums[: problem.rows]), P], [P.T, np.diag(sums[problem.rows :])]])
        scaled = np.linalg.lstsq(root[:, None] * normal * root, root * (wanted - sums), rcond=None)[0] * root
        factors = 1 + scaled[: problem.rows, None] + scaled[problem.rows :]
        if factors[problem.allowed].min() >= 0:
            return P * factors
        P = P * (problem.row / P.sum(axis=1))[:, None]
        P = P * (problem.column / P.sum(axis=0))
    return np.full(P.shape, np.nan)  # which proves nothing


def _as_it_is(problem: Transport) -> tuple[Array, Array, Array, Array]:
    """The same four for a plan that needs no mending."""
    return np.ones(problem.rows), np.ones(problem.columns), np.zeros(problem.rows), np.zeros(problem.columns)


def _mending(problem: Transport, plan: Array) -> tuple[Array, Array, Array, Array]:
    """x, y, r and c of the feasible plan x_i P_ij y_j + r_i c_j near a plan P ≥ 0."""
    sums = plan.sum(axis=1)
    x = np.minimum(1, problem.row / np.where(sums > 0, sums, 1))
    sums = x @ plan
    y = np.minimum(1, problem.column / np.where(sums > 0, sums, 1))
    rows, columns = np.maximum(problem.row - x * (plan @ y), 0), np.maximum(problem.column - sums * y, 0)
    lacking = rows.sum()
    return x, y, rows, columns / lacking if lacking > 0 else np.zeros_like(columns)


def _potential_of(problem: Transport, plan: Array) -> Array:
    """Column potentials of the plan: the additive model of ε ln P + C that fits best where P is not lost."""
    seen = (plan > _UNDERFLOWN).astype(float)
    values = np.where(seen > 0, problem.epsilon * np.log(np.maximum(plan, _UNDERFLOWN)) + problem.finite_cost, 0.0)
    # The entropic optimum has every entry positive; where many are lost, their graph may fall into pieces.
    normal = np.block([[np.diag(seen.sum(axis=1)), seen], [seen.T, np.diag(seen.sum(axis=0))]])
    right = np.concatenate([values.sum(axis=1), values.sum(axis=0)])
    return np.linalg.lstsq(normal, right, rcond=None)[0][problem.rows :]
