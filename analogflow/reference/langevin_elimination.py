"""Laws of many variables whose energy is a sum of terms of few: chains, trees, rings, by summing out one variable at a time.

What a variable's sum still depends on is a table over the nodes of those it shares terms with, so that a chain of any length
costs as much as its pairs (transfer matrices, belief propagation). All moments come from the conditional laws of that order.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.problems import Langevin
from analogflow.problems.landscape import Well, landscape
from analogflow.problems.terms import Term, order_of
from analogflow.reference.langevin_lattice import precision_at
from analogflow.reference.lattice import dominating

__all__ = ["MOST_OTHERS", "Eliminated", "eliminated"]

Array = NDArray[np.float64]

_ENTRIES, _TOTAL = 12_000_000, 40_000_000
"""Numbers in one table at most, and in all tables of conditional laws together."""

MOST_OTHERS = 3
"""Variables at most that a sum over another depends on."""

_MOST_NODES = 4000
"""Nodes of a variable at most."""

_FINER, _FIRST = 1.3, 1.0
"""Ratio of two spacings that are compared, and the first spacing in the least widths of the law."""

_AGREED, _CONVERGED, _FACTOR = 1e-11, 1e-5, 2.0
"""Differences of two spacings, in widths of the law, that end the refinement and up to which it is believed to converge;
and what bounds an error, in such differences."""

_DEEP, _END = 34.0, -38.0
"""Wells that count, in T above the lowest, and the logarithm of a marginal density at an end, over its largest, beyond which
nothing counts."""

_REACH, _FARTHEST, _MOVES = 2.2, 45.0, 25
"""Half the first range of the nodes' parameter, the largest, and times that ranges are moved."""

_SAMPLE = 200

_EPSILON = 4 * float(np.finfo(float).eps)


@dataclasses.dataclass(frozen=True, eq=False)
class Eliminated:
    """Moments of a law and its free energy, with bounds on their errors; points that stand for it."""

    mean: Array
    covariance: Array
    free_energy: float
    mean_gap: Array
    covariance_gap: Array
    free_gap: float
    sample: Array


@dataclasses.dataclass(frozen=True, eq=False)
class _Axis:
    """Nodes x = c + s sinh t at equal steps of t, by which tails that fall slowly are reached too."""

    centre: float
    scale: float
    low: float
    high: float
    step: float

    @property
    def parameter(self) -> Array:
        return self.low + self.step * np.arange(0.0, max(3, math.ceil((self.high - self.low) / self.step) + 1))

    @property
    def nodes(self) -> Array:
        return self.centre + self.scale * np.sinh(self.parameter)

    @property
    def log_weights(self) -> Array:
        return np.log(self.step * self.scale * np.cosh(self.parameter))


@dataclasses.dataclass(frozen=True, eq=False)
class _Found:
    log_z: float
    mean: Array
    covariance: Array
    tail: Array
    """Upper estimates of what the ends leave out of each variable's mass and square, shape (n, 2)."""
    sample: Array


class _TooLarge(Exception):
    """Tables do not fit."""


def eliminated(problem: Langevin, terms: tuple[Term, ...]) -> Eliminated | None:
    """Law of `problem`, whose energy is the sum of `terms`; None where tables would be too large or nothing converges."""
    order = order_of(problem.variables, terms)
    if max(len(others) for _, others in order) > MOST_OTHERS:
        return None
    with np.errstate(all="ignore"):
        try:
            return _refined(problem, terms, order)
        except _TooLarge:
            return None


