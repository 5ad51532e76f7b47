"""How much of the errors' spread comes from mismatch, how much from noise, and how much from both at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from analogflow.errors import BadInput
from analogflow.studies.statistics.estimates import Estimate, check_share, column_at

if TYPE_CHECKING:
    import xarray

__all__ = ["CAUSES", "VarianceSplit", "split_crossed", "split_runs", "split_study"]

CAUSES = ("mismatch", "noise", "both at once")
"""Parts of a split, in order; the last is what appears only where mismatch and noise act together."""

Array = NDArray[np.float64]

_FEWEST = 5
_DRAWS = 20_000
_MOST_CORRECTED = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class VarianceSplit:
    """Parts of a spread.

    Parameters
    ----------
    parts : mapping of cause to Estimate
        In the square of the unit of what was given; causes as in `CAUSES`.
    shares : mapping of cause to Estimate
        Each part over the whole. The shares add up to 1 unless a negative estimate was set to 0 (crossed design).
    total : float
        The whole, in the same unit as the parts.
    design : str
        ``crossed`` or ``three runs``.
    measure : str
        ``variance`` or ``mean square``.
    left_out : int
        Samples left out because one of their runs failed: the split says how settled runs spread.
    """

    parts: Mapping[str, Estimate]
    shares: Mapping[str, Estimate]
    total: float
    design: str
    measure: str
    left_out: int


def split_crossed(values: ArrayLike, *, confidence: float = 0.95, seed: int = 0) -> VarianceSplit:
    """Split the variance of a crossed design: each circuit with its deviations was run under each course of the noise.

    Parameters
    ----------
    values : array, shape (circuits, noises)
        One reading of each run, such as a coordinate of the answer or the logarithm of an error; any sign.
    seed : int
        Of the draws of the interval.

    Raises
    ------
    BadInput
        The array is not two-dimensional with at least 5 circuits and 5 noises, a value is not finite, or all are equal.

    Notes
    -----
    Model y = μ + aᵢ + bⱼ + cᵢⱼ with independent parts (random effects, no repetition): the mean squares MA, MB, ME of rows,
    columns and the rest estimate σa² = (MA − ME)/noises, σb² = (MB − ME)/circuits, σc² = ME, negative ones set to 0.
    Intervals are generalised ones: each mean square is replaced by itself times its degrees of freedom over a draw of χ², as
    if the parts were normal (Weerahandi, J. Am. Stat. Assoc. 88, 899, 1993). They are too narrow for parts with heavy tails.
    """
    y, confidence = np.asarray(values, dtype=float), check_share("confidence", confidence)
    if y.ndim != 2 or min(y.shape) < _FEWEST:
        raise BadInput(f"crossed design: the shape is {y.shape}; give at least {_FEWEST} circuits by {_FEWEST} noises.")
    if not np.isfinite(y).all():
        raise BadInput(
            f"crossed design: {int((~np.isfinite(y)).sum())} of {y.size} runs failed, and a variance needs them all; "
            "leave out their circuits or noises, or select a condition in which all settle."
        )
    rows, columns = y.shape
    centred = y - y.mean()
    by_row, by_column = centred.mean(axis=1), centred.mean(axis=0)
    rest = centred - by_row[:, None] - by_column
    freedom = np.array([rows - 1, columns - 1, (rows - 1) * (columns - 1)])
    squares = np.array([columns * (by_row**2).sum(), rows * (by_column**2).sum(), (rest**2).sum()])
    if squares.sum() == 0:
        raise BadInput("crossed design: all readings are equal, so there is no variance to split.")

    def components(mean_squares: Array) -> Array:
        a, b, e = mean_squares
        return np.maximum([(a - e) / columns, (b - e) / rows, e], 0)

    draws = np.random.default_rng(seed).chisquare(freedom, (_DRAWS, 3)).T
    point, cloud = components(squares / freedom), components(squares[:, None] / draws)
    total = float(point.sum())
    return VarianceSplit(
        parts=_estimates(point, cloud, confidence, rows * columns, "generalised"),
        shares=_estimates(point / total, cloud / cloud.sum(axis=0), confidence, rows * columns, "generalised"),
        total=total,
        design="crossed",
        measure="variance",
        left_out=0,
    )


def split_runs(
    both: ArrayLike,
    mismatch: ArrayLike,
    noise: ArrayLike,
    *,
    measure: str = "mean square",
    confidence: float = 0.95,
    seed: int = 0,
    resamples: int = 2000,
) -> VarianceSplit:
    """Split the spread by three runs of the same samples: with mismatch and noise, with mismatch only, with noise only.

    Parameters
    ----------
    both, mismatch, noise : array, shape (n,)
        Entry k of all three has the same deviations and the same noise. NaN or infinite where a run failed; the sample is
        then left out of all three.
    measure : str
        ``mean square`` for errors, which are distances: mean squares of small independent departures add up, whatever the
        dimension. ``variance`` for readings of either sign.
    seed, resamples : int
        Of the bootstrap over samples: bias-corrected and accelerated up to 1000 samples, by percentiles above, where that
        correction is small and would take a square number of steps.

    Returns
    -------
    VarianceSplit
        Its last part, both − mismatch − noise, may be negative: then mismatch and noise spoil less together than apart.

    Raises
    ------
    BadInput
        The lengths differ, fewer than 5 samples settled in all three runs, or they do not spread.
    """
    runs = [np.asarray(values, dtype=float) for values in (both, mismatch, noise)]
    confidence = check_share("confidence", confidence)
    if measure not in ("mean square", "variance"):
        raise BadInput(f"measure {measure!r} is none of 'mean square' and 'variance'.")
    if any(values.ndim != 1 or values.shape != runs[0].shape for values in runs):
        raise BadInput(
            f"three runs: the shapes are {', '.join(str(v.shape) for v in runs)}; give the same samples three times."
        )
    settled = np.logical_and.reduce([np.isfinite(values) for values in runs])
    count = int(settled.sum())
    if count < _FEWEST:
        raise BadInput(
            f"three runs: {count} of {len(settled)} samples settled in all three, and {_FEWEST} are needed; run more."
        )
    runs = [values[settled] for values in runs]

    def spread(values: Array, axis: int) -> Array:
        return (values**2).mean(axis=axis) if measure == "mean square" else values.var(axis=axis, ddof=1)

    def split(a: Array, b: Array, c: Array, axis: int = -1) -> Array:
        whole, first, second = (spread(values, axis) for values in (a, b, c))
        parts = np.stack([first, second, whole - first - second])
        # A resample of one sample, many times over, has no variance: its shares are those of nothing.
        return np.concatenate([parts, parts / np.maximum(whole, np.finfo(float).tiny)])

    point, total = split(runs[0], runs[1], runs[2]), float(spread(runs[0], -1))
    if total == 0:
        raise BadInput("three runs: the run with mismatch and noise does not spread, so there is nothing to split.")
    interval = scipy.stats.bootstrap(
        runs,
        split,
        paired=True,
        n_resamples=resamples,
        confidence_level=confidence,
        method="BCa" if count <= _MOST_CORRECTED else "percentile",
        batch=max(1, 10**7 // count),
        rng=np.random.default_rng(seed),
    ).confidence_interval
    found = [
        Estimate(float(value), float(low), float(high), confidence, count, 0, "bootstrap")
        for value, low, high in zip(point, interval.low, interval.high, strict=True)
    ]
    return VarianceSplit(
        parts=MappingProxyType(dict(zip(CAUSES, found[:3], strict=True))),
        shares=MappingProxyType(dict(zip(CAUSES, found[3:], strict=True))),
        total=total,
        design="three runs",
        measure=measure,
        left_out=int((~settled).sum()),
    )


def split_study(
    dataset: xarray.Dataset,
    *,
    noise: float,
    mismatch: float,
    variable: str = "error",
    confidence: float = 0.95,
    seed: int = 0,
    **condition: Any,
) -> VarianceSplit:
    """Split the mean square of a study's errors at one noise and mismatch, by its runs with either at 0.

    Parameters
    ----------
    noise, mismatch : float
        Levels with both; the study also holds the level 0 of each.
    condition
        One value for each other dimension of more than one value.

    Raises
    ------
    BadInput
        A level is missing, a dimension is left open, no sample was run in all three, or as in `split_runs`.
    """
    levels = ((noise, mismatch), (0.0, mismatch), (noise, 0.0))
    columns, runs = zip(*(column_at(dataset, variable, noise=n, mismatch=m, **condition) for n, m in levels), strict=True)
    run = np.logical_and.reduce(runs)
    return split_runs(*(column[run] for column in columns), confidence=confidence, seed=seed)


def _estimates(point: Array, cloud: Array, confidence: float, samples: int, method: str) -> Mapping[str, Estimate]:
    low, high = np.quantile(cloud, [(1 - confidence) / 2, (1 + confidence) / 2], axis=1)
    return MappingProxyType(
        {
            cause: Estimate(float(point[k]), float(low[k]), float(high[k]), confidence, samples, 0, method)
            for k, cause in enumerate(CAUSES)
        }
    )
