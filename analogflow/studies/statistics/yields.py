"""Yield: the share of samples whose error stays within a limit, a failed sample being a loss.

Turned round, it is a tolerance: the largest noise, mismatch or other level at which the yield still reaches a target.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_positive
from analogflow.errors import BadInput
from analogflow.studies.statistics.estimates import (
    Estimate,
    at,
    check_share,
    check_variable,
    conditions,
    losses,
    rate_estimate,
    was_run,
)

if TYPE_CHECKING:
    import xarray

__all__ = ["Tolerance", "YieldCurve", "check_limit", "largest_tolerated", "study_tolerance", "yield_at", "yield_curve"]

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
        band=float(scipy.stats.kstwo.ppf(confidence, len(values))),
        confidence=confidence,
        samples=len(values),
        failed=int(np.isinf(values).sum()),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Tolerance:
    """The largest level at which the yield reaches a target.

    Parameters
    ----------
    value : float
        Where the monotone fit of the yield crosses the target, linear between levels; NaN where that is outside the grid.
    low, high : float
        Interval between levels of the grid: `low` is the largest level at which, and at all lower ones, the samples prove
        the target reached, NaN if there is none; `high` the least at which, and at all higher ones, they prove it missed,
        infinite if there is none. Each is wrong with a probability of at most (1 − confidence)/2 if the yield falls with the
        level.
    where : str
        ``inside`` the grid, ``below`` its least level (even that misses the target) or ``above`` its largest (even that
        reaches it).
    target, confidence : float
        Yield asked for, and confidence of the interval.
    levels, fit : array, shape (levels,)
        Levels in ascending order and the monotone fit of the yield there.
    note : str
        A sentence that says what the grid or the number of samples leaves open; may be empty.
    """

    value: float
    low: float
    high: float
    where: str
    target: float
    confidence: float
    levels: Array
    fit: Array
    note: str


def largest_tolerated(
    levels: ArrayLike, passed: ArrayLike, samples: ArrayLike, *, target: float = 0.95, confidence: float = 0.95
) -> Tolerance:
    """Largest level at which the yield reaches `target`, supposing that it falls as the level rises.

    Parameters
    ----------
    levels : array, shape (levels,)
        Distinct, at least two.
    passed, samples : array of int, shape (levels,)
        Samples within the limit at each level, and all that were run there, failed ones included. The same samples may be
        used at all levels.
    target, confidence : float
        Between 0 and 1.

    Raises
    ------
    BadInput
        The shapes differ, there are fewer than two levels, one has no sample, or an argument is out of its range.

    Notes
    -----
    The estimate inverts the isotonic regression of the yields, weighted with the samples. The interval tests the levels in
    order, from the least up for `low` and from the largest down for `high`, each with Clopper and Pearson's bound at
    (1 − confidence)/2, and stops at the first that proves nothing: so the probability of a single false proof bounds that of
    any, and samples shared by levels do no harm.
    """
    places, counts, totals = (np.array(a, dtype=float) for a in (levels, passed, samples))
    target, confidence = check_share("target", target), check_share("confidence", confidence)
    if not places.ndim == 1 or not places.shape == counts.shape == totals.shape or len(places) < 2:
        raise BadInput(
            f"tolerance: levels, passed and samples have the shapes {places.shape}, {counts.shape} and {totals.shape}; "
            "give one number of each for every level, and at least two levels."
        )
    if len(np.unique(places)) < len(places) or not np.isfinite(places).all():
        raise BadInput(f"tolerance: the levels {places.tolist()} are not distinct finite numbers.")
    if (totals < 1).any():
        raise BadInput(
            f"tolerance: no sample was run at the level {places[totals < 1][0]:g}; run it, or leave the level out."
        )
    order = np.argsort(places)
    places, counts, totals = places[order], counts[order], totals[order]
    # Each end of a two-sided interval is a one-sided bound at half of the risk.
    bounds = [
        rate_estimate(int(c), int(n), confidence=confidence, method="exact") for c, n in zip(counts, totals, strict=True)
    ]
    reached = np.cumprod([bound.low >= target for bound in bounds]).sum()
    missed = np.cumprod([bound.high < target for bound in reversed(bounds)]).sum()
    fit = np.asarray(scipy.optimize.isotonic_regression(counts / totals, weights=totals, increasing=False).x)
    value, where = _crossing(places, fit, target)
    needed = math.ceil(math.log((1 - confidence) / 2) / math.log(target))
    note = {
        "below": f"Even the least level, {places[0]:g}, misses a yield of {target:g}: the answer lies below the grid.",
        "above": f"Even the largest level, {places[-1]:g}, reaches a yield of {target:g}: the answer lies above the grid.",
        "inside": "",
    }[where]
    if totals.max() < needed:
        note += f"{' ' if note else ''}{totals.max():.0f} samples can not prove a yield of {target:g}: {needed} are needed."
    return Tolerance(
        value=value,
        low=float(places[reached - 1]) if reached else math.nan,
        high=float(places[len(places) - missed]) if missed else math.inf,
        where=where,
        target=target,
        confidence=confidence,
        levels=places,
        fit=fit,
        note=note,
    )


def study_tolerance(
    dataset: xarray.Dataset,
    along: str,
    limit: float,
    *,
    target: float = 0.95,
    confidence: float = 0.95,
    variable: str = "error",
    **condition: Any,
) -> xarray.Dataset:
    """Inverse tolerance of a study: the largest level of `along` with a yield of `target` at an error of at most `limit`.

    Parameters
    ----------
    along : str
        Dimension of numbers, such as ``noise`` or ``mismatch``.
    condition
        Values at which other dimensions are held.

    Returns
    -------
    Dataset with the remaining dimensions and the variables ``tolerance``, ``low``, ``high`` (in the unit of `along`),
    ``where`` and ``note``, as in `Tolerance`. Levels at which nothing was run are left out.

    Raises
    ------
    BadInput
        There is no such dimension, value or variable, `along` is not of numbers or has fewer than two levels that were run.
    """
    import xarray

    part = at(dataset, **condition)
    names = conditions(part)
    if along not in names or part[along].dtype.kind not in "iuf":
        raise BadInput(f"study: {along!r} is not a dimension of numbers here; the dimensions are {', '.join(names)}.")
    limit = check_limit(limit)
    check_variable(part, variable)
    others = [name for name in names if name != along]
    run = was_run(part).transpose(*others, along, "sample").values
    errors = part[variable].transpose(*others, along, "sample").values
    shape = errors.shape[:-2]
    found: dict[str, Any] = {name: np.full(shape, np.nan) for name in ("tolerance", "low", "high")}
    found |= {name: np.full(shape, "", dtype=object) for name in ("where", "note")}
    for place in np.ndindex(shape):
        totals = run[place].sum(axis=1)
        used = totals > 0
        passed = [
            int((losses(row[ran], least=0) <= limit).sum()) for row, ran in zip(errors[place], run[place], strict=True)
        ]
        result = largest_tolerated(
            part[along].values[used], np.array(passed)[used], totals[used], target=target, confidence=confidence
        )
        for name, value in (("tolerance", result.value), ("where", result.where), ("note", result.note)):
            found[name][place] = value
        found["low"][place], found["high"][place] = result.low, result.high
    unit = {"units": part[along].attrs["units"]} if "units" in part[along].attrs else {}
    return xarray.Dataset(
        {name: (others, value, unit if value.dtype != object else {}) for name, value in found.items()},
        coords={name: part[name] for name in others},
        attrs={
            "along": along,
            "limit": limit,
            "target": target,
            "confidence": confidence,
            "levels": part[along].values.tolist(),
        },
    )


def _crossing(levels: Array, fit: Array, target: float) -> tuple[float, str]:
    if fit[0] < target:
        return math.nan, "below"
    if fit[-1] >= target:
        return math.nan, "above"
    k = int(np.flatnonzero(fit >= target)[-1])
    share = (fit[k] - target) / (fit[k] - fit[k + 1])
    return float(levels[k] + share * (levels[k + 1] - levels[k])), "inside"
