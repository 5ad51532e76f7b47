"""Law of a saturating network: by summing over its smaller layer, or by exact sampling where that is too large.

Given one layer, each unit of the other is alone. Units become few values each (`hopfield_rules`), and what is left is a sum
over all combinations of one layer's, the other summed out; halves of the layer meet in products of matrices.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.problems import Hopfield
from analogflow.reference.hopfield_rules import Fields, Rule, Rules, mean_activations
from analogflow.reference.hopfield_units import Conditional, Layer

__all__ = ["NetworkSums", "by_quadrature", "by_sampling", "layers", "summed", "within_reach"]

Array = NDArray[np.float64]

_USABLE = 0.02
"""Error of a unit, in its own widths, up to which a sum is made at all."""

_ENOUGH = ((1_500_000, 1e-13), (150_000_000, 1e-6), (800_000_000, 3e-3))
"""Combinations of a layer's values times units of the other, and the error of a unit that is aimed at with so many."""

_ONE_BY_ONE = 1_000_000_000
"""Combinations times nodes of the other layer at most where exponents are too large to be multiplied, and logarithms are
taken of each."""

_LARGEST_EXPONENT = 500.0

_FIRST, _PLATEAU = 4, 1e-8
"""Nodes of a unit at first; errors below which these may be rounding."""

_CHUNK, _BLOCK = 20_000, 60_000
"""Combinations that are taken together, one by one and as products of matrices."""

_ROUNDING = 1e-14

_CHAINS, _SWEEPS, _FORGOTTEN = 256, 240, 40

_ERRORS = 5.0
"""Standard errors that count as a bound, for all numbers of a law."""


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkSums:
    """Averages over a network's law of a value x of each unit, visible units before hidden ones.

    Parameters
    ----------
    mean : array, shape (n + m,)
        ⟨x⟩.
    covariance : array, shape (n + m, n + m)
    log_z : float
        Logarithm of ∫ e^{−E/T} dg df.
    gap : float
        Bound on the error of any number of `mean` and `covariance`.
    lost : float
        Bound on the error of `log_z`.
    """

    mean: Array
    covariance: Array
    log_z: float
    gap: float
    lost: float


def by_quadrature(problem: Hopfield) -> tuple[Array, Array, float] | None:
    """Mean, covariance and a bound on the error of any of their numbers; None where layers are too large or too cold."""
    found = summed(problem)
    return None if found is None else (found.mean, found.covariance, found.gap)


def summed(problem: Hopfield, *, activations: bool = False) -> NetworkSums | None:
    """Averages of the states (v, h), or of the activations (g, f); None where the sum would be too large or too rough.

    The exponent gᵀUf/T is (g − ḡ)ᵀU(f − f̄)/T and what goes into the rules of the units, made for the fields of ḡ and f̄.
    All integrals are of positive terms, so that an error that each unit's weight has at most, whatever its field, is no
    larger in the whole. Where the largest singular value σ of √G U √F is below 1 the law is log-concave, and fields have no
    heavier tails than a Gaussian of variance T Σ F U²/(1 − σ²) (S. G. Bobkov and M. Ledoux, Geom. Funct. Anal. 10 (2000)
    1028), by which errors are weighted; else any field between those of activations of ±1 counts in full.
    """
    rules, centre, mid = _rules(problem, activations=activations)
    n = problem.visible
    first = n <= problem.hidden
    outer, inner = (rules[:n], rules[n:]) if first else (rules[n:], rules[:n])
    sizes = _sizes(outer, len(inner))
    if sizes is None:
        return None
    few = [unit.rule(size) for unit, size in zip(outer, sizes, strict=True)]
    rough = max(unit.error(size) for unit, size in zip(outer, sizes, strict=True))
    many = [_fine(unit, max(_ENOUGH[0][1], 0.1 * rough)) for unit in inner]
    coupling = (problem.U if first else problem.U.T) / problem.temperature
    away = [rule.nodes - part for rule, part in zip([*few, *many], mid if first else np.r_[mid[n:], mid[:n]], strict=True)]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = _moments(_Layers(few, many, coupling, away[: len(few)], away[len(few) :]))
    if found is None:
        return None
    order = np.arange(problem.size) if first else np.r_[len(few) : problem.size, : len(few)]
    mean, square, active = found.mean[order], found.square[np.ix_(order, order)], found.active[order]
    errors = np.array([rule.errors for rule in [*few, *many]])
    lost, off, off_square = float(np.expm1(errors[:, 0].sum())), float(errors[:, 1].max()), float(errors[:, 2].max())
    # A share that is lost moves no average by more than about that times the root of its square.
    spread = float(np.sqrt(np.diag(square).max()))
    off += 2 * lost * spread
    gap = max(off, 2 * off * spread + off_square + 2 * lost * spread**2)
    gap = (1 + lost) * gap + _ROUNDING * max(spread, spread**2, float(abs(centre).max()))
    if not all(unit.fields.met(field) for unit, field in zip(rules, _fields(problem, active), strict=True)):
        gap = np.inf
    log_z = found.log_total + sum(unit.log_scale for unit in rules) - mid[:n] @ problem.U @ mid[n:] / problem.temperature
    return NetworkSums(
        centre + mean, square - np.outer(mean, mean), float(log_z), float(gap), lost + _ROUNDING * float(abs(log_z))
    )


