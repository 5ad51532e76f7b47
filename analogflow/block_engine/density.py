"""The stationary law of a diffusion of one to three states: a solution of its Fokker-Planck equation on a grid.

Finite volumes whose flux along an edge is exact for the integral of the drift along it (D. Scharfetter and H. Gummel, IEEE
Transactions on Electron Devices 16 (1969) 64). Where the drift is the slope of an energy the probabilities at the nodes are
exact, and sums over nodes of what is smooth and vanishes at the edges of the grid converge faster than any power; what turns
is known to second order in the distance of the nodes, and extrapolated.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from analogflow.block_engine.diffusion import CircuitLaw, Diffusion

__all__ = ["MOST_STATES", "density_law"]

Array = NDArray[np.float64]

MOST_STATES = 3
"""States that a grid takes."""

_COARSE = {1: 256, 2: 32, 3: 14}
"""Nodes along each axis while the box is looked for."""

_GRIDS = {1: (256, 512, 1024, 2048, 8192, 32768), 2: (32, 48, 72, 108, 162, 243), 3: (14, 20, 28, 36)}
"""Nodes along each axis, one after another until two agree."""

_MOST_NODES = 30_000
"""Nodes with any law worth mentioning that are solved for in three variables: some ten seconds."""

_WANTED, _ALLOWED = 1e-5, 2e-3
"""Errors, in standard deviations and their products, below which no finer grid is tried, and above which there is no law."""

_EDGE, _NOTHING = 1e-9, 1e-14
"""Share of the largest marginal probability that a box may cut, and below which it holds nothing worth a node."""

_TRIES, _LIKELIER, _ROUNDING, _ROUNDED = 4, 1e3, 1e-10, 1e-12
"""How often a likelier node is taken, by how much it is likelier then, share below 0 that rounding explains, and what sums
over nodes are rounded by."""

_WIDER, _ROUNDS = 0.3, 40
"""Share of a box by which it grows where it cuts, and how often it may change."""

_AROUND, _SEEN = 6.0, 4.0
"""Standard deviations about each rest that a box begins with, and that it keeps while nodes are farther apart than one."""

_STARTS, _REACH, _STEPS = 16, 8, 50
"""Directions and distances from which rests are looked for, and steps there."""

_POINTS, _WEIGHTS = (
    0.5 * (part + shift) for part, shift in zip(np.polynomial.legendre.leggauss(4), (1.0, 0.0), strict=True)
)
"""Gauss's rule for the drift along an edge."""


def density_law(diffusion: Diffusion, near: Array) -> CircuitLaw | None:
    """Law of a diffusion of one to three noisy states, with what two grids differ by; None where a grid does not tell.

    That is so for more states, where a state has no noise of its own, where sources that drive several states change from
    place to place, where the law has no end that a box could hold, and where grids do not agree.

    Parameters
    ----------
    diffusion : Diffusion
    near : array, shape (k, n)
        Points about which the law is looked for first. It may lie elsewhere: the box moves, and holds all rests.
    """
    if diffusion.size > MOST_STATES:
        return None
    with np.errstate(all="ignore"):
        frame = _frame(diffusion, near)
        found = None if frame is None else _box(frame, near)
        return None if frame is None or found is None else _refined(frame, *found)


@dataclasses.dataclass(frozen=True, eq=False)
class _Frame:
    """Coordinates z, y = R z, in which each noise moves one coordinate; where it is constant the diffusion is 1."""

    diffusion: Diffusion
    axes: Array
    even: bool

    @functools.cached_property
    def inverse(self) -> Array:
        return np.asarray(np.linalg.inv(self.axes), dtype=float)

    @property
    def size(self) -> int:
        return len(self.axes)

    def drift(self, z: Array) -> Array:
        return self.diffusion.drift(z @ self.axes.T) @ self.inverse.T

    def spreading(self, z: Array, axis: int) -> Array:
        """½ Σ B² along an axis."""
        if self.even:
            return np.ones(len(z))
        return 0.5 * ((self.diffusion.spread(z @ self.axes.T)[:, axis] * self.inverse[axis, axis]) ** 2).sum(axis=-1)


def _frame(diffusion: Diffusion, near: Array) -> _Frame | None:
    if diffusion.constant:
        B = diffusion.spread(near[0])
        try:
            root = np.linalg.cholesky(0.5 * B @ B.T)
        except np.linalg.LinAlgError:
            return None
        if np.linalg.cond(root) > 1e6:
            return None
        # Along the principal axes of what is known of the law a box is filled best.
        turned = np.linalg.solve(root, near.T)
        _, turn = np.linalg.eigh(np.cov(turned).reshape(len(root), len(root)))
        return _Frame(diffusion, np.asarray(root @ turn, dtype=float), True)
    if not diffusion.own:
        return None
    widths = np.ptp(near, axis=0)
    return _Frame(diffusion, np.diag(np.where(widths > 0, widths, 1.0)), False)


