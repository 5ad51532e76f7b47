"""The linearisation of Sinkhorn's iteration and of the semi-dual flow at a plan: singular values, rates, condition."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.errors import BadInput

__all__ = ["Spectrum", "sinkhorn_jacobian", "sinkhorn_spectrum"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Spectrum:
    """Spectrum of Sinkhorn's iteration at a plan.

    Parameters
    ----------
    correlations : array, shape (min(n, m),), read-only
        Singular values σ of P_ij/√(r_i c_j), descending; the first is 1 and belongs to the common mode.
    gap : float
        1 − σ₂²: one sweep shrinks the slowest error by σ₂², and the flow of potentials does so at this rate per τ.
    condition : float
        √(max r/min r): condition number of the Jacobian's eigenvectors that are orthonormal for the weights r, for which the
        Jacobian D_r⁻¹ P D_c⁻¹ Pᵀ is self-adjoint.
    """

    correlations: Array
    gap: float
    condition: float

    @property
    def radius(self) -> float:
        """Spectral radius σ₂² of the Jacobian without its common mode."""
        return float(self.correlations[1] ** 2)


def sinkhorn_jacobian(plan: ArrayLike) -> Array:
    """Derivative of one sweep of the row potentials, D_r⁻¹ P D_c⁻¹ Pᵀ, shape (n, n); its eigenvalues are the σ_k².

    Raises
    ------
    BadInput
        The plan is not a matrix of non-negative numbers with mass in every row and column.
    """
    P, r, c = _sums(plan)
    return (P / r[:, None]) @ (P / c).T


def sinkhorn_spectrum(plan: ArrayLike) -> Spectrum:
    """Spectrum of Sinkhorn's iteration at `plan`, shape (n, m).

    Raises
    ------
    BadInput
        The plan is not a matrix of non-negative numbers with mass in every row and column.

    References
    ----------
    Y. Liu, Avoiding Premature Collapse, arXiv:2601.23039 (2026), sections 2.3 and A.2, corrected: the Jacobian is
    self-adjoint in l²(r), so that no error grows in that norm, nor in the Euclidean one by more than √(max r/min r); and
    1 − σ₂² is of order ε only while ε is large beside what plans near the cheapest cost more than it. Below, it falls
    exponentially in 1/ε where that plan is unique and a permutation (two by two: like exp(−|D|/2ε)), and tends to a
    constant where cheapest plans tie and hang together.
    """
    P, r, c = _sums(plan)
    correlations = np.asarray(np.linalg.svd(P / np.sqrt(np.outer(r, c)), compute_uv=False), dtype=np.float64)
    correlations.setflags(write=False)
    return Spectrum(correlations, float(1 - correlations[1] ** 2), float(np.sqrt(r.max() / r.min())))


def _sums(plan: ArrayLike) -> tuple[Array, Array, Array]:
    P = np.asarray(plan, dtype=float)
    sound = P.ndim == 2 and min(P.shape) > 1 and bool(np.isfinite(P).all() and (P >= 0).all())
    if not sound or not (P.sum(axis=1) > 0).all() or not (P.sum(axis=0) > 0).all():
        raise BadInput(
            f"plan, of shape {P.shape}, is not a matrix of non-negative numbers with mass in every row and column."
        )
    return P, P.sum(axis=1), P.sum(axis=0)
