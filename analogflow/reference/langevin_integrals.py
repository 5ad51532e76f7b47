"""Integrals of e^{−E/T} over all space, on boxes that are halved until each is resolved, with a bound on what they miss.

Interval arithmetic says of every box how little the energy can be in it, so that no valley is passed over, however bent
or far away, and boxes are left out only where what they hold is known to be negligible.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.problems import Langevin
from analogflow.reference.langevin_intervals import ranges_of

__all__ = [
    "MOST_VARIABLES",
    "Integrals",
    "integrals",
    "masses_between",
]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_RULES = {1: (11, 10), 2: (10, 8), 3: (7, 5)}
"""Points of Gauss's rule along each side of a box, and of the coarser one it is compared with, by their number."""

MOST_VARIABLES = max(_RULES)
"""Variables at most that are integrated over."""

_VARIATION = 3.0
"""Largest range of E/T along a side of a box that is integrated over as it is: more could be missed by both rules alike. It
may be larger where the box holds less: by e for each `_LIGHTER` that the logarithm of its share is lower."""

_LIGHTER = 16.0

_NEGLIGIBLE = {1: -41.0, 2: -41.0, 3: -32.0}
"""Logarithm of a box's share of any moment below which it is left out."""

_SHARE, _ROUNDING = {1: 1e-15, 2: 1e-15, 3: 1e-13}, 5e-14
"""Difference of the two rules, over the whole integral or over the box's own, that ends the halving."""

_POINTS, _BOXES, _CHUNK = 30_000_000, 2_000_000, 400_000
"""Points of energy and boxes at most, and points handled at a time."""

_LAST, _SPAN, _DEEP = 60, 34, 100.0
"""Half the width of the first box: 2^60 at most, or so many halvings less, if the energy has risen by that many T there."""

_AROUND = np.concatenate([-np.geomspace(1e6, 1e-8, 141), [0.0], np.geomspace(1e-8, 1e6, 141)])
"""Distances from the start, of one variable, at which the lowest energy is looked for."""

_BETWEEN = np.linspace(0, 1, 33)[:, None]
"""Places between its neighbours at which it is looked for then."""

_CLOSER, _ENOUGH = 5, 0.1
"""Times at most that it is looked at more closely, and what is not worth another, over T."""

_STEPS: Array = np.exp2(np.arange(_LAST, -391, -1, dtype=np.float64))
_WAYS = np.array([[1.0], [-1.0]])
_USUAL = 90
"""Steps from the minimum at which a rise by T is looked for, and how many of them are taken first."""

_NEAR = 32.0
"""Widths of the law within which boxes are small from the start."""

_WIDER, _NOTHING = 3, 55.0
"""Times at most that this is doubled, to where the energy has risen by so many T that an octave beyond is negligible."""

_PLACES, _CUT = np.linspace(0, 1, 257), 0.75
"""Places there at which the energy of one variable is looked at first, and by how much E/T then changes along a box."""

_EPSILON = 4 * float(np.finfo(float).eps)
"""Rounding of a box's integrals, besides that of its energy."""

