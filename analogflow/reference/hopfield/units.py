"""One layer of saturating units, given the other: each unit is then alone, with a density of one variable."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from analogflow.problems import Hopfield

__all__ = ["Layer", "Table", "layers"]

Array = NDArray[np.float64]

_REACH, _DEGREES = 3.3, (32, 64, 128, 256, 512)
_NODES = 401
"""Points of the one-dimensional rule x = (π/2) sinh s; 201 of them agree to rounding down to T = 0.001."""


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
