"""The law of an Ornstein-Uhlenbeck process without a step: where the energy is quadratic, one factorisation gives it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from analogflow.digital.sampling.chains import LawRun
from analogflow.errors import BadInput
from analogflow.problems import Langevin

__all__ = ["gaussian_law", "is_quadratic"]

_PROBES, _ROUNDING = 16, 1e-10


def is_quadratic(problem: Langevin) -> bool:
    """Whether the energy's gradient is linear at random points, to rounding."""
    constant, hessian = _linear_part(problem)
    points = np.random.default_rng(0).normal(scale=2.0, size=(_PROBES, problem.size))
    off = problem.gradient_at(points) - constant - points @ hessian.T
    return bool(abs(off).max() <= _ROUNDING * max(1.0, float(abs(hessian).max())))


def gaussian_law(problem: Langevin) -> LawRun:
    """Mean −H⁻¹g and covariance T H⁻¹ of the energy ½ xᵀHx + gᵀx.

    Raises
    ------
    BadInput
        The energy is not quadratic.
    """
    if not is_quadratic(problem):
        raise BadInput(f"the energy {problem.energy.text!r} is not quadratic, so its law is not Gaussian; sample it.")
    constant, hessian = _linear_part(problem)
    factor = cho_factor(hessian)
    return LawRun(-cho_solve(factor, constant), problem.temperature * cho_solve(factor, np.eye(problem.size)), 0)


def _linear_part(problem: Langevin) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gradient at 0, and its differences along the axes."""
    gradients = problem.gradient_at(np.vstack([np.zeros(problem.size), np.eye(problem.size)]))
    return gradients[0], (gradients[1:] - gradients[0]).T
