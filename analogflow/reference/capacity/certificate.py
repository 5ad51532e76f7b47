"""Bounds that an input distribution proves for the capacity: two matrix-vector products, whoever computed it.

It does not search for a distribution.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import real_array
from analogflow.errors import BadInput

__all__ = ["CapacityBounds", "capacity_certificate", "divergences", "matrix_of", "negative_entropies"]

_ROW_SUM_TOLERANCE = 1e-9
_SMALLEST = float(np.finfo(float).tiny)
# Entries handled at a time: the block and its logarithm stay in the second-level cache, which makes the pass over a
# 2048 × 2048 matrix three times faster than scipy.special.xlogy on the whole.
_BLOCK = 32_768


class CapacityBounds(NamedTuple):
    """Interval that holds the capacity: ``lower`` = I(z), ``upper`` = max_i D(p_i‖q), ``gap`` = upper − lower; nats."""

    lower: float
    upper: float
    gap: float


def capacity_certificate(transition: ArrayLike, z: ArrayLike) -> CapacityBounds:
    r"""Bounds on the capacity proved by one input distribution.

    .. math:: I(z) \le C \le \max_i D(p_i \| q), \qquad q = P^\top z

    Both are equalities exactly when z is optimal, so the gap judges an answer without knowing the right one.

    Parameters
    ----------
    transition : array, shape (n, m)
        Row i is the distribution of the output when input i is sent.
    z : array, shape (n,)
        Input distribution. Negative entries, which a circuit may settle at, count as 0 and the rest is divided by its
        sum: the bounds are about that distribution.

    Returns
    -------
    CapacityBounds
        ``lower``, ``upper`` and ``gap``, nats.

    Raises
    ------
    BadInput
        The matrix is not one of probabilities, or `z` does not fit it, is not finite or has no positive entry.

    Notes
    -----
    An output that no input with weight reaches has q = 0; the smallest normal number stands in for it, which keeps the
    bound finite and true. Rounding, which the bounds do not include, is about 1e-15 ln m.

    References
    ----------
    R. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. Inf. Theory 18 (1972) 460,
    theorem 2. Equality is the condition by which Beretta and Pelillo, Entropy 27(4):362, 2025, section 6.1, sort inputs.
    """
    matrix = matrix_of(transition, dimensions=2)
    weights = real_array(z, "z")
    if weights.shape != matrix.shape[:1]:
        raise BadInput(f"z has shape {weights.shape}; give one probability for each of the {len(matrix)} inputs.")
    positive = np.maximum(weights, 0)
    total = positive.sum()
    if not np.isfinite(weights).all() or not 0 < total < np.inf:
        raise BadInput("z is not finite or has no positive entry, so it is no input distribution; give a settled answer.")
    distribution = positive / total
    D, _ = divergences(matrix, negative_entropies(matrix), distribution)
    lower, upper = float(distribution @ D), float(D.max())
    return CapacityBounds(lower, upper, max(upper - lower, 0.0))


def matrix_of(transition: ArrayLike, *, dimensions: int) -> NDArray[np.float64]:
    """Check that `transition` holds conditional distributions along its last axis, and return it as floats.

    Raises
    ------
    BadInput
        Wrong number of dimensions, an entry that is no probability, or a row that does not sum to 1.
    """
    matrix = np.ascontiguousarray(real_array(transition, "transition"))
    if matrix.ndim != dimensions or 0 in matrix.shape:
        shape = "(n, m)" if dimensions == 2 else "(k, n, m)"
        raise BadInput(f"the transition probabilities have shape {matrix.shape}; give an array of shape {shape}.")
    sums = matrix.sum(axis=-1)
    # One comparison that NaN and infinity fail as well.
    if not (matrix.min() >= 0 and abs(sums - 1).max() <= _ROW_SUM_TOLERANCE):
        worst = np.unravel_index(np.argmax(np.where(np.isfinite(sums), abs(sums - 1), np.inf)), sums.shape)
        raise BadInput(
            f"the transition probabilities must be non-negative with rows that sum to 1 within {_ROW_SUM_TOLERANCE:g}; "
            f"row {tuple(int(i) for i in worst)} sums to {sums[worst]:.12g} and the smallest entry is {matrix.min():g}."
        )
    return matrix


def negative_entropies(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ_j p_ij ln p_ij of each row, nats; shape (..., n) for a matrix of shape (..., n, m)."""
    rows = matrix.reshape(-1, matrix.shape[-1])
    sums = np.empty(len(rows))
    height = max(1, _BLOCK // rows.shape[1])
    for first in range(0, len(rows), height):
        block = rows[first : first + height]
        # 0 ln 0 = 0: the logarithm of the smallest number is finite, and zero times it is zero.
        terms = np.maximum(block, _SMALLEST)
        np.log(terms, out=terms)
        terms *= block
        terms.sum(axis=1, out=sums[first : first + height])
    return sums.reshape(matrix.shape[:-1])


def divergences(
    matrix: NDArray[np.float64], entropies: NDArray[np.float64], z: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """D(p_i‖q), nats, shape (..., n), and q = Pᵀz, shape (..., m), where `entropies` are the rows' negative entropies."""
    q = np.maximum(np.matmul(z[..., None, :], matrix)[..., 0, :], _SMALLEST)
    D = entropies - np.matmul(matrix, np.log(q)[..., None])[..., 0]
    return np.maximum(D, 0), q