def within_reach(problem: Hopfield) -> bool:
    """Whether the units' rules leave no more than can be summed over, which is known before anything is."""
    rules, n = _rules(problem, activations=False)[0], problem.visible
    outer = rules[:n] if n <= problem.hidden else rules[n:]
    return _sizes(outer, problem.size - len(outer)) is not None


def _rules(problem: Hopfield, *, activations: bool) -> tuple[list[Rules], Array, Array]:
    """Rules of all units, values near their averages, and activations that they are made for."""
    visible, hidden = layers(problem)
    sigma, n = problem.norm, problem.visible
    mid = np.zeros(problem.size)
    if sigma < 1:
        mid = np.concatenate(mean_activations(visible, hidden, sigma))
    made_for = _fields(problem, mid)
    centre = mid if activations else made_for
    rules = []
    for k in range(problem.size):
        layer, other, own = (visible, hidden, k) if k < n else (hidden, visible, k - n)
        row = layer.weights[own]
        width = np.sqrt(problem.temperature * row**2 @ other.gains / (1 - sigma**2)) if sigma < 1 else np.inf
        reach = float(abs(row).sum())
        fields = Fields(layer.inputs[own] - reach, layer.inputs[own] + reach, float(made_for[k]), float(width))
        gain, at = layer.gains[own], centre[k]

        def values(x: Array, gain: float = gain, at: float = at) -> Array:
            y = np.tanh(x)
            away = (y if activations else x / gain) - at
            return np.stack([away, away**2, y])

        rules.append(Rules(layer.unit(own), fields, values))
    return rules, centre, mid


def _fields(problem: Hopfield, activations: Array) -> Array:
    """Fields of all units, shape (n + m,), where the others have such activations."""
    n = problem.visible
    return np.concatenate([problem.I + problem.U @ activations[n:], problem.U.T @ activations[:n]])


def _sizes(units: Sequence[Rules], others: int) -> list[int] | None:
    """Nodes of each unit of the layer that is summed over: as many as help, or as there may be combinations of."""
    sizes, full = [_FIRST] * len(units), np.zeros(len(units), dtype=bool)
    if float(_FIRST) ** len(units) * others > _ENOUGH[-1][0]:
        return None
    while True:
        errors = np.array([unit.error(size) for unit, size in zip(units, sizes, strict=True)])
        k = int(np.argmax(np.where(full, -1.0, errors)))
        total = float(np.prod(sizes, dtype=float)) * others / sizes[k] * units[k].following(sizes[k])
        aims = [aim for most, aim in _ENOUGH if total <= most]
        if full.all() or not aims or errors[k] <= min(aims):
            return sizes if errors.max() <= _USABLE else None
        more = _better(units[k], sizes[k])
        full[k] = not more
        sizes[k] = more or sizes[k]


