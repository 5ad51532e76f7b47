"""A Boltzmann distribution to be sampled: an energy of a few variables, a temperature and a mobility."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import LARGEST, is_number, numbers, real_array, refuse_faults
from analogflow.errors import BadInput
from analogflow.problems.equations import name_faults
from analogflow.problems.expression import Expression, derivative, is_entire, read_expression
from analogflow.problems.slopes import slopes_at

__all__ = ["Langevin"]

Array = NDArray[np.float64]

_MOST_VARIABLES = 64

_RADII = (30.0, 3e4, 3e7)
"""Distances from the start between which, and twice them, an energy must rise."""

_TURNS = 40
"""Times that directions far out are turned downhill."""

_SHELL = np.geomspace(1.0, 1.25, 257)
"""Distances, over each of these, at which the least counts: an energy that swings may lie higher at one by chance."""


@dataclasses.dataclass(frozen=True, eq=False)
class Langevin:
    r"""Overdamped Langevin motion in an energy E at a temperature T, whose stationary law is :math:`e^{-E/T}/Z`.

    .. math:: dx = (T\,\nabla\!\cdot\! K - K \nabla E)\,dt + \sqrt{2T}\,dW, \quad dW \sim \mathcal N(0, K\,dt)

    in Itô's sense, time in units of τ.

    Parameters
    ----------
    energy : str
        Smooth expression of the variables: numbers, ``+ − * / **``, exp, log, sqrt, tanh, sin, cos, sinh, cosh.
    variables : sequence of str
        Names of the n variables, at most 64.
    temperature : float
        T, in the energy's units; 0 for the gradient flow.
    mobility : float, array or expressions, optional
        K: a positive number; n positive numbers; a matrix (n, n) with a positive definite symmetric part S, whose
        antisymmetric part turns the motion without a change of the law (the noise has covariance 2TS); one expression for
        all variables; or n expressions, one for each. Expressions must be positive.
    start : array, shape (n,), optional
        Where the run starts; 0 if not given.

    Raises
    ------
    BadInput
        With everything that is wrong: a name that is not known, a temperature below 0, an energy that does not confine, a
        mobility that is not positive.

    References
    ----------
    Relaxation (notes without author), Theorem 8, with Itô's term T ∇·K.
    """

    energy: Expression
    variables: tuple[str, ...]
    temperature: float
    mobility: Array | tuple[Expression, ...]
    start: Array
    spreading: tuple[Expression, ...]

    def __init__(
        self, energy: Any, variables: Sequence[str], temperature: float, mobility: Any = 1.0, start: Any = None
    ) -> None:
        faults: list[str] = []
        names = _variables(variables, faults)
        refuse_faults("Langevin", faults)
        expression = read_expression(energy, names, where="energy")
        if not is_number(temperature) or not (temperature == 0 or 1 / LARGEST <= temperature <= LARGEST):
            allowed = f"0, or a number from {1 / LARGEST:g} to {LARGEST:g}"
            faults.append(f"temperature is {temperature!r}; give {allowed}, in the energy's units")
        size = len(names)
        begin = _vector(np.zeros(size) if start is None else start, size, "start", faults)
        matrix, expressions = _mobility(mobility, names, faults)
        spreading = (
            tuple(derivative(k, name, names) for k, name in zip(expressions, names, strict=True)) if expressions else ()
        )
        refuse_faults("Langevin", faults)
        values = (expression, names, float(temperature), expressions or matrix, begin, spreading)
        for field, value in zip(dataclasses.fields(self), values, strict=True):
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, field.name, value)
        if not is_entire(expression):
            _ = self.gradient  # which refuses what has none
        faults += _not_confining(self)
        refuse_faults("Langevin", faults)

    @property
    def size(self) -> int:
        """Number n of variables."""
        return len(self.variables)

    @functools.cached_property
    def gradient(self) -> tuple[Expression, ...]:
        """Formulas of ∇E, shape (n,)."""
        return tuple(derivative(self.energy, name, self.variables) for name in self.variables)

    def energy_at(self, x: Array) -> Array:
        """E at points, shape (..., n)."""
        energy = np.array(self.energy.evaluate(self._named(x)), dtype=np.float64)
        return energy if energy.shape == x.shape[:-1] else np.broadcast_to(energy, x.shape[:-1]).copy()

    def gradient_at(self, x: NDArray[Any]) -> NDArray[Any]:
        """∇E at points, real or complex, shape (..., n)."""
        found = np.empty(x.shape, dtype=x.dtype if x.dtype.kind == "c" else np.float64)
        for k, slope in enumerate(slopes_at(self.energy, self._named(x))):
            found[..., k] = slope
        return found

    def mobility_at(self, x: Array) -> Array:
        """K at points, shape (..., n, n)."""
        if isinstance(self.mobility, np.ndarray):
            return np.broadcast_to(self.mobility, (*x.shape, self.size))
        return _stacked(self.mobility, self._named(x), x)[..., None] * np.eye(self.size)

    def spreading_at(self, x: Array) -> Array:
        """∇·K at points, shape (..., n): what Itô's drift has besides, per T."""
        return _stacked(self.spreading, self._named(x), x) if self.spreading else np.zeros(x.shape)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the problem: equal problems have equal fingerprints on every machine."""
        mobility = self.mobility if isinstance(self.mobility, tuple) else self.mobility.tolist()
        text = (self.energy.text, self.variables, self.temperature, [str(k) for k in mobility], self.start.tolist())
        return hashlib.sha256(repr(text).encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Langevin({self.size} variables, temperature {self.temperature:g}, fingerprint {self.fingerprint})"

    def _named(self, x: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        return {name: x[..., k] for k, name in enumerate(self.variables)}


def _variables(variables: Any, faults: list[str]) -> tuple[str, ...]:
    if isinstance(variables, str) or not isinstance(variables, Sequence) or not all(isinstance(v, str) for v in variables):
        faults.append(f"variables is {variables!r}; give a list of names")
        return ()
    if not 1 <= len(variables) <= _MOST_VARIABLES:
        faults.append(f"there are {len(variables)} variables; give from 1 to {_MOST_VARIABLES}")
    if len({name.lower() for name in variables}) != len(variables):
        faults.append("variables: a name is used twice (circuits do not tell case)")
    faults += name_faults({"variables": variables})
    return tuple(variables)


def _mobility(value: Any, names: tuple[str, ...], faults: list[str]) -> tuple[Array, tuple[Expression, ...]]:
    size = len(names)
    texts = [value] * size if isinstance(value, str) else value
    if isinstance(texts, Sequence) and any(isinstance(item, str) for item in texts):
        if len(texts) != size:
            faults.append(f"mobility has {len(texts)} expressions; give one, or one for each of the {size} variables")
            return np.eye(size), ()
        return np.eye(size), tuple(
            read_expression(text, names, where=f"mobility of {name}") for text, name in zip(texts, names, strict=True)
        )
    try:
        array = real_array(value, "mobility", "a number, numbers, a matrix or expressions")
    except BadInput as fault:
        faults.append(str(fault).rstrip("."))
        return np.eye(size), ()
    if array.shape not in ((), (size,), (size, size)) or not (abs(array) <= LARGEST).all():
        wanted = f"a number up to {LARGEST:g}, {size} of them, or a matrix {(size, size)}"
        faults.append(f"mobility has shape {array.shape} and the largest size {abs(array).max(initial=0):g}; give {wanted}")
        return np.eye(size), ()
    matrix = array if array.ndim == 2 else np.diag(np.broadcast_to(array, (size,)))
    smallest = float(np.linalg.eigvalsh(0.5 * (matrix + matrix.T)).min())
    if not smallest > 0:
        faults.append(f"mobility must be positive definite, and its symmetric part has the eigenvalue {smallest:.3g}")
    return matrix, ()


def _not_confining(problem: Langevin) -> list[str]:
    """Directions in which e^{−E/T} r^{n−1} does not fall, and places where something is not finite or not positive."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(64, problem.size))
    directions = np.vstack([np.eye(problem.size), -np.eye(problem.size), directions])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    near = problem.start + np.linspace(0, 3, 13)[:, None, None] * directions
    with np.errstate(all="ignore"):
        energy, mobility = problem.energy_at(near), np.einsum("...ii->...i", problem.mobility_at(near))
        shells = _SHELL[:, None, None] * directions
        pairs = [
            [np.fmin.reduce(problem.energy_at(problem.start + radius * shells), axis=0) for radius in (r, 2 * r)]
            for r in _RADII
        ]
    if not np.isfinite(energy).all():
        x = near[~np.isfinite(energy)][0]
        return [f"energy is not finite at {dict(zip(problem.variables, x.round(3).tolist(), strict=True))}"]
    if not (np.isfinite(mobility).all() and (mobility > 0).all()):
        x = near[~(mobility > 0).all(axis=-1)][0]
        return [f"mobility is not positive at {dict(zip(problem.variables, x.round(3).tolist(), strict=True))}"]
    lower = _lower_far_out(problem, directions, float(np.fmin.reduce(energy, axis=None)))
    if lower is not None:
        place = {name: float(f"{x:.3g}") for name, x in zip(problem.variables, lower, strict=True)}
        return [
            f"energy is lower near {place} than anywhere near the start: it is not bounded below, so that e^(-E/T) has no "
            "finite integral"
        ]
    needed = problem.temperature * problem.size * math.log(2)
    with np.errstate(invalid="ignore"):
        rising = [(outer - inner > needed) | (np.isinf(outer) & (outer > 0)) for inner, outer in pairs]
    # At a high temperature a law is wide: an energy that does not rise enough at first must do so at the larger radii.
    rises = rising[0] | (rising[1] & rising[2])
    if not rises.all():
        d = directions[~rises][0]
        return [
            f"energy does not confine: between {_RADII[0]:g} and {2 * _RADII[0]:g} from the start, and farther out, it "
            "rises by less than n T ln 2 in the direction "
            f"{dict(zip(problem.variables, d.round(3).tolist(), strict=True))}, so that e^(-E/T) has no finite integral, or "
            f"at T = {problem.temperature:g} only far beyond {2 * _RADII[2]:.0e}: measure the variables in larger units then"
        ]
    return []


