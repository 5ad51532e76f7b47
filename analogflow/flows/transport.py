"""Entropic optimal transport as a flow of column potentials, at a fixed temperature or while it falls.

Every row of the plan is one softmax with a fixed tail, so rows hold by themselves; columns are what the integrators
enforce. Cooling follows Y. Liu, Avoiding Premature Collapse, arXiv:2601.23039 (2026).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from analogflow.checks import refuse_unknown
from analogflow.flows.flow import Flow
from analogflow.flows.invariants import WeightedMean
from analogflow.graph import comparator, softmax, switch
from analogflow.problems import Transport
from analogflow.rest import usual

__all__ = ["BRAKE_RATE", "FORMS", "transport"]

BRAKE_RATE = 10.0
"""Rate, per τ, at which the brake follows its comparator."""

_WIDTH = 0.1
"""Width of the comparator's transition, in units of the square of the limit it compares with."""


def _spread(columns: Any, C: np.ndarray) -> Any:
    """A value for each column, repeated in every row: wiring."""
    return columns[np.broadcast_to(np.arange(C.shape[1]), C.shape)]


def _finite(C: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(C), C, 0.0)


def _plan(exponents: Any, C: np.ndarray, a: np.ndarray) -> Any:
    """a_i softmax_j(s_ij), 0 where the cost is infinite."""
    forbidden = np.isinf(C)
    return softmax(exponents, tail=a, offsets=np.where(forbidden, np.inf, 0.0) if forbidden.any() else None)


def _missing(P: Any, b: np.ndarray) -> Any:
    """1 − Σ_i P_ij/b_j: the share of a column's mass that is still missing."""
    return 1.0 - P.sum(axis=0) / b


def fixed(x: Any, C: np.ndarray, a: np.ndarray, b: np.ndarray, epsilon: float, carry: str) -> Any:
    """ġ_j = ε (1 − Σ_i P_ij/b_j), or u̇_j = 1 − Σ_i P_ij/b_j with u = g/ε; P_i· = a_i softmax_j((g_j − C_ij)/ε)."""
    share = _missing(_fixed_plan(x, C, a, b, epsilon, carry), b)
    return epsilon * share if carry == "potential" else share


def _exponents(carry: str, x: Any, epsilon: Any, C: np.ndarray) -> Any:
    """s_ij = (g_j − C_ij)/ε, or u_j − C_ij/ε; as if C_ij were 0 where it is infinite, which `_plan` makes up for."""
    inverse = 1.0 / epsilon
    return _spread(x * inverse if carry == "potential" else x, C) - _finite(C) * inverse


def _exponent_rates(carry: str, x: Any, epsilon: Any, share: Any, cooling: Any, C: np.ndarray) -> Any:
    """ṡ_ij from the missing shares and ε̇: ġ_j/ε − s_ij ε̇/ε where g is carried, u̇_j + C_ij ε̇/ε² where u is."""
    inverse = 1.0 / epsilon
    if carry == "potential":
        return _spread(share, C) - _exponents(carry, x, epsilon, C) * (cooling * inverse)
    return _spread(share, C) + _finite(C) * (cooling * inverse * inverse)


def _cooling(epsilon: Any, end: float, rate: float, quadratic: bool) -> Any:
    """−ε̇ without a brake."""
    fall = rate * (epsilon - end)
    return epsilon * fall if quadratic else fall


def cooled(
    x: Any, epsilon: Any, C: np.ndarray, a: np.ndarray, b: np.ndarray, end: float, rate: float, carry: str, quadratic: bool
) -> tuple[Any, Any]:
    """Rates of g or u, and of ε, on a schedule that looks at nothing."""
    share = _missing(_plan(_exponents(carry, x, epsilon, C), C, a), b)
    return epsilon * share if carry == "potential" else share, -_cooling(epsilon, end, rate, quadratic)


def plan_speed(P: Any, s_rate: Any, a: np.ndarray) -> Any:
    """‖dP/dt‖_F² from Ṗ_ij = P_ij (ṡ_ij − Σ_k P_ik ṡ_ik/a_i)."""
    mean = (P * s_rate).sum(axis=1) / a
    moved = P * (s_rate - mean[:, None])
    return (moved * moved).sum()


