"""Moments and free energy of a Boltzmann law by the trapezoidal rule, which converges faster than any power here."""

from __future__ import annotations

import ast
import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from analogflow.errors import BadInput
from analogflow.problems import Langevin

__all__ = ["BoltzmannLaw", "boltzmann_law", "box_of", "conditional_free_energy"]

Array = NDArray[np.float64]

_DEPTH = 60.0
"""(E − E_min)/T beyond which nothing is counted."""

_POINTS = {1: (513, 65537), 2: (65, 1537), 3: (33, 129)}
"""Points along each axis at first and at most, by the number of variables."""

_AIM = 1e-12

_TRIMS = 40
"""How often a box is made narrower at most: each time by up to a factor of five."""


@dataclasses.dataclass(frozen=True, eq=False)
class BoltzmannLaw:
    """Moments of e^{−E/T}/Z.

    Parameters
    ----------
    mean : array, shape (n,)
    covariance : array, shape (n, n)
    free_energy : float
        −T ln Z.
    gap : float
        Largest change of any of them when the grid was last refined.
    """

    mean: Array
    covariance: Array
    free_energy: float
    gap: float


def boltzmann_law(problem: Langevin) -> BoltzmannLaw:
    """Moments of the stationary law of `problem`, by grids refined until nothing changes by more than 1e-12.

    Where the largest grid is reached before, the gap says what still changed.

    Raises
    ------
    BadInput
        There are more than three variables, and the energy is not quadratic; or the temperature is 0.
    """
    if problem.temperature == 0:
        raise BadInput("boltzmann_law: at temperature 0 there is no law, only minima.")
    quadratic = _quadratic(problem)
    if quadratic is not None:
        return quadratic
    if problem.size not in _POINTS:
        raise BadInput(
            f"boltzmann_law: {problem.size} variables are too many for quadrature; up to 3 can be integrated, more if the "
            "energy is quadratic."
        )
    low, high = box_of(problem)
    points, most = _POINTS[problem.size]
    before = _moments(problem, low, high, points)
    while True:
        points = 2 * points - 1
        after = _moments(problem, low, high, points)
        gap = float(max(abs(a - b).max() for a, b in zip(before, after, strict=True)))
        if gap <= _AIM or 2 * points - 1 > most:
            return BoltzmannLaw(after[0], after[1], float(after[2]), gap)
        before = after


def conditional_free_energy(problem: Langevin, given: Mapping[str, float]) -> float:
    """−T ln Z(v): the smallest free energy of the other variables where those in `given` are held.

    Raises
    ------
    BadInput
        A name is no variable, or all are held.

    References
    ----------
    Relaxation (notes without author), Definition 10: ``F[p|v] = T KL(p‖q(·|v)) − T ln Z(v)``.
    """
    unknown = [name for name in given if name not in problem.variables]
    free = [name for name in problem.variables if name not in given]
    if unknown or not free:
        raise BadInput(f"conditional_free_energy: hold some of {', '.join(problem.variables)}, not {', '.join(given)}.")
    held = _Held(given).visit(ast.parse(problem.energy.text, mode="eval"))
    return boltzmann_law(Langevin(ast.unparse(held), free, problem.temperature)).free_energy


class _Held(ast.NodeTransformer):
    """Puts numbers in the place of names."""

    def __init__(self, given: Mapping[str, float]) -> None:
        self._given = given

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self._given:
            return node
        value = float(self._given[node.id])
        size = ast.Constant(abs(value))
        return ast.UnaryOp(ast.USub(), size) if value < 0 else size


def box_of(problem: Langevin) -> tuple[Array, Array]:
    """Corners, shape (n,) each, of a box that holds every minimum found, outside of which (E − E_min)/T is beyond 60.

    Minima are sought from starts up to 30 from the problem's own, so that a barrier hides no well from its neighbour.
    """
    minima = _minima(problem)
    low, high = _grown(problem, minima, minima.min(axis=0) - 1.0, minima.max(axis=0) + 1.0)
    for _ in range(_TRIMS):
        width = high - low
        low, high = _grown(problem, minima, *_trimmed(problem, minima, low, high))
        if (high - low > 0.9 * width).all():
            break
    return low, high


def _inside(problem: Langevin, minima: Array, low: Array, high: Array) -> NDArray[np.bool_]:
    """Where on a grid over the box (E − E_min)/T is at most 60."""
    energy = _on_grid(problem, low, high, 41 if problem.size < 3 else 21)
    least = min(float(energy.min()), float(problem.energy_at(minima).min()))
    return energy - least < _DEPTH * problem.temperature


