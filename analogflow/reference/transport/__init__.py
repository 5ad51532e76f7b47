"""Exact entropic transport plans with certificates, their limit without entropy, and how both move with the problem."""

from analogflow.reference.transport.certificate import TransportBounds, transport_certificate
from analogflow.reference.transport.constants import COLUMNS, ConstantsRow, constants_table, write_constants
from analogflow.reference.transport.sensitivity import PlanDerivatives
from analogflow.reference.transport.solution import TransportReference, transport_limit, transport_reference
from analogflow.reference.transport.spectrum import Spectrum, sinkhorn_jacobian, sinkhorn_spectrum

__all__ = [
    "COLUMNS",
    "ConstantsRow",
    "PlanDerivatives",
    "Spectrum",
    "TransportBounds",
    "TransportReference",
    "constants_table",
    "sinkhorn_jacobian",
    "sinkhorn_spectrum",
    "transport_certificate",
    "transport_limit",
    "transport_reference",
    "write_constants",
]
