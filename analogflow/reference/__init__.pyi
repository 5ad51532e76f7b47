"""What this package offers, once; each is loaded on first use."""

from analogflow.reference.attention import attention_certificate as attention_certificate
from analogflow.reference.attention import attention_reference as attention_reference
from analogflow.reference.capacity import capacity_batch as capacity_batch
from analogflow.reference.capacity import capacity_certificate as capacity_certificate
from analogflow.reference.capacity import capacity_reference as capacity_reference
from analogflow.reference.capacity import cost_certificate as cost_certificate
from analogflow.reference.capacity_theory import Convergence as Convergence
from analogflow.reference.capacity_theory import capacity_convergence as capacity_convergence
from analogflow.reference.capacity_theory import input_types as input_types
from analogflow.reference.equations import equations_reference as equations_reference
from analogflow.reference.equations import path_end as path_end
from analogflow.reference.hopfield import hopfield_reference as hopfield_reference
from analogflow.reference.hopfield_learning import correlation as correlation
from analogflow.reference.hopfield_learning import log_likelihood as log_likelihood
from analogflow.reference.langevin import boltzmann_law as boltzmann_law
from analogflow.reference.langevin import conditional_free_energy as conditional_free_energy
from analogflow.reference.langevin import fokker_planck as fokker_planck
from analogflow.reference.rate_distortion import rate_distortion_certificate as rate_distortion_certificate
from analogflow.reference.rate_distortion import rate_distortion_curve as rate_distortion_curve
from analogflow.reference.rate_distortion import rate_distortion_reference as rate_distortion_reference
from analogflow.reference.rate_distortion import rate_distortion_relaxation as rate_distortion_relaxation
from analogflow.reference.transport import transport_certificate as transport_certificate
from analogflow.reference.transport import transport_limit as transport_limit
from analogflow.reference.transport import transport_reference as transport_reference
