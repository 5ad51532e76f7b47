"""Exact entropic transport plans with certificates, their limit without entropy, and how both move with the problem."""

from analogflow.reference.transport.certificate import TransportBounds, transport_certificate
from analogflow.reference.transport.solution import TransportReference, transport_limit, transport_reference

__all__ = [
    "TransportBounds",
    "TransportReference",
    "transport_certificate",
    "transport_limit",
    "transport_reference",
]
