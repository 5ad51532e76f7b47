"""Judges a run of a Hopfield network: its rest against the reference, or its averages within their standard errors."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from analogflow.families.check import Check
from analogflow.families.references import reference_of
from analogflow.families.stationary import ACCURACY, average, law_checks, law_of, power_check
from analogflow.flows import hopfield
from analogflow.noise import KNOTS_TAKE
from analogflow.problems import Hopfield
from analogflow.reference.hopfield import HopfieldReference, energy, metric
from analogflow.trajectory import Trajectory
from analogflow.validation.judgement import judge_run

__all__ = ["certify_hopfield"]

_STATES = ("v", "h")
_IDEAL = 1e-6
"""Tolerance up to which a circuit counts as ideal, so that its averages may differ by standard errors only."""


def certify_hopfield(problem: Hopfield, run: Trajectory, tolerance: float, accuracy: float = ACCURACY) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries "v", "h" and "energy".

    At a temperature above 0, `accuracy` is what the checks must be able to find, in standard deviations.
    """
    reference = reference_of(problem)
    if problem.temperature > 0:
        answer, errors, checks = _law(problem, reference, run, tolerance, accuracy)
    else:
        answer, errors, checks = _rest(problem, run, tolerance)
    expected = {"mean": reference.mean.tolist(), "covariance": reference.covariance.tolist()}
    return answer, expected, reference.gap, errors, checks


def _settled(run: Trajectory) -> Check:
    return Check("settled", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip())


def _rest(problem: Hopfield, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    judged = judge_run(problem, run, tolerance=tolerance)
    state = np.concatenate([run.final(name) for name in _STATES])
    answer = {"mean": state.tolist(), "covariance": np.zeros((problem.size, problem.size)).tolist()}
    return answer, judged.errors_of_one(), (_settled(run), *judged.checks())


def _law(
    problem: Hopfield, reference: HopfieldReference, run: Trajectory, tolerance: float, accuracy: float
) -> tuple[Any, ...]:
    averaging = hopfield(problem).averaging
    assert averaging is not None  # a flow with noise has it
    skipped = min(averaging.skipped, 0.2 * float(run.time[-1]))
    law = law_of(run, _STATES, skipped=skipped)
    knots = float(run.record.get("noise_step", averaging.noise_step))
    allowed = tolerance if tolerance > _IDEAL else 0.0
    expected = np.array(reference.covariance)
    if problem.activation == "linear":
        # Noise that is linear between knots lacks power: (7/30) NT B Bᵀ, with B Bᵀ = 2T K.
        mobility = np.linalg.inv(metric(problem, np.zeros(problem.size)))
        expected -= KNOTS_TAKE * knots * problem.temperature * mobility
    else:
        allowed += KNOTS_TAKE * knots
    gaps = reference.gap, reference.gap
    checks = [
        _settled(run),
        *law_checks(law, reference.mean, expected, accuracy=accuracy, allowed=allowed, gaps=gaps),
    ]
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
        wanted = float((np.linalg.inv(reference.covariance) * expected).sum())
        off = abs(shared.mean - wanted)
        # The lower a run's energies, the smaller the error that it finds, so that it is held to no less than a right one's.
        error = np.maximum(shared.error * wanted / shared.mean, wanted / problem.size * _energy_error(problem, law.length))
        check = power_check(
            "energy is shared equally", off, error, np.array([wanted]), samples=float(shared.effective[0]),
            length=law.length, accuracy=accuracy, allowed=allowed,
        )  # fmt: skip
        said = f"2(⟨E⟩ − E_min)/T is {shared.mean[0]:.4g}, and should be {wanted:.4g}: {check.detail}"
        checks.append(dataclasses.replace(check, detail=said))
    return {"mean": law.mean.tolist(), "covariance": law.covariance.tolist()}, errors, tuple(checks)


def _energy_error(problem: Hopfield, length: float) -> float:
    r"""Standard error of 2(⟨E⟩ − E_min)/T of a linear network over a time t: √(2 Σ 1/(λ t)), λ the n + m rates of its modes.

    A mode's square, of mean 1, has the autocovariance :math:`2 e^{-2 \lambda t}`; Σ 1/λ is the trace of C K⁻¹/T.
    """
    slowness = (reference_of(problem).covariance * metric(problem, np.zeros(problem.size))).sum() / problem.temperature
    return float(np.sqrt(2 * slowness / length))


def _energies(problem: Hopfield, values: np.ndarray) -> np.ndarray:
    """E of a linear network at every point, shape (points,)."""
    rest = np.zeros(problem.size)
    base, n = energy(problem, rest), problem.visible
    v, h = values[:, :n], values[:, n:]
    G, F = problem.gain_v, problem.gain_h
    quadratic = 0.5 * ((v @ G) * v).sum(axis=1) + 0.5 * ((h @ F) * h).sum(axis=1)
    return base + quadratic - ((v @ G @ problem.U @ F) * h).sum(axis=1) - v @ G @ problem.I
