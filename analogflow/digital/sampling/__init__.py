"""Samplers of a Boltzmann distribution on a digital machine, many chains at once, and its exact law where it is Gaussian."""

from analogflow.digital.sampling.chains import LawRun
from analogflow.digital.sampling.euler_maruyama import euler_maruyama
from analogflow.digital.sampling.gaussian import gaussian_law
from analogflow.digital.sampling.hopfield import network_euler_maruyama, network_law
from analogflow.digital.sampling.metropolis import metropolis_langevin

__all__ = ["LawRun", "euler_maruyama", "gaussian_law", "metropolis_langevin", "network_euler_maruyama", "network_law"]