def _better(unit: Rules, size: int) -> int:
    """Some nodes more, or where errors may be rounding as many more as help; 0 where none do."""
    found, more = unit.error(size), size
    for _ in range(1 if found > _PLATEAU else 3):
        more = unit.following(more)
        if more and (found > _PLATEAU or unit.error(more) < 0.5 * found):
            return more
    return 0


def _fine(unit: Rules, aim: float) -> Rule:
    """The rule of a unit of the layer that is summed out, where more nodes cost little."""
    size = _FIRST
    while unit.error(size) > aim and (more := _better(unit, size)):
        size = more
    return unit.rule(size)


@dataclasses.dataclass(frozen=True, eq=False)
class _Layers:
    """The layer that is summed over and the one that is summed out, as rules; couplings over T, nodes less their middle."""

    outer: list[Rule]
    inner: list[Rule]
    coupling: Array
    outer_away: list[Array]
    inner_away: list[Array]

    def part(self, units: range) -> tuple[Any, Array, Array]:
        """Combinations of some outer units: their nodes, shape (points, units), logarithms of weights, and fields."""
        grids = np.meshgrid(*[np.arange(len(self.outer[k].nodes)) for k in units], indexing="ij")
        chosen = np.stack([grid.ravel() for grid in grids], axis=1) if grids else np.zeros((1, 0), dtype=int)
        logs, fields = np.zeros(len(chosen)), np.zeros((len(chosen), len(self.inner)))
        for k, nodes in zip(units, chosen.T, strict=True):
            logs += self.outer[k].log_weights[nodes]
            fields += self.outer_away[k][nodes, None] * self.coupling[k]
        return chosen, logs, fields

    def values(self, units: range, chosen: Array) -> Array:
        """Features of some outer units at combinations, shape (features, points, units)."""
        shape = (3, len(chosen), 0)
        parts = [self.outer[k].features[:, nodes] for k, nodes in zip(units, chosen.T, strict=True)]
        return np.stack(parts, axis=2) if parts else np.zeros(shape)


@dataclasses.dataclass(frozen=True, eq=False)
class _Found:
    """Averages of first features, of their products and squares, and of third features; outer units before inner ones."""

    mean: Array
    square: Array
    active: Array
    log_total: float


