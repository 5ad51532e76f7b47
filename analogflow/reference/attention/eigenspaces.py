"""The eigenspaces tokens gather at, and how far they have: E of VBᵀ in the cold phase, F and F_abs of V in the last one."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import real_array
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.problems import Attention

__all__ = ["Eigenspace", "alignment", "attraction_space", "dominant_eigenspace", "value_space", "warn_unless_symmetric"]

Array = NDArray[np.float64]

_EQUAL = 1e-9
"""Relative difference up to which eigenvalues count as equal."""


@dataclasses.dataclass(frozen=True, eq=False)
class Eigenspace:
    """Real subspace that belongs to the dominant eigenvalues of a matrix.

    Parameters
    ----------
    basis : array, shape (d, k), read-only
        Orthonormal columns.
    eigenvalue : complex
        The dominant eigenvalue; of a complex pair the one above the real axis.
    gap : float
        Distance γ from the measure of dominance (real part or magnitude) of the next eigenvalue; infinite if there is none.
    """

    basis: Array
    eigenvalue: complex
    gap: float

    @property
    def dimension(self) -> int:
        """Dimension k."""
        return self.basis.shape[1]

    def project(self, tokens: ArrayLike) -> Array:
        """Orthogonal projection of each row, shape (..., d)."""
        return np.asarray(tokens, dtype=float) @ self.basis @ self.basis.T


def dominant_eigenspace(matrix: ArrayLike, *, by: str = "value") -> Eigenspace:
    """Eigenspace of the eigenvalues that are largest.

    Parameters
    ----------
    matrix : array, shape (d, d)
    by : {"value", "magnitude"}
        Whether the real part or the absolute value is compared.

    Raises
    ------
    BadInput
        `by` is neither, or the dominant eigenvalues have too few eigenvectors (a Jordan block).
    """
    if by not in ("value", "magnitude"):
        raise BadInput(f"by {by!r} is not known; compare eigenvalues by 'value' or by 'magnitude'.")
    a = real_array(matrix, "matrix")
    symmetric = bool(abs(a - a.T).max() <= _EQUAL * abs(a).max())
    values, vectors = np.linalg.eigh((a + a.T) / 2) if symmetric else np.linalg.eig(a)
    rank = abs(values) if by == "magnitude" else np.real(values)
    scale = max(float(abs(values).max()), np.finfo(float).tiny)
    top = rank >= rank.max() - _EQUAL * scale
    # A complex pair spans the plane of its real and imaginary parts.
    spanning = np.concatenate([np.real(vectors[:, top]), np.imag(vectors[:, top])], axis=1)
    basis, sizes, _ = np.linalg.svd(spanning, full_matrices=False)
    basis = basis[:, sizes > 1e-6 * sizes[0]]
    if basis.shape[1] != int(top.sum()):
        largest = np.real_if_close(values[top])[0]
        raise BadInput(
            f"the dominant eigenvalue {largest:.6g} has {int(top.sum())} copies and {basis.shape[1]} eigenvectors, "
            "so its eigenspace is not all that is dominant; give a matrix that can be diagonalised."
        )
    basis.setflags(write=False)
    gap = float(rank.max() - rank[~top].max()) if not top.all() else np.inf
    return Eigenspace(basis, complex(max(values[top], key=lambda value: complex(value).imag)), gap)


def attraction_space(problem: Attention) -> Eigenspace:
    """E: the dominant eigenspace of VBᵀ, where tokens gather at low temperature, with its spectral gap γ.

    Warns
    -----
    AssumptionWarning
        VBᵀ is not symmetric.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: Assumption 1.
    """
    warn_unless_symmetric(problem, "tokens need not gather at this eigenspace: they may turn for ever")
    return dominant_eigenspace(problem.attraction)


def value_space(problem: Attention, *, by: str = "value") -> Eigenspace:
    """F (by value) or F_abs (by magnitude): the dominant eigenspace of V, where tokens may end long after t ≈ ln β.

    The paper conjectures that of generic tokens (C.4; its Conjecture 1 says only that there are such matrices). When they
    come there differs from problem to problem by far more than ln β.
    """
    return dominant_eigenspace(problem.V, by=by)


def alignment(tokens: ArrayLike, space: Eigenspace) -> float:
    """Mean length of the tokens' projections onto `space`: 1 where all lie in it, 0 where all are orthogonal to it.

    The paper plots an alignment with the largest value 1 and does not define it.
    """
    return float(np.linalg.norm(space.project(tokens), axis=-1).mean())


def warn_unless_symmetric(problem: Attention, consequence: str) -> None:
    """Warn, naming the `consequence`, where VBᵀ is not symmetric."""
    if not problem.symmetric:
        matrix = problem.attraction
        warnings.warn(
            f"V Bᵀ is not symmetric (it differs from its transpose by {abs(matrix - matrix.T).max():.3g}), so "
            f"{consequence}.",
            AssumptionWarning,
            stacklevel=3,
        )
