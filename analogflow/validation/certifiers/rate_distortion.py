"""Judges a run of the rate-distortion flow: its rate and distortion, and what its distribution proves."""

from __future__ import annotations

from typing import Any

from analogflow.families.check import Check
from analogflow.families.references import reference_of
from analogflow.problems import RateDistortion
from analogflow.trajectory import Trajectory
from analogflow.validation.judgement import judge_run

__all__ = ["certify_rate_distortion"]


def certify_rate_distortion(problem: RateDistortion, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries "q", "phi", "rate_nats" and "distortion".

    Where the curve has a straight piece of slope −β, rate and distortion may lie anywhere on it: R + βD is what is unique.
    """
    reference, judged = reference_of(problem), judge_run(problem, run, tolerance=tolerance)
    checks = (Check("settled", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip()), *judged.checks())
    answer = {
        "rate_nats": float(run.final("rate_nats")[0]),
        "distortion": float(run.final("distortion")[0]),
        "reproduction": run.final("q").tolist(),
    }
    exact = {
        "rate_nats": reference.rate_nats,
        "distortion": reference.distortion,
        "reproduction": reference.reproduction.tolist(),
    }
    return answer, exact, reference.gap, judged.errors_of_one(leave_out="state_nats"), checks
