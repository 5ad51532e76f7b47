"""Judges a run of the Langevin flow: mean and covariance over time, within their standard errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.problems import Langevin
from analogflow.trajectory import Trajectory
from analogflow.validation.certifiers.check import Check
from analogflow.validation.judgement import judge_run
from analogflow.validation.references import reference_of
from analogflow.validation.stationary import law_checks, law_of

__all__ = ["certify_langevin"]

_CONVERGED = 1e-6
"""Largest change at a quadrature's last refinement, over the covariance or the temperature, that counts as none."""


def certify_langevin(problem: Langevin, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries every variable.

    At temperature 0 the answer is the point where the gradient flow ends, with a covariance of 0. A run that rests on a
    crest or a saddle, where the smallest push would carry it on, is not let pass.
    """
    ran = Check("ran to its end", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip())
    if problem.temperature == 0:
        return _without_noise(problem, run, tolerance, ran)
    end = float(run.time[-1])
    law = law_of(run, problem.variables, skipped=min(0.05 * end, end))
    exact = reference_of(problem)
    answer = {"mean": law.mean.tolist(), "covariance": law.covariance.tolist()}
    wanted = {"mean": exact.mean.tolist(), "covariance": exact.covariance.tolist()}
    errors = {
        "mean": float(abs(law.mean - exact.mean).max()),
        "covariance": float(abs(law.covariance - exact.covariance).max()),
    }
    unit = max(min(1.0, problem.temperature), float(abs(exact.covariance).max()))
    converged = Check.at_most("the reference's quadrature has converged", exact.gap / unit, _CONVERGED)
    checks = (ran, converged, *law_checks(law, exact.mean, exact.covariance))
    return answer, wanted, exact.gap, errors, checks


def _without_noise(problem: Langevin, run: Trajectory, tolerance: float, ran: Check) -> tuple[Any, ...]:
    reference, judged = reference_of(problem, float(run.time[-1])), judge_run(problem, run, tolerance=tolerance)
    found = np.concatenate([run.final(name) for name in problem.variables]).tolist()
    exact = np.concatenate([reference.values[name] for name in problem.variables]).tolist()
    nothing = np.zeros((problem.size, problem.size)).tolist()
    answer, wanted = ({"mean": mean, "covariance": nothing} for mean in (found, exact))
    return answer, wanted, reference.gap, judged.errors_of_one(), (ran, *judged.checks())
