"""The linear network's law: a Gaussian whose covariance is found in three ways that must agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_continuous_lyapunov

from analogflow.problems import Hopfield
from analogflow.reference.hopfield.energy import curvature, metric

__all__ = ["ROUNDING", "drift", "from_hessian", "from_lyapunov", "from_spectrum", "gaussian_law", "linear_rest"]

Array = NDArray[np.float64]

ROUNDING = float(np.finfo(float).eps)
"""Rounding of a sum, per term."""


def drift(problem: Hopfield) -> Array:
    """Matrix A of the linear rates A (v, h) + (I, 0), shape (n + m, n + m)."""
    n, m = problem.U.shape
    A = np.zeros((n + m, n + m))
    np.fill_diagonal(A, -1.0)
    A[:n, n:], A[n:, :n] = problem.U @ problem.gain_h, problem.U.T @ problem.gain_v
    return A


def linear_rest(problem: Hopfield) -> tuple[Array, float]:
    """Where the linear rates vanish, shape (n + m,): the mean of the law, and the rest at temperature 0; and its error."""
    inputs, A = np.concatenate([problem.I, np.zeros(problem.hidden)]), drift(problem)
    rest = np.asarray(np.linalg.solve(A, -inputs), dtype=float)
    left = abs(A @ rest + inputs) + problem.size * ROUNDING * (abs(A) @ abs(rest) + abs(inputs))
    return rest, float((abs(np.linalg.inv(A)) @ left).max())


def from_hessian(problem: Hopfield) -> Array:
    """T H⁻¹ with H = [[G, −G U F], [·, F]], by Cholesky."""
    hessian = curvature(problem, np.zeros(problem.size))
    return problem.temperature * np.asarray(cho_solve(cho_factor(hessian), np.eye(problem.size)))


def from_lyapunov(problem: Hopfield) -> Array:
    """Solution C of A C + C Aᵀ + 2T K = 0, by Bartels and Stewart's method with one step of refinement."""
    A = drift(problem)
    noise = 2 * problem.temperature * np.linalg.inv(metric(problem, np.zeros(problem.size)))
    C = solve_continuous_lyapunov(A, -noise)
    C = C - solve_continuous_lyapunov(A, A @ C + C @ A.T + noise)
    return np.asarray((C + C.T) / 2, dtype=float)


def from_spectrum(problem: Hopfield) -> Array:
    """2T ∫ e^{At} K e^{Aᵀt} dt, where √G U √F = R σ Sᵀ makes the rates 1 ∓ σ."""
    roots = []
    for gain in (problem.gain_v, problem.gain_h):
        values, vectors = np.linalg.eigh(gain)
        roots.append(((vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T))
    left, sigma, right = np.linalg.svd(roots[0][0] @ problem.U @ roots[1][0], full_matrices=True)
    n, m = problem.U.shape
    padded = np.zeros(max(n, m))  # directions without a partner have the singular value 0
    padded[: len(sigma)] = sigma
    weights, same = 1 / (1 - padded**2), np.zeros((n + m, n + m))
    same[:n, :n] = (left * weights[:n]) @ left.T
    same[n:, n:] = (right.T * weights[:m]) @ right
    cross = (left[:, : len(sigma)] * (sigma / (1 - sigma**2))) @ right[: len(sigma)]
    same[:n, n:], same[n:, :n] = cross, cross.T
    spread = np.zeros_like(same)
    spread[:n, :n], spread[n:, n:] = roots[0][1], roots[1][1]
    return problem.temperature * (spread @ same @ spread)


def gaussian_law(problem: Hopfield) -> tuple[Array, Array, float]:
    """Mean, covariance T H⁻¹, and a bound on the error of any of their numbers.

    The bound is what is left of H C = T, with its rounding, brought back through H⁻¹; or the largest difference of the three
    covariances from each other, if that is larger; or the bound of the mean.
    """
    found = [way(problem) for way in (from_hessian, from_lyapunov, from_spectrum)]
    apart = max(float(abs(found[k] - found[k - 1]).max()) for k in range(3))
    hessian, size = curvature(problem, np.zeros(problem.size)), problem.size
    left = abs(hessian @ found[0] - problem.temperature * np.eye(size))
    left = left + size * ROUNDING * (abs(hessian) @ abs(found[0]))
    back = abs(found[0]) / problem.temperature
    mean, gap = linear_rest(problem)
    return mean, found[0], max(apart, gap, float((back @ left).max()))
