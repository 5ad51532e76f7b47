"""How near tokens are to the distribution they gather at while it is cold, and the bound on that distance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from analogflow.checks import is_positive
from analogflow.errors import BadInput
from analogflow.problems import Attention
from analogflow.reference.attention.eigenspaces import (
    Eigenspace,
    attraction_space,
    dominant_eigenspace,
    warn_unless_symmetric,
)

__all__ = ["concentration_bound", "concentration_time", "distance_to_limit", "limit_tokens", "spread", "wasserstein"]

Array = NDArray[np.float64]


def limit_tokens(tokens: ArrayLike, space: Eigenspace) -> Array:
    """Π of every token, x ↦ P_E x/‖P_E x‖, shape (n, d).

    Raises
    ------
    BadInput
        A token is orthogonal to the space, where Π is not defined.
    """
    projected = space.project(tokens)
    lengths = np.linalg.norm(projected, axis=-1, keepdims=True)
    if not (lengths > 0).all():
        raise BadInput(
            f"token {int(np.argmin(lengths)) + 1} is orthogonal to the eigenspace, so it has no projection there."
        )
    return projected / lengths


def spread(tokens: ArrayLike, space: Eigenspace, p: float = 1.0) -> float:
    """V_p: mean of (‖x − P_E x‖/‖P_E x‖)^{2p} over the tokens, 0 < p ≤ 1; infinite where a token is orthogonal to E.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: Assumption 2 and equation (14).
    """
    p = _exponent(p)
    x = np.asarray(tokens, dtype=float)
    inside = space.project(x)
    with np.errstate(divide="ignore"):
        ratios = np.linalg.norm(x - inside, axis=-1) / np.linalg.norm(inside, axis=-1)
    return float((ratios ** (2 * p)).mean())


def wasserstein(tokens: ArrayLike, others: ArrayLike) -> float:
    """W₂ of two clouds of n equally heavy points each, shape (n, d): the best pairing, in straight-line distance.

    Raises
    ------
    BadInput
        The clouds differ in shape.
    """
    x, y = np.asarray(tokens, dtype=float), np.asarray(others, dtype=float)
    if x.shape != y.shape or x.ndim != 2:
        raise BadInput(f"the clouds have shapes {x.shape} and {y.shape}; give two of the same shape (n, d).")
    squared = ((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=2)
    rows, columns = linear_sum_assignment(squared)
    return math.sqrt(squared[rows, columns].mean())


def distance_to_limit(problem: Attention, tokens: ArrayLike) -> float:
    """W₂ of `tokens` to Π♯ρ₀, the problem's starting tokens projected onto E.

    Warns
    -----
    AssumptionWarning
        VBᵀ is not symmetric.
    """
    return wasserstein(tokens, limit_tokens(problem.tokens, attraction_space(problem)))


def concentration_bound(problem: Attention, time: float, *, p: float = 1.0) -> float:
    r"""Bound on W₂(ρ_t, Π♯ρ₀) along the zero-temperature equation.

    .. math:: W_2(\rho_t, \Pi_\sharp \rho_0) \le \sqrt{2 V_p(\rho_0)}\; e^{-p \gamma t / \sigma_{\max}(B)}

    Parameters
    ----------
    problem : Attention
    time : float
        At least 0, in units of τ.
    p : float
        0 < p ≤ 1.

    Warns
    -----
    AssumptionWarning
        VBᵀ is not symmetric.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: Corollary 2, corrected: it prints V_p in place of √(2V_p), which fails at t = 0
    for tokens near E; its equation (10) has the right factor.
    """
    warn_unless_symmetric(problem, "this is no bound: neither the rate nor the limit is proved")
    space = dominant_eigenspace(problem.attraction)
    if space.dimension == problem.dimension:
        return 0.0
    rate = _exponent(p) * space.gap / float(np.linalg.norm(problem.B, 2))
    return math.sqrt(2 * spread(problem.tokens, space, p)) * math.exp(-rate * time)


def concentration_time(problem: Attention, distance: float, *, p: float = 1.0) -> float:
    """Time t₁ after which the bound is at most half of `distance`: σ_max(B)/(pγ) · ln(2√(2V_p)/distance), at least 0.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: Corollary 4, corrected as Corollary 2 is.
    """
    if not is_positive(distance, finite=False):
        raise BadInput(f"distance {distance!r} is not positive; the limit is approached, not reached.")
    start = 2 * concentration_bound(problem, 0.0, p=p)
    if start <= distance:
        return 0.0
    space = dominant_eigenspace(problem.attraction)
    return float(np.linalg.norm(problem.B, 2)) / (_exponent(p) * space.gap) * math.log(start / distance)


def _exponent(p: float) -> float:
    if not 0 < p <= 1:
        raise BadInput(f"p is {p!r}; the exponent of the spread lies above 0 and at most at 1.")
    return float(p)
