"""Exact answers with certificates. It shares no code with the flows, circuits and digital solvers that it judges."""

from analogflow.reference.attention import attention_certificate, attention_reference
from analogflow.reference.capacity import capacity_batch, capacity_certificate, capacity_reference, cost_certificate
from analogflow.reference.capacity_theory import Convergence, capacity_convergence, input_types
from analogflow.reference.equations import equations_reference, path_end
from analogflow.reference.hopfield import hopfield_reference
from analogflow.reference.langevin import boltzmann_law, conditional_free_energy, fokker_planck
from analogflow.reference.rate_distortion import (
    rate_distortion_certificate,
    rate_distortion_curve,
    rate_distortion_reference,
    rate_distortion_relaxation,
)
from analogflow.reference.transport import transport_certificate, transport_limit, transport_reference

__all__ = [
    "Convergence",
    "attention_certificate",
    "attention_reference",
    "boltzmann_law",
    "capacity_batch",
    "capacity_certificate",
    "capacity_convergence",
    "capacity_reference",
    "conditional_free_energy",
    "cost_certificate",
    "equations_reference",
    "fokker_planck",
    "hopfield_reference",
    "input_types",
    "path_end",
    "rate_distortion_certificate",
    "rate_distortion_curve",
    "rate_distortion_reference",
    "rate_distortion_relaxation",
    "transport_certificate",
    "transport_limit",
    "transport_reference",
]
