"""How fast the flow q̇ = T(q) − q relaxes to its optimum: squared canonical correlations of the optimal test channel."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from analogflow.problems import RateDistortion
from analogflow.reference.rate_distortion.solution import rate_distortion_reference

__all__ = ["Relaxation", "rate_distortion_relaxation"]

Array = NDArray[np.float64]

_SUPPORT = 1e-7


@dataclasses.dataclass(frozen=True, eq=False)
class Relaxation:
    """Rates per τ at the optimum.

    Parameters
    ----------
    reproduction : array, shape (m,)
    support : array of bool, shape (m,)
        Where q* is positive.
    kernel : array, shape (k, k)
        G = Σ_x p_x K_x K_xᵀ with K_x(y) = A_xy/Z_x, on the support; the flow's linearisation is −diag(q*) G.
    rates : array, shape (k − 1,)
        Ascending eigenvalues of diag(√q*) G diag(√q*), all in [0, 1], without the 1 that belongs to √q*.
    escape : array, shape (m − k,)
        1 − Σ_x p_x K_x(y) off the support: the rate at which y dies out.
    """

    reproduction: Array
    support: NDArray[np.bool_]
    kernel: Array
    rates: Array
    escape: Array

    @property
    def slowest(self) -> float:
        """Smallest rate, on the support or off it."""
        return float(min([*self.rates, *self.escape], default=np.inf))


def rate_distortion_relaxation(problem: RateDistortion, *, support: float = _SUPPORT) -> Relaxation:
    """Rates of `problem` at its optimum; reproduction symbols of a probability below `support` count as unused.

    Notes
    -----
    With B_xy = √(p_x q_y) K_x(y), diag(√q) G diag(√q) = BᵀB: the rates are squared singular values of B, which are the
    canonical correlations of source and reproduction.

    References
    ----------
    Q. Wang, Relaxation Kernel and Global Convergence of the Blahut-Arimoto Dynamics, arXiv:2604.25106 (2026): Theorem 7,
    Definition 7 and Theorem 10, corrected: they have −G without diag(q*), and the smallest eigenvalue of G for the rate.
    """
    q = rate_distortion_reference(problem).reproduction
    used = q > support
    A = problem.gibbs
    kernel = A / (A @ q)[:, None]
    inner = kernel[:, used]
    correlations = np.linalg.svd(np.sqrt(np.outer(problem.source, q[used])) * inner, compute_uv=False)
    # The columns' number of singular values, where there are fewer symbols than reproductions, is filled up by zeros.
    rates = np.concatenate([correlations**2, np.zeros(max(int(used.sum()) - len(correlations), 0))])
    return Relaxation(
        q,
        used,
        (inner * problem.source[:, None]).T @ inner,
        np.asarray(np.sort(rates)[:-1], dtype=float),
        1 - problem.source @ kernel[:, ~used],
    )
