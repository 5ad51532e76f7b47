"""Inverse tolerance: the largest noise, mismatch or other level at which the yield still reaches a target."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from analogflow.errors import BadInput
from analogflow.studies.statistics.intervals import rate_estimate
from analogflow.studies.statistics.samples import at, check_share, check_variable, conditions, losses, was_run
from analogflow.studies.statistics.yields import check_limit

if TYPE_CHECKING:
    import xarray

__all__ = ["Tolerance", "largest_tolerated", "study_tolerance"]

Array = NDArray[np.float64]


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
    fit = np.asarray(optimize.isotonic_regression(counts / totals, weights=totals, increasing=False).x)
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
