"""Moments and free energy of a Boltzmann law: in closed form or integrated, each with a bound on its error; or by chains.

Which way is taken is decided here, by what the energy is a sum of. What nothing integrates gets an interval from long
chains, and says that it is no exact law.

The Fokker-Planck equation on a grid is a second opinion: what the motion does to a density, without knowing where it should
end.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.problems import Langevin
from analogflow.problems.expression import derivative
from analogflow.problems.terms import Term, groups_of, order_of, part_of, terms_of
from analogflow.reference.langevin_chains import sampled
from analogflow.reference.langevin_elimination import MOST_OTHERS, eliminated
from analogflow.reference.langevin_integrals import MOST_VARIABLES, Integrals, integrals, masses_between
from analogflow.reference.langevin_lattice import MOST_ON_A_LATTICE, lattice_integrals
from analogflow.reference.langevin_mobility import refuse_mobility

__all__ = ["BoltzmannLaw", "FokkerPlanck", "boltzmann_law", "conditional_free_energy", "fokker_planck", "shares_between"]

Array = NDArray[np.float64]

_BENT = 1e-3
"""Third difference of an energy, over the energy, that is no rounding."""

_ALONG: Array = np.array([[1.0], [2.0], [3.0], [4.0]])
_THIRD: Array = np.array([-1.0, 3.0, -3.0, 1.0])
"""How far along a line that is looked at, and what makes the third difference there."""

_ENOUGH = 1e-8
"""Gap in widths of the law from which on no other way is tried."""

_THIN = 2
"""Others at most that a variable's sum depends on where elimination is quicker than a lattice."""

_MOST_BY_CHAINS = 16
"""Variables at most of a law that nothing sums."""

