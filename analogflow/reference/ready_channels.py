r"""How much a ready channel loses by its points and intervals: an interval that holds the capacity of what it stands for.

Divergences of the channel's own densities p_x are integrated here. For every distribution z of inputs within the limit E of
the cost e, with q the density of outputs that it leads to, and every price s ≥ 0,

.. math:: \sum_i z_i D(p_{x_i} \| q) \le C \le \max_x \big( D(p_x \| q) - s e(x) \big) + s E

z and s are those of a channel with many more points and intervals. Between points at which D is evaluated, a bound of its
second derivative holds. What quadratures leave is below 1e-9 nat, by which both ends are moved outwards.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.problems import Channel
from analogflow.problems.ready_channels import (
    light_levels,
    name_of,
    pam_points,
    parameters_of,
    side_of_square,
)
from analogflow.reference.capacity import CapacityReference, capacity_reference

__all__ = ["ReadyInterval", "ready_interval"]

Array = NDArray[np.float64]

_SPARE = 1e-9
"""Nats by which both ends are moved outwards for what quadratures leave."""

_REACH, _STEP, _FADED_STEP = 9.0, 0.05, 0.1
"""Standard deviations beyond the outermost point, and between the nodes of the trapezoidal rule, of faded signals too."""

_NODES, _LARGEST_FADING = 16, 6.0
"""Gauss-Legendre nodes in each piece of the fading amplitude, and its largest value; one amplitude in e^36 is larger."""

_FINE_INPUTS, _FINE_OUTPUTS, _FINE_FADINGS, _BETWEEN = 129, 400, 60, 8
"""Least points and intervals of the finer channel, and places from one point to the next that D is evaluated at."""

_OVER_NOISE = 20
"""Intervals and points of the finer channel for each standard deviation of its noise, or at least about so many."""

_MOST_FINE_INPUTS, _MOST_FINE_OUTPUTS = 1025, 4000

_FINE_GAP = 1e-6
"""Nats that the finer channel's own certificate may leave: they make the interval wider, not wrong."""


class ReadyInterval(NamedTuple):
    """Ends of an interval, nats, that holds the capacity of the channel that a ready one stands for."""

    low: float
    high: float


@functools.lru_cache(maxsize=64)
def ready_interval(model: str) -> ReadyInterval | None:
    """Interval of the capacity that the channel called `model` has before its inputs and outputs are made discrete.

    Parameters
    ----------
    model : str
        As `Channel.model` has it.

    Returns
    -------
    ReadyInterval or None
        None where the channel is discrete by itself.

    References
    ----------
    J. G. Smith, The information capacity of amplitude- and variance-constrained scalar Gaussian channels, Information and
    Control 18 (1971) 203; S. Shamai, Capacity of a pulse amplitude modulated direct detection photon channel, IEE Proc. I
    137 (1990) 424: optimal inputs are points, so that finer channels come as near as one likes.
    """
    name, values = parameters_of(model)
    if name == "qam":
        # Noise and power are even along two axes, and so is a product of optimal inputs.
        along = {**values, "M": side_of_square(values["M"]), "m": None}
        found = _BOUNDS["pam"](along)
        return ReadyInterval(2 * found.low, 2 * found.high)
    return _BOUNDS[name](values) if name in _BOUNDS else None


def _refined(name: str, values: dict[str, Any], **finer: int | None) -> tuple[CapacityReference, Channel]:
    """A finer channel of that name, and its reference."""
    channel = Channel.from_name(name_of(name, values | finer))
    return capacity_reference(channel, gap=_FINE_GAP), channel


def _interval(
    found: CapacityReference, channel: Channel, divergences: Array, costs: Array, bend: float = 0.0
) -> ReadyInterval:
    """From divergences of points, every so-manyth of which is an input, and `bend`, by which they rise between points."""
    every = (len(divergences) - 1) // (channel.inputs - 1)
    low = float(found.input_distribution @ divergences[::every])
    dear = 0.0 if channel.cost_limit is None else found.price * (costs - channel.cost_limit)
    return ReadyInterval(max(low - _SPARE, 0.0), float((divergences - dear).max()) + bend + _SPARE)


def _amplitude_limited(values: dict[str, Any]) -> ReadyInterval:
    """Of x between −A and A: d²D/dx² = 1 − E[Var(X|Y)], and that of −s x² is −2 s."""
    A = values["A"]
    n = _finer(values["n"], _OVER_NOISE * A / 2)
    found, channel = _refined("awgn", values, n=n, m=_fine_outputs(A))
    points = np.linspace(-A, A, n)
    x = np.linspace(-A, A, _BETWEEN * (n - 1) + 1)
    spread = _largest_spread(points, found.input_distribution)
    bend = (x[1] - x[0]) ** 2 / 8 * max(spread - 1 + 2 * found.price, 0.0)
    D = _gaussian_divergences(x, points, found.input_distribution)
    return _interval(found, channel, D, x**2, bend)


