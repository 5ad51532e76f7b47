"""Ends of runs, one or thousands, and what their errors are measured by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from analogflow.families.stationary import law_of
from analogflow.run import Outcome, Run, usual

__all__ = [
    "Ends",
    "Worth",
    "below_zero",
    "distribution",
    "for_all",
    "known_to",
    "largest",
    "law_errors",
    "size_of",
    "sizes_of",
]

Array = NDArray[np.float64]


class Ends(NamedTuple):
    """Ends of some runs, and the ways there.

    Parameters
    ----------
    finals : mapping of name to array, shape (samples, size of the signal)
        States and observables at each run's end.
    paths : mapping of name to array, shape (samples, k, size of the signal)
        The same on the way.
    times : array, shape (k,), optional
        Of the paths, in τ.
    end : float
        When the runs ended, in τ.
    """

    finals: Mapping[str, Array]
    paths: Mapping[str, Array]
    times: Array | None
    end: float


class Worth(NamedTuple):
    """What distributions are worth to a problem whose optimum is one.

    Parameters
    ----------
    value : array, shape (samples,)
        The greater the better, nats: I(z), less what its cost is worth at the optimum's price, or −Φ(q).
    pressure : array, shape (samples, n)
        How much more of each component would raise the value, nats: w_i − I(z), likewise, or ln Σ_x p_x K_x(y); at an
        optimum none is above 0.
    gap : array, shape (samples,)
        By how much an optimum may be better: the largest pressure, and the price of what is not spent.
    of : array of int, shape (n,), optional
        Which components of an answer the pressure is of; all if not given.
    """

    value: Array
    pressure: Array
    gap: Array
    of: NDArray[np.intp] | None = None


def largest(difference: Array) -> Array:
    """Largest magnitude in each sample, shape (samples,)."""
    return abs(difference).reshape(len(difference), -1).max(axis=1)


def below_zero(shares: Array) -> Array:
    """How far the smallest share of each run is below 0, shape (samples,)."""
    return np.maximum(-shares, 0.0).max(axis=1)


def distribution(finals: Mapping[str, Array], name: str) -> Array:
    """Distribution that a state stands for, shape (samples, n): the softmax of logarithms, or what is positive, divided."""
    if "u" in finals:
        return np.asarray(softmax(finals["u"], axis=1))
    positive = np.maximum(finals[name], 0)
    return positive / positive.sum(axis=1, keepdims=True)


def for_all(value: float, like: Mapping[str, Array]) -> Array:
    """One number for every run, shape (samples,)."""
    return np.full(len(next(iter(like.values()))), float(value))


def size_of(size: float) -> float:
    """What errors are relative to of what is at most of this size: that, or 1 where it is up to two decades less."""
    return size if 1 < size < np.inf else usual(size)


def sizes_of(problem: Any, answers: Array) -> Array:
    """What differences of answers, shape (samples, k), are relative to, shape (samples,): the size of each."""
    return np.array([size_of(float(size)) for size in abs(answers).max(axis=1)])


def law_errors(names: Sequence[str], exact: Any, ends: Ends, *, skipped: float) -> dict[str, Array]:
    """Errors of mean and covariance over the path of each sample, from the time `skipped` on, in τ."""
    assert ends.times is not None, "a law is read off paths"
    errors = np.full((2, len(next(iter(ends.paths.values())))), np.nan)
    for k in range(errors.shape[1]):
        values = {name: ends.paths[name][k] for name in names}
        if all(np.isfinite(value).all() for value in values.values()):
            law = law_of(Run(ends.times, values, Outcome.COMPLETED), names, skipped=skipped)
            found = law.errors(exact.mean, exact.covariance)
            errors[:, k] = found["mean"], found["covariance"]
    return {"mean": errors[0], "covariance": errors[1]}


def known_to(law: Any) -> float:
    """Largest error that the reference of a law may have, in standard deviations and their products."""
    widths = np.sqrt(np.diag(law.covariance))
    means, covariances = getattr(law, "mean_gap", law.gap), getattr(law, "covariance_gap", law.gap)
    return float(max((means / widths).max(), (covariances / np.outer(widths, widths)).max()))
