"""Judges a run of the transport flow: its plan and cost against the reference, its own certificate, its marginals."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.problems import Transport
from analogflow.reference import transport_certificate, transport_reference
from analogflow.trajectory import Trajectory
from analogflow.validation.certifiers.check import Check

__all__ = ["ROW_LIMIT", "certify_transport"]

ROW_LIMIT = 1e-8
"""Largest error of a row's sum that an ideal circuit is let pass anywhere along its path, over the mass."""

_ALIKE = 1e-9
"""Range of the costs, over the largest of them, below which they are all alike."""

_SHARP = 1e-5
"""Tolerance above which a circuit is not taken for an ideal one, whose rows hold by themselves."""


def certify_transport(problem: Transport, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries "plan", "cost" and the state "g" or "u"."""
    reference = transport_reference(problem)
    plan = run.final("plan").reshape(problem.cost.shape)
    cost = float(run.final("cost")[0])
    path = run.values["plan"].reshape(-1, *problem.cost.shape)
    g = run.final("g") if "g" in run.values else problem.epsilon * run.final("u")
    finite = bool(np.isfinite(plan).all() and (plan > 0).any())
    bounds = transport_certificate(problem, plan, g) if finite else None
    # Costs count in units of their range, or of their size where they are all alike, and plans in units of the mass.
    largest = float(abs(problem.cost).max())
    span = problem.span if problem.span > _ALIKE * largest else largest
    unit = max(span * problem.mass, np.finfo(float).tiny)
    errors = {
        "plan": float(abs(plan - reference.plan).max()),
        "cost": abs(cost - reference.cost),
        "marginals": bounds.violation / problem.mass if bounds else float("nan"),
        "rows": float(abs(path.sum(axis=2) - problem.row).max()) / problem.mass,
        "certified_gap": bounds.gap if bounds else float("nan"),
        "misassigned_rows": float((plan.argmax(axis=1) != reference.plan.argmax(axis=1)).sum()),
    }
    checks = (
        Check("settled", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip()),
        Check.at_most("plan agrees with the reference", errors["plan"] / problem.mass, tolerance),
        Check.at_most("cost agrees with the reference", errors["cost"] / unit, tolerance),
        Check.at_most("marginals are right", errors["marginals"], tolerance),
        Check.at_most(
            "row sums stay right along the path", errors["rows"], ROW_LIMIT if tolerance <= _SHARP else 0.2 * tolerance
        ),
        Check.at_most("the plan certifies its own value", errors["certified_gap"] / unit, tolerance),
    )
    answer = {"plan": plan.tolist(), "cost": cost}
    return answer, {"plan": reference.plan.tolist(), "cost": reference.cost}, reference.gap, errors, checks
