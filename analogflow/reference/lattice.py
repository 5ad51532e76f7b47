"""Sums over a lattice of what falls off in all directions: the trapezoidal rule over all space, in up to nine dimensions.

For smooth integrands the rule converges faster than any power of its spacing, in as many dimensions as can be counted.
Blocks of the lattice are visited outward from some seeds until everything around is negligible, so that only where the
integrand lives is looked at, however bent.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_DIMENSIONS", "Sums", "dominating", "refined", "summed"]

Array = NDArray[np.float64]

MOST_DIMENSIONS = 9
"""Axes whose numbers of blocks fit into one whole number together."""

_SIDES = {1: 64, 2: 16, 3: 6, 4: 4, 5: 3}
"""Points along the side of a block; two in more dimensions, where most blocks lie at the rim."""

_CUT, _SHELL = 32.0, 4.0
"""Exponent below the largest beyond which nothing is visited, and the width of the two shells that say how what is beyond
goes on."""

_CHUNK = 100_000
"""Points handled at a time."""

_FINER, _FIRST = 1.25, 1.0
"""Ratio of two spacings that are compared, and the first spacing, in the least width of the integrand."""

_AGREED = {1: 1e-11, 2: 1e-11, 3: 1e-10, 4: 1e-9}
"""Difference of two spacings, over the whole, that ends the refinement, by the dimensions; 3e-7 in more."""

_SAMPLE = 200
"""Points that stand for the integrand."""

_EPSILON = 4 * float(np.finfo(float).eps)


@dataclasses.dataclass(frozen=True, eq=False)
class Sums:
    """∫ e^{f − top} times 1, k features and their products.

    Parameters
    ----------
    top : float
        Largest exponent that was met.
    where : array, shape (n,)
        Where.
    values, beyond, sizes : array, shape (1 + k + k²,)
        Integrals, what is estimated to lie outside of what was visited, and the integrals of absolute values.
    low, high : array, shape (n,)
        Corners of what is not negligible.
    sample : array, shape (s, n)
        Points in even steps of the share.
    points : int
        That were visited.
    complete : bool
        Whether the rim was reached in all directions.
    """

    top: float
    where: Array
    values: Array
    beyond: Array
    sizes: Array
    low: Array
    high: Array
    sample: Array
    points: int
    complete: bool


def dominating(precisions: Array) -> Array:
    """A matrix not below any of several positive semidefinite ones, the first definite: shape (m, n, n) to (n, n)."""
    found = precisions[0]
    for other in precisions[1:]:
        root = np.linalg.cholesky(found)
        back = np.linalg.inv(root)
        values, vectors = np.linalg.eigh(back @ other @ back.T)
        half = root @ vectors
        found = (half * np.maximum(values, 1.0)) @ half.T
    return np.asarray(0.5 * (found + found.T))


def refined(
    exponent: Callable[[Array], Array],
    features: Callable[[Array], Array],
    seeds: Array,
    precision: Array,
    *,
    most: int,
) -> tuple[Sums, Array]:
    """Integrals at a spacing at which a coarser one agrees, and bounds on their errors: the differences of the two.

    Parameters
    ----------
    exponent : callable
        f at columns of coordinates, shape (n, points) to (points,); −∞ or NaN where there is nothing.
    features : callable
        At columns of coordinates, shape (n, points) to (points, k).
    seeds : array, shape (m, n)
        Points in every separate place where f is large.
    precision : array, shape (n, n)
        Not below the curvature of −f where it is large (`dominating`).
    most : int
        Points that may be visited.

    Returns
    -------
    found : Sums
    errors : array, shape (1 + k + k²,)
        Infinite where no two spacings could be compared.
    """
    root = np.asarray(np.linalg.cholesky(np.linalg.inv(precision)), dtype=float)
    random = np.random.default_rng(0)
    before: Sums | None = None
    agreed = _AGREED.get(seeds.shape[1], 3e-7)
    errors, spacing, left = np.full(1, np.inf), _FIRST, most
    while True:
        basis = spacing * root
        origin = seeds[0] + basis @ random.uniform(-0.5, 0.5, size=seeds.shape[1])
        found = summed(exponent, features, seeds, basis, origin, most=left, expected=before)
        if not found.complete:
            break
        left -= found.points
        if before is not None:
            shrink = np.exp(before.top - found.top)
            errors = abs(found.values - before.values * shrink) + found.beyond + _EPSILON * found.sizes
            if (errors <= agreed * found.sizes).all():
                return found, errors
        before, spacing = found, spacing / _FINER
        if found.points * _FINER ** seeds.shape[1] > left:
            break
    if before is None:
        return found, np.full(len(found.values), np.inf)
    return before, errors if len(errors) > 1 else np.full(len(before.values), np.inf)


def summed(
    exponent: Callable[[Array], Array],
    features: Callable[[Array], Array],
    seeds: Array,
    basis: Array,
    origin: Array,
    *,
    most: int,
    expected: Sums | None = None,
) -> Sums:
    """Integrals by the points ``origin + basis @ k`` with whole k, one after another outward from the seeds.

    With the sums that are `expected` a sample is taken on the way.
    """
    return _Walk(exponent, features, basis, origin, expected).walked(seeds, most)


class _Walk:
    def __init__(
        self,
        exponent: Callable[[Array], Array],
        features: Callable[[Array], Array],
        basis: Array,
        origin: Array,
        expected: Sums | None,
    ) -> None:
        self.exponent, self.features, self.basis, self.origin = exponent, features, basis, origin
        self.n = n = len(origin)
        self.side = _SIDES.get(n, 2)
        inside = np.array(list(itertools.product(range(self.side), repeat=n)), dtype=float)
        self.inside = basis @ inside.T  # shape (n, sideⁿ)
        self.faces = [*(inside.T == self.side - 1), *(inside.T == 0)]
        self.moves = np.concatenate([np.eye(n, dtype=np.int64), -np.eye(n, dtype=np.int64)])
        self.bits = 62 // n
        self.volume = abs(float(np.linalg.det(basis)))
        self.top, self.where = -np.inf, origin
        self.sums: Array | None = None
        self.low, self.high = np.full(n, np.inf), np.full(n, -np.inf)
        self.points, self.passed = 0, 0.0
        self.sample: list[Array] = []
        self.expected = expected

    def walked(self, seeds: Array, most: int) -> Sums:
        blocks = np.floor(np.linalg.solve(self.basis, (seeds - self.origin).T).T / self.side + 1e-9).astype(np.int64)
        self.top = float(np.nanmax(self.exponent(np.ascontiguousarray(seeds.T)), initial=-np.inf))
        front = np.unique(self._keys(blocks))
        known = front
        complete = True
        while len(front):
            if self.points + len(front) * self.inside.shape[1] > most:
                complete = False
                break
            around = np.concatenate([self._visited(part) for part in self._parts(front)])
            if abs(around).max(initial=0) >= 1 << (self.bits - 1):
                complete = False
                break
            keys = np.unique(self._keys(around))
            front = keys[~np.isin(keys, known, assume_unique=True)]
            known = np.concatenate([known, front])
        return self._sums(complete)

    def _parts(self, front: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        step = max(1, _CHUNK // self.inside.shape[1])
        return [front[k : k + step] for k in range(0, len(front), step)]

    def _keys(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        shifts = self.bits * np.arange(self.n, dtype=np.int64)
        return ((blocks + (1 << (self.bits - 1))) << shifts).sum(axis=-1)

    def _places(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        shifts = self.bits * np.arange(self.n, dtype=np.int64)
        return ((keys[:, None] >> shifts) & ((1 << self.bits) - 1)) - (1 << (self.bits - 1))

    def _visited(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add the points of blocks, and say which blocks lie beside some that count, shape (k, n)."""
        places = self._places(keys)
        corners = self.origin[:, None] + self.basis @ (self.side * places.T)
        x = (corners[:, :, None] + self.inside[:, None, :]).reshape(self.n, -1)
        self.points += x.shape[1]
        f = self.exponent(x)
        f = np.where(np.isnan(f), -np.inf, f)
        highest = int(np.argmax(f))
        if f[highest] > self.top or self.sums is None:
            new = max(float(f[highest]), self.top)
            if self.sums is not None:
                self.sums *= np.exp(self.top - new)
                self.passed *= float(np.exp(self.top - new))
            if f[highest] >= self.top:
                self.where = x[:, highest].copy()
            self.top = new
        depth = self.top - f
        near = (depth < _CUT).reshape(len(keys), -1)
        around = [places[near[:, face].any(axis=1)] + move for face, move in zip(self.faces, self.moves, strict=True)]
        rows = np.flatnonzero(depth < _CUT + _SHELL)
        if len(rows):
            self._add(x[:, rows], depth[rows])
        return np.concatenate(around)

    def _add(self, x: Array, depth: Array) -> None:
        features, weights = self.features(x), np.exp(-depth)
        self.low = np.minimum(self.low, x.min(axis=1))
        self.high = np.maximum(self.high, x.max(axis=1))
        if self.expected is not None:
            self._sampled(x, weights)
        shells = [np.ones(len(depth), dtype=bool)] + [
            (depth >= _CUT - (k + 1) * _SHELL) & (depth < _CUT - k * _SHELL) for k in range(2)
        ]
        found = [_moments(features, weights)]
        size = abs(features)
        found.append(_moments(size, weights))
        found += [_moments(size[chosen], weights[chosen]) for chosen in shells[1:]]
        total = np.stack(found)
        self.sums = total if self.sums is None else self.sums + total

    def _sampled(self, x: Array, weights: Array) -> None:
        assert self.expected is not None
        total = self.expected.values[0] * np.exp(self.expected.top - self.top) / self.volume
        running = self.passed + np.cumsum(weights)
        places = np.floor(running / total * _SAMPLE + 0.5)
        first = np.floor(self.passed / total * _SAMPLE + 0.5)
        times = np.diff(np.concatenate([[first], places])).astype(int)
        self.sample.append(np.repeat(x, times, axis=1).T)
        self.passed = float(running[-1])

    def _sums(self, complete: bool) -> Sums:
        sample = np.concatenate(self.sample) if self.sample else np.empty((0, self.n))
        if self.sums is None:
            none = np.zeros(1)
            return Sums(self.top, self.where, none, none, none, self.low, self.high, sample, self.points, False)
        values, sizes, outer, inner = self.sums * self.volume
        with np.errstate(all="ignore"):
            ratio = np.where(outer > 0, outer / inner, 0.0)
            beyond = np.where(outer > 0, outer * ratio / (1 - ratio), 0.0)
        beyond = np.where(ratio < 1, beyond, np.inf)
        return Sums(self.top, self.where, values, beyond, sizes, self.low, self.high, sample, self.points, complete)


def _moments(features: Array, weights: Array) -> Array:
    weighted = features * weights[:, None]
    return np.concatenate([[weights.sum()], weighted.sum(axis=0), (features.T @ weighted).ravel()])
