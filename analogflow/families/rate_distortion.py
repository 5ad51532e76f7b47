"""The family of the rate-distortion flow: sources, and the points of their curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.families.family import Family
from analogflow.flows.rate_distortion import FORMS, rate_distortion
from analogflow.problems import RateDistortion
from analogflow.reference.rate_distortion import RateDistortionReference, rate_distortion_reference

__all__ = ["RATE_DISTORTION"]


def _expected(problem: RateDistortion, reference: RateDistortionReference) -> dict[str, Any]:
    return {
        "q": reference.reproduction.tolist(), "rate_nats": reference.rate_nats, "distortion": reference.distortion,
    }  # fmt: skip


def _smaller(problem: RateDistortion, count: int) -> tuple[RateDistortion, str]:
    distortion = problem.distortion[:count, :count]
    source = np.asarray(problem.source)[: len(distortion)]
    part = RateDistortion(source / source.sum(), distortion, problem.beta)
    return part, f"a source of {distortion.shape[0]} symbols and {distortion.shape[1]} reproductions"


RATE_DISTORTION = Family(
    name="rate-distortion",
    problem=RateDistortion,
    noun="a rate-distortion problem",
    keys=("source", "distortion", "beta"),
    needed={
        "source": "the probabilities of the source symbols",
        "distortion": "the matrix of distortions, a row for each source symbol",
        "beta": "minus the slope of the curve, nats per unit of distortion",
    },
    flow=rate_distortion,
    forms=FORMS,
    units={"error": "nats", "error_time_average": "nats"},
    reference=lambda problem, _: rate_distortion_reference(problem),
    expected=_expected,
    size=lambda problem: max(problem.distortion.shape),
    smaller=_smaller,
)
"""The family of the rate-distortion flow."""
