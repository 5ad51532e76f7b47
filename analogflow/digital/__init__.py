"""Contenders: the digital solvers that analog circuits are compared with. Each reports the gap its answer proves."""

from analogflow.digital.adaptive_steps import AdaptiveRun, attention_adaptive
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
from analogflow.digital.rate_distortion import RateDistortionRun, blahut_iteration
from analogflow.digital.recall import Learning, recall_and_learn
from analogflow.digital.relaxation import RestRun, euler_rest, newton_rest
from analogflow.digital.sampling import (
    LawRun,
    euler_maruyama,
    gaussian_law,
    metropolis_langevin,
    network_euler_maruyama,
    network_law,
)
from analogflow.digital.sinkhorn import TransportRun, annealed_sinkhorn, gumbel_sinkhorn, sinkhorn

__all__ = [
    "STEPS",
    "AdaptiveRun",
    "Annealing",
    "AttentionRun",
    "CapacityRun",
    "LawRun",
    "Learning",
    "RateDistortionRun",
    "RestRun",
    "Tracking",
    "TransportRun",
    "annealed_sinkhorn",
    "annealed_tracking",
    "attention_adaptive",
    "attention_steps",
    "blahut_arimoto",
    "blahut_iteration",
    "calibrated_k_safe",
    "discretised_flow",
    "drifting_costs",
    "euler_maruyama",
    "euler_rest",
    "gaussian_law",
    "gumbel_sinkhorn",
    "metropolis_langevin",
    "multiplicative_weights",
    "network_euler_maruyama",
    "network_law",
    "newton_rest",
    "over_relaxed_blahut_arimoto",
    "recall_and_learn",
    "sinkhorn",
]
