"""Contenders: the digital solvers that analog circuits are compared with. Each reports the gap its answer proves."""

from analogflow.digital.attention import AttentionRun, attention_steps
from analogflow.digital.blahut_arimoto import (
    CapacityRun,
    blahut_arimoto,
    multiplicative_weights,
    over_relaxed_blahut_arimoto,
)
from analogflow.digital.discretised_flow import STEPS, discretised_flow

__all__ = [
    "STEPS",
    "AttentionRun",
    "CapacityRun",
    "attention_steps",
    "blahut_arimoto",
    "discretised_flow",
    "multiplicative_weights",
    "over_relaxed_blahut_arimoto",
]
