"""Contenders: the digital solvers that analog circuits are compared with. Each reports the gap its answer proves."""

from analogflow.digital.attention import attention_adaptive, attention_steps
from analogflow.digital.capacity import (
    STEPS,
    blahut_arimoto,
    discretised_flow,
    multiplicative_weights,
    over_relaxed_blahut_arimoto,
)
from analogflow.digital.hopfield import euler_rest, network_euler_maruyama, network_law, newton_rest, recall_and_learn
from analogflow.digital.langevin import euler_maruyama, gaussian_law, metropolis_langevin
from analogflow.digital.rate_distortion import blahut_iteration
from analogflow.digital.transport import (
    Annealing,
    Tracking,
    annealed_sinkhorn,
    annealed_tracking,
    calibrated_k_safe,
    drifting_costs,
    sinkhorn,
)

__all__ = [
    "STEPS",
    "Annealing",
    "Tracking",
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
    "metropolis_langevin",
    "multiplicative_weights",
    "network_euler_maruyama",
    "network_law",
    "newton_rest",
    "over_relaxed_blahut_arimoto",
    "recall_and_learn",
    "sinkhorn",
]