def _lower_far_out(problem: Langevin, directions: Array, near: float) -> Array | None:
    """A place far out, reached by turning directions downhill, where the energy is below all that was seen near."""
    if problem.size == 1:
        return None
    d = directions
    with np.errstate(all="ignore"):
        energy = problem.energy_at(problem.start + _RADII[-1] * d)
        for k in range(_TURNS):
            slope = problem.gradient_at(problem.start + _RADII[-1] * d)
            slope = slope - (slope * d).sum(axis=1, keepdims=True) * d
            slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), np.finfo(float).tiny)
            turned = d - 0.5 * 0.7**k * np.where(np.isfinite(slope), slope, 0.0)
            turned /= np.linalg.norm(turned, axis=1, keepdims=True)
            found = problem.energy_at(problem.start + _RADII[-1] * turned)
            d, energy = np.where((found < energy)[:, None], turned, d), np.fmin(found, energy)
        places = problem.start + _RADII[-1] * d
        # What is lower must be so by more than an energy of that size is rounded to.
        below = energy < near - 1e-9 * np.maximum(abs(near), 1.0)
    return places[np.argmin(np.where(below, energy, np.inf))] if below.any() else None


def _vector(value: Any, size: int, name: str, faults: list[str]) -> Array:
    wanted = f"{size} numbers up to {LARGEST:g}, one for each variable"
    array = numbers(value, name, (1,), wanted, faults, largest=LARGEST)
    if array is None:
        return np.zeros(size)
    if array.shape != (size,):
        faults.append(f"{name} has {array.size} numbers; give {wanted}")
        return np.zeros(size)
    return array


def _stacked(expressions: tuple[Expression, ...], values: Mapping[str, Array], x: Array) -> Array:
    found = np.empty((*x.shape[:-1], len(expressions)))
    for k, expression in enumerate(expressions):
        found[..., k] = expression.evaluate(values)
    return found
