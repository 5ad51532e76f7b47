"""The family of the transport flow: costs and masses, and the plans that carry them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.families.ends import Held, RunEnds, asked, largest
from analogflow.families.family import Contest, Family
from analogflow.families.trade_off import TradeOff
from analogflow.flows import Flow, comparable
from analogflow.flows.transport import FORMS, transport
from analogflow.problems import Transport
from analogflow.reference.transport import TransportReference, transport_certificate, transport_reference
from analogflow.reference.transport_curve import (
    at_temperature,
    information,
    transport_curve_ends,
    transport_curve_point,
)
from analogflow.reference.transport_theory import sinkhorn_spectrum
from analogflow.run import Run

__all__ = ["TRANSPORT"]


Array = NDArray[np.float64]

ROW_LIMIT = 1e-8
"""Largest error of a row's sum that an ideal transport circuit is let pass anywhere along its path, over the mass."""

_SHARP = 1e-5
"""Tolerance above which a circuit is not taken for an ideal one, whose rows hold by themselves."""

_ALIKE = 1e-9
"""Range of the costs, over the largest of them, below which they are all alike."""


def _errors(problem: Transport, reference: TransportReference, ends: RunEnds) -> dict[str, Array]:
    finals, paths = ends.finals, ends.paths
    plan = finals["plan"].reshape(-1, *problem.cost.shape)
    found = {"plan": largest(plan - reference.plan)}
    if "cost" in finals:
        found["cost"] = abs(finals["cost"][:, 0] - reference.cost)
    off = abs(plan.sum(axis=2) - problem.row).sum(axis=1) + abs(plan.sum(axis=1) - problem.column).sum(axis=1)
    found["marginals"] = off / problem.mass
    rows = paths["plan"].reshape(*paths["plan"].shape[:2], *problem.cost.shape).sum(axis=3)
    found["rows"] = largest(rows - problem.row) / problem.mass
    # A plan without potentials is held against those that it implies.
    potentials = finals["g"] if "g" in finals else problem.epsilon * finals["u"] if "u" in finals else None
    usable = np.isfinite(plan).all(axis=(1, 2)) & (plan > 0).any(axis=(1, 2))
    if potentials is not None:
        usable &= np.isfinite(potentials).all(axis=1)
    found["certified_gap"] = np.full(len(plan), np.nan)
    for k in np.flatnonzero(usable):
        found["certified_gap"][k] = transport_certificate(
            problem, plan[k], None if potentials is None else potentials[k]
        ).gap
    wrong = np.not_equal(plan.argmax(axis=2), reference.plan.argmax(axis=1))
    found["misassigned_rows"] = np.where(np.isfinite(plan).all(axis=(1, 2)), wrong.sum(axis=1), np.nan)
    return found


def _cost_unit(problem: Transport) -> float:
    """What errors of a total cost are relative to: the mass, times the costs' range, or their size where they are alike."""
    dearest = problem.dearest
    return max((problem.span if problem.span > _ALIKE * dearest else dearest) * problem.mass, np.finfo(float).tiny)


def _held(
    problem: Transport, reference: TransportReference, errors: Mapping[str, Array], ends: RunEnds, limit: float
) -> list[Held]:
    unit = _cost_unit(problem)
    # In a circuit of parts the sum of a row is one ratio of two of them, relative to the row; errors are over the mass.
    rows = ROW_LIMIT if limit <= _SHARP else limit * float(problem.row.max()) / problem.mass
    return [
        *asked(
            errors,
            limit,
            ("plan", "plan agrees with the reference", "", problem.mass),
            ("cost", "cost agrees with the reference", "", unit),
            ("marginals", "marginals are right", ""),
        ),
        *asked(errors, rows, ("rows", "row sums stay right along the path", "")),
        *asked(errors, limit, ("certified_gap", "the plan certifies its own value", "", unit)),
    ]


