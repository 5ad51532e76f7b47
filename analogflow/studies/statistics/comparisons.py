"""Two columns of errors held against each other: whether it is chance that they differ, and which is better by how much.

Engines whose samples share no noise are compared by two-sample tests of one law; forms or conditions under the same noise
and the same deviations, pair by pair.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from analogflow.errors import BadInput
from analogflow.studies.statistics.estimates import Estimate, check_share, column_at, losses

if TYPE_CHECKING:
    import xarray

__all__ = ["EngineComparison", "PairedComparison", "compare_engines", "compare_paired", "compare_study"]

_EXACT = 100
"""Samples up to which the p-value of Kolmogorov and Smirnov is exact."""

Array = NDArray[np.float64]

_FEWEST = 5
"""Pairs below which a variance of logarithms says nothing."""


@dataclasses.dataclass(frozen=True, eq=False)
class EngineComparison:
    """Two samples held against each other.

    Parameters
    ----------
    kolmogorov : float
        Largest difference of the distribution functions of the errors that are finite.
    kolmogorov_p : float
        Its p-value, exact for few samples.
    energy : float
        Energy distance of the logarithms of those errors: √(2E|X−Y| − E|X−X'| − E|Y−Y'|).
    energy_p : float
        Its p-value by permutation.
    failures_p : float
        p-value of Fisher's exact test of equal failure rates.
    samples, failed : tuple of int
        Of the first and the second engine.
    """

    kolmogorov: float
    kolmogorov_p: float
    energy: float
    energy_p: float
    failures_p: float
    samples: tuple[int, int]
    failed: tuple[int, int]

    @property
    def p_value(self) -> float:
        """Of the three tests together: three times the least p-value, at most 1 (Bonferroni)."""
        return min(1.0, 3 * min(self.kolmogorov_p, self.energy_p, self.failures_p))


def compare_engines(
    first: ArrayLike, second: ArrayLike, *, permutations: int = 999, seed: int = 0, floor: float = 1e-15
) -> EngineComparison:
    """Test whether the errors of two engines, such as the block engine and ngspice, follow one law.

    Parameters
    ----------
    first, second : array, shapes (n,) and (m,)
        Errors; NaN or infinite where a sample failed. The samples must be independent of each other: take other sample
        numbers for each engine. Engines that played the same noise are compared pair by pair instead (`compare_paired`).
    permutations, seed : int
        Of the permutation test of the energy distance.
    floor : float
        Errors below it count as this one: logarithms are taken, and what lies below is rounding.

    Returns
    -------
    EngineComparison
        If the law is one, its `p_value` is at most α with a probability of at most α.

    Raises
    ------
    BadInput
        An error is negative, fewer than two samples of an engine did not fail, or there are fewer than 99 permutations.
    """
    a, b = losses(first, name="first engine"), losses(second, name="second engine")
    x, y = (np.log(np.maximum(v[np.isfinite(v)], floor)) for v in (a, b))
    for name, kept, given in (("first", x, a), ("second", y, b)):
        if len(kept) < 2:
            raise BadInput(f"{name} engine: {len(kept)} of {len(given)} samples did not fail, and 2 are needed; run more.")
    if permutations < 99:
        raise BadInput(f"permutations: {permutations!r} are too few for a p-value of 0.01; give at least 99.")
    # Exact p-values of many samples can not be computed, and SciPy warns of it.
    test: Any = scipy.stats.ks_2samp(x, y, method="exact" if min(len(x), len(y)) <= _EXACT else "asymp")
    energy: Any = scipy.stats.permutation_test(
        (x, y),
        lambda p, q: float(scipy.stats.energy_distance(p, q)),
        n_resamples=permutations,
        alternative="greater",
        vectorized=False,
        rng=np.random.default_rng(seed),
    )
    failed = int(np.isinf(a).sum()), int(np.isinf(b).sum())
    fisher: Any = scipy.stats.fisher_exact([[failed[0], len(a) - failed[0]], [failed[1], len(b) - failed[1]]])
    return EngineComparison(
        kolmogorov=float(test.statistic),
        kolmogorov_p=float(test.pvalue),
        energy=float(energy.statistic),
        energy_p=float(energy.pvalue),
        failures_p=float(fisher.pvalue),
        samples=(len(a), len(b)),
        failed=failed,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class PairedComparison:
    """Two columns of errors, pair by pair.

    Parameters
    ----------
    ratio : Estimate
        Median of second error / first error, with the interval that inverts the sign test: it covers with at least the
        stated probability for any law. Infinite ratios are pairs of which the second failed, zeros those of which the first
        did.
    sign_p : float
        p-value of the two-sided sign test of a median ratio of 1; holds for any law.
    wilcoxon_p : float
        p-value of Wilcoxon's signed-rank test of the logarithms of the ratios: sharper, and holds where they are symmetric
        about their median. A pair of which one failed has the largest rank.
    first_failed, second_failed, both_failed : int
        Pairs of which only the first failed, only the second, or both; the last say nothing and are left out of the tests.
    gain : Estimate
        Pairs of unpaired samples that would bound the mean logarithm of the ratio as well as one pair does:
        (s₁² + s₂²)/s²(difference), from the logarithms of the pairs without failures or zeros; NaN if fewer than
        5. The interval is a bootstrap. Above 1 where the pairing helps.
    """

    ratio: Estimate
    sign_p: float
    wilcoxon_p: float
    first_failed: int
    second_failed: int
    both_failed: int
    gain: Estimate


def compare_paired(
    first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95, seed: int = 0, resamples: int = 1000
) -> PairedComparison:
    """Compare errors of the same samples under two conditions.

    Parameters
    ----------
    first, second : array, shape (n,)
        Errors; entry k of both has the same noise and deviations. NaN or infinite where the sample failed.
    seed, resamples : int
        Of the bootstrap of the gain.

    Raises
    ------
    BadInput
        The lengths differ, an error is negative, there is no pair that says anything, or an argument is out of its range.
    """
    a, b = losses(first, name="first errors"), losses(second, name="second errors")
    confidence = check_share("confidence", confidence)
    if len(a) != len(b):
        raise BadInput(
            f"paired comparison: {len(a)} and {len(b)} errors were given; give the same samples under both conditions."
        )
    both = np.isinf(a) & np.isinf(b)
    if both.all():
        raise BadInput("paired comparison: every pair failed under both conditions; select conditions in which some settle.")
    difference = _log_ratio(a[~both], b[~both])
    ordered = np.sort(difference)
    bounds = scipy.stats.quantile_test(ordered, p=0.5).confidence_interval(confidence)
    low, high = np.exp([np.nan_to_num(bounds.low, nan=-np.inf, posinf=np.inf, neginf=-np.inf), bounds.high])
    ratio = Estimate(
        value=float(np.exp(np.quantile(ordered, 0.5, method="inverted_cdf"))),
        low=float(low),
        high=float(np.nan_to_num(high, nan=np.inf, posinf=np.inf)),
        confidence=confidence,
        samples=len(ordered),
        failed=int(np.isinf(a).sum() + np.isinf(b).sum() - 2 * both.sum()),
        method="order",
    )
    above, below = int((difference > 0).sum()), int((difference < 0).sum())
    return PairedComparison(
        ratio=ratio,
        sign_p=float(scipy.stats.binomtest(above, above + below).pvalue) if above + below else 1.0,
        wilcoxon_p=_wilcoxon(difference),
        first_failed=int((np.isinf(a) & ~both).sum()),
        second_failed=int((np.isinf(b) & ~both).sum()),
        both_failed=int(both.sum()),
        gain=_gain(a, b, confidence, seed, resamples),
    )


def compare_study(
    dataset: xarray.Dataset,
    along: str,
    first: object,
    second: object,
    *,
    variable: str = "error",
    confidence: float = 0.95,
    seed: int = 0,
    **condition: Any,
) -> PairedComparison:
    """Compare two values of one dimension of a study, as `compare_paired`, over the samples that were run under both.

    Parameters
    ----------
    along : str
        The dimension, such as ``form``; `first` and `second` are its values.
    condition
        One value for each other dimension of more than one value.

    Raises
    ------
    BadInput
        There is no such variable, dimension or value, a dimension is left open, or no sample was run under both.
    """
    columns, runs = zip(
        *(column_at(dataset, variable, **{along: value}, **condition) for value in (first, second)), strict=True
    )
    run = runs[0] & runs[1]
    if not run.any():
        raise BadInput(f"study: no sample was run both at {along} = {first!r} and at {second!r}; run the study for both.")
    return compare_paired(columns[0][run], columns[1][run], confidence=confidence, seed=seed)


def _log_ratio(a: Array, b: Array) -> Array:
    """Logarithm of b/a; 0 where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.log(b) - np.log(a)
    return np.where(a == b, 0.0, difference)


