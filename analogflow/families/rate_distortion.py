"""The family of the rate-distortion flow: sources, and the points of their curves."""

from __future__ import annotations

from analogflow.families.family import Family
from analogflow.flows.rate_distortion import FORMS, rate_distortion
from analogflow.problems import RateDistortion

__all__ = ["RATE_DISTORTION"]

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
)
"""The family of the rate-distortion flow."""
