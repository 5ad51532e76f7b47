"""The reference for transport: the plan, its cost, and the violation and gap that prove both; and its limit as ε → 0."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import identity, kron, vstack

from analogflow.checks import is_positive
from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import Transport
from analogflow.reference.transport.certificate import feasible, transport_certificate, violation
from analogflow.reference.transport.newton import search

__all__ = ["TransportReference", "transport_limit", "transport_reference"]


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

    plan: NDArray[np.float64]
    cost: float
    potential: NDArray[np.float64]
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


def _other_side(problem: Transport, f: NDArray[np.float64]) -> NDArray[np.float64]:
    """Column potentials from row potentials f at the optimum: g_j = ε ln b_j − ε ln Σ_i exp((f_i − C_ij)/ε)."""
    exponents = (f[:, None] - problem.cost) / problem.epsilon
    top = exponents.max(axis=0)
    g = problem.epsilon * (np.log(problem.column) - top - np.log(np.exp(exponents - top).sum(axis=0)))
    return g - problem.column @ g / problem.mass


def _frozen(
    problem: Transport,
    plan: NDArray[np.float64],
    potential: NDArray[np.float64],
    off: float,
    gap: float,
    iterations: tuple[int, int],
) -> TransportReference:
    plan = np.ascontiguousarray(plan)
    for array in (plan, potential):
        array.setflags(write=False)
    return TransportReference(plan, float((plan * problem.cost).sum()), potential, off, gap, iterations)
