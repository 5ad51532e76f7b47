"""Exact laws of Hopfield networks: rests, Gaussian covariances found in three ways, quadrature and exact sampling."""

from analogflow.reference.hopfield.energy import curvature, energy, gradient, metric, rates
from analogflow.reference.hopfield.gaussian import drift, from_hessian, from_lyapunov, from_spectrum, gaussian_law
from analogflow.reference.hopfield.saturating import by_quadrature, by_sampling
from analogflow.reference.hopfield.solution import HopfieldReference, hopfield_reference

__all__ = [
    "HopfieldReference",
    "by_quadrature",
    "by_sampling",
    "curvature",
    "drift",
    "energy",
    "from_hessian",
    "from_lyapunov",
    "from_spectrum",
    "gaussian_law",
    "gradient",
    "hopfield_reference",
    "metric",
    "rates",
]
