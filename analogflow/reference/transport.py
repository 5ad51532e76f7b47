"""The reference for transport: the plan, its cost, and the violation and gap that prove both; and its limit as ε → 0.

A feasible plan bounds the objective from above and potentials from below, whoever computed them; the search itself, cooled
in steps that Newton's method on the dual finishes, needs no trust.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import linprog
from scipy.sparse import identity, kron, vstack
from scipy.special import logsumexp, xlogy

from analogflow.checks import is_positive, real_array
from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import Transport

__all__ = [
    "TransportBounds",
    "TransportReference",
    "feasible",
    "search",
    "transport_certificate",
    "transport_limit",
    "transport_reference",
    "violation",
]

Array = NDArray[np.float64]

_UNDERFLOWN = 1e-280
"""Entries below this say nothing about the potentials: their logarithm is rounding."""

_SWEEPS, _NEWTON_STEPS, _ROUGH = 4, 200, 0.1
"""Sinkhorn sweeps and Newton steps at most at each temperature, and the relative error of every column below which the
next is begun: a light column that is left behind has a long way to go later."""

_COOLER = 0.4
"""Ratio of a temperature to the one before."""

_LONGEST, _SHORTEST = 10.0, 1e-2
"""Longest first step of an exponent, and shortest part of it that is tried before the Hessian is ridged."""

_NEAR = 1e-6
"""Violation below which halving it is enough for a step to be taken."""

_RIDGES = (0.0, 1e-14, 1e-12, 1e-9, 1e-6, 1e-3)
"""Parts of diag b added to a Hessian that is singular to rounding, as it is where the plan is nearly a permutation."""


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
    solved = (
        Transport(problem.cost.T, problem.column, problem.row, problem.epsilon) if turned else problem.at(problem.epsilon)
    )
    found = search(solved, aim=0.1 * violation)
    plan, g = found.plan, found.potential
    if turned:
        plan, g = plan.T, _other_side(problem, g)
    bounds = transport_certificate(problem, plan, g)
    off, certified = bounds.violation / problem.mass, max(bounds.gap, 0.0)
    if not (off <= violation and certified <= gap * problem.mass * max(problem.span, problem.epsilon)):
        raise SimulationFailed(
            f"the plan of {problem!r} is certified to a violation of {off:.2g} and a gap of {certified:.2g} only; "
            "ask for less, or take a larger epsilon."
        )
    # What rounding may take from either bound, beside the sizes of what they are sums of.
    rounding = 8 * np.finfo(float).eps * problem.mass * (abs(problem.cost).max() + problem.epsilon + abs(g).max())
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
    sums = vstack([kron(identity(n), np.ones((1, m))), kron(np.ones((1, n)), identity(m))]).tocsr()
    wanted = np.concatenate([problem.row, problem.column])
    solved = linprog(problem.cost.ravel(), A_eq=sums, b_eq=wanted, bounds=(0, None), method="highs")
    if not solved.success:
        raise SimulationFailed(f"the linear programme of {problem!r} was not solved: {solved.message}")
    plan = feasible(problem, solved.x.reshape(n, m))
    g = np.asarray(solved.eqlin.marginals)[n:]
    g = g - problem.column @ g / problem.mass
    lower = problem.column @ g + problem.row @ (problem.cost - g).min(axis=1)
    gap = max(float((plan * problem.cost).sum() - lower), 0.0)
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
    return TransportReference(plan, float((plan * problem.cost).sum()), potential, off, gap, iterations)


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
    upper, lower = _primal_value(problem, feasible(problem, P)), _dual_value(problem, g)
    return TransportBounds(lower, upper, upper - lower, violation(problem, P))


def violation(problem: Transport, plan: Array) -> float:
    """Σ_i |Σ_j P_ij − a_i| + Σ_j |Σ_i P_ij − b_j|, in units of mass."""
    return float(abs(plan.sum(axis=1) - problem.row).sum() + abs(plan.sum(axis=0) - problem.column).sum())


def _primal_value(problem: Transport, plan: Array) -> float:
    """F(P), for non-negative P, in units of cost times mass."""
    return float((plan * problem.cost).sum() + problem.epsilon * xlogy(plan, plan).sum())


def _dual_value(problem: Transport, potential: Array) -> float:
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


@dataclasses.dataclass(frozen=True, eq=False)
class _Found:
    """Potentials, in units of the cost, the plan they give, and what they took."""

    potential: Array
    plan: Array
    sweeps: int
    newton_steps: int


def search(problem: Transport, aim: float) -> _Found:
    """Column potentials whose plan has right rows, and columns that are off by `aim` of the mass in all, if that is reached.

    Notes
    -----
    At each temperature the cost is first reduced by the potentials found so far, so that exponents of heavy entries are
    small and their rounding is too. A Newton step solves (diag c − Pᵀ diag(1/a) P + b bᵀ) δ = b − c, c being the column
    sums; the last term picks one of the solutions, which differ by a constant. It is halved until the dual function rises.
    """
    g = np.zeros(problem.columns)
    epsilon = max(problem.epsilon, problem.span)
    sweeps = steps = 0
    while True:
        epsilon = max(problem.epsilon, epsilon)
        last = epsilon == problem.epsilon
        stage = _Stage(problem, g, epsilon)
        for _ in range(_SWEEPS):
            stage.sweep()
        for _ in range(_NEWTON_STEPS):
            if stage.violation <= aim if last else stage.worst <= _ROUGH:
                break
            before = stage.violation
            if stage.newton():
                steps += 1
            else:
                stage.sweep()
                sweeps += 1
                if last and stage.violation >= before and before < 1e3 * aim:
                    break
        sweeps += _SWEEPS
        g = stage.potential()
        if last:
            return _Found(g, stage.plan, sweeps, steps)
        epsilon *= _COOLER


class _Stage:
    """The dual problem at one temperature, with the exponents' part u that changes kept apart from the rest."""

    def __init__(self, problem: Transport, g: Array, epsilon: float) -> None:
        self.a, self.b, self.mass = problem.row, problem.column, problem.mass
        self.g, self.epsilon = g, epsilon
        reduced = problem.cost - g
        self.exponents = (reduced.min(axis=1, keepdims=True) - reduced) / epsilon
        self.u = np.zeros(problem.columns)
        self._take(self.u)

    def potential(self) -> Array:
        """Potentials in units of the cost, of mean 0 by the columns' masses."""
        g = self.g + self.epsilon * self.u
        return g - self.b @ g / self.mass

    def sweep(self) -> None:
        """Sinkhorn's update of the columns."""
        self._take(self.u + np.log(self.b / np.maximum(self.columns, np.finfo(float).tiny)))

    def newton(self) -> bool:
        """One step of Newton's method, shortened until the dual rises; whether it did."""
        scaled = self.plan / self.a[:, None]
        hessian = np.diag(self.columns) - self.plan.T @ scaled + np.outer(self.b, self.b) / self.mass
        residual = self.b - self.columns
        value, before, u = self.value, self.violation, self.u
        for ridge in _RIDGES:
            try:
                step = cho_solve(cho_factor(hessian + np.diag(ridge * self.b)), residual)
            except LinAlgError:
                continue
            slope, length = float(residual @ step), min(1.0, _LONGEST / abs(step).max())
            shortest = _SHORTEST * length
            while length >= shortest:
                self._take(u + length * step)
                # At the end the dual's rise drowns in rounding, and the violation tells.
                halved = before < _NEAR and self.violation < 0.5 * before
                if halved or self.value >= value + 1e-4 * length * slope:
                    self._lengthen(u, step, length)
                    return True
                length *= 0.5
        self._take(u)
        return False

    def _lengthen(self, u: Array, step: Array, length: float) -> None:
        """Double an accepted step that was cut while that raises the dual: a column may be far from where it belongs."""
        while length < 1:
            value, length = self.value, 2 * length
            self._take(u + length * step)
            if not self.value > value:
                self._take(u + 0.5 * length * step)
                return

    def _take(self, u: Array) -> None:
        exponents = self.exponents + u
        top = exponents.max(axis=1, keepdims=True)
        weights = np.exp(exponents - top)
        sums = weights.sum(axis=1, keepdims=True)
        self.u = u
        self.plan = self.a[:, None] * (weights / sums)
        self.columns = self.plan.sum(axis=0)
        self.value = float(self.b @ u - self.a @ (top + np.log(sums))[:, 0])
        self.violation = float(abs(self.columns - self.b).sum()) / self.mass
        self.worst = float(abs(self.columns / self.b - 1).max())
