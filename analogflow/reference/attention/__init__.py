"""Self-attention on the sphere: tokens at a time by two independent integrations, and what theory says of them."""

from analogflow.reference.attention.integration import by_extrapolation, by_runge_kutta, velocity
from analogflow.reference.attention.solution import AttentionReference, attention_certificate, attention_reference

__all__ = [
    "AttentionReference",
    "attention_certificate",
    "attention_reference",
    "by_extrapolation",
    "by_runge_kutta",
    "velocity",
]
