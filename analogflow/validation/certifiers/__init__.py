"""Judges of runs, one for each family of flows: answer, reference, its gap, errors and checks."""

from analogflow.validation.certifiers.attention import certify_attention
from analogflow.validation.certifiers.capacity import certify_capacity
from analogflow.validation.certifiers.custom import certify_equations, certify_flow
from analogflow.validation.certifiers.hopfield import certify_hopfield
from analogflow.validation.certifiers.langevin import certify_langevin
from analogflow.validation.certifiers.rate_distortion import certify_rate_distortion
from analogflow.validation.certifiers.transport import certify_transport

__all__ = [
    "certify_attention",
    "certify_capacity",
    "certify_equations",
    "certify_flow",
    "certify_hopfield",
    "certify_langevin",
    "certify_rate_distortion",
    "certify_transport",
]
