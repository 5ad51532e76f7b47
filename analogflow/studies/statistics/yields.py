"""Yield: the share of samples whose error stays within a limit, a failed sample being a loss."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analogflow.checks import is_positive
from analogflow.errors import BadInput
from analogflow.studies.statistics.intervals import Estimate, rate_estimate
from analogflow.studies.statistics.samples import check_share, losses

__all__ = ["YieldCurve", "check_limit", "yield_at", "yield_curve"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class YieldCurve:
    """Yield over limits of the error.

    Parameters
    ----------
    limits, yields, low, high : array, shape (limits,)
        The interval is pointwise: at each limit alone it covers with `confidence`.
    band : float
        Half-width of the band around all limits at once: with probability `confidence` the true curve stays within `band` of
        `yields` everywhere (Kolmogorov's exact law).
    confidence : float
        Of both.
    samples, failed : int
        Samples that count, and how many of them failed.
    """

    limits: Array
    yields: Array
    low: Array
    high: Array
    band: float
    confidence: float
    samples: int
    failed: int


def check_limit(limit: float) -> float:
    """`limit` as a positive finite float.

    Raises
    ------
    BadInput
        It is not.
    """
    if not is_positive(limit):
        raise BadInput(
            f"limit: {limit!r} is not a positive number; give the largest error that is acceptable, such as 0.01."
        )
    return float(limit)


def yield_at(errors: ArrayLike, limit: float, *, confidence: float = 0.95, method: str = "wilson") -> Estimate:
    """Share of the samples whose error is at most `limit`, with its interval.

    Parameters
    ----------
    errors : array, shape (n,)
        NaN or infinite where a sample failed, which is a loss.
    limit : float
        Largest acceptable error, in its unit.
    method : str
        As in `rate_estimate`.

    Raises
    ------
    BadInput
        There is no sample, the limit is not positive, or an argument is out of its range.
    """
    values = losses(errors)
    passed = int((values <= check_limit(limit)).sum())
    estimate = rate_estimate(passed, len(values), confidence=confidence, method=method)
    return dataclasses.replace(estimate, failed=int(np.isinf(values).sum()))


def yield_curve(errors: ArrayLike, limits: ArrayLike, *, confidence: float = 0.95) -> YieldCurve:
    """Yield at each of the limits, with Wilson intervals and a band that holds for all limits at once.

    Parameters
    ----------
    errors : array, shape (n,)
        NaN or infinite where a sample failed, which is a loss at every limit.
    limits : array, shape (limits,)
        Positive, in the error's unit.

    Raises
    ------
    BadInput
        There is no sample or no limit, or an argument is out of its range.
    """
    values, confidence = losses(errors), check_share("confidence", confidence)
    places = np.array([check_limit(limit) for limit in np.atleast_1d(np.asarray(limits, dtype=float))])
    if len(places) == 0:
        raise BadInput("limits: none was given; give at least one acceptable error.")
    points = [yield_at(values, limit, confidence=confidence) for limit in places]
    return YieldCurve(
        limits=places,
        yields=np.array([point.value for point in points]),
        low=np.array([point.low for point in points]),
        high=np.array([point.high for point in points]),
        band=float(stats.kstwo.ppf(confidence, len(values))),
        confidence=confidence,
        samples=len(values),
        failed=int(np.isinf(values).sum()),
    )