def _finer(n: int, most: float) -> int:
    """A number of points, about as many as asked for, that has the n even ones among them."""
    wanted = min(max(_FINE_INPUTS, int(most) + 1), _MOST_FINE_INPUTS)
    return (n - 1) * max(1, (wanted - 1) // (n - 1)) + 1


def _fine_outputs(reach: float) -> int:
    return min(max(_FINE_OUTPUTS, 2 * int(_OVER_NOISE / 2 * (reach + _REACH))), _MOST_FINE_OUTPUTS)


def _gaussian_divergences(x: Array, points: Array, z: Array) -> Array:
    """D(N(x, 1)‖Σ z N(points, 1)) of each x, nats, by the trapezoidal rule, whose error of such densities is tiny."""
    used = z > 0
    reach = max(abs(points).max(), abs(x).max()) + _REACH
    y = np.arange(-reach, reach + _STEP, _STEP)
    logs = _log_mixture(y, points[used], z[used])
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    densities = np.exp(-0.5 * (y - x[:, None]) ** 2) / math.sqrt(2 * math.pi)
    return -entropy - _STEP * densities @ logs


def _largest_spread(points: Array, z: Array) -> float:
    """Largest variance of an input, given the output that it is sent to in unit noise."""
    used = z > 0
    y = np.arange(-abs(points).max() - _REACH, abs(points).max() + _REACH, _STEP)
    posterior = scipy.special.softmax(np.log(z[used]) - 0.5 * (y[:, None] - points[used]) ** 2, axis=1)
    means = posterior @ points[used]
    return float((posterior * (points[used] - means[:, None]) ** 2).sum(axis=1).max())


def _log_mixture(y: Array, points: Array, z: Array) -> Array:
    """The logarithm of Σ z φ(y − point)."""
    exponents = np.log(z) - 0.5 * (y[:, None] - points) ** 2
    return scipy.special.logsumexp(exponents, axis=1) - 0.5 * math.log(2 * math.pi)


def _photons(values: dict[str, Any]) -> ReadyInterval:
    r"""Of light between 0 and the peak, of rate μ = light + dark.

    .. math:: D'' = 1/\mu - E[\ln m(K + 1) - \ln m(K)], \quad m(k) = (k + 1) q(k + 1)/q(k) = E[\mu | k]
    """
    peak, dark = values["peak"], values["dark"]
    n = _finer(values["n"], _OVER_NOISE * math.sqrt(peak))
    found, channel = _refined("poisson", values, n=n)
    points = light_levels(peak, n) + dark
    light = light_levels(peak, 2 * _BETWEEN * (n - 1) + 1)
    used = found.input_distribution > 0
    counts = np.arange(int(peak + dark + 12 * math.sqrt(peak + dark) + 60))
    logs = np.log(found.input_distribution[used]) + _log_poisson(counts[:, None], points[used])
    q = scipy.special.logsumexp(logs, axis=1)
    means = q[1:] - q[:-1] + np.log(counts[1:])
    rates = (light + dark)[:, None]
    log_p = _log_poisson(counts, rates)
    # xlogy(p, q/p): a count that can not be has no share in the sum.
    terms = np.where(np.isfinite(log_p), np.exp(log_p) * (np.where(np.isfinite(log_p), log_p, 0.0) - q), 0.0)
    rises = np.maximum(np.diff(means), 0.0).max()
    steps = np.diff(light)
    bend = float((steps**2).max()) / 8 * max(rises - 1 / (peak + dark), 0.0)
    return _interval(found, channel, terms.sum(axis=1), light, bend)


def _log_poisson(counts: Array | NDArray[np.intp], rate: Array) -> Array:
    """Logarithm of the probability of a count; −∞ of all but 0 where the rate is 0."""
    with np.errstate(divide="ignore"):
        return scipy.special.xlogy(counts, rate) - rate - scipy.special.gammaln(counts + 1)


def _pam(values: dict[str, Any]) -> ReadyInterval:
    x = pam_points(values["M"], values["snr"])
    found, channel = _refined("pam", values, m=_fine_outputs(x[-1]))
    D = _gaussian_divergences(x, x, found.input_distribution)
    return _interval(found, channel, D, x**2)


def _rayleigh(values: dict[str, Any]) -> ReadyInterval:
    """Divergences of (y, h) where the receiver knows the fading amplitude h, else those of y alone."""
    known = values["state"] == "known"
    finer: dict[str, int | None] = {"m": _MOST_FINE_OUTPUTS // _FINE_FADINGS, "k": _FINE_FADINGS} if known else {"m": 800}
    x = pam_points(values["M"], values["snr"])
    found, channel = _refined("rayleigh", values, **finer)
    z = found.input_distribution
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    # What is integrated over h changes over 1, or over the width 1/x of the noise.
    pieces = math.ceil(_LARGEST_FADING * max(1.0, x[-1] / 2))
    half = _LARGEST_FADING / (2 * pieces)
    h = (half * (2 * np.arange(pieces)[:, None] + 1 + nodes)).ravel()
    shares = np.tile(half * weights, pieces) * 2 * h * np.exp(-h * h)
    if known:
        return _interval(found, channel, shares @ np.array([_gaussian_divergences(one * x, one * x, z) for one in h]), x**2)
    reach = _LARGEST_FADING * x[-1] + _REACH
    y = np.arange(-reach, reach + _FADED_STEP, _FADED_STEP)
    densities = np.full((len(x), len(y)), np.finfo(float).tiny)
    for one, share in zip(h.reshape(pieces, -1), shares.reshape(pieces, -1), strict=True):
        for density, point in zip(densities, x, strict=True):
            density += share @ np.exp(-0.5 * (y - one[:, None] * point) ** 2) / math.sqrt(2 * math.pi)
    D = _FADED_STEP * (densities * (np.log(densities) - np.log(z @ densities))).sum(axis=1)
    return _interval(found, channel, D, x**2)


_BOUNDS = {"awgn": _amplitude_limited, "poisson": _photons, "pam": _pam, "rayleigh": _rayleigh}
