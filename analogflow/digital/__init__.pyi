"""What this package offers, once; each is loaded on first use."""

from analogflow.digital.attention import attention_adaptive as attention_adaptive
from analogflow.digital.attention import attention_steps as attention_steps
from analogflow.digital.capacity import STEPS as STEPS
from analogflow.digital.capacity import blahut_arimoto as blahut_arimoto
from analogflow.digital.capacity import discretised_flow as discretised_flow
from analogflow.digital.capacity import multiplicative_weights as multiplicative_weights
from analogflow.digital.capacity import over_relaxed_blahut_arimoto as over_relaxed_blahut_arimoto
from analogflow.digital.capacity_newton import newton_refined as newton_refined
from analogflow.digital.hopfield import euler_rest as euler_rest
from analogflow.digital.hopfield import network_euler_maruyama as network_euler_maruyama
from analogflow.digital.hopfield import network_law as network_law
from analogflow.digital.hopfield import newton_rest as newton_rest
from analogflow.digital.hopfield import recall_and_learn as recall_and_learn
from analogflow.digital.hopfield import update_rest as update_rest
from analogflow.digital.langevin import euler_maruyama as euler_maruyama
from analogflow.digital.langevin import gaussian_law as gaussian_law
from analogflow.digital.langevin import metropolis_langevin as metropolis_langevin
from analogflow.digital.rate_distortion import blahut_iteration as blahut_iteration
from analogflow.digital.transport import Annealing as Annealing
from analogflow.digital.transport import Tracking as Tracking
from analogflow.digital.transport import annealed_sinkhorn as annealed_sinkhorn
from analogflow.digital.transport import annealed_tracking as annealed_tracking
from analogflow.digital.transport import calibrated_k_safe as calibrated_k_safe
from analogflow.digital.transport import drifting_costs as drifting_costs
from analogflow.digital.transport import sinkhorn as sinkhorn