def _moments(layers: _Layers) -> _Found | None:
    """Averages by products of matrices, where no unit's exponent leaves the range of numbers; else one by one, if few."""
    k = len(layers.outer)
    units = range((k + 1) // 2), range((k + 1) // 2, k)
    left, right = (layers.part(half) for half in units)
    reach = abs(left[2]).max(axis=0) + abs(right[2]).max(axis=0)
    own = [
        float(size * abs(away).max()) + float(abs(rule.log_weights).max())
        for size, away, rule in zip(reach, layers.inner_away, layers.inner, strict=True)
    ]
    points = len(left[0]) * len(right[0])
    if max(own) <= _LARGEST_EXPONENT:
        whole = sum(own) + np.ptp(left[1]) + np.ptp(right[1])
        found = _by_halves(layers, units, left, right, logarithms=bool(whole > _LARGEST_EXPONENT))
    elif points * sum(len(rule.nodes) for rule in layers.inner) <= _ONE_BY_ONE:
        found = _one_by_one(layers)
    else:
        return None
    return found if np.isfinite(found.square).all() and np.isfinite(found.log_total) else None


def _by_halves(
    layers: _Layers, units: Sequence[range], left: Sequence[Array], right: Sequence[Array], *, logarithms: bool
) -> _Found:
    """Sum over combinations of both halves of the outer layer: a row for each of the left, a column for each of the right.

    What an inner unit is summed out to is a matrix of a rank as low as its rule has nodes. Their product is taken by
    `logarithms` where it may leave the range of numbers.
    """
    m = len(layers.inner)
    (nodes, logs, fields), (others, other_logs, other_fields) = left, right
    a, b = layers.values(units[0], nodes), layers.values(units[1], others)
    first_top = float(logs.max()) + float(other_logs.max())
    top, log_weights = (-np.inf, logs) if logarithms else (first_top, logs - first_top)
    exponents = [
        (fields[:, [j]] * away, np.exp(other_fields[:, [j]] * away).T.copy()) for j, away in enumerate(layers.inner_away)
    ]
    rows, columns = np.zeros(len(nodes)), np.zeros(len(others))
    inner_rows, inner_columns = np.zeros((len(nodes), m)), np.zeros((m, len(others)))
    across, products = np.zeros((a.shape[2], b.shape[2])), np.zeros((m, m))
    marginal = [np.zeros(len(rule.nodes)) for rule in layers.inner]
    sums = [rows, columns, inner_rows, inner_columns, across, products, *marginal]
    block = max(1, _BLOCK // len(others))
    for start in range(0, len(nodes), block):
        part = slice(start, start + block)
        count = len(nodes[part])
        heights = log_weights[part, None] + other_logs
        means = np.empty((m, count, len(others)))
        inverse, ups = [], []
        for j, (rule, (exponent, beside)) in enumerate(zip(layers.inner, exponents, strict=True)):
            up = np.exp(exponent[part] + rule.log_weights)
            whole = up @ beside
            np.matmul(up * rule.features[0], beside, out=means[j])
            np.divide(1.0, whole, out=whole)
            means[j] *= whole
            inverse.append(whole)
            ups.append(up)
        if logarithms:
            for whole in inverse:
                heights -= np.log(whole)
            higher = max(top, float(heights.max()))
            for array in sums:
                array *= np.exp(top - higher)
            top = higher
            heights -= top
        density = np.exp(heights, out=heights)
        if not logarithms:
            for whole in inverse:
                density /= whole
        rows[part] = density.sum(axis=1)
        columns += density.sum(axis=0)
        across += a[0, part].T @ (density @ b[0])
        for j, whole in enumerate(inverse):
            whole *= density
            marginal[j] += (ups[j] * (whole @ exponents[j][1].T)).sum(axis=0)
        weighted = means * density
        inner_rows[part] = weighted.sum(axis=2).T
        inner_columns += weighted.sum(axis=1)
        products += weighted.reshape(m, -1) @ means.reshape(m, -1).T
    total = rows.sum()
    halves = [(a, rows, inner_rows), (b, columns, inner_columns.T)]
    first = np.concatenate([share @ values[0] for values, share, _ in halves])
    square = np.concatenate([share @ values[1] for values, share, _ in halves])
    active = np.concatenate([share @ values[2] for values, share, _ in halves])
    own = [values[0].T @ (share[:, None] * values[0]) for values, share, _ in halves]
    outer = np.block([[own[0], across], [across.T, own[1]]])
    mixed = np.concatenate([values[0].T @ inner for values, _, inner in halves])
    laws = [rule.features @ law for rule, law in zip(layers.inner, marginal, strict=True)]
    np.fill_diagonal(outer, square)
    np.fill_diagonal(products, [law[1] for law in laws])
    return _Found(
        np.concatenate([first, [law[0] for law in laws]]) / total,
        np.block([[outer, mixed], [mixed.T, products]]) / total,
        np.concatenate([active, [law[2] for law in laws]]) / total,
        float(np.log(total)) + top,
    )


def _one_by_one(layers: _Layers) -> _Found:
    """The same sum by logarithms, for exponents of any size."""
    units = range(len(layers.outer))
    chosen, logs, fields = layers.part(units)
    size = len(units) + len(layers.inner)
    total, top = 0.0, -np.inf
    first, active, square = np.zeros(size), np.zeros(size), np.zeros((size, size))
    for start in range(0, len(chosen), _CHUNK):
        part = slice(start, start + _CHUNK)
        values = layers.values(units, chosen[part])
        heights = logs[part].copy()
        inner = np.empty((3, len(heights), len(layers.inner)))
        for j, (rule, away) in enumerate(zip(layers.inner, layers.inner_away, strict=True)):
            exponents = fields[part, [j]] * away + rule.log_weights
            highest = exponents.max(axis=1)
            share = np.exp(exponents - highest[:, None])
            whole = share.sum(axis=1)
            heights += highest + np.log(whole)
            inner[:, :, j] = rule.features @ share.T / whole
        higher = max(top, float(heights.max()))
        shrink, top = np.exp(top - higher), higher
        share = np.exp(heights - top)
        both = np.concatenate([values, inner], axis=2)
        products = (both[0] * share[:, None]).T @ both[0]
        np.fill_diagonal(products, share @ both[1])
        total = total * shrink + share.sum()
        first, active = first * shrink + share @ both[0], active * shrink + share @ both[2]
        square = square * shrink + products
    return _Found(first / total, square / total, active / total, float(np.log(total)) + top)


def by_sampling(problem: Hopfield, *, seed: int = 0) -> tuple[Array, Array, float]:
    """Mean, covariance and five standard errors of any of their numbers, or how far chains from two starts are apart.

    A sweep draws each layer given the other (Gibbs). What is averaged over 256 independent chains are the conditional
    moments of one layer given the other, which have the smaller variance.
    """
    visible, hidden = (Conditional(layer) for layer in layers(problem))
    random = np.random.default_rng(seed)
    n, size = problem.visible, problem.size
    # Half of the chains start at one end of the states and half at the other: where they do not meet, none has mixed.
    f = np.where(np.arange(_CHAINS) % 2, 1.0, -1.0)[:, None] * np.ones(problem.hidden)
    means, squares, kept = np.zeros((_CHAINS, size)), np.zeros((_CHAINS, size, size)), 0
    x = z = None
    for sweep in range(_SWEEPS):
        x, v_mean, v_square = visible.drawn(f, x, random)
        v = x / visible.layer.gains
        z, h_mean, h_square = hidden.drawn(np.tanh(x), z, random)
        if sweep >= _FORGOTTEN:
            # v was drawn given f, and h is drawn given v: (v̄, f's h) and (v, h̄) both have the law.
            both = np.concatenate([v_mean, h_mean], axis=1)
            means += both
            squares[:, :n, :n] += v_mean[:, :, None] * v_mean[:, None]
            squares[:, n:, n:] += h_mean[:, :, None] * h_mean[:, None]
            squares[:, :n, n:] += v[:, :, None] * h_mean[:, None]
            squares[:, np.arange(n), np.arange(n)] += v_square - v_mean**2
            squares[:, np.arange(n, size), np.arange(n, size)] += h_square - h_mean**2
            kept += 1
        f = np.tanh(z)
    means, squares = means / kept, squares / kept
    squares[:, n:, :n] = np.swapaxes(squares[:, :n, n:], 1, 2)
    mean = means.mean(axis=0)
    centred = squares - means[:, :, None] * mean - mean[:, None] * means[:, None] + np.outer(mean, mean)
    error = max(means.std(axis=0).max(), centred.std(axis=0).max()) / np.sqrt(_CHAINS - 1)
    apart = max(float(abs(part[::2].mean(axis=0) - part[1::2].mean(axis=0)).max()) for part in (means, centred))
    return mean, centred.mean(axis=0), max(_ERRORS * float(error), apart)


def layers(problem: Hopfield) -> tuple[Layer, Layer]:
    """Visible and hidden layer of a saturating network."""
    T = problem.temperature
    return (
        Layer(np.diag(problem.gain_v), problem.I, problem.U, T),
        Layer(np.diag(problem.gain_h), np.zeros(problem.hidden), problem.U.T, T),
    )
