"""Contenders: the digital solvers that analog circuits are compared with. Each reports the gap its answer proves."""

from analogflow.digital.annealing import (
    Annealing,
    Tracking,
    annealed_tracking,
    calibrated_k_safe,
    drifting_costs,
)
from analogflow.digital.attention import AttentionRun, attention_steps
from analogflow.digital.blahut_arimoto import (
    CapacityRun,
    blahut_arimoto,
    multiplicative_weights,
    over_relaxed_blahut_arimoto,
)
from analogflow.digital.discretised_flow import STEPS, discretised_flow
from analogflow.digital.recall import Learning, recall_and_learn
from analogflow.digital.sinkhorn import TransportRun, annealed_sinkhorn, gumbel_sinkhorn, sinkhorn

__all__ = [
    "STEPS",
    "Annealing",
    "AttentionRun",
    "CapacityRun",
    "Learning",
    "Tracking",
    "TransportRun",
    "annealed_sinkhorn",
    "annealed_tracking",
    "attention_steps",
    "blahut_arimoto",
    "calibrated_k_safe",
    "discretised_flow",
    "drifting_costs",
    "gumbel_sinkhorn",
    "multiplicative_weights",
    "over_relaxed_blahut_arimoto",
    "recall_and_learn",
    "sinkhorn",
]