def _wilcoxon(difference: Array) -> float:
    moved = difference[difference != 0]
    if len(moved) == 0:
        return 1.0
    finite = np.abs(moved[np.isfinite(moved)])
    largest = 2 * finite.max(initial=1.0)
    test: Any = scipy.stats.wilcoxon(np.clip(moved, -largest, largest))
    return float(test.pvalue)


def _gain(a: Array, b: Array, confidence: float, seed: int, resamples: int) -> Estimate:
    usable = np.isfinite(a) & np.isfinite(b) & (a > 0) & (b > 0)
    count, left_out = int(usable.sum()), int((~usable).sum())
    nothing = Estimate(np.nan, np.nan, np.nan, confidence, count, left_out, "bootstrap")
    if count < _FEWEST:
        return nothing
    x, y = np.log(a[usable]), np.log(b[usable])
    if np.ptp(x - y) == 0:
        return dataclasses.replace(nothing, value=np.inf, low=np.inf, high=np.inf)

    # Draws of one and the same pair differ by rounding alone, and quotients of that are anything.
    rounding = np.square(np.finfo(float).eps * max(1.0, float(abs(x).max()), float(abs(y).max())))

    def gain(x: Array, y: Array, axis: int = -1) -> Array:
        unpaired = x.var(axis=axis, ddof=1) + y.var(axis=axis, ddof=1)
        return unpaired / np.maximum((x - y).var(axis=axis, ddof=1), rounding)

    interval = scipy.stats.bootstrap(
        (x, y),
        gain,
        paired=True,
        n_resamples=resamples,
        batch=max(1, 10**7 // count),
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return dataclasses.replace(nothing, value=float(gain(x, y)), low=float(interval.low), high=float(interval.high))
