"""The exact answer to a Hopfield problem: its rest at temperature 0, or mean and covariance of its stationary law."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from analogflow.problems import Hopfield
from analogflow.problems.hopfield import root
from analogflow.reference.hopfield.energy import energy, metric
from analogflow.reference.hopfield.gaussian import gaussian_law, linear_rest
from analogflow.reference.hopfield.rest import saturating_rest
from analogflow.reference.hopfield.saturating import LARGEST_LAYER, by_quadrature, by_sampling

__all__ = ["HopfieldReference", "hopfield_reference"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class HopfieldReference:
    """Mean and covariance of (v, h), with what is known of their error.

    Parameters
    ----------
    mean : array, shape (n + m,)
    covariance : array, shape (n + m, n + m)
        0 at temperature 0.
    gap : float
        Bound on the error of any number: what is left of the equations brought back through their derivative, or a larger
        difference of three ways of computing (linear); the change of a quadrature when its step is halved, and what its
        table lacks; for "sampling" a statistical statement, five standard errors or the difference of chains from two
        starts.
    method : {"rest", "lyapunov", "quadrature", "sampling"}
    energy : float
        E at the mean.
    valley : float
        Smallest curvature of the energy at the mean, 1 − σ with the largest singular value σ of √G' U √F', where
        G' = ∂²L_v and F' = ∂²L_h: its sign is that of the Hessian's smallest eigenvalue, also where an activation is
        saturated and the Hessian vanishes. For a rest it must be positive.
    """

    mean: Array
    covariance: Array
    gap: float
    method: str
    energy: float
    valley: float

    def __post_init__(self) -> None:
        for array in (self.mean, self.covariance):
            array.setflags(write=False)

    def __repr__(self) -> str:
        return f"HopfieldReference({len(self.mean)} states by {self.method}, gap {self.gap:.2g})"


@functools.lru_cache(maxsize=8)
def hopfield_reference(problem: Hopfield) -> HopfieldReference:
    """Reference for `problem`: exact to rounding, or by sampling where both layers of a saturating one exceed 3 units."""
    if problem.temperature == 0:
        covariance = np.zeros((problem.size, problem.size))
        if problem.activation == "linear":
            mean, gap = linear_rest(problem)
        else:
            mean, gap = saturating_rest(problem)
        method = "rest"
    elif problem.activation == "linear":
        mean, covariance, gap = gaussian_law(problem)
        method = "lyapunov"
    elif min(problem.U.shape) <= LARGEST_LAYER:
        mean, covariance, gap = by_quadrature(problem)
        method = "quadrature"
    else:
        mean, covariance, gap = by_sampling(problem)
        method = "sampling"
    n, slopes = problem.visible, metric(problem, mean)
    valley = 1 - float(np.linalg.norm(root(slopes[:n, :n]) @ problem.U @ root(slopes[n:, n:]), ord=2))
    return HopfieldReference(mean, covariance, gap, method, energy(problem, mean), valley)
