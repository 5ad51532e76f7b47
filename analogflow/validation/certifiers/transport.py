"""Judges a run of the transport flow: its plan and cost against the reference, its own certificate, its marginals."""

from __future__ import annotations

from typing import Any

from analogflow.families.check import Check
from analogflow.families.references import reference_of
from analogflow.problems import Transport
from analogflow.trajectory import Trajectory
from analogflow.validation.judgement import judge_run

__all__ = ["certify_transport"]


def certify_transport(problem: Transport, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries "plan", "cost" and the state "g" or "u"."""
    reference, judged = reference_of(problem), judge_run(problem, run, tolerance=tolerance)
    checks = (Check("settled", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip()), *judged.checks())
    answer = {"plan": run.final("plan").reshape(problem.cost.shape).tolist(), "cost": float(run.final("cost")[0])}
    exact = {"plan": reference.plan.tolist(), "cost": reference.cost}
    return answer, exact, reference.gap, judged.errors_of_one(), checks
