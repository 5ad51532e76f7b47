"""Points of the rate-distortion curve with certificates, their relaxation rates, and models with closed forms."""

from analogflow.reference.rate_distortion.closed_forms import (
    GaussianGrid,
    three_cluster_rate,
    two_point,
    water_filling,
    wyner_ziv_beta,
)
from analogflow.reference.rate_distortion.relaxation import Relaxation, rate_distortion_relaxation
from analogflow.reference.rate_distortion.solution import (
    CurvePoint,
    RateDistortionBounds,
    RateDistortionReference,
    rate_distortion_certificate,
    rate_distortion_curve,
    rate_distortion_reference,
)

__all__ = [
    "CurvePoint",
    "GaussianGrid",
    "RateDistortionBounds",
    "RateDistortionReference",
    "Relaxation",
    "rate_distortion_certificate",
    "rate_distortion_curve",
    "rate_distortion_reference",
    "rate_distortion_relaxation",
    "three_cluster_rate",
    "two_point",
    "water_filling",
    "wyner_ziv_beta",
]
