"""Law of a saturating network: by quadrature over its smaller layer, or by exact sampling where that is too large.

Given one layer, each unit of the other is alone, with a density of one variable.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from analogflow.problems import Hopfield

__all__ = ["LARGEST_LAYER", "Layer", "Table", "by_quadrature", "by_sampling", "layers"]

Array = NDArray[np.float64]

LARGEST_LAYER = 3
"""Units over which quadrature goes; the other layer is summed out exactly, however large."""

_REACH = 3.3
_MOST_POINTS = 3_000_000
_AGREED = 1e-12
_CHUNK = 100_000

_ROUNDING = 1e-14

_CHAINS, _SWEEPS, _FORGOTTEN = 256, 240, 40

_ERRORS = 5.0
"""Standard errors that count as a bound, for all numbers of a law."""

_SPAN, _SPACING = 14.0, 0.1

_DEGREES = (32, 64, 128, 256, 512)

_NODES = 401
"""Points of the one-dimensional rule x = (π/2) sinh s; 201 of them agree to rounding down to T = 0.001."""


def by_quadrature(problem: Hopfield) -> tuple[Array, Array, float]:
    """Mean, covariance, and their largest change when the step is halved, with what the table of units lacks.

    The density is e^{−E/T} in the activations. Given the smaller layer, units of the other are independent, and each is a
    one-dimensional integral; that leaves an integral over the smaller layer, by the rule x = (π/2) sinh s, which converges
    exponentially.
    """
    outer, inner, first = _sides(problem)
    table = inner.table()
    step, before = 0.2, None
    while True:
        found = _moments(outer, inner, table, step)
        gap = np.inf if before is None else float(max(abs(a - b).max() for a, b in zip(found, before, strict=True)))
        finer = (2 * _REACH / step * 2 + 1) ** len(outer.gains)
        if gap <= _AGREED or finer > _MOST_POINTS:
            break
        step, before = step / 2, found
    # A relative error e of all weights moves no number by more than about e times its spread, beside its own error.
    lost, off = table.lacks
    spread = float(np.sqrt(np.diag(found[1]).max()))
    size = max(1.0, float(abs(found[0]).max()), float(abs(found[1]).max()))
    gap += lost * (spread + spread**2) + off + _ROUNDING * size
    return *_ordered(*found, len(outer.gains), first), gap


def _sides(problem: Hopfield) -> tuple[Layer, Layer, bool]:
    """The layer that is integrated over, the other, and whether the first is the visible one."""
    visible, hidden = layers(problem)
    first = problem.visible <= problem.hidden
    return (visible, hidden, True) if first else (hidden, visible, False)


def _moments(outer: Layer, inner: Layer, table: Table, step: float) -> tuple[Array, Array]:
    """Mean and second moments of (outer, inner) by the rule of that step."""
    count, k = round(_REACH / step), len(outer.gains)
    s = np.arange(-count, count + 1) * step
    points, widths = np.pi / 2 * np.sinh(s), np.log(np.pi / 2 * np.cosh(s) * step)
    total, top = 0.0, -np.inf
    size = k + len(inner.gains)
    mean, square = np.zeros(size), np.zeros((size, size))
    for start in range(0, len(s) ** k, _CHUNK):
        places = np.arange(start, min(start + _CHUNK, len(s) ** k))
        index = np.stack(np.unravel_index(places, (len(s),) * k), axis=1)
        x = points[index]
        y = np.tanh(x)
        log_z, inside, squares = table(inner.fields(y))
        exponents = (outer.log_density(x) + widths[index] + outer.inputs * y / outer.temperature).sum(axis=1)
        exponents = exponents + log_z.sum(axis=1)
        higher = max(top, float(exponents.max()))
        shrink, top = np.exp(top - higher), higher
        share = np.exp(exponents - top)
        both = np.concatenate([x / outer.gains, inside], axis=1)
        own = np.concatenate([np.zeros(k), share @ (squares - inside**2)])
        total = total * shrink + share.sum()
        mean = mean * shrink + share @ both
        square = square * shrink + (both * share[:, None]).T @ both + np.diag(own)
    mean = mean / total
    return mean, square / total - np.outer(mean, mean)


def _ordered(mean: Array, covariance: Array, outer: int, first: bool) -> tuple[Array, Array]:
    """Visible states before hidden ones."""
    order = np.arange(len(mean)) if first else np.r_[outer : len(mean), :outer]
    return mean[order], covariance[np.ix_(order, order)]


def by_sampling(problem: Hopfield, *, seed: int = 0) -> tuple[Array, Array, float]:
    """Mean, covariance and a bound on their errors that one law in ten thousand may break, from 256 independent chains.

    A sweep draws each layer given the other (Gibbs), from inverted distribution functions on a grid. What is averaged are
    the conditional moments of one layer given the other, which have the smaller variance.
    """
    visible, hidden = layers(problem)
    tables = visible.table(), hidden.table()
    random = np.random.default_rng(seed)
    n, size = problem.visible, problem.size
    # Half of the chains start at one end of the states and half at the other: where they do not meet, none has mixed.
    f = np.where(np.arange(_CHAINS) % 2, 1.0, -1.0)[:, None] * np.ones(problem.hidden)
    means, squares, kept = np.zeros((_CHAINS, size)), np.zeros((_CHAINS, size, size)), 0
    for sweep in range(_SWEEPS):
        fields_v = visible.fields(f)
        v = _drawn(visible, fields_v, random)
        fields_h = hidden.fields(np.tanh(visible.gains * v))
        h = _drawn(hidden, fields_h, random)
        if sweep >= _FORGOTTEN:
            # v was drawn given f, and h is drawn given v: (v̄, f's h) and (v, h̄) both have the law.
            _, v_mean, v_square = tables[0](fields_v)
            _, h_mean, h_square = tables[1](fields_h)
            both = np.concatenate([v_mean, h_mean], axis=1)
            means += both
            squares[:, :n, :n] += v_mean[:, :, None] * v_mean[:, None]
            squares[:, n:, n:] += h_mean[:, :, None] * h_mean[:, None]
            squares[:, :n, n:] += v[:, :, None] * h_mean[:, None]
            squares[:, np.arange(n), np.arange(n)] += v_square - v_mean**2
            squares[:, np.arange(n, size), np.arange(n, size)] += h_square - h_mean**2
            kept += 1
        f = np.tanh(hidden.gains * h)
    means, squares = means / kept, squares / kept
    squares[:, n:, :n] = np.swapaxes(squares[:, :n, n:], 1, 2)
    mean = means.mean(axis=0)
    centred = squares - means[:, :, None] * mean - mean[:, None] * means[:, None] + np.outer(mean, mean)
    error = max(means.std(axis=0).max(), centred.std(axis=0).max()) / np.sqrt(_CHAINS - 1)
    apart = max(float(abs(part[::2].mean(axis=0) - part[1::2].mean(axis=0)).max()) for part in (means, centred))
    return mean, centred.mean(axis=0), max(_ERRORS * float(error), apart)


def _drawn(layer: Layer, fields: Array, random: np.random.Generator) -> Array:
    """States v drawn given fields of shape (chains, k)."""
    x = np.arange(-_SPAN, _SPAN + _SPACING / 2, _SPACING)
    density = layer.log_density(x[:, None])
    drawn = np.empty_like(fields)
    for k in range(fields.shape[1]):
        exponents = density[:, k] + fields[:, [k]] * (np.tanh(x) / layer.temperature)
        share = np.exp(exponents - exponents.max(axis=1, keepdims=True))
        total = np.cumsum(0.5 * (share[:, 1:] + share[:, :-1]), axis=1)
        level = random.random(len(fields)) * total[:, -1]
        cell = (total < level[:, None]).sum(axis=1)
        row = np.arange(len(fields))
        rest = level - np.where(cell > 0, total[row, np.maximum(cell - 1, 0)], 0.0)
        # Inside a cell the density is linear: solve low u + ½ (high − low) u² = rest.
        low, high = share[row, cell], share[row, cell + 1]
        root = np.sqrt(np.maximum(low**2 + 2 * (high - low) * rest, 0.0))
        drawn[:, k] = (x[cell] + _SPACING * (2 * rest / np.maximum(low + root, 1e-300)).clip(0, 1)) / layer.gains[k]
    return drawn


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    r"""k units with gains a, of density :math:`\exp\bigl((c\,y - \phi(x)/a)/T\bigr)` in y = tanh x = tanh(a v).

    .. math:: \phi(x) = x \tanh x - \ln\cosh x

    Parameters
    ----------
    gains : array, shape (k,)
    inputs : array, shape (k,)
        Part of the field c that is always there.
    weights : array, shape (k, other layer's units)
        c = inputs + weights y of the other layer.
    temperature : float
    """

    gains: Array
    inputs: Array
    weights: Array
    temperature: float

    def log_density(self, x: Array) -> Array:
        """Logarithm of the density in x without a field, dy = sech²x dx included; x of shape (points, k)."""
        log_cosh = np.logaddexp(x, -x) - np.log(2)
        return -(x * np.tanh(x) - log_cosh) / (self.gains * self.temperature) - 2 * log_cosh

    def fields(self, other: Array) -> Array:
        """Fields c from the activations y of the other layer, shape (points, other units) to (points, k)."""
        return self.inputs + other @ self.weights.T

    def given(self, fields: Array) -> tuple[Array, Array, Array]:
        """Logarithm of Z, mean and mean square of v at fields of shape (points, k), by quadrature: exact, for few points."""
        s = np.linspace(-_REACH, _REACH, _NODES)[:, None]
        x, widths = np.pi / 2 * np.sinh(s), np.pi / 2 * np.cosh(s) * (s[1] - s[0])
        density = self.log_density(x) + np.log(widths)
        exponents = density[None] + fields[:, None] * (np.tanh(x) / self.temperature)[None]
        top = exponents.max(axis=1)
        share = np.exp(exponents - top[:, None])
        total = share.sum(axis=1)
        mean, square = ((share * (x**power)[None]).sum(axis=1) / total for power in (1, 2))
        return top + np.log(total), mean / self.gains, square / self.gains**2

    def table(self) -> Table:
        """Logarithm of Z, mean and mean square as series in the field, for many points."""
        half = abs(self.weights).sum(axis=1)
        series = np.empty(0)
        for degree in _DEGREES:
            nodes = chebyshev.chebpts1(degree)
            values = np.stack(self.given(self.inputs + half * nodes[:, None]))
            series = 2 / degree * np.einsum("dn,qnk->qdk", np.cos(np.outer(np.arange(degree), np.arccos(nodes))), values)
            series[:, 0] /= 2
            size = abs(series).max(axis=1)
            if (abs(series[:, -4:]).max(axis=1) <= 1e-14 * np.maximum(size, 1)).all():
                break
        return Table(self.inputs, half, series)


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Chebyshev series over the fields a layer can meet; series of shape (3, degree, k)."""

    inputs: Array
    half: Array
    series: Array

    @property
    def lacks(self) -> tuple[float, float]:
        """What the series leave out at most: of all logarithms of Z together, and of any mean or mean square."""
        last = abs(self.series[:, -4:]).max(axis=1) * np.sqrt(self.series.shape[1])
        return float(last[0].sum()), float(last[1:].max())

    def __call__(self, fields: Array) -> tuple[Array, Array, Array]:
        """Logarithm of Z, mean and mean square at fields of shape (points, k)."""
        t = ((fields - self.inputs) / np.maximum(self.half, np.finfo(float).tiny)).clip(-1, 1)
        found = [
            np.stack([chebyshev.chebval(t[:, k], part[:, k]) for k in range(part.shape[1])], axis=1) for part in self.series
        ]
        return found[0], found[1], found[2]


def layers(problem: Hopfield) -> tuple[Layer, Layer]:
    """Visible and hidden layer of a saturating network."""
    T = problem.temperature
    return (
        Layer(np.diag(problem.gain_v), problem.I, problem.U, T),
        Layer(np.diag(problem.gain_h), np.zeros(problem.hidden), problem.U.T, T),
    )
