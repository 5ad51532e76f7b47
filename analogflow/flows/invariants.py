"""Manifolds a flow stays on, each with what is needed to test a circuit for it and to mend one that leaves.

A restoring term is written in the same language as a flow: NumPy operations that signals answer too.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from analogflow.graph import softmax

__all__ = ["CommonMode", "Invariant", "Simplex"]


@dataclasses.dataclass(frozen=True)
class Simplex:
    """The state is a distribution: Σ_k z_k = 1."""

    state: str
    name = "simplex"
    binding = True
    """Whether an answer off the manifold is wrong."""

    def project(self, z: np.ndarray) -> np.ndarray:
        """Nearest scaling on the manifold."""
        return z / z.sum()

    def transverse(self, z: np.ndarray) -> np.ndarray:
        """Direction that leaves the manifold: all elements in proportion."""
        return z / z.sum()

    def normal(self, z: np.ndarray) -> np.ndarray:
        """Gradient of the defect Σz − 1."""
        return np.ones(z.size)

    def defect(self, z: np.ndarray) -> np.ndarray:
        """Σz − 1 over the last axis."""
        return z.sum(axis=-1) - 1

    def restore(self, z: Any) -> Any:
        """Rate added to each element, for a return rate of 1 per τ: (1 − Σz)/n costs one summing node."""
        return (1 - z.sum()) / z.size

    restoring_term = "(1 − Σz)/n"


@dataclasses.dataclass(frozen=True)
class CommonMode:
    """Adding one number to every element of the state changes nothing that matters, so offsets would let it drift.

    The common mode is measured as Σ_k softmax(u)_k u_k: elements that have run far down do not count.
    """

    state: str
    name = "common mode"
    binding = False

    def project(self, u: np.ndarray) -> np.ndarray:
        """Same point with a common mode of 0."""
        return u - softmax(u) @ u

    def transverse(self, u: np.ndarray) -> np.ndarray:
        """The common direction."""
        return np.ones(u.size)

    def normal(self, u: np.ndarray) -> np.ndarray:
        """Weights by which the common mode is measured."""
        return softmax(u)

    def defect(self, u: np.ndarray) -> np.ndarray:
        """Common mode over the last axis."""
        weights = np.exp(u - u.max(axis=-1, keepdims=True))
        return (weights * u).sum(axis=-1) / weights.sum(axis=-1)

    def restore(self, u: Any) -> Any:
        """Rate added to each element, for a return rate of 1 per τ: −Σ softmax(u) u."""
        return -(softmax(u) @ u)

    restoring_term = "−Σ softmax(u)·u"


Invariant = Simplex | CommonMode
