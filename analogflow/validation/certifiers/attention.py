"""Judges a run of the attention flow: where tokens end, against two integrations, and their sphere."""

from __future__ import annotations

from typing import Any

from analogflow.families.check import Check
from analogflow.families.references import reference_of
from analogflow.problems import Attention
from analogflow.trajectory import Trajectory
from analogflow.validation.judgement import judge_run

__all__ = ["certify_attention"]


def certify_attention(problem: Attention, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries "x", at the time where the run ended."""
    reference, judged = reference_of(problem, float(run.time[-1])), judge_run(problem, run, tolerance=tolerance)
    checks = (Check("ran to its end", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip()), *judged.checks())
    answer = {"tokens": run.final("x").reshape(problem.tokens.shape).tolist()}
    return answer, {"tokens": reference.tokens.tolist()}, reference.gap, judged.errors_of_one(), checks
