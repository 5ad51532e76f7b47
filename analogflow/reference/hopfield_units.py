"""Units of a saturating network: a layer's densities given the other one's activations, and draws from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Conditional", "Layer"]

Array = NDArray[np.float64]

_TABLED, _POINTS = 513, 41
"""Fields, usually, at which a density's place and width are found, and points at which it is taken."""

_COUNTS, _SHOULDER = 40.0, 0.5
"""Logarithms that a density falls by until it counts no more, and where its width is read off."""

_FARTHEST, _HALVINGS = 400.0, 45
"""Beyond this x no density counts; halvings of it."""


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
        """Logarithm of the density in x without a field, dy = sech²x dx included; x of shape (..., k)."""
        log_cosh = np.logaddexp(x, -x) - np.log(2)
        return -(x * np.tanh(x) - log_cosh) / (self.gains * self.temperature) - 2 * log_cosh

    def fields(self, other: Array) -> Array:
        """Fields c from the activations y of the other layer, shape (points, other units) to (points, k)."""
        return self.inputs + other @ self.weights.T

    def unit(self, k: int) -> Layer:
        """One unit alone."""
        return Layer(self.gains[[k]], self.inputs[[k]], self.weights[[k]], self.temperature)


class Conditional:
    r"""Densities of a layer's units given their fields, each on points x = x₀ + s sinh t about its peak.

    In x there is one peak: the slope :math:`\operatorname{sech}^2 x\,(c - x/a)/T - 2 \tanh x` changes its sign once.
    """

    def __init__(self, layer: Layer, tabled: int = _TABLED) -> None:
        self.layer, self.tabled = layer, tabled
        reach = abs(layer.weights).sum(axis=1)
        self.low = layer.inputs - reach
        self.step = np.maximum(2 * reach / (tabled - 1), np.finfo(float).tiny)
        fields = self.low + np.arange(tabled)[:, None] * self.step
        peak = _root(lambda x: self._slope(x, fields), np.full_like(fields, -_FARTHEST), np.full_like(fields, _FARTHEST))
        top = self._heights(peak, fields)
        ends = [
            _root(lambda x: self._heights(x, fields) - top + fall, peak, peak + side * _FARTHEST)  # noqa: B023
            for fall in (_SHOULDER, _COUNTS)
            for side in (-1.0, 1.0)
        ]
        width = 0.5 * (ends[1] - ends[0])
        self.table = np.stack([peak, width, np.arcsinh((ends[2] - peak) / width), np.arcsinh((ends[3] - peak) / width)])

    def _slope(self, x: Array, fields: Array) -> Array:
        """Sign of the logarithm's slope."""
        T, gains = self.layer.temperature, self.layer.gains
        return (fields - x / gains) / T - np.sinh(2 * np.clip(x, -300.0, 300.0))

    def _heights(self, x: Array, fields: Array) -> Array:
        return self.layer.log_density(x) + fields * np.tanh(x) / self.layer.temperature

    def _shape(self, fields: Array) -> Array:
        """Peak, width, and the ends of t at fields of shape (chains, k)."""
        place = ((fields - self.low) / self.step).clip(0, self.tabled - 1)
        cell = np.minimum(place.astype(int), self.tabled - 2)
        rest, unit = place - cell, np.arange(fields.shape[1])
        return (1 - rest) * self.table[:, cell, unit] + rest * self.table[:, cell + 1, unit]

    def points(self, fields: Array) -> tuple[Array, Array, Array]:
        """Points x, activations and densities in t, but for a factor, at fields (chains, k): shape (chains, k, points)."""
        peak, width, low, high = self._shape(fields)[..., None]
        t = low + (high - low) * np.linspace(0, 1, _POINTS)
        return self._at(t, peak, width, fields[..., None])

    def _at(self, t: Array, peak: Array, width: Array, fields: Array) -> tuple[Array, Array, Array]:
        x = peak + width * np.sinh(t)
        y = np.tanh(x)
        units = [np.moveaxis(part, 2, 1) for part in (x, np.broadcast_to(fields, x.shape), np.broadcast_to(peak, x.shape))]
        logs = self._heights(units[0], units[1]) - self._heights(units[2], units[1])
        return x, y, np.exp(np.moveaxis(logs, 1, 2)) * np.cosh(t)

    def mean_activations(self, other: Array) -> Array:
        """Means of y given the other layer's activations, shape (units,)."""
        _, y, density = self.points(self.layer.fields(other[None]))
        return np.asarray((density * y).sum(axis=2) / density.sum(axis=2))[0]

    def drawn(self, other: Array, before: Array | None, random: np.random.Generator) -> tuple[Array, Array, Array]:
        """Draws x given the other layer's activations, shape (chains, units); mean and mean square of v given the same.

        A draw from what is linear between the points is accepted by the test of Metropolis and Hastings, else the one before
        stays: so that the law is left alone, however far the points are apart.
        """
        fields = self.layer.fields(other)
        peak, width, low, high = self._shape(fields)
        x, _, density = self.points(fields)
        total = density.sum(axis=2)
        v = x / self.layer.gains[:, None]
        mean, square = ((density * v**power).sum(axis=2) / total for power in (1, 2))
        step = (high - low) / (_POINTS - 1)
        sums = np.cumsum(0.5 * (density[..., 1:] + density[..., :-1]), axis=2)
        level = random.random(fields.shape) * sums[..., -1]
        cell = (sums < level[..., None]).sum(axis=2)
        rest = level - _taken(np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=2), cell)
        left, right = _taken(density, cell), _taken(density, cell + 1)
        # Inside a cell: solve left u + ½ (right − left) u² = rest.
        root = np.sqrt(np.maximum(left**2 + 2 * (right - left) * rest, 0.0))
        u = (2 * rest / np.maximum(left + root, 1e-300)).clip(0, 1)
        new = (cell + u, left + (right - left) * u)
        drawn, ratio = self._weighed(*new, peak, width, low, step, fields)
        if before is None:
            return drawn, mean, square
        place = (np.arcsinh((before - peak) / width) - low) / step
        inside = (place >= 0) & (place <= _POINTS - 1)
        place = place.clip(0, _POINTS - 1)
        cell = np.minimum(place.astype(int), _POINTS - 2)
        left, right = _taken(density, cell), _taken(density, cell + 1)
        _, old = self._weighed(place, left + (right - left) * (place - cell), peak, width, low, step, fields)
        taken = ~inside | (random.random(fields.shape) * old <= ratio)
        return np.where(taken, drawn, before), mean, square

    def _weighed(
        self, place: Array, proposed: Array, peak: Array, width: Array, low: Array, step: Array, fields: Array
    ) -> tuple[Array, Array]:
        """Points x at places along t, and their density over what is proposed."""
        parts = ((low + place * step)[..., None], peak[..., None], width[..., None], fields[..., None])
        x, _, density = self._at(*parts)
        return x[..., 0], density[..., 0] / np.maximum(proposed, 1e-300)


def _taken(values: Array, places: NDArray[np.int64]) -> Array:
    return np.take_along_axis(values, places[..., None], axis=2)[..., 0]


def _root(function: Callable[[Array], Array], inside: Array, outside: Array) -> Array:
    """Where a function that is positive inside, and negative outside, changes its sign."""
    for _ in range(_HALVINGS):
        middle = 0.5 * (inside + outside)
        positive = function(middle) > 0
        inside, outside = np.where(positive, middle, inside), np.where(positive, outside, middle)
    return 0.5 * (inside + outside)