@dataclasses.dataclass(frozen=True, eq=False)
class _Grid:
    """Nodes at equal distances in a box, its corners among them."""

    low: Array
    high: Array
    shape: tuple[int, ...]

    @functools.cached_property
    def axes(self) -> list[Array]:
        return [np.linspace(a, b, count) for a, b, count in zip(self.low, self.high, self.shape, strict=True)]

    @functools.cached_property
    def nodes(self) -> Array:
        """Shape (nodes, n), in C order."""
        return np.stack([axis.ravel() for axis in np.meshgrid(*self.axes, indexing="ij")], axis=-1)

    @property
    def step(self) -> Array:
        return (self.high - self.low) / (np.array(self.shape) - 1)

    def finer(self, count: int) -> _Grid:
        return _Grid(self.low, self.high, (count,) * len(self.shape))

    def likeliest(self, p: Array) -> Array:
        """The node with the largest probability."""
        return self.nodes[p.argmax()]


def _box(frame: _Frame, near: Array) -> tuple[_Grid, Array, float] | None:
    """A coarse grid whose box holds the law, its probabilities, and how much of it the box cuts off."""
    points = near @ frame.inverse.T
    low, high = points.min(axis=0), points.max(axis=0)
    rests, widths = _rests(frame, 0.5 * (low + high), np.maximum(high - low, 1e-3 * abs(low + high) + 1e-9))
    around = np.minimum(_AROUND * widths, high - low)
    low, high = np.min([low, *(rests - around)], axis=0), np.max([high, *(rests + around)], axis=0)
    likely = rests[0] if len(rests) else 0.5 * (low + high)
    count = _COARSE[frame.size]
    for _ in range(_ROUNDS):
        grid = _Grid(low, high, (count,) * frame.size)
        p = _probabilities(frame, grid, likely)
        if p is None:
            return None
        likely = grid.likeliest(p)
        low, high, cut = _moved(grid, p, rests, widths)
        if np.array_equal(low, grid.low) and np.array_equal(high, grid.high):
            return grid, p, cut
        if not np.isfinite(high - low).all():
            return None
    return None


def _moved(grid: _Grid, p: Array, rests: Array, widths: Array) -> tuple[Array, Array, float]:
    """Corners of a box that cuts off less and holds less of nothing, and how much of the law this one cuts off."""
    low, high, cut = grid.low.copy(), grid.high.copy(), 0.0
    for axis, (places, step) in enumerate(zip(grid.axes, grid.step, strict=True)):
        marginal = p.sum(axis=tuple(k for k in range(p.ndim) if k != axis))
        marginal = marginal / marginal.max()
        cut += float(marginal[0] + marginal[-1])
        held = np.flatnonzero(marginal > _NOTHING)
        least, most = places[max(held[0] - 1, 0)], places[min(held[-1] + 1, len(places) - 1)]
        if step > widths[:, axis].min(initial=np.inf):  # what lies between two nodes is not seen; where it may, is known
            near = _SEEN * widths[:, axis]
            least = min(least, max(places[0], (rests[:, axis] - near).min()))
            most = max(most, min(places[-1], (rests[:, axis] + near).max()))
        wider = _WIDER * (places[-1] - places[0])
        low[axis] = places[0] - wider if marginal[0] > _EDGE else least
        high[axis] = places[-1] + wider if marginal[-1] > _EDGE else most
    return low, high, cut


