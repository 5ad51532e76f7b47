"""Attention problems with a name: the matrices of the paper's figures and appendix C, with seeded tokens.

A. Alcalde, L. Bungert, K. Riedl and T. Roith, arXiv:2605.10931 (2026). The figures' seeds are not published, so tokens are
drawn from the stated distributions and individual runs are not theirs.
"""

from __future__ import annotations

import numpy as np

from analogflow.problems.attention import Attention
from analogflow.problems.named.token_clouds import uniform_tokens, von_mises_fisher_tokens

__all__ = ["circle", "circle_then_pole", "gradient", "random_diagonal", "rotating", "skewed", "two_phases"]


def circle(count: int = 2000, *, beta: float = 30.0, time: float = 5.0, seed: int = 0) -> Attention:
    """Figure 1: V = I, B = Rᵀdiag(5, 5, 1)R, so that E is a plane; tokens from the three-component mixture of C.1.

    The paper gives R as a rotation by π/8 without its axis; here it turns about the first axis.
    """
    return Attention(_mixture(count, seed), _circle_matrix(), np.eye(3), beta, time)


def circle_then_pole(count: int = 2000, *, beta: float = 30.0, time: float = 10.0, seed: int = 0) -> Attention:
    """Figure 2: the same VBᵀ as in Figure 1 with V = diag(1, 1, 2), whose dominant eigenspace F is the third axis."""
    V = np.diag([1.0, 1.0, 2.0])
    B = np.linalg.solve(V, _circle_matrix()).T
    return Attention(_mixture(count, seed), B, V, beta, time)


def two_phases(count: int = 200, *, beta: float = 100.0, time: float = 20.0, seed: int = 0) -> Attention:
    """Figure 3: V = diag(−1, 1, −2), B = diag(−1, −1, 1): E, F and F_abs are the first, second and third axis."""
    return Attention(uniform_tokens(count, 3, seed=seed), np.diag([-1.0, -1, 1]), np.diag([-1.0, 1, -2]), beta, time)


def random_diagonal(
    count: int = 500, dimension: int = 10, *, beta: float = 10.0, time: float = 15.0, seed: int = 0
) -> Attention:
    """Figures 4 and 10: diagonal B and V with independent normal entries, tokens uniform; all from one seed."""
    rng = np.random.default_rng([seed, 1])
    B, V = np.diag(rng.standard_normal(dimension)), np.diag(rng.standard_normal(dimension))
    return Attention(uniform_tokens(count, dimension, seed=seed), B, V, beta, time)


def rotating(count: int = 200, *, beta: float = 100.0, time: float = 20.0, seed: int = 0) -> Attention:
    """Equation (39): VBᵀ is not symmetric and has the eigenvalues ±i and −2, so that tokens turn for ever."""
    V = np.array([[-1.0, 1, 0], [-2, 1, 0], [0, 0, -2]])
    return Attention(uniform_tokens(count, 3, seed=seed), np.diag([-1.0, -1, 1]), V, beta, time)


def skewed(count: int = 200, *, beta: float = 100.0, time: float = 20.0, seed: int = 0) -> Attention:
    """Equation (40): VBᵀ is not symmetric, but its eigenvalues 1 ± √2 and −2 are real."""
    B = np.array([[-1.0, 1, 0], [-2, 1, 0], [0, 0, 1]])
    return Attention(uniform_tokens(count, 3, seed=seed), B, np.diag([-1.0, 1, -2]), beta, time)


def gradient(
    eigenvalues: list[float] | np.ndarray,
    sign: int = 1,
    *,
    count: int = 100,
    beta: float = 1.0,
    time: float = 10.0,
    seed: int = 0,
) -> Attention:
    """Appendix C.3: B = diag(`eigenvalues`), V = `sign`·B, so that the energy can only rise (1) or fall (−1)."""
    B = np.diag(np.asarray(eigenvalues, dtype=float))
    return Attention(uniform_tokens(count, len(B), seed=seed), B, sign * B, beta, time)


def _circle_matrix() -> np.ndarray:
    c, s = np.cos(np.pi / 8), np.sin(np.pi / 8)
    R = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return R.T @ np.diag([5.0, 5.0, 1.0]) @ R


def _mixture(count: int, seed: int) -> np.ndarray:
    centres = [[1, -0.3, -0.2], [0, 1, -0.3], [-1, 1, 1]]
    return von_mises_fisher_tokens(count, centres, [2.0, 10.0, 5.0], seed=seed)
