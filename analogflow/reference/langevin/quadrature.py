"""Moments and free energy of a Boltzmann law, each with a bound on its error: in closed form, or integrated."""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.problems import Langevin
from analogflow.problems.expression import derivative
from analogflow.reference.langevin.cubature import MOST_VARIABLES, integrals

__all__ = ["BoltzmannLaw", "boltzmann_law", "box_of", "conditional_free_energy"]

Array = NDArray[np.float64]

_EPSILON = 4 * float(np.finfo(float).eps)


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
        Bound on the error of any of them; infinite where none is known.
    mean_gap, covariance_gap : array, shapes (n,) and (n, n)
        Bounds on the errors of each number: differences of two rules, what was left out, and rounding.
    sample : array, shape (k, n)
        Points that stand for the law, each for as much of it; none where it is Gaussian.
    """

    mean: Array
    covariance: Array
    free_energy: float
    gap: float
    mean_gap: Array
    covariance_gap: Array
    sample: Array


@functools.lru_cache(maxsize=16)
def boltzmann_law(problem: Langevin) -> BoltzmannLaw:
    """Moments of the stationary law of `problem`, with what bounds their errors.

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
    if problem.size > MOST_VARIABLES:
        raise BadInput(
            f"boltzmann_law: {problem.size} variables are too many for quadrature; up to {MOST_VARIABLES} can be "
            "integrated, more if the energy is quadratic."
        )
    found = integrals(problem)
    n, T = problem.size, problem.temperature
    total = found.values[0]
    shares, errors = found.values / total, found.errors / total
    away, second = shares[1 : 1 + n], shares[1 + n :].reshape(n, n)
    covariance = second - np.outer(away, away)
    mean = found.origin + away
    off = errors[0] + _EPSILON * abs(found.least) / T  # energies that are large beside T are known to their rounding
    lost = off if off < 0.5 else np.inf
    width = np.sqrt(np.maximum(np.diag(second), 0.0))
    mean_gap = errors[1 : 1 + n] + width * lost + _EPSILON * abs(mean)
    covariance_gap = errors[1 + n :].reshape(n, n) + np.outer(width, width) * (lost + _EPSILON)
    covariance_gap = covariance_gap + np.outer(abs(away), mean_gap) + np.outer(mean_gap, abs(away) + mean_gap)
    free_energy = found.least - T * float(np.log(total))
    free_gap = T * lost + _EPSILON * abs(free_energy)
    gap = max(float(mean_gap.max()), float(covariance_gap.max()), free_gap)
    return BoltzmannLaw(mean, covariance, free_energy, gap, mean_gap, covariance_gap, found.sample)


def box_of(problem: Langevin) -> tuple[Array, Array]:
    """Corners, shape (n,) each, of a box outside of which the law of `problem` is negligible."""
    found = integrals(problem)
    return found.low, found.high


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


def _quadratic(problem: Langevin) -> BoltzmannLaw | None:
    """The Gaussian law of a quadratic energy; None where second derivatives are not plain numbers."""
    n, T, names = problem.size, problem.temperature, problem.variables
    slopes = [[derivative(slope, name, names) for name in names[: k + 1]] for k, slope in enumerate(problem.gradient)]
    if any(slope.names for row in slopes for slope in row):
        return None
    hessian = np.zeros((n, n))
    for k, row in enumerate(slopes):
        hessian[k, : k + 1] = hessian[: k + 1, k] = [float(slope.evaluate({})) for slope in row]
    slope = problem.gradient_at(np.zeros(n))
    mean = np.asarray(-np.linalg.solve(hessian, slope), dtype=float)
    covariance = np.asarray(T * np.linalg.inv(hessian), dtype=float)
    # What is left of H C = T and H m = −∇E(0), with the rounding of both, brought back through H⁻¹.
    back = abs(covariance) / T
    left = abs(hessian @ covariance - T * np.eye(n)) + n * _EPSILON * abs(hessian) @ abs(covariance)
    covariance_gap = back @ left
    mean_gap = back @ (abs(hessian @ mean + slope) + n * _EPSILON * (abs(hessian) @ abs(mean) + abs(slope)))
    volume = 0.5 * T * (n * np.log(2 * np.pi * T) - np.linalg.slogdet(hessian)[1])
    energy = float(problem.energy_at(mean))
    free_gap = float(np.trace(left)) + float(mean_gap @ abs(hessian) @ mean_gap) + _EPSILON * (abs(energy) + abs(volume))
    gap = max(float(mean_gap.max()), float(covariance_gap.max()), free_gap)
    return BoltzmannLaw(mean, covariance, energy - float(volume), gap, mean_gap, covariance_gap, np.empty((0, n)))