def _rests(frame: _Frame, middle: Array, widths: Array) -> tuple[Array, Array]:
    """Where the drift comes to rest from all about, shape (k, n), and the widths of the law there, each at its own."""
    n = frame.size
    draws = np.random.default_rng(0).normal(size=(_STARTS if n > 1 else 1, n))
    directions = np.concatenate([np.eye(n), -np.eye(n), draws / np.linalg.norm(draws, axis=1, keepdims=True)])
    z = (middle + widths * directions * 2.0 ** np.arange(-2, _REACH - 2)[:, None, None]).reshape(-1, n)
    field, step = frame.diffusion.field, np.full(len(z), 1e-2)

    def slopes(z: Array) -> Array:
        return frame.inverse @ field.jacobian(z @ frame.axes.T) @ frame.axes

    for _ in range(_STEPS):  # implicit steps in time, ever longer: they end where the motion does, on nothing unstable
        ok = np.isfinite(z).all(axis=1)
        z, step = z[ok], step[ok]
        matrices = np.eye(n) / step[:, None, None] - slopes(z)
        good = np.isfinite(matrices).all(axis=(1, 2))
        z, step, matrices = z[good], step[good], matrices[good]
        if not len(z):
            break
        moved = np.linalg.solve(matrices + 1e-300 * np.eye(n), frame.drift(z)[..., None])[..., 0]
        z, step = z + moved, np.minimum(1.5 * step, 1e6)
    found = []
    for point in z[np.isfinite(z).all(axis=1)]:
        slope = slopes(point[None])[0]
        if not np.isfinite(slope).all() or not np.linalg.eigvals(slope).real.max() < 0:
            continue
        spread = np.array([float(frame.spreading(point[None], k)[0]) for k in range(n)])
        # Of a motion that turns, the slowest rate stands for all: wider is no harm here.
        width = np.sqrt(spread / abs(np.linalg.eigvals(slope).real).min())
        left = np.linalg.solve(slope, frame.drift(point[None])[0])
        rests = np.isfinite(width).all() and (abs(left) <= 1e-3 * np.minimum(width, widths)).all()
        if rests and not any((abs(point - there) < 1e-3 * width).all() for there, _ in found):
            found.append((point, width))
    return tuple(np.array([each[k] for each in found]).reshape(-1, n) for k in (0, 1))  # pyright: ignore[reportReturnType]


def _refined(frame: _Frame, box: _Grid, coarse: Array, cut: float) -> CircuitLaw | None:
    """Moments on ever finer grids, until two agree when each is extrapolated from the one before it."""
    before: tuple[Array, int] | None = None
    extrapolated: Array | None = None
    best: CircuitLaw | None = None
    likely = box.likeliest(coarse)
    for count in _GRIDS[frame.size]:
        grid = box.finer(count)
        kept = _kept(grid, coarse)
        p = None if kept is None else _probabilities(frame, grid, likely, kept)
        if p is None:
            break
        moments = _moments(grid, p)
        if before is not None:
            change = (moments - before[0]) / (((count - 1) / (before[1] - 1)) ** 2 - 1)  # of second order at worst
            found = moments + change
            widths = np.sqrt(np.abs(np.diag(found[1:])))
            unit = np.vstack([widths, np.outer(widths, widths)])
            # What a number changes by may be small by chance; the largest change is held to be that of all.
            off = float((abs(change if extrapolated is None else found - extrapolated) / unit).max())
            best = _law(frame, found, off * unit, cut, grid)
            extrapolated = found
            if _error(best) <= _WANTED:
                break
        before = moments, count
    return best if best is not None and _error(best) <= _ALLOWED else None


def _error(law: CircuitLaw) -> float:
    """Largest gap, in standard deviations and their products."""
    widths = np.sqrt(np.diag(law.covariance))
    found = np.max([(law.mean_gap / widths).max(), (law.covariance_gap / np.outer(widths, widths)).max()])
    return float(found) if np.isfinite(found) else np.inf


def _kept(grid: _Grid, coarse: Array) -> NDArray[np.bool_] | None:
    """Nodes that are solved for: all, but in three variables those that hold anything; None where they are too many."""
    everywhere = np.ones(grid.shape, dtype=bool)
    if coarse.ndim < MOST_STATES:
        return everywhere
    places = np.meshgrid(*[np.linspace(0, side - 1, count) for side, count in zip(coarse.shape, grid.shape, strict=True)],
                         indexing="ij")  # fmt: skip
    heights = ndimage.map_coordinates(np.log(np.maximum(coarse / coarse.max(), 1e-300)), places, order=1, mode="nearest")
    kept = heights > np.log(_NOTHING)
    if (
        ndimage.label(kept, output=np.empty(kept.shape, dtype=np.int32)) != 1
    ):  # what is parted by a high pass hangs together by it
        kept = everywhere
    return kept if kept.sum() <= _MOST_NODES else None


