"""Costs whose plans, gaps and derivatives are known in closed form, and an ensemble of random ones."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.problems import Transport
from analogflow.reference.transport import PlanDerivatives, sinkhorn_spectrum, transport_reference

__all__ = [
    "CONNECTED",
    "DISCONNECTED",
    "SOURCE",
    "TWO",
    "TWO_DIFFERENCE",
    "derivatives",
    "gap",
    "gaussian_line",
    "limit_gap",
    "permutations",
    "uniform_line",
    "unit_masses",
]  # fmt: skip

Array = NDArray[np.float64]

SOURCE = "arXiv:2601.23039 (2026)"
"""The paper: Y. Liu, Avoiding Premature Collapse."""

TWO: Array = np.array([[0.0, 0.3], [0.4, 0.0]])
"""Two by two: the optimal plan is the diagonal."""

TWO_DIFFERENCE = 0.7
"""D = C₁₂ + C₂₁ − C₁₁ − C₂₂ of `TWO`."""

CONNECTED: Array = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
"""All assignments but those through one entry are optimal: the entries they use connect all rows and columns."""

DISCONNECTED: Array = np.array([[0.0, 0.0, 1.0, 1.0]] * 2 + [[1.0, 1.0, 0.0, 0.0]] * 2)
"""Two groups of two rows; within a group all is optimal, between them every unit costs 1: the gap is sech²(1/2ε)."""


def unit_masses(cost: ArrayLike, epsilon: float) -> Transport:
    """A square problem with mass 1 in every row and column."""
    C = np.asarray(cost, dtype=float)
    return Transport(C, np.ones(len(C)), np.ones(len(C)), epsilon)


@functools.cache
def permutations(count: int = 8, size: int = 5, seed: int = 0) -> tuple[Transport, ...]:
    """Problems with costs uniform on [0, 1]: the optimal plan of each is one permutation."""
    rng = np.random.default_rng(seed)
    return tuple(unit_masses(rng.random((size, size)), 0.1) for _ in range(count))


def uniform_line(epsilon: float, points: int = 120) -> Transport:
    """Uniform measures on [0, 1], cost ½ (x − y)², at the middles of equal cells."""
    x = (np.arange(points) + 0.5) / points
    masses = np.full(points, 1 / points)
    return Transport(0.5 * (x[:, None] - x) ** 2, masses, masses, epsilon)


def gaussian_line(epsilon: float, points: int = 97) -> Transport:
    """Standard normal measures, cost ½ (x − y)², on a grid from −6 to 6."""
    x = np.linspace(-6, 6, points)
    masses = np.exp(-0.5 * x**2)
    masses /= masses.sum()
    return Transport(0.5 * (x[:, None] - x) ** 2, masses, masses, epsilon)


def gap(problem: Transport) -> float:
    """1 − σ₂² of Sinkhorn's iteration at the problem's exact plan."""
    return sinkhorn_spectrum(transport_reference(problem).plan).gap


def derivatives(problem: Transport) -> tuple[float, float]:
    """‖dP/dC‖ and ‖dP/dε‖_F."""
    found = PlanDerivatives(problem)
    return found.norm()[0], float(np.linalg.norm(found.with_epsilon()))


def limit_gap(cost: ArrayLike) -> float:
    """Gap of the plan for ε → 0 of costs 0 and 1 with free assignments: scalings of the pattern of zeros, no temperature."""
    plan = (np.asarray(cost, dtype=float) == 0).astype(float)
    for _ in range(2000):
        plan /= plan.sum(axis=1, keepdims=True)
        plan /= plan.sum(axis=0)
    return float(1 - np.linalg.svd(plan, compute_uv=False)[1] ** 2)