_STANDARD_ERRORS, _MIXED = 5.0, 1.1
"""Standard errors that count as the interval of a law by chains, and R̂ up to which they have mixed."""

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
        Bounds on the errors of each number: differences of two rules, what was left out, and rounding; of a law that is not
        exact, five standard errors, infinite where its chains have not mixed.
    sample : array, shape (k, n)
        Points that stand for the law, each for as much of it; none where it is Gaussian.
    method : str
        "closed form" (Gaussian), "boxes" (halved, by interval arithmetic, so that no well is missed), "elimination" (sums
        over one variable after another), "lattice" (one sum over all), "chains", or several joined by " + " of independent
        groups.
    mean_error, covariance_error, free_error : arrays as above, and float
        Standard errors of a law by chains; 0 of all others.
    mixing : float
        Largest R̂ of the chains; 1 where there are none.
    """

    mean: Array
    covariance: Array
    free_energy: float
    gap: float
    mean_gap: Array
    covariance_gap: Array
    sample: Array
    method: str
    mean_error: Array
    covariance_error: Array
    free_error: float = 0.0
    mixing: float = 1.0

    @property
    def exact(self) -> bool:
        """Whether the gaps are bounds; else they are intervals of chains: the law is without exact reference."""
        return "chains" not in self.method


@functools.lru_cache(maxsize=16)
def boltzmann_law(problem: Langevin) -> BoltzmannLaw:
    """Moments of the stationary law of `problem`, with what bounds their errors.

    Quadratic energies of any size have a closed form. Groups of variables that no term connects are taken each by itself:
    up to three variables by boxes; more by elimination, where no table has more than four axes, as in chains, trees and
    rings of any length; else up to six by a lattice; and what is left by chains, which are not exact.

    Raises
    ------
    BadInput
        The temperature is 0, the energy is found not to be bounded below, the mobility is not positive where the law is, or
        nothing sums a law of more than 16 variables.
    """
    if problem.temperature == 0:
        raise BadInput("boltzmann_law: at temperature 0 there is no law, only minima.")
    law = _quadratic(problem) or _found(problem)
    refuse_mobility(problem, law.sample, law.mean, law.covariance)
    return law


def _found(problem: Langevin) -> BoltzmannLaw:
    """The law of an energy that is not quadratic."""
    if problem.size == 1:
        return _of_integrals(problem, integrals(problem), "boxes")
    terms = terms_of(problem)
    groups = groups_of(problem, terms)
    if len(groups) > 1:
        return _joined(problem, groups, [boltzmann_law(part_of(problem, terms, names)) for names in groups])
    if problem.size <= MOST_VARIABLES:
        law = _of_integrals(problem, integrals(problem), "boxes")
        if _known(law) <= _ENOUGH:
            return law
        other = _summed(problem, terms)
        return other if other is not None and _known(other) < _known(law) else law
    widest, known = max((len(others), name) for name, others in order_of(problem.variables, terms))
    law = _summed(problem, terms) if problem.size <= _MOST_BY_CHAINS or widest <= MOST_OTHERS else None
    if law is None and problem.size > _MOST_BY_CHAINS:
        raise BadInput(
            f"Langevin: nothing integrates the law of {problem.size} variables whose terms connect so many: once others are "
            f"summed out {known} still depends on {widest}, and chains and trees on one; give such an energy at most "
            f"{_MOST_BY_CHAINS} variables, or one whose sums depend on up to {MOST_OTHERS} others."
        )
    return _by_chains(problem) if law is None else law


def _summed(problem: Langevin, terms: tuple[Term, ...]) -> BoltzmannLaw | None:
    """The law by elimination or on a lattice; None where neither can."""
    widest = max(len(others) for _, others in order_of(problem.variables, terms))
    ways = [_eliminated, _on_a_lattice] if widest <= _THIN else [_on_a_lattice, _eliminated]
    return next((law for way in ways if (law := way(problem, terms)) is not None), None)


def _eliminated(problem: Langevin, terms: tuple[Term, ...]) -> BoltzmannLaw | None:
    found = eliminated(problem, terms)
    if found is None:
        return None
    gaps = found.mean_gap, found.covariance_gap
    gap = max(float(gaps[0].max()), float(gaps[1].max()), found.free_gap)
    return _exact(found.mean, found.covariance, found.free_energy, gap, *gaps, found.sample, "elimination")


def _on_a_lattice(problem: Langevin, terms: tuple[Term, ...]) -> BoltzmannLaw | None:
    summed = lattice_integrals(problem) if problem.size <= MOST_ON_A_LATTICE else None
    return None if summed is None else _of_integrals(problem, summed, "lattice")


def _exact(
    mean: Array,
    covariance: Array,
    free: float,
    gap: float,
    mean_gap: Array,
    covariance_gap: Array,
    sample: Array,
    method: str,
) -> BoltzmannLaw:
    none = np.zeros(mean.shape), np.zeros(covariance.shape)
    return BoltzmannLaw(mean, covariance, free, gap, mean_gap, covariance_gap, sample, method, *none)


def _known(law: BoltzmannLaw) -> float:
    """Largest gap, in widths of the law."""
    widths = np.sqrt(np.maximum(np.diag(law.covariance), np.finfo(float).tiny))
    found = max(float((law.mean_gap / widths).max()), float((law.covariance_gap / np.outer(widths, widths)).max()))
    return found if found >= 0 else np.inf


def _of_integrals(problem: Langevin, found: Integrals, method: str) -> BoltzmannLaw:
    """Moments from integrals, with how errors of the one go on into the other."""
    n, T = problem.size, problem.temperature
    total = found.values[0]
    shares, errors = found.values / total, found.errors / total
    away, second = shares[1 : 1 + n], shares[1 + n :].reshape(n, n)
    covariance = second - away[:, None] * away
    mean = found.origin + away
    off = errors[0] + _EPSILON * abs(found.least) / T  # energies that are large beside T are known to their rounding
    lost = off if off < 0.5 else np.inf
    width = np.sqrt(np.maximum(second.diagonal(), 0.0))
    mean_gap = errors[1 : 1 + n] + width * lost + _EPSILON * abs(mean)
    across = abs(away)[:, None] * mean_gap
    covariance_gap = errors[1 + n :].reshape(n, n) + width[:, None] * width * (lost + _EPSILON)
    covariance_gap = covariance_gap + across + across.T + mean_gap[:, None] * mean_gap
    free_energy = found.least - T * float(np.log(total))
    free_gap = T * lost + _EPSILON * abs(free_energy)
    gap = max(float(mean_gap.max()), float(covariance_gap.max()), free_gap)
    return _exact(mean, covariance, free_energy, gap, mean_gap, covariance_gap, found.sample, method)


def _by_chains(problem: Langevin) -> BoltzmannLaw:
    found = sampled(problem)
    factor = _STANDARD_ERRORS if found.mixing <= _MIXED else np.inf
    mean_gap, covariance_gap = factor * found.mean_error, factor * found.covariance_error
    gap = max(float(mean_gap.max()), float(covariance_gap.max()), factor * found.free_error)
    return BoltzmannLaw(
        found.mean, found.covariance, found.free_energy, gap, mean_gap, covariance_gap, found.sample, "chains",
        found.mean_error, found.covariance_error, found.free_error, found.mixing,
    )  # fmt: skip


def _joined(problem: Langevin, groups: Sequence[tuple[str, ...]], laws: Sequence[BoltzmannLaw]) -> BoltzmannLaw:
    """The law of groups that know nothing of each other."""
    n = problem.size
    vectors, matrices = np.zeros((3, n)), np.zeros((3, n, n))
    random = np.random.default_rng(0)
    count = max(len(law.sample) for law in laws)
    sample = np.zeros((count, n))
    for names, law in zip(groups, laws, strict=True):
        places = [problem.variables.index(name) for name in names]
        vectors[:, places] = law.mean, law.mean_gap, law.mean_error
        for matrix, part in zip(matrices, (law.covariance, law.covariance_gap, law.covariance_error), strict=True):
            matrix[np.ix_(places, places)] = part
        own = law.sample if len(law.sample) else random.multivariate_normal(law.mean, law.covariance, size=max(count, 1))
        sample[:, places] = own[random.permutation(len(own))[np.arange(count) % len(own)]]
    methods = " + ".join(dict.fromkeys(law.method for law in laws))
    free = sum(law.free_energy for law in laws)
    return BoltzmannLaw(
        vectors[0], matrices[0], free, max(sum(law.gap for law in laws), 0.0), vectors[1], matrices[1], sample, methods,
        vectors[2], matrices[2], float(np.hypot.reduce([law.free_error for law in laws])), max(law.mixing for law in laws),
    )  # fmt: skip


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


def shares_between(problem: Langevin, edges: Sequence[float]) -> tuple[Array, Array]:
    """Shares of the law of one variable below, between and above ascending `edges`, and how far they may be off.

    Parameters
    ----------
    problem : Langevin
        Of one variable, at a temperature above 0.
    edges : sequence of float, n of them
        Such as tops of barriers.

    Returns
    -------
    shares, gap : arrays, shape (n + 1,)
    """
    masses, error = masses_between(problem, np.asarray(edges, dtype=float))
    return masses / masses.sum(), np.full(masses.shape, 2 * error / masses.sum())


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
    if n <= MOST_VARIABLES and _bent(problem):
        return None
    hessian = np.zeros((n, n))
    for k, slope in enumerate(problem.gradient):
        for j, name in enumerate(names[: k + 1]):
            if name in slope.names:
                bent = derivative(slope, name, names)
                if bent.names:
                    return None
                hessian[k, j] = hessian[j, k] = float(bent.evaluate({}))
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
    none = np.empty((0, n))
    return _exact(mean, covariance, energy - float(volume), gap, mean_gap, covariance_gap, none, "closed form")


def _bent(problem: Langevin) -> bool:
    """Whether E is far from a parabola along some points of a line, by so much that it can be no rounding."""
    with np.errstate(all="ignore"):
        energy = problem.energy_at(_ALONG * (0.7 + np.arange(problem.size, dtype=np.float64)))
        return bool(abs(energy @ _THIRD) > _BENT * abs(energy).max())


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
    generator: scipy.sparse.csr_array
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
        matrix = scipy.sparse.csc_array(self.generator)[others][:, others]
        column = np.asarray(self.generator[:, [fixed]].todense()).ravel()[others]
        p = np.ones(size)
        p[others] = np.asarray(scipy.sparse.linalg.spsolve(matrix, -column))
        return (p / p.sum()).reshape(self.shape)

    def after(self, p: Array, time: float) -> Array:
        """Probabilities a time later, in τ."""
        return np.asarray(scipy.sparse.linalg.expm_multiply(self.generator * time, p.ravel())).reshape(self.shape)

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
    box = integrals(problem)
    width = (box.high - box.low) / points
    axes = tuple(a + (np.arange(points) + 0.5) * w for a, w in zip(box.low, width, strict=True))
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
    return FokkerPlanck(
        axes, scipy.sparse.csr_array(scipy.sparse.coo_array(entries, shape=(order.size, order.size))), problem
    )


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