def _probabilities(frame: _Frame, grid: _Grid, likely: Array, kept: NDArray[np.bool_] | None = None) -> Array | None:
    """Probabilities of the nodes that the motion leaves alone, in the grid's shape; None where they are no numbers.

    `likely` is a point that the law visits often, and `kept` says which nodes are solved for.
    """
    nodes = grid.nodes
    order = np.arange(len(nodes)).reshape(grid.shape)
    inside = np.ones(len(nodes), dtype=bool) if kept is None else kept.ravel()
    rows: list[NDArray[np.intp]] = []
    columns: list[NDArray[np.intp]] = []
    values: list[Array] = []
    for axis, step in enumerate(grid.step):
        left, right = (np.take(order, range(k, grid.shape[axis] - 1 + k), axis=axis).ravel() for k in (0, 1))
        both = inside[left] & inside[right]
        left, right = left[both], right[both]
        along = np.eye(frame.size)[axis] * step
        push = np.zeros(len(left))
        for point, weight in zip(_POINTS, _WEIGHTS, strict=True):
            z = nodes[left] + point * along
            push += weight * step * frame.drift(z)[:, axis] / frame.spreading(z, axis)
        # Along an edge √D p goes by the integral of a/D: what Stratonovich reads has no slope of D beside it.
        root = np.sqrt(frame.spreading(nodes, axis))
        if frame.size == 1:
            heights = np.concatenate([[0.0], np.cumsum(push)]) - np.log(root)
            p = np.exp(heights - heights.max())
            return p / p.sum() if np.isfinite(heights).all() else None
        between = np.sqrt(frame.spreading(nodes[left] + 0.5 * along, axis)) / step**2
        forward, backward = between * _bernoulli(-push) * root[left], between * _bernoulli(push) * root[right]
        rows += [right, left, left, right]
        columns += [left, left, right, right]
        values += [forward, -forward, backward, -backward]
    entries = np.concatenate(values)
    if not np.isfinite(entries).all():
        return None
    triples = (entries, (np.concatenate(rows), np.concatenate(columns)))
    held = np.flatnonzero(inside)
    generator = sparse.csc_array(sparse.coo_array(triples, shape=(order.size, order.size)))[held][:, held]
    found = _unmoved(generator, int(np.argmin((abs(nodes[held] - likely) / grid.step).max(axis=1))))
    if found is None:
        return None
    p = np.zeros(order.size)
    p[held] = found
    return p.reshape(grid.shape)


def _unmoved(generator: Any, fixed: int) -> Array | None:
    """Probabilities that a generator, whose columns sum to 0, leaves alone; `fixed` is a likely node.

    Of the equations one is left out, and the others are solved without pivots: the matrix is dominated by its diagonal,
    column by column. Only if the node left out is likely are the others' probabilities known to their rounding.
    """
    size = len(generator.diagonal())
    if connected_components(generator, directed=False, return_labels=False) != 1:
        return None
    for _ in range(_TRIES):
        others = np.arange(size) != fixed
        matrix, column = generator[others][:, others], generator[:, [fixed]].toarray().ravel()[others]
        try:
            factors = splu(
                matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
        except RuntimeError:  # a pivot is 0
            return None
        p = np.ones(size)
        p[others] = factors.solve(-column)
        if not np.isfinite(p).all():
            return None
        largest = int(np.argmax(abs(p)))
        if abs(p[largest]) <= _LIKELIER and p.min() >= -_ROUNDING * abs(p[largest]):
            p = np.maximum(p, 0.0)
            return p / p.sum()
        fixed = largest
    return None


def _moments(grid: _Grid, p: Array) -> Array:
    """Means and covariances in z, shape (1 + n, n)."""
    shares = p.ravel()
    mean = shares @ grid.nodes
    centred = grid.nodes - mean
    return np.vstack([mean, centred.T @ (shares[:, None] * centred)])


def _law(frame: _Frame, moments: Array, errors: Array, cut: float, grid: _Grid) -> CircuitLaw:
    """The law in the graph's units; what the box cuts off, and rounding, are added to the errors."""
    size, width = np.maximum(abs(grid.low), abs(grid.high)), grid.high - grid.low
    lost, rounding = cut + _ROUNDED, np.finfo(float).eps * size
    mean_error = errors[0] + lost * width + rounding
    covariance_error = errors[1:] + lost * np.outer(width, width) + np.outer(rounding, width) + np.outer(width, rounding)
    R = frame.axes
    return CircuitLaw(
        mean=R @ moments[0],
        mean_gap=abs(R) @ mean_error,
        covariance=R @ moments[1:] @ R.T,
        covariance_gap=abs(R) @ covariance_error @ abs(R).T,
        method="quadrature" if frame.size == 1 else "fokker-planck",
    )


def _bernoulli(x: Array) -> Array:
    """x/(eˣ − 1), 1 at 0."""
    small = abs(x) < 1e-8
    return np.where(small, 1 - 0.5 * x, x / np.expm1(np.where(small, 1.0, np.clip(x, -700, 700))))
