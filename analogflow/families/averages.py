"""Averages over chains of correlated values: their standard errors, effective sample sizes, and whether the chains agree.

Nothing is assumed of what is averaged, nor of what it should be.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy
from numpy.typing import NDArray

__all__ = ["Average", "Mixing", "average", "halves", "mixing_of", "r_hat", "rounded_up"]

Array = NDArray[np.float64]

_MEMORY = 3.0
"""Effective samples that the sum of autocovariances goes on over: so much more of a chain says how well one knows itself."""


@dataclasses.dataclass(frozen=True, eq=False)
class Average:
    """Averages of some quantities over chains, shape (k,) each.

    Parameters
    ----------
    mean : array
    error : array
        Standard errors.
    effective : array
        How many independent values would have told as much.
    """

    mean: Array
    error: Array
    effective: Array


@dataclasses.dataclass(frozen=True)
class Mixing:
    """Whether chains tell of one law.

    Parameters
    ----------
    r_hat : float
        The largest of any quantity: 1 where all chains and all their halves are alike.
    effective : float
        Bulk effective sample size, the smallest of any.
    spread : float
        Variance of the means of half chains, over what each half says of its own, the largest of any quantity: of the normal
        scores that R-hat is of, so that heavy tails count for no more than others.
    allowed : float
        What that exceeds by chance as rarely as was asked for.
    """

    r_hat: float
    effective: float
    spread: float
    allowed: float


def average(values: Array) -> Average:
    """Averages of series sampled at equal distances, with errors from their autocovariances and from the chains' spread.

    Parameters
    ----------
    values : array, shape (points, k), or (chains, points, k)

    Notes
    -----
    The variance of a mean of N values is (γ_0 + 2 Σ γ_k)/N. The sum is cut where the sum of two neighbours is no longer
    positive, and held falling before (C. J. Geyer, Statistical Science 7 (1992) 473: the initial monotone sequence, which
    for reversible motion does not underestimate). With several chains autocorrelations are those within chains beside the
    variance of all together, so that chains that disagree have few effective samples (A. Vehtari, A. Gelman, D. Simpson,
    B. Carpenter, P.-C. Bürkner, Bayesian Analysis 16 (2021) 667, equations 10 to 13).
    """
    chains = values if values.ndim == 3 else values[None]
    _, _, count = chains.shape
    mean = chains.mean(axis=(0, 1))
    error, effective = np.empty((2, count))
    for k in range(count):
        error[k], effective[k] = _error(chains[:, :, k] - mean[k])
    return Average(mean, error, effective)


def _error(chains: Array) -> tuple[float, float]:
    """Standard error and effective sample size of the mean of chains, shape (m, points), about 0."""
    m, points = chains.shape
    size = abs(chains).max()  # squares of what is very large or small would leave the range of numbers
    if not size > 0:
        return 0.0, float(chains.size)
    means = chains.mean(axis=1, keepdims=True) / size
    covariances = _autocovariances(chains / size - means)
    within = covariances[0] * points / (points - 1)
    # Of one chain nothing is known but itself; no chain that moves not at all knows its law.
    variance = covariances[0] + (means.var(ddof=1) if m > 1 else 0.0)
    if m == 1:
        within = covariances[0]
    correlations = 1 - (within - covariances) / variance
    correlations[0] = 1.0
    pairs = correlations[: points // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    last = int(negative[0]) if len(negative) else len(pairs)
    used = np.minimum.accumulate(pairs[:last])
    beyond = max(float(correlations[2 * last]), 0.0) if m > 1 and 2 * last < points else 0.0
    time = -1 + 2 * float(used.sum()) + beyond
    time = max(time, 1 / np.log10(max(chains.size, 11)) if m > 1 else 1 / points)
    return float(size * np.sqrt(variance * time / chains.size)), float(chains.size / time)


def _autocovariances(centred: Array) -> Array:
    """Mean over chains, shape (m, points), of their autocovariances, shape (points,)."""
    m, points = centred.shape
    length = 1 << (2 * points - 1).bit_length()
    spectrum = np.zeros(length // 2 + 1)
    for chain in centred:
        spectrum += abs(np.fft.rfft(chain, length)) ** 2
    return np.asarray(np.fft.irfft(spectrum, length)[:points] / (points * m))


def halves(chains: Array) -> Array:
    """Each half of each chain as one: shape (m, points, ...) to (2 m, points // 2, ...); one in the middle is left out."""
    half = chains.shape[1] // 2
    return np.concatenate([chains[:, :half], chains[:, -half:]])


def r_hat(chains: Array) -> float:
    """Split R-hat of one quantity, shape (m, points), of its normal scores and of those of its distance from the median.

    Variance of all values together over that within half chains, as a ratio of widths: 1 where they are alike. Scores make
    it hold for laws without variances, distances for chains of different width (Vehtari and others 2021, section 4).
    """
    return max(map(_ratio, _both_scores(halves(chains))))


def _both_scores(split: Array) -> tuple[Array, Array]:
    """Normal scores of values, and of their distances from the median."""
    return _scores(split), _scores(abs(split - np.median(split)))


def _scores(chains: Array) -> Array:
    """Normal scores of the ranks of all values (Blom)."""
    _, which, counts = np.unique(chains, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - 0.5 * (counts - 1))[which].reshape(chains.shape)  # equal values share their mean rank
    return np.asarray(scipy.special.ndtri((ranks - 0.375) / (chains.size + 0.25)))


def _ratio(chains: Array) -> float:
    points = chains.shape[1]
    between, within = chains.mean(axis=1).var(ddof=1), chains.var(axis=1, ddof=1).mean()
    if not within > 0:
        return 1.0 if not between > 0 else np.inf
    return float(np.sqrt((points - 1) / points + between / within))


def mixing_of(chains: Array, *, rarity: float, ranked: int = 2**62) -> Mixing:
    """Whether chains, shape (m, points, k), tell of one law, as far as their means say.

    Parameters
    ----------
    chains : array
    rarity : float
        Share of right chains for which the spread may exceed what is allowed.
    ranked : int
        Points at most that are ranked; of more, some at equal distances.
    """
    m, points, count = chains.shape
    few = halves(chains[:, :: -(-m * points // ranked)])
    ratios, sizes, spreads = [], [], []
    for k in range(count):
        for scores in _both_scores(few[:, :, k]):
            ratios.append(_ratio(scores))
            spreads.append(_spread(scores, rarity / (2 * count)))
        sizes.append(_error(_scores(few[:, :, k]))[1])
    spread, allowed = max(spreads, key=lambda pair: pair[0] / pair[1])
    return Mixing(max(ratios), min(sizes), spread, allowed)


def _spread(split: Array, rarity: float) -> tuple[float, float]:
    """Variance of the means of half chains over what they say of their own, and how large it is as rarely as that."""
    m, points = split.shape
    means = split.mean(axis=1, keepdims=True)
    size = abs(split - means).max()
    if not size > 0:
        return (np.inf if means.var() > 0 else 1.0), 1.0
    covariances = _autocovariances((split - means) / size)
    pairs = covariances[: points // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    used = np.minimum.accumulate(pairs[: negative[0]] if len(negative) else pairs)
    own = max((2 * float(used.sum()) - covariances[0]) / points, covariances[0] / points**2)
    each = covariances[0] / own  # effective samples of a half
    # Each half's own mean is taken from it, which lowers all autocovariances and ends their sum where e^-k/t is 1 over the
    # effective samples: a share of ln n/n is hidden by the first, of 1/n by the second.
    own /= 1 - min(0.5, (1 + np.log(max(each, 1.0))) / each)
    freedom = max(2.0, m * each / _MEMORY)
    return float(means.var(ddof=1) / size**2 / own), float(scipy.special.fdtri(m - 1, freedom, 1 - rarity))


def rounded_up(length: float) -> str:
    """A length in two digits that is no shorter."""
    step = 10.0 ** (np.floor(np.log10(length)) - 1) if 0 < length < np.inf else 1.0
    return f"{np.ceil(length / step) * step:.6g}"
