"""Do two engines draw errors from the same law? Two-sample tests, for samples that share no noise."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analogflow.errors import BadInput
from analogflow.studies.statistics.samples import losses

__all__ = ["EngineComparison", "compare_engines"]

_EXACT = 100
"""Samples up to which the p-value of Kolmogorov and Smirnov is exact."""


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
    test: Any = stats.ks_2samp(x, y, method="exact" if min(len(x), len(y)) <= _EXACT else "asymp")
    energy: Any = stats.permutation_test(
        (x, y),
        lambda p, q: float(stats.energy_distance(p, q)),
        n_resamples=permutations,
        alternative="greater",
        vectorized=False,
        rng=np.random.default_rng(seed),
    )
    failed = int(np.isinf(a).sum()), int(np.isinf(b).sum())
    fisher: Any = stats.fisher_exact([[failed[0], len(a) - failed[0]], [failed[1], len(b) - failed[1]]])
    return EngineComparison(
        kolmogorov=float(test.statistic),
        kolmogorov_p=float(test.pvalue),
        energy=float(energy.statistic),
        energy_p=float(energy.pvalue),
        failures_p=float(fisher.pvalue),
        samples=(len(a), len(b)),
        failed=failed,
    )
