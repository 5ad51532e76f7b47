"""Judges a run of a Hopfield network: its rest against the reference, or its averages within their standard errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.flows import hopfield
from analogflow.problems import Hopfield
from analogflow.reference.hopfield import HopfieldReference, energy, metric
from analogflow.trajectory import Trajectory
from analogflow.validation.certifiers.check import Check
from analogflow.validation.judgement import judge_run
from analogflow.validation.references import reference_of
from analogflow.validation.stationary import ALLOWED, average, joint_limit, law_checks, law_of

__all__ = ["certify_hopfield"]

_STATES = ("v", "h")
_IDEAL = 1e-6
"""Tolerance up to which a circuit counts as ideal, so that its averages may differ by standard errors only."""


def certify_hopfield(problem: Hopfield, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries "v", "h" and "energy"."""
    reference = reference_of(problem)
    judge = _law if problem.temperature > 0 else _rest
    answer, errors, checks = judge(problem, reference, run, tolerance)
    expected = {"mean": reference.mean.tolist(), "covariance": reference.covariance.tolist()}
    return answer, expected, reference.gap, errors, checks


def _settled(run: Trajectory) -> Check:
    return Check("settled", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip())


def _rest(problem: Hopfield, reference: HopfieldReference, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    judged = judge_run(problem, run, tolerance=tolerance)
    state = np.concatenate([run.final(name) for name in _STATES])
    answer = {"mean": state.tolist(), "covariance": np.zeros((problem.size, problem.size)).tolist()}
    return answer, judged.errors_of_one(), (_settled(run), *judged.checks())


def _law(problem: Hopfield, reference: HopfieldReference, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    averaging = hopfield(problem).averaging
    assert averaging is not None  # a flow with noise has it
    skipped = min(averaging.skipped, 0.2 * float(run.time[-1]))
    law = law_of(run, _STATES, skipped=skipped)
    knots = float(run.record.get("noise_step", averaging.noise_step))
    allowed = tolerance * max(1.0, float(abs(reference.covariance).max())) if tolerance > _IDEAL else 0.0
    expected = np.array(reference.covariance)
    if problem.activation == "linear":
        # Noise that is linear between knots lacks power: (7/30) NT B Bᵀ, with B Bᵀ = 2T K.
        mobility = np.linalg.inv(metric(problem, np.zeros(problem.size)))
        expected -= 7 / 15 * knots * problem.temperature * mobility
    checks = [_settled(run), *law_checks(law, reference.mean, expected, allowed=allowed + reference.gap * ALLOWED)]
    errors = {
        "mean": float(abs(law.mean - reference.mean).max()),
        "covariance": float(abs(law.covariance - reference.covariance).max()),
        "mean_standard_error": float(law.mean_error.max()),
        "covariance_standard_error": float(law.covariance_error.max()),
        "effective_samples": law.covariance_effective,
    }
    if problem.activation == "linear":
        quadratic = 2 * (_energies(problem, law.values) - energy(problem, reference.mean)) / problem.temperature
        shared = average(quadratic[:, None])
        precision = np.linalg.inv(reference.covariance)
        wanted = float((precision * expected).sum())
        off = abs(float(shared.mean[0]) - wanted) / (float(shared.error[0]) * wanted / float(shared.mean[0]))
        limit = joint_limit(1, samples=float(shared.effective[0]))
        detail = (
            f"2(⟨E⟩ − E_min)/T is {shared.mean[0]:.4g}, {off:.3g} standard errors from {wanted:.4g} (at most {limit:.2f}); "
            f"effective sample size {shared.effective[0]:.0f}"
        )
        checks.append(Check("energy is shared equally", bool(off <= limit) or allowed > 0, detail))
    return {"mean": law.mean.tolist(), "covariance": law.covariance.tolist()}, errors, tuple(checks)


def _energies(problem: Hopfield, values: np.ndarray) -> np.ndarray:
    """E of a linear network at every point, shape (points,)."""
    rest = np.zeros(problem.size)
    base, n = energy(problem, rest), problem.visible
    v, h = values[:, :n], values[:, n:]
    G, F = problem.gain_v, problem.gain_h
    quadratic = 0.5 * ((v @ G) * v).sum(axis=1) + 0.5 * ((h @ F) * h).sum(axis=1)
    return base + quadratic - ((v @ G @ problem.U @ F) * h).sum(axis=1) - v @ G @ problem.I