def _refined(problem: Langevin, terms: tuple[Term, ...], order: Sequence[tuple[str, tuple[str, ...]]]) -> Eliminated | None:
    wells = landscape(problem).wells
    if not wells:
        return None
    deep = [well for well in wells if well.energy - wells[0].energy < _DEEP * problem.temperature]
    whole = dominating(np.stack([precision_at(problem, well.position) for well in deep]))
    axes = _axes(problem, deep, _spacings(whole))
    axes = _moved(problem, terms, order, axes)
    if axes is None:
        return None
    before: _Found | None = None
    best: Eliminated | None = None
    while True:
        try:
            found = _Elimination(problem, terms, order, axes).found()
        except _TooLarge:
            return best
        if not np.isfinite(found.covariance).all():
            return best
        if before is not None:
            widths = np.sqrt(np.diag(found.covariance))
            off = max(
                float((abs(found.mean - before.mean) / widths).max()),
                float((abs(found.covariance - before.covariance) / np.outer(widths, widths)).max()),
                abs(found.log_z - before.log_z),
            )
            if off <= _CONVERGED:
                best = _judged(problem, found, before)
            if off <= _AGREED:
                return best
        before = found
        # What must be resolved is how fast the density changes where it is: its Fisher information.
        slopes = problem.gradient_at(found.sample) / problem.temperature
        needed = _spacings(dominating(np.stack([whole, slopes.T @ slopes / len(slopes)])))
        # Another origin of the nodes too, so that the two know nothing of each other.
        axes = [
            dataclasses.replace(axis, step=min(axis.step / _FINER, h / axis.scale), low=axis.low - 0.37 * axis.step)
            for axis, h in zip(axes, needed, strict=True)
        ]


def _judged(problem: Langevin, found: _Found, before: _Found) -> Eliminated:
    T = problem.temperature
    widths = np.sqrt(np.diag(found.covariance))
    # A share that is left out moves no mean by more than its own distance, and all else by its part of the whole.
    mass, square = found.tail.sum(axis=0)[0], found.tail[:, 1]
    rounding = _EPSILON * (len(widths) + abs(found.log_z))
    mean_gap = _FACTOR * abs(found.mean - before.mean) + np.sqrt(mass * square) + widths * (mass + rounding)
    mean_gap = mean_gap + _EPSILON * abs(found.mean)
    covariance_gap = _FACTOR * abs(found.covariance - before.covariance) + np.sqrt(np.outer(square, square))
    covariance_gap = covariance_gap + np.outer(widths, widths) * (2 * mass + rounding)
    free = -T * found.log_z
    free_gap = T * (_FACTOR * abs(found.log_z - before.log_z) + mass) + T * rounding + _EPSILON * abs(free)
    return Eliminated(found.mean, found.covariance, free, mean_gap, covariance_gap, free_gap, found.sample)


def _spacings(precision: Array) -> Array:
    """Distances of nodes along each axis that resolve what has a precision, shape (n,)."""
    widths = 1 / np.sqrt(np.diag(precision))
    return _FIRST * widths / math.sqrt(float(np.linalg.eigvalsh(widths[:, None] * precision * widths).max()))


def _axes(problem: Langevin, wells: Sequence[Well], spacing: Array) -> list[_Axis]:
    """Nodes as close as is said, over where the wells are."""
    precisions = [precision_at(problem, well.position) for well in wells]
    spread = np.sqrt(np.max([np.diag(np.linalg.inv(precision)) for precision in precisions], axis=0))
    places = np.stack([well.position for well in wells])
    low, high = places.min(axis=0), places.max(axis=0)
    scales = 0.5 * (high - low) + 2 * spread
    centres = 0.5 * (high + low)
    return [
        _Axis(float(c), float(s), -_REACH, _REACH, float(h / s)) for c, s, h in zip(centres, scales, spacing, strict=True)
    ]


