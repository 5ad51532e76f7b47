"""Judges a run of the rate-distortion flow: its rate and distortion, and what its distribution proves."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.problems import RateDistortion
from analogflow.reference import rate_distortion_certificate, rate_distortion_reference
from analogflow.trajectory import Trajectory
from analogflow.validation.certifiers.check import Check

__all__ = ["certify_rate_distortion"]


def certify_rate_distortion(problem: RateDistortion, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries "q", "phi", "rate_nats" and "distortion".

    Where the curve has a straight piece of slope −β, rate and distortion may lie anywhere on it: R + βD is what is unique.
    """
    reference = rate_distortion_reference(problem)
    q, rate, distortion = run.final("q"), float(run.final("rate_nats")[0]), float(run.final("distortion")[0])
    phi = float(run.final("phi")[0])
    # Where the optimum is on a face, an integration's last step may leave a letter a rounding below 0.
    finite = bool(np.isfinite(q).all() and (q >= -tolerance).all() and (q > 0).any())
    unit = max(float(problem.distortion.max()), np.finfo(float).tiny)
    errors = {
        "rate_nats": abs(rate - reference.rate_nats),
        "distortion": abs(distortion - reference.distortion),
        "lagrangian_nats": abs(phi - reference.bounds.upper),
        "reproduction": float(abs(q - reference.reproduction).max()),
        "certified_gap_nats": rate_distortion_certificate(problem, np.maximum(q, 0)).gap if finite else float("nan"),
        "simplex": float(abs(run.values["q"].sum(axis=1) - 1).max()),
    }
    checks = (
        Check("settled", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip()),
        Check.at_most("R + βD agrees with the reference", errors["lagrangian_nats"], tolerance, "nat"),
        Check.at_most("rate agrees with the reference", errors["rate_nats"], tolerance, "nat"),
        Check.at_most("distortion agrees with the reference", errors["distortion"] / unit, tolerance, "of its range"),
        Check.at_most("the distribution certifies its own R + βD", errors["certified_gap_nats"], tolerance, "nat"),
        Check.at_most("Σq stays 1", errors["simplex"], tolerance),
    )
    answer = {"rate_nats": rate, "distortion": distortion, "reproduction": q.tolist()}
    exact = {
        "rate_nats": reference.rate_nats,
        "distortion": reference.distortion,
        "reproduction": reference.reproduction.tolist(),
    }
    return answer, exact, reference.gap, errors, checks