def _pushed(flow: Flow, name: str, end: Array, direction: Array, delta: float) -> Array:
    """Potentials start anew, at random on that side which is farther from their end, and what cools where it started."""
    if name not in ("g", "u"):
        return np.array(np.broadcast_to(flow.states[name].ravel(), end.shape))
    costs = np.asarray(flow.constants["C"])
    scale = float(np.ptp(costs[np.isfinite(costs)])) / (1.0 if name == "g" else float(flow.constants.get("epsilon", 1.0)))
    start, point = 0.5 * scale * (2 * scipy.special.ndtr(direction) - 1), comparable(flow.keeps, name)
    near, far = (abs(point(side) - point(end)).max(axis=1, keepdims=True) for side in (start, -start))
    return np.where(near < far, -start, start)


def _answer(problem: Transport, reference: TransportReference, run: Run) -> dict[str, Any]:
    plan = problem.whole(run.final["plan"].reshape(problem.cost.shape))
    return {"plan": plan.tolist(), "cost": float(run.final["cost"][0])}


def _exact(problem: Transport, reference: TransportReference) -> dict[str, Any]:
    return {"plan": problem.whole(reference.plan).tolist(), "cost": reference.cost}


def _slowest(problem: Transport, reference: TransportReference) -> float:
    rate, cooling = sinkhorn_spectrum(reference.plan).gap, problem.schedule
    if cooling is None:
        return rate
    return min(rate, cooling.rate * (problem.epsilon if cooling.kind == "quadratic" else 1.0))


def _contest(problem: Transport, reference: Any) -> Contest:
    """Of a plan, and of the potential that proves it, or None; a circuit's plan is held against what it implies itself."""

    def read(answer: Any) -> dict[str, Any]:
        plan, potential = answer
        return {"plan": plan} if potential is None else {"plan": plan, "g": potential}

    return Contest(
        measure="certified gap over the cost's range, or violation of the marginals over the mass, whichever is larger",
        full_scale=1.0,
        usual=1e-2,
        signals=("plan",),
        errors={"certified_gap": _cost_unit(problem), "marginals": 1.0},
        read=read,
    )


def _expected(problem: Transport, reference: TransportReference) -> dict[str, Any]:
    return {"plan": reference.plan.ravel().tolist(), "cost": reference.cost}


def _smaller(problem: Transport, count: int) -> tuple[Transport, str]:
    cost = problem.cost[:count, :count]
    row, column = problem.row[: cost.shape[0]], problem.column[: cost.shape[1]]
    part = Transport(cost, row / row.sum(), column / column.sum(), problem.epsilon, problem.schedule)
    return part, f"a transport of {cost.shape[0]} rows and {cost.shape[1]} columns"


def _on_curve(run: Run, which: int) -> tuple[float, float]:
    """Mean cost of a circuit's plan and its information, by its own marginals."""
    columns = next(run.final[name].size for name in ("g", "u") if name in run.final)
    plan = run.final["plan"].reshape(-1, columns)
    return float(run.final["cost"][0] / plan.sum()), information(plan)


TRANSPORT = Family(
    name="transport",
    problem=Transport,
    noun="a transport problem",
    keys=("cost", "row", "column", "epsilon", "schedule"),
    needed={
        "cost": "the matrix of costs, a row for each source",
        "epsilon": "the temperature in units of the cost",
    },
    options=("normalise",),
    flow=transport,
    forms=FORMS,
    reference=lambda problem, _: transport_reference(problem),
    errors=_errors,
    sizes=lambda problem, answers: np.full(len(answers), problem.mass),
    primary="plan",
    unlisted="",
    labels={
        "plan": "largest difference of an entry of the plan",
        "cost": "difference of the cost",
        "marginals": "sum of the marginals' errors, over the mass",
        "rows": "largest error of a row's sum on the way",
        "certified_gap": "certified gap of the circuit's plan",
        "misassigned_rows": "rows whose largest entry is another",
    },
    held=_held,
    pushed=_pushed,
    ended="settled",
    answer=_answer,
    exact=_exact,
    slowest=_slowest,
    contest=_contest,
    expected=_expected,
    size=lambda problem: max(problem.cost.shape),
    smaller=_smaller,
    curve=TradeOff(
        at="cost",
        value="information_nats",
        says="mean cost",
        value_says="information",
        ends=transport_curve_ends,
        point=transport_curve_point,
        posed=lambda problem, point, which: at_temperature(problem, point.slope),
        read=_on_curve,
    ),
)
"""The family of the transport flow."""