def _moved(
    problem: Langevin, terms: tuple[Term, ...], order: Sequence[tuple[str, tuple[str, ...]]], axes: list[_Axis]
) -> list[_Axis] | None:
    """Ranges beyond which no marginal density counts."""
    for _ in range(_MOVES):
        marginals = _Elimination(problem, terms, order, axes).marginals()
        moved, changed = [], False
        for axis, density in zip(axes, marginals, strict=True):
            depth = np.log(np.maximum(density, 1e-300) / density.max())
            t = axis.parameter
            low, high = axis.low, axis.high
            inside = np.flatnonzero(depth > _END)
            if not len(inside) or not np.isfinite(depth).all():
                return None
            first, last = t[inside[0]], t[inside[-1]]
            # Beyond an end that counts the range is widened; beyond one that does not, cut.
            low = low - max(0.3, 0.2 * (t[-1] - t[0])) if inside[0] == 0 else first - 2 * axis.step
            high = high + max(0.3, 0.2 * (t[-1] - t[0])) if inside[-1] == len(t) - 1 else last + 2 * axis.step
            changed = changed or inside[0] == 0 or inside[-1] == len(t) - 1
            if max(-low, high) > _FARTHEST:
                return None
            moved.append(dataclasses.replace(axis, low=float(low), high=float(high)))
        axes = moved
        if not changed:
            return axes
    return None


