"""Judges runs of flows of the user's own: where they end, against two integrations, and what they should have kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.families.check import Check
from analogflow.families.references import reference_of
from analogflow.flows import Flow, custom
from analogflow.problems import Equations
from analogflow.trajectory import Trajectory
from analogflow.validation.judgement import judge_run

__all__ = ["certify_equations", "certify_flow"]


def certify_equations(problem: Equations, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run, at the time where the run ended.

    Errors are relative to the largest magnitude of each quantity on the path, or 1. Equations with noise of their own are
    held against their noiseless path for information only: no check depends on it.
    """
    return _judged(problem, custom(problem), run, tolerance)


def certify_flow(flow: Flow, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """The same for a flow given as a function: its states and observables, evaluated directly."""
    return _judged(flow, flow, run, tolerance)


def _judged(problem: Equations | Flow, flow: Flow, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Judgement; what the flow's manifolds leave free means nothing, and circuits hold it where they like."""
    reference, judged = reference_of(problem, float(run.time[-1])), judge_run(problem, run, tolerance=tolerance)
    comparable = {kept.state: kept.comparable for kept in flow.keeps}

    def shown(name: str, values: np.ndarray) -> Any:
        return comparable.get(name, np.asarray)(np.ravel(values)).reshape(np.shape(reference.values[name])).tolist()

    answer = {name: shown(name, run.final(name)) for name in reference.values}
    exact = {name: shown(name, value) for name, value in reference.values.items()}
    checks = (Check("ran to its end", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip()), *judged.checks())
    errors = {name: error for name, error in judged.errors_of_one().items() if name in reference.values}
    return answer, exact, reference.gap, errors, checks
