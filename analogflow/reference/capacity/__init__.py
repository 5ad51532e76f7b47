"""Exact capacity of a discrete memoryless channel, each answer with a certificate that needs no trust in the solver."""

from analogflow.reference.capacity.batch import CapacityBatch, capacity_batch
from analogflow.reference.capacity.certificate import CapacityBounds, capacity_certificate
from analogflow.reference.capacity.closed_forms import (
    ClosedForm,
    binary_erasure_capacity,
    binary_symmetric_capacity,
    noiseless_capacity,
    noiseless_distance,
    noiseless_solution,
    z_channel_capacity,
)
from analogflow.reference.capacity.convergence import Convergence, InputTypes, capacity_convergence, input_types
from analogflow.reference.capacity.cost import cost_certificate
from analogflow.reference.capacity.solution import CapacityReference, capacity_reference

__all__ = [
    "CapacityBatch",
    "CapacityBounds",
    "CapacityReference",
    "ClosedForm",
    "Convergence",
    "InputTypes",
    "binary_erasure_capacity",
    "binary_symmetric_capacity",
    "capacity_batch",
    "capacity_certificate",
    "capacity_convergence",
    "capacity_reference",
    "cost_certificate",
    "input_types",
    "noiseless_capacity",
    "noiseless_distance",
    "noiseless_solution",
    "z_channel_capacity",
]
