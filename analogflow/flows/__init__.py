"""Flows: equations whose state settles at an answer, with what they keep and what they show. One file for each family."""

from analogflow.flows.attention import attention
from analogflow.flows.capacity import capacity
from analogflow.flows.expressions import custom, langevin
from analogflow.flows.flow import Averaging, Flow
from analogflow.flows.hopfield import hopfield
from analogflow.flows.invariants import CommonMode, Invariant, Simplex, Sphere, WeightedMean
from analogflow.flows.rate_distortion import rate_distortion
from analogflow.flows.transport import transport
from analogflow.problems import Attention, Channel, Equations, Hopfield, Langevin, RateDistortion, Transport

__all__ = [
    "FAMILIES",
    "FAMILY_OF",
    "Averaging",
    "CommonMode",
    "Flow",
    "Invariant",
    "Simplex",
    "Sphere",
    "WeightedMean",
    "attention",
    "capacity",
    "custom",
    "hopfield",
    "langevin",
    "rate_distortion",
    "transport",
]

FAMILIES = {
    "capacity": capacity,
    "rate-distortion": rate_distortion,
    "transport": transport,
    "attention": attention,
    "hopfield": hopfield,
    "langevin": langevin,
    "custom": custom,
}
"""Flow family by the name the command line knows it by: problem and form in, flow out."""

FAMILY_OF = {
    Channel: "capacity",
    RateDistortion: "rate-distortion",
    Transport: "transport",
    Attention: "attention",
    Hopfield: "hopfield",
    Langevin: "langevin",
    Equations: "custom",
}
"""Name of the family that solves a problem, by the problem's type."""