class _Elimination:
    def __init__(
        self,
        problem: Langevin,
        terms: tuple[Term, ...],
        order: Sequence[tuple[str, tuple[str, ...]]],
        axes: Sequence[_Axis],
    ) -> None:
        self.problem, self.n = problem, problem.size
        self.number = {name: k for k, name in enumerate(problem.variables)}
        self.order = [(self.number[name], tuple(self.number[other] for other in others)) for name, others in order]
        self.axes = list(axes)
        sizes = [len(axis.parameter) for axis in self.axes]
        entries = [sizes[v] * math.prod(sizes[u] for u in others) for v, others in self.order]
        if max(sizes) > _MOST_NODES or max(entries) > _ENTRIES or sum(entries) > _TOTAL:
            raise _TooLarge
        self.nodes = [axis.nodes for axis in self.axes]
        place = {v: k for k, (v, _) in enumerate(self.order)}
        self.after = dict(self.order)
        self.parent = {v: min(others, key=place.__getitem__) if others else None for v, others in self.order}
        self.log_z = 0.0
        self.kernels: dict[int, Array] = {}
        self._sum_out(terms)
        self.together = self._together()

    def _sum_out(self, terms: tuple[Term, ...]) -> None:
        """Conditional laws of each variable given those that its sum depends on: axes (variable, *others)."""
        tables: list[tuple[tuple[int, ...], Array]] = []
        for term in terms:
            names = tuple(self.number[name] for name in term.names)
            values = {
                name: self.nodes[k].reshape([-1 if j == i else 1 for j in range(len(names))])
                for i, (name, k) in enumerate(zip(term.names, names, strict=True))
            }
            energy = np.asarray(term.expression.evaluate(values), dtype=float) / self.problem.temperature
            table = np.broadcast_to(energy, [len(self.nodes[k]) for k in names])
            tables.append((names, -np.where(np.isnan(table), np.inf, table)))
        tables += [((k,), axis.log_weights) for k, axis in enumerate(self.axes)]
        for v, others in self.order:
            scope = (v, *others)
            whole = np.zeros([len(self.nodes[k]) for k in scope])
            rest = []
            for names, table in tables:
                if v in names:
                    whole = whole + _spread(table, names, scope)
                else:
                    rest.append((names, table))
            top = whole.max(axis=0)
            top = np.where(np.isfinite(top), top, 0.0)
            whole = np.exp(whole - top)
            total = whole.sum(axis=0)
            # Where nothing has a weight no condition is ever met.
            self.kernels[v] = whole / np.where(total > 0, total, 1.0)
            message = top + np.log(total)
            if others:
                tables = [*rest, (others, message)]
            else:
                self.log_z += float(message)
                tables = rest

    def _together(self) -> dict[int, Array]:
        """Joint laws of each variable with those its sum depended on: axes (variable, *others)."""
        joint: dict[int, Array] = {}
        for v, others in reversed(self.order):
            kernel = self.kernels[v]
            if not others:
                joint[v] = kernel
                continue
            parent = self.parent[v]
            assert parent is not None
            scope = (parent, *self.after[parent])
            joint[v] = kernel * _contracted(others, (joint[parent], scope))
        return joint

    def marginals(self) -> list[Array]:
        """Densities in the nodes' parameter, one for each variable."""
        return [self.together[k].reshape(len(self.nodes[k]), -1).sum(axis=1) / self.axes[k].step for k in range(self.n)]

    def found(self) -> _Found:
        """Moments, by what is known of each variable given others, carried along the order."""
        shares = [density * axis.step for density, axis in zip(self.marginals(), self.axes, strict=True)]
        mean = np.array([share @ x for share, x in zip(shares, self.nodes, strict=True)])
        centred = [x - m for x, m in zip(self.nodes, mean, strict=True)]
        covariance = np.diag([float(share @ x**2) for share, x in zip(shares, centred, strict=True)])
        # At every clique: the conditional means of variables summed out before, as functions of its variables.
        known = np.eye(self.n, dtype=bool)
        carried: dict[int, list[tuple[int, Array, tuple[int, ...]]]] = {v: [] for v, _ in self.order}
        for v, others in self.order:
            scope = (v, *others)
            here = [(v, centred[v], (v,)), *carried[v]]
            joint = self.together[v]
            for a, (i, one, names) in enumerate(here):
                weighted = joint * _spread(one, names, scope)
                for j, other, more in here[a + 1 :]:
                    if known[i, j]:
                        continue
                    known[i, j] = known[j, i] = True
                    value = float((weighted * _spread(other, more, scope)).sum())
                    covariance[i, j] = covariance[j, i] = value
            parent = self.parent[v]
            if parent is None:
                continue
            for i, one, names in here:
                given = _contracted(others, (self.kernels[v], scope), (one, names))
                carried[parent].append((i, given, others))
        return _Found(self.log_z, mean, covariance, self._tails(shares, centred), self._drawn())

    def _tails(self, shares: list[Array], centred: list[Array]) -> Array:
        """What goes on beyond the ends as it came, in mass and in squares."""
        tails = np.zeros((self.n, 2))
        for k, (share, x) in enumerate(zip(shares, centred, strict=True)):
            for power, part in ((0, share), (1, share * x**2)):
                for last, before in ((part[0], part[2]), (part[-1], part[-3])):
                    ratio = np.sqrt(last / before) if before > 0 else 0.0
                    tails[k, power] += last * ratio / (1 - ratio) if ratio < 1 else np.inf if last > 0 else 0.0
        return tails

    def _drawn(self) -> Array:
        """Points of the law, drawn from the last variable to the first."""
        random = np.random.default_rng(0)
        chosen = np.zeros((_SAMPLE, self.n), dtype=int)
        for v, others in reversed(self.order):
            kernel = self.kernels[v]
            given = kernel[(slice(None), *(chosen[:, u] for u in others))] if others else kernel[:, None]
            levels = np.cumsum(given, axis=0)
            draws = random.random(_SAMPLE) * levels[-1]
            chosen[:, v] = np.minimum((levels < draws).sum(axis=0), len(kernel) - 1)
        return np.stack([x[chosen[:, k]] for k, x in enumerate(self.nodes)], axis=1)


def _contracted(kept: Sequence[int], *tables: tuple[Array, Sequence[int]]) -> Array:
    """Product of tables, the first of which is over all variables of a clique, summed over all but those that are kept."""
    inside = list(tables[0][1])
    given: list[Any] = []
    for table, names in tables:
        given += [table, [inside.index(name) for name in names]]
    return np.asarray(np.einsum(*given, [inside.index(name) for name in kept]))


def _spread(table: Array, names: Sequence[int], scope: Sequence[int]) -> Array:
    """A table over some of a clique's variables, with axes for all of them."""
    order = sorted(range(len(names)), key=lambda k: scope.index(names[k]))
    moved = np.transpose(table, order)
    shape = [1] * len(scope)
    for k, size in zip(order, moved.shape, strict=True):
        shape[scope.index(names[k])] = size
    return moved.reshape(shape)
