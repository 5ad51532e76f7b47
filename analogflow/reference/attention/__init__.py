"""Self-attention on the sphere: tokens at a time by two independent integrations, and what theory says of them."""

from analogflow.reference.attention.concentration import (
    concentration_bound,
    concentration_time,
    distance_to_limit,
    limit_tokens,
    spread,
    wasserstein,
)
from analogflow.reference.attention.eigenspaces import (
    Eigenspace,
    alignment,
    attraction_space,
    dominant_eigenspace,
    value_space,
)
from analogflow.reference.attention.energy import energy_direction, log_energy, log_energy_rate
from analogflow.reference.attention.integration import by_extrapolation, by_runge_kutta, velocity
from analogflow.reference.attention.solution import AttentionReference, attention_certificate, attention_reference

__all__ = [
    "AttentionReference",
    "Eigenspace",
    "alignment",
    "attention_certificate",
    "attention_reference",
    "attraction_space",
    "by_extrapolation",
    "by_runge_kutta",
    "concentration_bound",
    "concentration_time",
    "distance_to_limit",
    "dominant_eigenspace",
    "energy_direction",
    "limit_tokens",
    "log_energy",
    "log_energy_rate",
    "spread",
    "value_space",
    "velocity",
    "wasserstein",
]
