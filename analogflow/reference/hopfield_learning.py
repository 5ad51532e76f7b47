"""What learning asks of a noisy network, exactly: ⟨g fᵀ⟩ under its law and under data, and the likelihood that these raise.

The likelihood's gradient with respect to the couplings is the difference of both averages over the temperature. Laws of
saturating networks that are too large or too cold to be summed over are not integrated here.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import real_array
from analogflow.errors import BadInput
from analogflow.problems import Hopfield
from analogflow.reference.hopfield import gaussian_law
from analogflow.reference.hopfield_saturating import layers, summed
from analogflow.reference.hopfield_units import Layer

__all__ = ["Activations", "activations", "clamped_correlation", "correlation", "log_likelihood"]

Array = NDArray[np.float64]

_REACH, _NODES = 3.3, 401
"""The rule x = (π/2) sinh s, which converges exponentially: to |s| of 3.3, for one unit with so many points."""


@dataclasses.dataclass(frozen=True, eq=False)
class Activations:
    """Averages of what a network's units put out, under its law.

    Parameters
    ----------
    visible : array, shape (n,)
        ⟨g⟩.
    hidden : array, shape (m,)
        ⟨f⟩.
    products : array, shape (n, m)
        ⟨g fᵀ⟩.
    log_z : float
        Logarithm of ∫ e^{−E/T}: over (v, h) of a linear network, over the activations of a saturating one.
    gap : float
        Bound on the error of the averages.
    """

    visible: Array
    hidden: Array
    products: Array
    log_z: float
    gap: float


def correlation(problem: Hopfield) -> Array:
    """⟨g fᵀ⟩ under a network's law, shape (n, m): what `recall_and_learn` takes as its ``recall``."""
    return activations(problem).products


def activations(problem: Hopfield) -> Activations:
    """Averages of g, f and g fᵀ under a network's law.

    Raises
    ------
    BadInput
        There is no law (temperature 0), or a saturating network is too large or too cold.
    """
    if problem.temperature == 0:
        raise BadInput(f"{problem!r} has no law at temperature 0; give it a temperature.")
    if problem.activation == "linear":
        return _linear(problem)
    found = summed(problem, activations=True)
    if found is None:
        raise BadInput(
            f"{problem!r} is too large or too cold for a sum over the combinations of its smaller layer; average over runs "
            "of its circuit instead."
        )
    n = problem.visible
    products = found.covariance[:n, n:] + np.outer(found.mean[:n], found.mean[n:])
    # No activation exceeds 1, so that a product is known as well as both.
    return Activations(found.mean[:n], found.mean[n:], products, found.log_z, max(3 * found.gap, found.lost))


def clamped_correlation(problem: Hopfield, data: ArrayLike) -> Array:
    """⟨g fᵀ⟩ with the visible states held at data, shape (samples, n), in turn, and the hidden ones by their law; (n, m)."""
    g = _put_out(problem, data)
    if problem.activation == "linear":
        return g.T @ (g @ problem.U @ problem.gain_h) / len(g)
    _, hidden = layers(problem)
    return g.T @ _alone(hidden, hidden.fields(g))[1] / len(g)


def log_likelihood(problem: Hopfield, data: ArrayLike) -> float:
    """Mean of ln p(v) over data, shape (samples, n), nats, hidden states integrated out.

    Raises
    ------
    BadInput
        As `activations` does, and where data are no rows of n finite numbers.
    """
    g = _put_out(problem, data)
    v = np.asarray(data, dtype=float)
    if problem.activation == "linear":
        mean, covariance, _ = gaussian_law(problem)
        n = problem.visible
        away = v - mean[:n]
        part = covariance[:n, :n]
        square = (away * np.linalg.solve(part, away.T).T).sum(axis=1)
        return float(-0.5 * (square.mean() + np.linalg.slogdet(part)[1] + n * np.log(2 * np.pi)))
    visible, hidden = layers(problem)
    own = visible.log_density(visible.gains * v) + np.log(visible.gains) + visible.inputs * g / visible.temperature
    free = _alone(hidden, hidden.fields(g))[0]
    return float(own.sum(axis=1).mean() + free.sum(axis=1).mean() - activations(problem).log_z)


def _put_out(problem: Hopfield, data: ArrayLike) -> Array:
    """g(v) of data."""
    v = real_array(data, "data")
    if v.ndim != 2 or v.shape[1] != problem.visible or not len(v) or not np.isfinite(v).all():
        raise BadInput(f"the data have shape {v.shape}; give rows of {problem.visible} finite numbers.")
    g = v @ problem.gain_v
    return np.tanh(g) if problem.activation == "tanh" else g


def _linear(problem: Hopfield) -> Activations:
    mean, covariance, gap = gaussian_law(problem)
    n, G, F = problem.visible, problem.gain_v, problem.gain_h
    products = G @ (covariance[:n, n:] + np.outer(mean[:n], mean[n:])) @ F
    # E at the mean is half of −Iᵀ G v there.
    lowest = -0.5 * float(problem.I @ G @ mean[:n])
    log_z = 0.5 * (problem.size * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1]) - lowest / problem.temperature
    size = float(abs(G).sum(axis=1).max() * abs(F).sum(axis=1).max())
    return Activations(G @ mean[:n], F @ mean[n:], products, float(log_z), gap * size * (1 + 2 * float(abs(mean).max())))


def _alone(layer: Layer, fields: Array) -> tuple[Array, Array]:
    """Ln Z and ⟨y⟩ of each unit at fields of shape (points, k), by quadrature over one variable."""
    s = np.linspace(-_REACH, _REACH, _NODES)[:, None]
    x, widths = np.pi / 2 * np.sinh(s), np.pi / 2 * np.cosh(s) * (s[1] - s[0])
    y = np.tanh(x)
    density = layer.log_density(x) + np.log(widths)
    log_z, mean = np.empty(fields.shape), np.empty(fields.shape)
    for start in range(0, len(fields), 512):
        part = slice(start, start + 512)
        exponents = density[None] + fields[part, None] * (y / layer.temperature)[None]
        top = exponents.max(axis=1)
        share = np.exp(exponents - top[:, None])
        total = share.sum(axis=1)
        log_z[part], mean[part] = top + np.log(total), (share * y[None]).sum(axis=1) / total
    return log_z, mean
