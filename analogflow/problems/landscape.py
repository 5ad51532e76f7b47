"""Wells of an energy and the barriers between them: where its minima lie, how curved they are, how high the ways over are.

What a motion makes of them, its time scales or its law, is for others to say.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from analogflow.problems.langevin import Langevin
from analogflow.problems.well_places import narrow_places

__all__ = ["MOST_SEARCHED", "Barrier", "Landscape", "Well", "descended", "hessian_at", "landscape"]

Array = NDArray[np.float64]

_MOST_WELLS, _FEW_WELLS = 64, 8
"""Wells that are kept, the lowest ones: n double wells have 2ⁿ. Fewer of many variables."""

MOST_SEARCHED = 16
"""Variables beyond which a look at some wells has to do, once and from few starts."""

_ROUNDS = 12
"""Times that wells are looked for from those that were found."""

_FROM_WELLS, _COMBINED, _HIGH = 8, 64, 40.0
"""Wells whose variables are put in narrow places in turn, points of these that are gone down from in a round, and how many T
higher than the lowest well they may lie."""

_MOST_STARTS = 4096
"""Points over the number of variables, at most, that a round goes down from."""

_STEPS, _CLIMB = 120, 80
"""Steps down to a well, and up to a saddle."""

_RISES = (1.0, 3.0, 10.0, 30.0)
"""Rises of the energy in T about a well, at which others are looked for."""

_SHALLOW = 1e-3
"""Rise in T between two minima below which they are one well."""

_IMAGINARY = 1e-30
"""Step of the derivatives: its imaginary part is the derivative to rounding, for nothing is subtracted."""

_WAY = np.concatenate([np.geomspace(1e-2, 0.1, 9), np.linspace(0.125, 1, 22)])
"""Parts of a straight way at which a rise is looked for: the higher well's own rim is near it."""

_NEIGHBOURS, _ON_LINE = 4, 41
"""Other wells to which ways are looked for from each, and points of the straight way."""


@dataclasses.dataclass(frozen=True, eq=False)
class Well:
    """A minimum of the energy.

    Parameters
    ----------
    position : array, shape (n,)
    energy : float
    hessian : array, shape (n, n)
        Second derivatives; positive semidefinite, and 0 where the floor is flatter than a square.
    """

    position: Array
    energy: float
    hessian: Array


@dataclasses.dataclass(frozen=True, eq=False)
class Barrier:
    """The lowest way that was found between two wells that have no other between them.

    Parameters
    ----------
    wells : tuple of int
        Which, as numbered in the landscape.
    position : array, shape (n,)
    energy : float
    hessian : array, shape (n, n)
    saddle : bool
        Whether it is a saddle with one way down to each side. If not, it is the highest point of the straight line between
        them, so that the true barrier is no higher.
    """

    wells: tuple[int, int]
    position: Array
    energy: float
    hessian: Array
    saddle: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Landscape:
    """Wells, the lowest first, and barriers, the lowest first; together the barriers connect all wells.

    Parameters
    ----------
    wells : tuple of Well
    barriers : tuple of Barrier
    """

    wells: tuple[Well, ...]
    barriers: tuple[Barrier, ...]

    def height(self, one: int, other: int) -> float:
        """Energy of the highest barrier on the lowest way from one well to another; their own where they are the same."""
        if one == other:
            return self.wells[one].energy
        group = list(range(len(self.wells)))
        for way in self.barriers:
            a, b = (group[k] for k in way.wells)
            group = [a if g == b else g for g in group]
            if group[one] == group[other]:
                return way.energy
        return np.inf


@functools.lru_cache(maxsize=16)
def landscape(problem: Langevin) -> Landscape:
    """Wells and barriers of the energy of `problem`, by descents from many starts and climbs from between the wells.

    The search is deterministic. Narrow wells are looked for where the energy's formula tells of them; what is far from the
    start and narrow may still be missed: it proves nothing. Of more than 16 variables it finds some wells only.
    """
    with np.errstate(all="ignore"):
        return _Search(problem).landscape()


