"""The Fokker-Planck equation on a grid: what the motion does to a density, without knowing where it should end."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import expm_multiply, spsolve

from analogflow.errors import BadInput
from analogflow.problems import Langevin
from analogflow.reference.langevin.quadrature import box_of

__all__ = ["FokkerPlanck", "fokker_planck"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class FokkerPlanck:
    """∂p/∂t = −∇·(b p) + ∇∇:(D p) on a grid of cells, with b the Itô drift and D = T S.

    Parameters
    ----------
    axes : tuple of arrays
        Centres of the cells along each variable.
    generator : sparse array, shape (cells, cells)
        Acts on the probabilities of the cells, in C order; its columns sum to 0.
    problem : Langevin
    """

    axes: tuple[Array, ...]
    generator: sparse.csr_array
    problem: Langevin

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each variable."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def cell(self) -> float:
        """Volume of a cell."""
        return float(np.prod([axis[1] - axis[0] for axis in self.axes]))

    def stationary(self) -> Array:
        """Probabilities that the motion does not change, in the grid's shape, sum 1."""
        size = int(np.prod(self.shape))
        fixed = int(np.argmin(self.problem.energy_at(self._points())))
        others = np.arange(size) != fixed
        matrix = sparse.csc_array(self.generator)[others][:, others]
        column = np.asarray(self.generator[:, [fixed]].todense()).ravel()[others]
        p = np.ones(size)
        p[others] = np.asarray(spsolve(matrix, -column))
        return (p / p.sum()).reshape(self.shape)

    def after(self, p: Array, time: float) -> Array:
        """Probabilities a time later, in τ."""
        return np.asarray(expm_multiply(self.generator * time, p.ravel())).reshape(self.shape)

    def free_energy(self, p: Array) -> float:
        """⟨E⟩ + T ⟨ln density⟩ of probabilities."""
        held = np.maximum(p.ravel(), np.finfo(float).tiny)
        energy = self.problem.energy_at(self._points())
        return float(p.ravel() @ energy + self.problem.temperature * (held @ np.log(held / self.cell)))

    def moments(self, p: Array) -> tuple[Array, Array]:
        """Mean, shape (n,), and covariance, shape (n, n), of probabilities."""
        points = self._points()
        mean = p.ravel() @ points
        centred = points - mean
        return mean, centred.T @ (p.ravel()[:, None] * centred)

    def _points(self) -> Array:
        return np.stack([axis.ravel() for axis in np.meshgrid(*self.axes, indexing="ij")], axis=-1)


def fokker_planck(problem: Langevin, points: int, *, drift_by_mobility: bool = True) -> FokkerPlanck:
    """Finite volumes of the motion of `problem` in one or two variables, of second order.

    Parameters
    ----------
    problem : Langevin
    points : int
        Cells along each axis.
    drift_by_mobility : bool
        If false, Itô's drift lacks T ∇·K: another motion, with another stationary law.

    Raises
    ------
    BadInput
        There are more than two variables, or S has an off-diagonal element.
    """
    if problem.size > 2:
        raise BadInput(f"fokker_planck: a grid takes one or two variables, not {problem.size}.")
    low, high = box_of(problem)
    width = (high - low) / points
    axes = tuple(a + (np.arange(points) + 0.5) * w for a, w in zip(low, width, strict=True))
    shape = (points,) * problem.size
    order = np.arange(points**problem.size).reshape(shape)
    rows: list[Array] = []
    columns: list[Array] = []
    values: list[Array] = []
    for axis in range(problem.size):
        left, right = (np.take(order, range(k, points - 1 + k), axis=axis).ravel() for k in (0, 1))
        grid = [a if k != axis else 0.5 * (a[1:] + a[:-1]) for k, a in enumerate(axes)]
        face = np.stack([a.ravel() for a in np.meshgrid(*grid, indexing="ij")], axis=-1)
        drift, spread = _coefficients(problem, face, axis, drift_by_mobility)
        # Scharfetter and Gummel: the flux between two cells is exact where drift and diffusion are constant.
        peclet = drift * width[axis] / spread
        forward = spread / width[axis] ** 2 * _bernoulli(-peclet)
        backward = spread / width[axis] ** 2 * _bernoulli(peclet)
        for row, column, value in (
            (right, left, forward), (left, left, -forward), (left, right, backward), (right, right, -backward),
        ):  # fmt: skip
            rows.append(row)
            columns.append(column)
            values.append(value)
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return FokkerPlanck(axes, sparse.csr_array(sparse.coo_array(entries, shape=(order.size, order.size))), problem)


def _coefficients(problem: Langevin, x: Array, axis: int, drift_by_mobility: bool) -> tuple[Array, Array]:
    """Drift of the flux form b − ∂D along an axis, and D, at points."""
    mobility = problem.mobility_at(x)
    symmetric = 0.5 * (mobility + np.swapaxes(mobility, -1, -2))
    off = symmetric - np.einsum("...ii->...i", symmetric)[..., None] * np.eye(problem.size)
    if abs(off).max() > 1e-14:
        raise BadInput("fokker_planck: the symmetric part of the mobility must be diagonal on a grid.")
    ito = -np.einsum("...ij,...j->...i", mobility, problem.gradient_at(x))
    spreading = problem.temperature * problem.spreading_at(x)
    drift = ito + spreading if drift_by_mobility else ito
    # ∂(D p) = D ∂p + p ∂D: the drift beside D ∂p is b − ∂D.
    return (drift - spreading)[..., axis], problem.temperature * symmetric[..., axis, axis]


def _bernoulli(x: Array) -> Array:
    """x/(eˣ − 1), 1 at 0."""
    small = abs(x) < 1e-8
    return np.where(small, 1 - 0.5 * x, x / np.expm1(np.where(small, 1.0, np.clip(x, -700, 700))))