def _trimmed(problem: Langevin, minima: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """The box without what lies more than two cells beyond the minima and all points that count: cold laws are narrow."""
    inside = _inside(problem, minima, low, high)
    narrow_low, narrow_high = minima.min(axis=0), minima.max(axis=0)
    for axis in range(problem.size):
        places = np.linspace(low[axis], high[axis], inside.shape[axis])
        rows = places[inside.any(axis=tuple(k for k in range(problem.size) if k != axis))]
        cell = places[1] - places[0]
        narrow_low[axis] = min([narrow_low[axis], *rows]) - 2 * cell
        narrow_high[axis] = max([narrow_high[axis], *rows]) + 2 * cell
    return np.maximum(low, narrow_low), np.minimum(high, narrow_high)


def _grown(problem: Langevin, minima: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """The box, wide enough that no point that counts lies on its faces."""
    for _ in range(60):
        inside = _inside(problem, minima, low, high)
        grown_low, grown_high = low.copy(), high.copy()
        for axis in range(problem.size):
            others = tuple(k for k in range(problem.size) if k != axis)
            rows = np.atleast_1d(inside.any(axis=others))
            width = high[axis] - low[axis]
            if rows[0]:
                grown_low[axis] -= 0.25 * width
            if rows[-1]:
                grown_high[axis] += 0.25 * width
        if (grown_low == low).all() and (grown_high == high).all():
            return low, high
        low, high = grown_low, grown_high
    raise BadInput("boltzmann_law: the energy rises too slowly for a box that holds all of its law.")


def _minima(problem: Langevin) -> Array:
    """Minima that count, shape (found, n): those within 60 T of the lowest."""
    rng = np.random.default_rng(0)
    offsets = np.concatenate([scale * rng.normal(size=(16, problem.size)) for scale in (0.3, 1.0, 3.0, 10.0)])
    offsets = np.clip(np.vstack([np.zeros((1, problem.size)), offsets]), -30, 30)
    # A search in a few variables takes a second thread of the linear algebra library for nothing, and waits for it.
    with np.errstate(all="ignore"), threadpool_limits(limits=1):
        ends = [
            minimize(
                lambda x: float(problem.energy_at(x)), problem.start + offset, jac=problem.gradient_at, method="L-BFGS-B"
            ).x
            for offset in offsets
        ]
        points = np.array(ends)
        energy = np.atleast_1d(problem.energy_at(points))
    finite = np.flatnonzero(np.isfinite(energy))
    near = energy[finite] - energy[finite].min() < _DEPTH * problem.temperature
    return points[finite[near]]


def _on_grid(problem: Langevin, low: Array, high: Array, points: int) -> Array:
    axes = [np.linspace(a, b, points) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    with np.errstate(over="ignore"):
        return problem.energy_at(grid)


def _moments(problem: Langevin, low: Array, high: Array, points: int) -> tuple[Array, Array, Array]:
    axes = [np.linspace(a, b, points) for a, b in zip(low, high, strict=True)]
    energy = _on_grid(problem, low, high, points)
    least = energy.min()
    weight = np.exp(-(energy - least) / problem.temperature)
    total = weight.sum()
    cell = float(np.prod([axis[1] - axis[0] for axis in axes]))
    size = problem.size
    mean, second = np.empty(size), np.empty((size, size))
    for k in range(size):
        marginal = weight.sum(axis=tuple(j for j in range(size) if j != k)) / total
        mean[k] = marginal @ axes[k]
        second[k, k] = marginal @ (axes[k] - mean[k]) ** 2
    for j, k in itertools.combinations(range(size), 2):
        joint = weight.sum(axis=tuple(i for i in range(size) if i not in (j, k))) / total
        second[j, k] = second[k, j] = (axes[j] - mean[j]) @ joint @ (axes[k] - mean[k])
    return mean, second, np.array(least - problem.temperature * np.log(total * cell))


def _quadratic(problem: Langevin) -> BoltzmannLaw | None:
    """The Gaussian law of a quadratic energy; None if the energy is none."""
    size, rng = problem.size, np.random.default_rng(1)
    origin = np.zeros(size)
    with np.errstate(all="ignore"):
        slope = problem.gradient_at(origin)
        hessian = np.stack([problem.gradient_at(e) - slope for e in np.eye(size)], axis=-1)
        elsewhere = rng.normal(size=(8, size)) * 3
        exact = problem.gradient_at(elsewhere)
    if not np.allclose(exact, slope + elsewhere @ hessian.T, rtol=1e-12, atol=1e-12):
        return None
    mean = np.asarray(-np.linalg.solve(hessian, slope), dtype=float)
    covariance = np.asarray(problem.temperature * np.linalg.inv(hessian), dtype=float)
    energy = float(problem.energy_at(mean))
    volume = 0.5 * problem.temperature * (size * np.log(2 * np.pi * problem.temperature) - np.linalg.slogdet(hessian)[1])
    gap = float(abs(hessian @ covariance - problem.temperature * np.eye(size)).max())
    return BoltzmannLaw(mean, covariance, energy - float(volume), gap)