def braked(
    x: Any, epsilon: Any, brake: Any, C: np.ndarray, a: np.ndarray, b: np.ndarray,
    end: float, rate: float, carry: str, k_safe: float,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Rates of g or u, of ε, and of the brake, which follows a comparator of ‖dP/dt‖_F with k_safe ε."""
    P = _plan(_exponents(carry, x, epsilon, C), C, a)
    share = _missing(P, b)
    cooling = -switch(_cooling(epsilon, end, rate, False), 1.0 - brake)
    # Measured in units of the limit from the start, so that no voltage on the way is far from 1.
    unit = (1.0 / k_safe) / epsilon
    speed = plan_speed(P, _exponent_rates(carry, x, epsilon, share * unit, cooling * unit, C), a)
    decision = comparator(speed, 1.0, width=_WIDTH)
    return epsilon * share if carry == "potential" else share, cooling, BRAKE_RATE * (decision - brake)


_EQUATIONS = {
    "potential": "dg_j/dt = eps (1 - sum_i P_ij/b_j);  P_ij = a_i softmax_j((g_j - C_ij)/eps)",
    "scaling": "du_j/dt = 1 - sum_i P_ij/b_j;  P_ij = a_i softmax_j(u_j - C_ij/eps)",
}
_COOLING = {
    "exponential": "deps/dt = -r (eps - end)",
    "quadratic": "deps/dt = -r eps (eps - end)",
    "adaptive": f"deps/dt = -r (eps - end) (1 - brake);  dbrake/dt = {BRAKE_RATE:g} (H(|dP/dt| - k_safe eps) - brake)",
}

FORMS: tuple[str, ...] = ("potential", "scaling")
"""Forms of the flow, the default first."""


def transport(problem: Transport, *, form: str = "potential") -> Flow:
    r"""Flow whose plan settles at the optimal one for the problem's temperature.

    .. math:: \dot g_j = \epsilon\,\Bigl(1 - \frac1{b_j}\sum_i P_{ij}\Bigr), \quad
              P_{i\cdot} = a_i \operatorname{softmax}_j\bigl((g_j - C_{ij})/\epsilon\bigr)

    Parameters
    ----------
    problem : Transport, n rows, m columns
    form : {"potential", "scaling"}
        What the integrators carry: the potentials g, in units of the cost, or u = g/ε. At a fixed temperature both follow
        the same path. While it falls, the exponents of "potential" keep up by themselves, and those of "scaling" lag.

    Returns
    -------
    Flow
        State "g" or "u", shape (m,), "epsilon", shape (1,), if the problem has a schedule, and "brake", shape (1,), if that
        is adaptive. Observables "plan" (row after row, n·m), "cost" Σ C_ij P_ij, and what has to settle, "scaled" (m): the
        b_j g_j/ε, with a schedule b_j (g_j/ε + ε/ε∞). Time in units of τ.

    Raises
    ------
    BadInput
        `form` is not one of these.

    Notes
    -----
    This ascends the semi-dual function, whose gradient is b_j − Σ_i P_ij, with steps ε/b_j: one integrator capacitance for
    each column. Its rates near the plan are then the 1 − σ_k² of the singular values σ_k of P_ij/√(a_i b_j), as those of
    Sinkhorn's iteration are per sweep. They vanish as ε → 0 where the optimal plan is a permutation. Σ_j b_j g_j is neutral
    and is restored. That which has to settle is not the plan: with ε small beside the costs its entries rest while the
    potentials still travel.

    The brake needs ‖dP/dt‖_F while it decides on ε̇, which is part of dP/dt. It is a state of its own, with a time constant
    of τ/10, so that the plan's speed is algebraic in the states: n·m multipliers, not n·m integrators. Between full speed
    and standstill it takes the value at which the plan moves at k_safe ε.

    References
    ----------
    M. Cuturi and G. Peyré, SIAM J. Imaging Sci. 9 (2016) 320: the semi-dual. Liu 2026: equation (3), the pause.
    """
    refuse_unknown(form, FORMS, "form", "the transport flow")
    name = "g" if form == "potential" else "u"
    states: dict[str, np.ndarray] = {name: np.zeros(problem.columns)}
    constants: dict[str, Any] = {"C": problem.cost, "a": problem.row, "b": problem.column, "carry": form}
    observables: dict[str, Callable[..., Any]]
    equations = _EQUATIONS[form]
    if problem.schedule is None:
        constants["epsilon"] = problem.epsilon
        function: Callable[..., Any] = fixed
        observables = {"plan": _fixed_plan, "cost": _cost_of(_fixed_plan), "scaled": _fixed_scaled}
    else:
        cooling = problem.schedule
        constants |= {"end": problem.epsilon, "rate": cooling.rate}
        states["epsilon"] = np.array([cooling.start])
        if cooling.kind == "adaptive":
            function, states["brake"] = braked, np.zeros(1)
            constants["k_safe"] = cooling.k_safe
        else:
            function, constants["quadratic"] = cooled, cooling.kind == "quadratic"
        observables = {"plan": _cooled_plan, "cost": _cost_of(_cooled_plan), "scaled": _cooled_scaled}
        equations += f";  {_COOLING[cooling.kind]}"
    return Flow(
        function,
        states,
        (WeightedMean(name, tuple(problem.column.tolist())),),
        constants,
        observables,
        answer="scaled",
        shows="plan",
        family="transport",
        form=form,
        equations=equations,
        problem=problem,
        size=problem.mass,
        scale=usual(max(problem.span, problem.epsilon)) if form == "potential" else 1.0,
    )


def _fixed_plan(x: Any, C: np.ndarray, a: np.ndarray, b: np.ndarray, epsilon: float, carry: str) -> Any:
    u = x / epsilon if carry == "potential" else x
    return softmax(_spread(u, C), tail=a, offsets=C / epsilon)


def _fixed_scaled(x: Any, b: np.ndarray, epsilon: float, carry: str, **constants: Any) -> Any:
    return x * (b / epsilon if carry == "potential" else b)


def _cooled_plan(x: Any, epsilon: Any, *brake: Any, C: np.ndarray, a: np.ndarray, carry: str, **constants: Any) -> Any:
    return _plan(_exponents(carry, x, epsilon, C), C, a)


def _cooled_scaled(x: Any, epsilon: Any, *brake: Any, b: np.ndarray, end: float, carry: str, **constants: Any) -> Any:
    u = x * (1.0 / epsilon) if carry == "potential" else x
    return b * (u + epsilon / end)


def _cost_of(plan: Callable[..., Any]) -> Callable[..., Any]:
    def cost(*states: Any, C: np.ndarray, **constants: Any) -> Any:
        return _finite(C).ravel() @ plan(*states, C=C, **constants).reshape(C.size)

    return cost
