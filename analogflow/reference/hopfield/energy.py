"""The energy of a Hopfield network, its gradient and its curvature, and the density it stands for."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import real_array
from analogflow.problems import Hopfield

__all__ = ["curvature", "energy", "gradient", "metric", "rates"]

Array = NDArray[np.float64]


def _parts(problem: Hopfield, state: ArrayLike) -> tuple[Array, Array, Array, Array]:
    """v, h, g(v), f(h)."""
    x = real_array(state, "state")
    v, h = x[: problem.visible], x[problem.visible :]
    g, f = problem.gain_v @ v, problem.gain_h @ h
    return (v, h, g, f) if problem.activation == "linear" else (v, h, np.tanh(g), np.tanh(f))


def energy(problem: Hopfield, state: ArrayLike) -> float:
    """E = (v − I)·g − L_v + h·f − L_h − gᵀU f at a state (v, h), shape (n + m,)."""
    v, h, g, f = _parts(problem, state)
    if problem.activation == "linear":
        potentials = 0.5 * (v @ g + h @ f)
    else:
        potentials = sum(
            float((np.logaddexp(a * x, -a * x) - np.log(2)) @ (1 / a))
            for a, x in ((np.diag(problem.gain_v), v), (np.diag(problem.gain_h), h))
        )
    return float((v - problem.I) @ g + h @ f - g @ problem.U @ f - potentials)


def rates(problem: Hopfield, state: ArrayLike) -> Array:
    """(v̇, ḣ) at temperature 0, shape (n + m,)."""
    v, h, g, f = _parts(problem, state)
    return np.concatenate([problem.U @ f - v + problem.I, problem.U.T @ g - h])


def metric(problem: Hopfield, state: ArrayLike) -> Array:
    """∂²L_v and ∂²L_h as one block matrix, the inverse of the mobility K, shape (n + m, n + m)."""
    _, _, g, f = _parts(problem, state)
    n = problem.visible
    blocks = np.zeros((problem.size, problem.size))
    blocks[:n, :n], blocks[n:, n:] = problem.gain_v, problem.gain_h
    if problem.activation == "tanh":
        blocks *= 1 - np.concatenate([g, f]) ** 2
    return blocks


def gradient(problem: Hopfield, state: ArrayLike) -> Array:
    """∂E = −∂²L (v̇, ḣ), shape (n + m,); the proof in the paper has the sign of v and h wrong."""
    return -metric(problem, state) @ rates(problem, state)


def curvature(problem: Hopfield, state: ArrayLike) -> Array:
    """∂²E where the rates vanish: ∂²L − ∂²L_v U ∂²L_h and its transpose off the diagonal, shape (n + m, n + m)."""
    blocks = metric(problem, state)
    n = problem.visible
    coupling = -blocks[:n, :n] @ problem.U @ blocks[n:, n:]
    blocks[:n, n:], blocks[n:, :n] = coupling, coupling.T
    return blocks
