"""Manifolds a flow stays on, each with what is needed to test a circuit for it and to mend one that leaves.

Each says too what of a state counts where two answers are compared (`comparable`), how a state is pushed along it
(`pushed`), which elements can be above 0 (`support`), and their `bounds`: nothing else needs to know which manifolds there
are. A restoring term is written in the same language as a flow: NumPy operations that signals answer too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy

from analogflow.digits import quiet
from analogflow.graph import softmax

__all__ = ["CommonMode", "Invariant", "Simplex", "Sphere", "WeightedMean", "comparable", "differences", "pushed_freely"]


@dataclasses.dataclass(frozen=True)
class Simplex:
    """The state is a distribution: Σ_k z_k = 1."""

    state: str
    name = "simplex"
    binding = True
    """Whether an answer off the manifold is wrong."""
    bounds = (0.0, 1.0)
    """Of every element on the manifold; None where there are none."""

    def project(self, z: np.ndarray) -> np.ndarray:
        """Nearest scaling on the manifold, over the last axis."""
        return z / z.sum(axis=-1, keepdims=True)

    def onto(self, z: np.ndarray) -> np.ndarray:
        """A point of the manifold for any point: sizes in proportion."""
        return self.project(abs(z))

    def support(self, z: np.ndarray) -> np.ndarray:
        """Which elements can be above 0 where one starts from z: what is 0 stays 0."""
        return z > 0

    def pushed(self, ends: np.ndarray, start: np.ndarray, direction: np.ndarray, delta: float) -> np.ndarray:
        """Ends, shape (samples, size), moved by a share δ along the manifold, in directions that are normal numbers.

        Distributions become (1 − δ)z + δr, r random ones over the support of the flow's start: the middle itself would be no
        push for an answer that lies there.
        """
        whole = np.clip(ends, 0.0, None)
        whole = whole / np.where(whole.sum(1, keepdims=True) > 0, whole.sum(1, keepdims=True), 1.0)
        used = np.broadcast_to(self.support(start), ends.shape)  # an input that is not available stays out
        moved = (1 - delta) * whole + delta * scipy.special.softmax(np.where(used, direction, -np.inf), axis=1)
        return moved / moved.sum(1, keepdims=True)

    def transverse(self, z: np.ndarray) -> np.ndarray:
        """Direction that leaves the manifold: all elements in proportion."""
        return z / z.sum()

    def normal(self, z: np.ndarray) -> np.ndarray:
        """Gradient of the defect Σz − 1."""
        return np.ones(z.size)

    def defect(self, z: np.ndarray) -> np.ndarray:
        """Σz − 1 over the last axis."""
        return z.sum(axis=-1) - 1

    def comparable(self, z: np.ndarray) -> np.ndarray:
        """The state as it stands, shape (..., size): an answer off the manifold differs from one on it."""
        return z

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

    bounds = None

    def project(self, u: np.ndarray) -> np.ndarray:
        """Same point with a common mode of 0."""
        return quiet(u - softmax(u) @ u, abs(u).max(initial=0.0))

    onto = project

    def support(self, u: np.ndarray) -> np.ndarray:
        """All elements, however far down."""
        return np.ones(u.shape, dtype=bool)

    def pushed(self, ends: np.ndarray, start: np.ndarray, direction: np.ndarray, delta: float) -> np.ndarray:
        """Logarithms of the shares softmax(u), shape (samples, size), after a share δ of the way to random ones."""
        return np.log((1 - delta) * scipy.special.softmax(ends, axis=1) + delta * scipy.special.softmax(direction, axis=1))

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

    def comparable(self, u: np.ndarray) -> np.ndarray:
        """The same points with a common mode of 0, shape (..., size): wherever a circuit holds it, the answer is one."""
        return u - self.defect(u)[..., None]

    def restore(self, u: Any) -> Any:
        """Rate added to each element, for a return rate of 1 per τ: −Σ softmax(u) u."""
        return -(softmax(u) @ u)

    restoring_term = "−Σ softmax(u)·u"


@dataclasses.dataclass(frozen=True)
class Sphere:
    """Every row of the state, of shape (rows, dimension), has length 1: ‖x_i‖² = 1, kept by each row on its own.

    One constraint for each row. Arrays are flat, as engines and passes hand them over; leading axes are samples.
    """

    state: str
    dimension: int
    name = "sphere"
    binding = True

    bounds = (-1.0, 1.0)

    def _rows(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:-1], -1, self.dimension)

    def project(self, x: np.ndarray) -> np.ndarray:
        """Every row divided by its length."""
        rows = self._rows(x)
        return (rows / np.sqrt((rows**2).sum(axis=-1, keepdims=True))).reshape(x.shape)

    onto = project

    def support(self, x: np.ndarray) -> np.ndarray:
        """All elements."""
        return np.ones(x.shape, dtype=bool)

    def pushed(self, ends: np.ndarray, start: np.ndarray, direction: np.ndarray, delta: float) -> np.ndarray:
        """Points, shape (samples, size), turned towards random directions by δ."""
        return self.project(ends + delta * direction / np.sqrt(self.dimension))

    def transverse(self, x: np.ndarray) -> np.ndarray:
        """Direction that leaves all spheres at once: every row outwards."""
        return x

    def normal(self, x: np.ndarray) -> np.ndarray:
        """Gradients of the defects ‖x_i‖² − 1, halved, shape (rows, size): x_i in row i's own place."""
        rows = self._rows(x)
        return (np.eye(len(rows))[:, :, None] * rows).reshape(len(rows), -1)

    def defect(self, x: np.ndarray) -> np.ndarray:
        """‖x_i‖² − 1 of the row that is farthest off, over the last axis."""
        defects = (self._rows(x) ** 2).sum(axis=-1) - 1
        return np.take_along_axis(defects, abs(defects).argmax(axis=-1)[..., None], axis=-1)[..., 0]

    def comparable(self, x: np.ndarray) -> np.ndarray:
        """The state as it stands, shape (..., size)."""
        return x

    def restore(self, x: Any) -> Any:
        """Rate added to each row, for a return rate of 1 per τ: ½(1 − ‖x_i‖²) x_i."""
        rows = x.reshape(-1, self.dimension)
        return (rows * (0.5 - 0.5 * (rows * rows).sum(axis=1))[:, None]).reshape(x.shape)

    restoring_term = "½(1 − |x_i|²) x_i"