def hessian_at(problem: Langevin, x: Array) -> Array:
    """∂²E at points, shape (..., n) to (..., n, n), to rounding (complex steps)."""
    return _slopes(problem, x)[1]


def descended(problem: Langevin, x: Array) -> Array:
    """Where points, shape (k, n), come to rest if they only go down, by Newton's method; those of no energy stay."""
    with np.errstate(all="ignore"):
        return _descended(problem, np.asarray(x, dtype=float))


def _slopes(problem: Langevin, x: Array) -> tuple[Array, Array]:
    """∇E and ∂²E at points, shape (..., n)."""
    n = problem.size
    moved = x[..., None, :] + _IMAGINARY * 1j * np.eye(n)
    found = problem.gradient_at(moved)
    hessian = np.imag(found) / _IMAGINARY
    return np.real(found)[..., 0, :], 0.5 * (hessian + np.swapaxes(hessian, -1, -2))


def _energies(problem: Langevin, x: Array) -> Array:
    energy = problem.energy_at(x)
    return np.where(np.isnan(energy), np.inf, energy)


def _spectra(hessian: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Eigenvalues and eigenvectors, and which matrices are finite; others count as 1."""
    good = np.atleast_1d(np.isfinite(hessian).all(axis=(-1, -2)))
    values, vectors = np.linalg.eigh(np.where(good[..., None, None], hessian, np.eye(hessian.shape[-1])))
    return values, vectors, good


def _descended(problem: Langevin, x: Array, radius: Array | None = None) -> Array:
    """`descended`, with the length of the first steps at most, shape (k,); later ones may be twice the one before."""
    x = x.copy()
    energy = _energies(problem, x)
    allowed = np.maximum(1.0, np.linalg.norm(x, axis=1)) if radius is None else radius.copy()
    moving = np.isfinite(energy)
    unit = problem.temperature or float(np.finfo(float).tiny)
    for _ in range(_STEPS):
        rows = np.flatnonzero(moving)
        if not len(rows):
            break
        slope, hessian = _slopes(problem, x[rows])
        values, vectors, good = _spectra(hessian)
        good &= np.isfinite(slope).all(axis=1)
        slope = np.where(good[:, None], slope, 0.0)
        size = np.maximum(abs(values), 1e-12 * abs(values).max(axis=1, keepdims=True))
        along = np.einsum("kij,ki->kj", vectors, slope)
        ways = -along / np.maximum(size, 1e-300)
        length = np.linalg.norm(ways, axis=1)
        ways *= np.minimum(1.0, allowed[rows] / np.maximum(length, 1e-300))[:, None]
        moved = x[rows] + np.einsum("kij,kj->ki", vectors, ways)
        lower = _energies(problem, moved)
        better = lower < energy[rows]
        x[rows[better]], energy[rows[better]] = moved[better], lower[better]
        taken = np.linalg.norm(ways, axis=1)
        allowed[rows] = np.where(better, np.maximum(allowed[rows], 2 * taken), 0.25 * taken)
        promised = abs((along * ways).sum(axis=1))
        still = (promised <= 1e-14 * unit) | (taken <= 1e-15 * np.linalg.norm(x[rows], axis=1))
        # Where the energy can not be told from rounding a last step of Newton's method is worth more than it.
        at_rest = still | (~better & (promised <= 1e-12 * abs(energy[rows])))
        last = at_rest & ~better & good & (values.min(axis=1) > 0) & (length <= taken)
        x[rows[last]] = moved[last]
        moving[rows[at_rest | ~good]] = False
    return x


class _Search:
    def __init__(self, problem: Langevin) -> None:
        self.problem, self.n = problem, problem.size
        self.unit = problem.temperature
        self.random = np.random.default_rng(0)
        self.positions, self.energies = np.empty((0, self.n)), np.empty(0)
        self.places = narrow_places(problem)

    def landscape(self) -> Landscape:
        self._add(_descended(self.problem, np.concatenate([self._starts(), self._in_places()])))
        saddles: list[Barrier] = []
        new = np.arange(len(self.positions))
        for _ in range(_ROUNDS if self.n <= MOST_SEARCHED else 1):
            ends = _descended(self.problem, *self._around(self.positions[new]))
            ends = np.concatenate([ends, _descended(self.problem, self._combined(self.positions[new]))])
            found, tops = self._saddles()
            before = self.positions.copy()
            self._add(np.concatenate([ends, *found]))
            new = np.flatnonzero([not any((p == q).all() for q in before) for p in self.positions])
            saddles = self._named(found, tops)
            if not len(new):
                break
        hessians = _slopes(self.problem, self.positions)[1]
        wells = [Well(*parts) for parts in zip(self.positions, map(float, self.energies), hessians, strict=True)]
        return Landscape(tuple(wells), tuple(sorted(self._connected(saddles), key=lambda way: way.energy)))

    def _starts(self) -> Array:
        """The problem's start, and points around it, near and far."""
        count = 24 + 8 * min(self.n, MOST_SEARCHED)
        directions = self.random.normal(size=(count, self.n))
        directions = np.concatenate([np.eye(self.n), -np.eye(self.n), directions])
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        radii = np.concatenate([np.ones(2 * self.n), np.geomspace(1e-2, 1e3, count)])
        # Of many variables random ones move apart; that all move together is looked at besides.
        together = np.outer([-10.0, -1.0, -0.1, 0.1, 1.0, 10.0] if self.n > MOST_SEARCHED else [], np.ones(self.n))
        return self.problem.start + np.concatenate([np.zeros((1, self.n)), radii[:, None] * directions, together])

    def _in_places(self) -> Array:
        """The start with some variables in narrow places: each of these alone, and all that lower the energy together."""
        points, together = [], self.problem.start.copy()
        for numbers, values in self.places:
            point = self.problem.start.copy()
            point[list(numbers)] = values
            points.append(point)
        for numbers, values in self.places:
            point = together.copy()
            point[list(numbers)] = values
            if _energies(self.problem, point) < _energies(self.problem, together):
                together = point
        return np.array([*points, together] if points else []).reshape(-1, self.n)

    def _combined(self, wells: Array) -> Array:
        """Wells with some of their variables in narrow places, the lowest of those that are no higher than the law goes."""
        points = []
        for numbers, values in self.places:
            if len(numbers) < self.n:
                moved = wells[:_FROM_WELLS].copy()
                moved[:, list(numbers)] = values
                points.append(moved)
        if not points:
            return np.empty((0, self.n))
        everything = np.concatenate(points)
        energy = _energies(self.problem, everything)
        order = np.argsort(energy, kind="stable")[:_COMBINED]
        return everything[order[energy[order] <= self.energies.min(initial=np.inf) + _HIGH * self.unit]]

    def _around(self, wells: Array) -> tuple[Array, Array]:
        """Points where the energy has risen by some T around wells, along the curvatures and across, and half how far."""
        if not len(wells):
            return np.empty((0, self.n)), np.empty(0)
        _values, vectors, _ = _spectra(_slopes(self.problem, wells)[1])
        directions = np.concatenate([np.swapaxes(vectors, 1, 2), self.random.normal(size=(len(wells), 2, self.n))], axis=1)
        directions = np.concatenate([directions, -directions], axis=1)
        directions /= np.linalg.norm(directions, axis=2, keepdims=True)
        steps = 2.0 ** np.arange(-40, 41)
        points = wells[:, None, None] + steps[:, None] * directions[:, :, None]
        rise = _energies(self.problem, points) - _energies(self.problem, wells)[:, None, None]
        unit = self.unit or float(np.median(abs(rise[np.isfinite(rise)])))
        found, radii = [], []
        for height in _RISES:
            last = np.argmax(~(rise < height * unit), axis=2)
            found.append(np.take_along_axis(points, last[:, :, None, None], axis=2)[:, :, 0].reshape(-1, self.n))
            radii.append(0.5 * steps[last].ravel())
        starts, radius = np.concatenate(found), np.concatenate(radii)
        chosen = self.random.permutation(len(starts))[: max(1, _MOST_STARTS * min(self.n, MOST_SEARCHED) // self.n**2)]
        return starts[chosen], radius[chosen]

    def _add(self, points: Array) -> None:
        """Take up the minima among some points; the lowest stand first, and minima without a rise between them are one."""
        slope, hessian = _slopes(self.problem, points)
        energy = _energies(self.problem, points)
        values, vectors, good = _spectra(hessian)
        good &= np.isfinite(energy) & np.isfinite(slope).all(axis=1)
        largest = np.maximum(abs(values).max(axis=1), 1e-300)
        good &= values[:, 0] >= -1e-9 * largest
        # What Newton's step would still gain.
        along = np.einsum("kij,ki->kj", vectors, np.where(good[:, None], slope, 0.0))
        left = (along**2 / np.maximum(abs(values), 1e-12 * largest[:, None])).sum(axis=1)
        good &= left <= 1e-6 * (self.unit or 1.0) + 1e-12 * abs(energy)
        # A saddle's flat direction is told by a step along it.
        step = 1e-4 * np.maximum(1e-3, np.linalg.norm(points, axis=1))[:, None] * vectors[:, :, 0]
        slack = 1e-14 * abs(energy) + 1e-9 * self.unit
        for sign in (1, -1):
            good &= ~(_energies(self.problem, points + sign * step) < energy - slack)
        everything = np.concatenate([self.positions, points[good]])
        energies = np.concatenate([self.energies, energy[good]])
        order = np.argsort(energies, kind="stable")
        kept: list[int] = []
        for k in order:
            if kept and self._one_of(everything[k], float(energies[k]), everything[kept]):
                continue
            kept.append(int(k))
            if len(kept) == (_MOST_WELLS if self.n <= MOST_SEARCHED else _FEW_WELLS):
                break
        self.positions, self.energies = everything[kept], energies[kept]

    def _one_of(self, point: Array, energy: float, others: Array) -> bool:
        """Whether no rise is met on the straight way from a minimum to one of others that lie no higher."""
        rise = (_energies(self.problem, point + _WAY[:, None, None] * (others - point)) - energy).max(axis=0)
        near = np.linalg.norm(others - point, axis=1) <= 1e-7 * (1e-3 + np.linalg.norm(point))
        return bool((near | (rise <= _SHALLOW * self.unit)).any())

    def _pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Numbers of wells that are near each other, each pair once."""
        count = len(self.positions)
        apart = np.linalg.norm(self.positions[:, None] - self.positions, axis=2)
        near = np.argsort(apart, axis=1)[:, 1 : 1 + _NEIGHBOURS]
        pairs = {(min(i, int(j)), max(i, int(j))) for i in range(count) for j in near[i]}
        if not pairs:
            return np.empty(0, np.intp), np.empty(0, np.intp)
        one, other = zip(*sorted(pairs), strict=True)
        return np.array(one), np.array(other)

    def _saddles(self) -> tuple[tuple[Array, Array], Array]:
        """Saddles of one way down that are reached from between wells, and where both their sides lead."""
        one, other = self._pairs()
        none = np.empty((0, self.n))
        if not len(one):
            return (none, none), none
        way = np.linspace(0, 1, _ON_LINE)[:, None, None]
        points = self.positions[one] + way * (self.positions[other] - self.positions[one])
        energy = _energies(self.problem, points)
        top = energy.argmax(axis=0)
        begin = points[top, np.arange(len(one))]
        apart = np.linalg.norm(self.positions[other] - self.positions[one], axis=1)
        tops = self._climbed(begin, 0.1 * apart)
        if not len(tops):
            return (none, none), none
        values, vectors, _ = _spectra(_slopes(self.problem, tops)[1])
        size = np.sqrt(2e-2 * (self.unit or 1.0) / -values[:, 0])
        size = np.minimum(size, 0.05 * apart.min()) if not self.unit else size
        push = size[:, None] * vectors[:, :, 0]
        sides = [_descended(self.problem, tops + sign * push, size) for sign in (1, -1)]
        return (sides[0], sides[1]), tops

    def _climbed(self, x: Array, radius: Array) -> Array:
        """Saddles of one way down: up along the lowest curvature and down along all others, by Newton's steps."""
        x, least = x.copy(), 0.0
        for _ in range(_CLIMB):
            slope, hessian = _slopes(self.problem, x)
            values, vectors, good = _spectra(hessian)
            slope = np.where(good[:, None], slope, 0.0)
            along = np.einsum("kij,ki->kj", vectors, slope)
            ways = -along / np.maximum(abs(values), 1e-12 * abs(values).max(axis=1, keepdims=True) + 1e-300)
            ways[:, 0] *= -1
            length = np.linalg.norm(ways, axis=1)
            ways *= np.minimum(1.0, radius / np.maximum(length, 1e-300))[:, None]
            x = x + np.einsum("kij,kj->ki", vectors, ways)
            least = length
            if (length <= 1e-13 * (1 + np.linalg.norm(x, axis=1))).all():
                break
        values, _, good = _spectra(_slopes(self.problem, x)[1])
        good &= np.isfinite(x).all(axis=1) & np.isfinite(_energies(self.problem, x))
        good &= (values[:, 0] < 0) & (least <= 1e-6 * (1 + np.linalg.norm(x, axis=1)))
        if self.n > 1:
            good &= values[:, 1] > 0
        return x[good]

    def _named(self, sides: tuple[Array, Array], tops: Array) -> list[Barrier]:
        """Saddles as barriers between the wells that they lead to; of several between two wells the lowest."""
        lowest: dict[tuple[int, int], Barrier] = {}
        for a, b, top in zip(*sides, tops, strict=True):
            one, other = self._well_of(a), self._well_of(b)
            if one is None or other is None or one == other:
                continue
            key = (min(one, other), max(one, other))
            energy = float(_energies(self.problem, top))
            if key not in lowest or energy < lowest[key].energy:
                lowest[key] = Barrier(key, top, energy, _slopes(self.problem, top)[1], True)
        return list(lowest.values())

    def _well_of(self, point: Array) -> int | None:
        """The well in which a point lies that has come to rest; None where it is in none of those kept."""
        energy = float(_energies(self.problem, point))
        for k in np.argsort(np.linalg.norm(self.positions - point, axis=1))[:3]:
            way = point + _WAY[:, None] * (self.positions[k] - point)
            rise = _energies(self.problem, way).max() - max(energy, self.energies[k])
            apart = float(np.linalg.norm(self.positions[k] - point))
            if rise <= _SHALLOW * self.unit or apart <= 1e-6 * (1e-3 + float(np.linalg.norm(point))):
                return int(k)
        return None

    def _connected(self, barriers: list[Barrier]) -> list[Barrier]:
        """Barriers, and straight ways between those wells that no saddle connects."""
        group = np.arange(len(self.positions))
        for way in barriers:
            a, b = (group[k] for k in way.wells)
            group[group == b] = a
        straight: list[Barrier] = []
        if len(set(group)) > 1:
            one, other = np.triu_indices(len(self.positions), 1)
            way = np.linspace(0, 1, _ON_LINE)[:, None, None]
            points = self.positions[one] + way * (self.positions[other] - self.positions[one])
            energy = _energies(self.problem, points)
            tops = points[energy.argmax(axis=0), np.arange(len(one))]
            for k in np.argsort(energy.max(axis=0), kind="stable"):
                a, b = group[one[k]], group[other[k]]
                if a != b:
                    group[group == b] = a
                    hessian = _slopes(self.problem, tops[k])[1]
                    straight.append(
                        Barrier((int(one[k]), int(other[k])), tops[k], float(energy[:, k].max()), hessian, False)
                    )
        return barriers + straight
