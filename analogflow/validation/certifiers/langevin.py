"""Judges a run of the Langevin flow: mean and covariance over time, within their standard errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.problems import Langevin
from analogflow.reference import boltzmann_law, path_end
from analogflow.trajectory import Trajectory
from analogflow.validation.certifiers.check import Check
from analogflow.validation.stationary import law_checks, law_of

__all__ = ["certify_langevin"]

_CONVERGED = 1e-6
"""Largest change at a quadrature's last refinement, over the covariance or the temperature, that counts as none."""

_STEP, _FLAT = 1e-4, 1e-6
"""Step of the differences of slopes, and how far below 0 their rounding may carry the curvature of a flat floor."""


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
    exact = boltzmann_law(problem)
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
    def rates(states: Any) -> dict[str, np.ndarray]:
        x = np.concatenate([states[name] for name in problem.variables])
        rate = -problem.mobility_at(x) @ problem.gradient_at(x)
        return dict(zip(problem.variables, rate[:, None], strict=True))

    starts = dict(zip(problem.variables, problem.start[:, None], strict=True))
    states, gap = path_end(rates, starts, float(run.time[-1]))
    exact = np.concatenate([states[name] for name in problem.variables])
    found = np.concatenate([run.final(name) for name in problem.variables])
    nothing = np.zeros((problem.size, problem.size)).tolist()
    errors = {"mean": float(abs(found - exact).max())}
    curvature = _least_curvature(problem, found)
    with np.errstate(all="ignore"):
        speed = float(abs(problem.mobility_at(found) @ problem.gradient_at(found)).max())
    checks = (
        ran,
        # A run may stop when one variable has come to rest; all must have.
        Check.at_most("every variable rests", speed, tolerance, "per τ"),
        Check.at_most("the end agrees with the reference", errors["mean"], tolerance),
        Check(
            "the end is a valley of the energy",
            bool(curvature >= -_FLAT),
            f"smallest curvature {curvature:.3g}, over the largest (not below 0); from another start it goes on",
        ),
    )
    return (
        {"mean": found.tolist(), "covariance": nothing},
        {"mean": exact.tolist(), "covariance": nothing},
        gap,
        errors,
        checks,
    )


def _least_curvature(problem: Langevin, x: np.ndarray) -> float:
    """Smallest eigenvalue of the energy's Hessian at `x`, over 1 or the largest in size."""
    moves = _STEP * max(1.0, float(abs(x).max())) * np.eye(problem.size)
    with np.errstate(all="ignore"):
        rows = (problem.gradient_at(x + moves) - problem.gradient_at(x - moves)) / (2 * np.diag(moves)[:, None])
    if not np.isfinite(rows).all():
        return float("nan")
    values = np.linalg.eigvalsh(0.5 * (rows + rows.T))
    return float(values[0] / max(1.0, float(abs(values).max())))