_EVEN = (np.arange(200) + 0.5) / 200
"""Shares of the law up to the points that stand for it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Integrals:
    """∫ of e^{−(E−E₀)/T} times 1, x − x₀ and their products, with bounds on their errors.

    Parameters
    ----------
    origin : array, shape (n,)
        x₀.
    least : float
        E₀.
    values, errors : array, shape (1 + n + n²,)
        Integrals, and bounds on their errors.
    low, high : array, shape (n,)
        Corners of a box outside of which everything is negligible.
    sample : array, shape (k, n)
        Middles of boxes, each box as often as its share of the law.
    """

    origin: Array
    least: float
    values: Array
    errors: Array
    low: Array
    high: Array
    sample: Array


def integrals(problem: Langevin) -> Integrals:
    """Integrals of the law of `problem`, to the accuracy that some seconds allow; the errors say which that is."""
    return _integrated(problem, np.empty(0)).integrals()


def masses_between(problem: Langevin, edges: Array) -> tuple[Array, float]:
    """Integrals of one variable below, between and above ascending `edges`, shape (edges + 1,), and their error at most."""
    found = _integrated(problem, edges)
    between = np.zeros(len(edges) + 1)
    np.add.at(between, np.searchsorted(edges, found.middles[:, 0]), found.masses)
    return between, float(found.errors[0])


def _integrated(problem: Langevin, edges: Array) -> _Search:
    """Integrals over boxes that no edge divides."""
    with np.errstate(all="ignore"):
        point = problem.start
        while True:
            search = _Search(problem, *_lowest(problem, point), edges)
            lower = search.searched()
            if lower is None:
                search.integrate()
                return search
            point = lower


def _lowest(problem: Langevin, point: Array) -> tuple[Array, float]:
    """The lower of a point and the minimum below it; of one variable, about the lowest point of some near and far; and E."""
    if problem.size == 1:
        tried, found, least = point + _AROUND[:, None], point, np.inf
        for _ in range(_CLOSER):
            energy = np.fmin(problem.energy_at(tried), np.inf)
            at = int(energy.argmin())
            gained = least - energy[at]
            if not gained > 0:
                break
            found, least = tried[at], float(energy[at])
            if gained < _ENOUGH * problem.temperature:
                break
            low, high = tried[max(at - 1, 0)], tried[min(at + 1, len(tried) - 1)]
            tried = low + (high - low) * _BETWEEN
        return found, least
    found = scipy.optimize.minimize(
        lambda x: float(problem.energy_at(x)), point, jac=problem.gradient_at, method="L-BFGS-B"
    ).x
    better = np.isfinite(found).all() and problem.energy_at(found) <= problem.energy_at(point)
    lowest = np.asarray(found if better else point, dtype=float)
    return lowest, float(problem.energy_at(lowest))


class _Search:
    def __init__(self, problem: Langevin, minimum: Array, least: float, edges: Array) -> None:
        self.problem, self.T, self.origin, self.edges = problem, problem.temperature, minimum, edges
        self.n = problem.size
        self.least = least
        self.rises = np.full((self.n, 2, _USUAL), np.inf)
        self.rises[:, :, _SPAN - 1 :] = self._rises(_STEPS[_SPAN - 1 : _USUAL])
        if not (self.rises[:, :, _SPAN - 1] >= _DEEP).all():
            self.rises = self._rises(_STEPS[:_USUAL])
        self.widths = self._widths()
        # A box in which E has risen by n² T at most: less than all of Z.
        self.log_z = float(np.log(2 * self.widths).sum()) - self.n**2
        self.values, self.errors = np.zeros((2, 1 + self.n + self.n**2))
        self.low, self.high = minimum.copy(), minimum.copy()
        self.shells = np.zeros(2)
        self.reach = self._reach()
        self.points, self.boxes = 0, 0
        self.flat: tuple[Array, ...] = ()
        self.middles = self.masses = edges

    def _energy(self, x: Array) -> Array:
        """(E − E₀)/T; what is not defined has no weight."""
        return np.fmin((self.problem.energy_at(x) - self.least) / self.T, np.inf)

    def _rises(self, steps: Array) -> Array:
        """(E − E₀)/T at each step from the minimum, and the opposite one, along each axis, shape (axes, 2, steps)."""
        return self._energy(self.origin + (_WAYS * steps)[:, :, None] * np.eye(self.n)[:, None, None])

    def _widths(self) -> Array:
        """How far from the minimum E rises by T along each axis, within a factor of two."""
        within = self.rises.max(axis=1) <= 1
        steps = _STEPS[within.argmax(axis=1)]
        if not within.any(axis=1).all():
            self.rises = self._rises(_STEPS)
            within = self.rises.max(axis=1) <= 1
            within[:, -1] = True
            steps = _STEPS[within.argmax(axis=1)]
        return steps

    def _reach(self) -> float:
        """Half the width of the first box."""
        deep = self.rises[:, :, _SPAN - 1 :: -1].min(axis=(0, 1)) >= _DEEP
        return float(_STEPS[_SPAN - 1 - deep.argmax()]) if deep.any() else float(_STEPS[0])

    def searched(self) -> Array | None:
        """Halve boxes until each is left out or flat enough for a rule; or a point that lies lower by more than T."""
        low, high = self._first_boxes()
        flat: list[tuple[Array, Array]] = []
        while len(low):
            self.boxes += len(low)
            middle = 0.5 * (low + high)
            here = self._energy(middle)
            if here.min() < -1:
                return middle[here.argmin()]
            slopes, bound, lost, ready = self._judged(low, high, here)
            self._lose(low, high, bound, lost)
            flat.append((low[ready], high[ready]))
            left = ~(lost | ready)
            if not left.any():
                break
            if self.boxes > _BOXES:
                # What is not known to be flat may hold as much as its bound says.
                self._lose(low, high, bound, left)
                break
            low, high = _halved(low[left], high[left], slopes[left])
        self.flat = _joined(flat)
        return None

    def _first_boxes(self) -> tuple[Array, Array]:
        """The first box; of one variable, octaves of it far from the law, cut near it as the energy looks, and at edges."""
        first = _LAST - int(math.log2(self.reach))
        left, right = (self._place(side) for side in (1, 0)) if self.n == 1 else (0, 0)
        if min(left, right) < first + 2:
            inner = self.edges.reshape(-1, self.n)
            return np.vstack([self.origin - self.reach, inner]), np.vstack([inner, self.origin + self.reach])
        cuts = np.concatenate([
            -_STEPS[first : left + 1], self._cuts(-_STEPS[left], _STEPS[right]), _STEPS[first : right + 1][::-1],
        ])  # fmt: skip
        cuts = self.origin + cuts
        if len(self.edges):
            cuts = np.sort(np.concatenate([cuts, self.edges]))
        return cuts[:-1, None], cuts[1:, None]

    def _place(self, side: int) -> int:
        """Which of the steps, of one variable, leads to where nothing counts on that side, or nearly so."""
        place = _LAST - int(math.log2(_NEAR * self.widths[0]))
        for _ in range(_WIDER):
            if place <= 0 or self.rises[0, side, place] > _NOTHING:
                break
            place -= 1
        return place

    def _cuts(self, low: float, high: float) -> Array:
        """Ends of boxes of one variable between two places about the minimum, in which a rule may find E/T flat enough.

        What is not, since the energy was looked at in places only, is halved like any other.
        """
        places = low + (high - low) * _PLACES
        energy = np.minimum(np.maximum(self._energy((self.origin + places)[:, None]), -1.0), 700.0)
        lighter = np.exp(np.minimum(-np.minimum(energy[1:], energy[:-1]), 0) / _LIGHTER)
        # Where the energy turns it changes little along what bends much.
        changes = abs(energy[1:] - energy[:-1]) + (places[1] - places[0]) / self.widths[0]
        so_far = np.zeros(len(places))
        np.cumsum(changes * (lighter / _CUT), out=so_far[1:])
        return np.interp(np.arange(1.0, so_far[-1]), so_far, places)

    def integrate(self) -> None:
        """Integrate over what was found, and bound the rest."""
        low, high = self.flat
        if not len(low):
            raise BadInput(
                "boltzmann_law: no place is found where the law has any weight: the energy falls without end, or its law is "
                f"wider than {_LAST:.0e}; give an energy that is bounded below and rises in all directions."
            )
        self.low, self.high = low.min(axis=0), high.max(axis=0)
        self._add(low, high)
        self._beyond()

    def integrals(self) -> Integrals:
        """What was found, with middles of boxes in even steps of the law's share."""
        total = np.cumsum(self.masses)
        places = np.minimum(np.searchsorted(total, _EVEN * total[-1]), len(total) - 1)
        return Integrals(self.origin, self.least, self.values, self.errors, self.low, self.high, self.middles[places])

    def _judged(self, low: Array, high: Array, here: Array) -> tuple[Array, Array, Mask, Mask]:
        """How much E/T changes along half sides at most, ln of what boxes can hold, which are next to nothing, which flat.

        Slopes are looked at only where the formula itself says too little.
        """
        half = 0.5 * (high - low)
        natural, slopes_of = ranges_of(self.problem.energy, self.problem.variables, low, high)
        floor, width = (natural.low - self.least) / self.T, (natural.high - natural.low) / self.T
        volume = _over(np.add, np.log(2 * half))
        held = volume + 2 * np.log1p(_over(np.maximum, self._far(low, high) / self.widths)) - self.log_z
        lost, flat = self._resolved(held - floor, width)
        slopes, unsure = low, ~(lost | flat)
        if unsure.any():
            slopes = np.full(low.shape, np.inf)
            for k, steep in enumerate(slopes_of()):
                steepest = np.fmin(np.maximum(-steep.low, steep.high), np.inf)
                slopes[unsure, k] = (steepest * half[:, k] / self.T)[unsure]
            change = _over(np.add, slopes[unsure])
            floor[unsure] = np.fmax(floor[unsure], here[unsure] - change)
            width[unsure] = np.fmin(width[unsure], 2 * change)
            lost[unsure], flat[unsure] = self._resolved((held - floor)[unsure], width[unsure])
        return slopes, volume - floor, lost, flat

    def _resolved(self, share: Array, width: Array) -> tuple[Mask, Mask]:
        """Which boxes hold next to nothing, and which others are flat enough for a rule; what is not known is neither."""
        lost = share < _NEGLIGIBLE[self.n]
        return lost, ~lost & (width <= _VARIATION * self.n * np.exp(np.maximum(-share, 0) / _LIGHTER))

    def _far(self, low: Array, high: Array) -> Array:
        """Largest distance from the origin along each axis, shape (boxes, n)."""
        return np.maximum(abs(low - self.origin), abs(high - self.origin))

    def _lose(self, low: Array, high: Array, bound: Array, lost: Mask) -> None:
        """Count boxes that are left out with what they hold at most."""
        some = lost & ~(bound <= -700)
        if some.any():
            self._count(self.errors, np.fmin(np.exp(bound[some]), np.inf), self._far(low[some], high[some]))

    def _count(self, into: Array, held: Array, far: Array) -> None:
        n = self.n
        into[0] += held.sum()
        into[1 : 1 + n] += held @ far
        into[1 + n :] += (far.T @ (held[:, None] * far)).ravel()

    def _add(self, low: Array, high: Array) -> None:
        """Integrate over boxes by two rules, and halve those where they differ."""
        offsets, powers = _rules(self.n)
        points = len(offsets)
        scales = np.concatenate([[1.0], self.widths, (self.widths[:, None] * self.widths).ravel()])
        step = max(1, _CHUNK // points)
        total = 0.0
        parts: list[tuple[Array, Array]] = []
        far_out = np.maximum(self.origin - self.low, self.high - self.origin).max() > self.reach / 4
        while len(low):
            again: list[tuple[Array, Array]] = []
            for first in range(0, len(low), step):
                a, b = low[first : first + step], high[first : first + step]
                middle, half = 0.5 * (a + b), 0.5 * (b - a)
                self.points += len(a) * points
                found, coarse = self._by_rules(middle, half, offsets, powers)
                off = abs(found - coarse)
                total = max(total, float(found[:, 0].sum()), float(self.values[0]))
                size = abs(found)
                worst, own = (_over(np.maximum, each / scales) for each in (off, size))
                good = (worst <= np.maximum(_SHARE[self.n] * total, _ROUNDING * own)) | (self.points > _POINTS)
                done = slice(None) if good.all() else good
                self.values += found[done].sum(axis=0)
                self.errors += (off[done] + _EPSILON * size[done]).sum(axis=0)
                parts.append((middle[done], found[done, 0]))
                if far_out:
                    self._in_shells(a[done], b[done], found[done])
                if not good.all():
                    again.append(_halved(a[~good], b[~good], self._changes(middle[~good], half[~good])))
            low, high = _joined(again) if again else (low[:0], high[:0])
        self.middles, self.masses = _joined(parts)

    def _by_rules(self, middle: Array, half: Array, offsets: Array, powers: Array) -> Array:
        """Integrals of 1, x − x₀ and products over each box by both rules, shape (2, boxes, 1 + n + n²)."""
        n, count = self.n, len(middle)
        density = np.exp(-self._energy(middle[:, None] + half[:, None] * offsets))
        # About a box's own middle moments are sums of one matrix; then they are moved to the origin.
        moments = (density @ powers) * _over(np.multiply, half)[:, None]
        mass, first = moments[..., :1], moments[..., 1 : 1 + n] * half
        second = moments[..., 1 + n :].reshape(2, count, n, n) * (half[:, :, None] * half[:, None, :])
        away = middle - self.origin
        moved = first + mass * away
        second += away[:, :, None] * first[..., None, :] + moved[..., None] * away[:, None, :]
        return np.concatenate([mass, moved, second.reshape(2, count, -1)], axis=-1)

    def _changes(self, middle: Array, half: Array) -> Array:
        """How much E/T changes from the middle of a box to its faces, each way, shape (boxes, n)."""
        here = self._energy(middle)
        moves = half[:, None, :] * np.eye(self.n)
        ahead, behind = (self._energy(middle[:, None, :] + sign * moves) for sign in (1, -1))
        changes = abs(ahead - here[:, None]) + abs(behind - here[:, None])
        return np.where(np.isfinite(changes), changes, np.inf) + 1e-9 * half / self.widths

    def _in_shells(self, low: Array, high: Array, found: Array) -> None:
        """Mass times the square of its distance in the last octaves of the first box: what is beyond goes on like it."""
        far = _over(np.maximum, self._far(low, high))
        for k in range(2):
            outside = (far > self.reach / 2 ** (2 - k)) & (far <= self.reach / 2 ** (1 - k) * (1 + 1e-9))
            self.shells[k] += (found[outside, 0] * far[outside] ** 2).sum()

    def _beyond(self) -> None:
        """Add what lies outside the first box, if it goes on as it came."""
        inner, outer = self.shells[:2]
        if outer > 0:
            ratio = outer / inner if inner > 0 else np.inf
            beyond = outer * ratio / (1 - ratio) if ratio < 1 else np.inf
            self._count(self.errors, np.array([beyond / self.reach**2]), np.full((1, self.n), self.reach))


def _halved(low: Array, high: Array, changes: Array) -> tuple[Array, Array]:
    """Both halves of each box, cut where `changes`, shape (boxes, n), is largest: across the longest side of several."""
    if not len(low):
        return low, high
    longest = np.where(changes >= changes.max(axis=1, keepdims=True) * (1 - 1e-9), high - low, -1.0)
    longest = np.where(np.isinf(changes), np.maximum(longest, high - low), longest)
    axis = longest.argmax(axis=1)
    rows = np.arange(len(low))
    middle = 0.5 * (low + high)[rows, axis]
    left, right = high.copy(), low.copy()
    left[rows, axis] = middle
    right[rows, axis] = middle
    return np.concatenate([low, right]), np.concatenate([left, high])


def _joined(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Pairs of arrays as one pair."""
    if len(parts) == 1:
        return parts[0]
    first, second = zip(*parts, strict=True)
    return np.concatenate(first), np.concatenate(second)


def _over(operation: np.ufunc, x: Array) -> Array:
    """A reduction along the short second axis, column by column, which is quicker than NumPy's own."""
    return functools.reduce(operation, x.T)


@functools.cache
def _rules(n: int) -> tuple[Array, Array]:
    """Places of Gauss's two rules on [−1, 1]ⁿ, shape (points, n), and what makes moments of densities there.

    That is weights times 1, places and their products, shape (2, points, 1 + n + n²); a place counts in one rule.
    """
    rules = [np.polynomial.legendre.leggauss(points) for points in _RULES[n]]
    grids = [np.stack(np.meshgrid(*[nodes] * n, indexing="ij"), axis=-1).reshape(-1, n) for nodes, _ in rules]
    weights = [functools.reduce(np.multiply.outer, [own] * n).ravel() for _, own in rules]
    places = np.concatenate(grids)
    products = (places[:, :, None] * places[:, None, :]).reshape(-1, n * n)
    powers = np.concatenate([np.ones((len(places), 1)), places, products], axis=1)
    first = np.arange(len(places)) < len(grids[0])
    return places, np.concatenate(weights)[:, None] * powers * np.stack([first, ~first])[:, :, None]