@dataclasses.dataclass(frozen=True)
class WeightedMean:
    """Adding one number to every element changes nothing that matters, and the flow keeps Σ_k w_k x_k/Σ_k w_k, fixed w."""

    state: str
    weights: tuple[float, ...]
    name = "common mode"
    binding = False

    bounds = None

    @property
    def _shares(self) -> np.ndarray:
        weights = np.array(self.weights)
        return weights / weights.sum()

    def project(self, x: np.ndarray) -> np.ndarray:
        """Same point with a mean of 0."""
        return x - self._shares @ x

    onto = project

    def support(self, x: np.ndarray) -> np.ndarray:
        """All elements."""
        return np.ones(x.shape, dtype=bool)

    def pushed(self, ends: np.ndarray, start: np.ndarray, direction: np.ndarray, delta: float) -> np.ndarray:
        """Moved as a state is that no manifold holds, but never by the same for all elements, which would be no push."""
        return pushed_freely(ends, direction - (direction @ self._shares)[:, None], delta)

    def transverse(self, x: np.ndarray) -> np.ndarray:
        """The common direction."""
        return np.ones(x.size)

    def normal(self, x: np.ndarray) -> np.ndarray:
        """Weights by which the mean is measured."""
        return self._shares

    def defect(self, x: np.ndarray) -> np.ndarray:
        """Mean over the last axis."""
        return x @ self._shares

    def comparable(self, x: np.ndarray) -> np.ndarray:
        """The same points with a mean of 0, shape (..., size): wherever a circuit holds it, the answer is one."""
        return x - self.defect(x)[..., None]

    def restore(self, x: Any) -> Any:
        """Rate added to each element, for a return rate of 1 per τ: minus the mean, a crossbar of one row."""
        return -(self._shares @ x)

    restoring_term = "−Σ w·x"


Invariant = Simplex | CommonMode | Sphere | WeightedMean


def pushed_freely(ends: np.ndarray, direction: np.ndarray, delta: float) -> np.ndarray:
    """Ends, shape (samples, size), moved by δ of the size of each element, or of 1 where that is more, up or down."""
    return ends + delta * np.maximum(1.0, abs(ends)) * np.where(direction < 0, -1.0, 1.0)


def comparable(keeps: Sequence[Invariant], name: str) -> Callable[[np.ndarray], np.ndarray]:
    """What of a signal, shape (..., size), counts where it is compared: what its manifold says, or all of it."""
    return next((kept.comparable for kept in keeps if kept.state == name), np.asarray)


def differences(
    keeps: Sequence[Invariant], signals: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """How far signals, shape (..., size), are from what they should be, in all that counts; of names that both have.

    Every error of an answer in flow units is one of these: what a manifold leaves free, circuits hold where they like.
    """
    return {
        name: comparable(keeps, name)(signals[name]) - comparable(keeps, name)(np.ravel(value))
        for name, value in exact.items()
        if name in signals
    }
