"""Flows: equations whose state settles at an answer, with what they keep and what they show. One file for each family."""

from analogflow.flows.attention import attention
from analogflow.flows.capacity import capacity
from analogflow.flows.custom import custom
from analogflow.flows.flow import Averaging, Flow, Jump
from analogflow.flows.hopfield import hopfield
from analogflow.flows.invariants import (
    CommonMode,
    Invariant,
    Simplex,
    Sphere,
    WeightedMean,
    comparable,
    differences,
    pushed_freely,
)
from analogflow.flows.langevin import langevin
from analogflow.flows.rate_distortion import rate_distortion
from analogflow.flows.transport import transport

__all__ = [
    "Averaging",
    "CommonMode",
    "Flow",
    "Invariant",
    "Jump",
    "Simplex",
    "Sphere",
    "WeightedMean",
    "attention",
    "capacity",
    "comparable",
    "custom",
    "differences",
    "hopfield",
    "langevin",
    "pushed_freely",
    "rate_distortion",
    "transport",
]
