"""When a study has enough samples: looks that are fixed beforehand, each paying for a share of the risk.

Who looks after every sample and stops as soon as the interval lies on one side of a target stops on luck: a yield that is
just the target was called better or worse in 32% of the cases where the intervals' confidence says 5%. (Stopping as soon as
an interval is narrow does less harm: Wilson's then covered in 0.94 to 0.98 of the cases for a stated 0.95.) Here the sizes
at which one looks are fixed before the first sample, and look k of K takes an exact interval at 1 − (1 − confidence)/K:
whichever look stops the study, its interval covers with at least the stated probability.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from analogflow.errors import BadInput
from analogflow.studies.statistics.estimates import Estimate, check_share, losses, quantile_estimate, rate_estimate
from analogflow.studies.statistics.yields import check_limit

__all__ = ["Decision", "Looks", "plan_looks", "stop_for_quantile", "stop_for_yield"]


@dataclasses.dataclass(frozen=True)
class Looks:
    """Sizes at which a study may stop, ascending, and the confidence of the interval it stops with.

    Raises
    ------
    BadInput
        The sizes are not ascending whole numbers from 1, or the confidence is not between 0 and 1.
    """

    sizes: tuple[int, ...]
    confidence: float = 0.95

    def __post_init__(self) -> None:
        check_share("confidence", self.confidence)
        if not self.sizes or self.sizes[0] < 1 or any(b <= a for a, b in zip(self.sizes, self.sizes[1:], strict=False)):
            raise BadInput(f"looks: {self.sizes!r} are not ascending numbers of samples; give such as (50, 100, 200).")

    @property
    def each(self) -> float:
        """Confidence of the interval at each look."""
        return 1 - (1 - self.confidence) / len(self.sizes)


@dataclasses.dataclass(frozen=True, eq=False)
class Decision:
    """Whether to go on.

    Parameters
    ----------
    stop : bool
        No further sample is needed, or none may be added.
    met : bool
        The interval is as narrow as asked for, or lies on one side of the target.
    samples : int
        Samples that the estimate rests on; more that were run are left out, or the interval would not hold.
    upto : int
        Number of samples to run up to before the next look; that of this look where the study stops.
    estimate : Estimate or None
        With the confidence of the whole plan; None before the first look.
    """

    stop: bool
    met: bool
    samples: int
    upto: int
    estimate: Estimate | None


def plan_looks(most: int, *, first: int = 50, looks: int = 5, confidence: float = 0.95) -> Looks:
    """Looks at sizes in geometric progression from `first` to `most` samples.

    Raises
    ------
    BadInput
        `first` is not from 1 to `most`, or there is no look.
    """
    if not 1 <= first <= most or looks < 1:
        raise BadInput(
            f"looks: {looks!r} looks from {first!r} to {most!r} samples; give at least one, and 1 ≤ first ≤ most."
        )
    sizes = np.unique(np.ceil(np.geomspace(first, most, looks) - 1e-9).astype(int)) if looks > 1 else np.array([most])
    return Looks(tuple(int(size) for size in sizes), confidence)


def stop_for_yield(
    errors: ArrayLike, looks: Looks, *, limit: float, half_width: float, target: float | None = None
) -> Decision:
    """Stop as soon as the yield is known to ± `half_width`, or to lie on one side of `target`.

    Parameters
    ----------
    errors : array, shape (n,)
        Of all samples so far, in the order of their numbers; NaN or infinite where a sample failed, which is a loss.
    limit : float
        Largest acceptable error, in its unit.
    half_width : float
        Half of the width of the interval at which to stop, between 0 and 1.
    target : float, optional
        Yield whose being reached or missed is the question, between 0 and 1.

    Raises
    ------
    BadInput
        An error is negative or an argument is out of its range.
    """
    limit, half_width = check_limit(limit), check_share("half_width", half_width)
    target = None if target is None else check_share("target", target)

    def estimate(values: np.ndarray) -> Estimate:
        passed = int((values <= limit).sum())
        found = rate_estimate(passed, len(values), confidence=looks.each, method="exact")
        return dataclasses.replace(found, failed=int(np.isinf(values).sum()))

    def narrow(found: Estimate) -> bool:
        decided = target is not None and not found.low <= target <= found.high
        return decided or found.high - found.low <= 2 * half_width

    return _decide(errors, looks, estimate, narrow)


def stop_for_quantile(errors: ArrayLike, looks: Looks, *, ratio: float, quantile: float = 0.5) -> Decision:
    """Stop as soon as a quantile of the errors is known up to a factor: upper end ≤ `ratio` times lower end.

    Parameters
    ----------
    errors : array, shape (n,)
        Of all samples so far, in the order of their numbers; NaN or infinite where a sample failed.
    ratio : float
        Above 1.
    quantile : float
        Between 0 and 1.

    Raises
    ------
    BadInput
        An error is negative or an argument is out of its range.
    """
    quantile = check_share("quantile", quantile)
    if not 1 < ratio < np.inf:
        raise BadInput(f"ratio: {ratio!r} is no factor between the ends of an interval; give a number above 1, such as 1.5.")

    def estimate(values: np.ndarray) -> Estimate:
        return quantile_estimate(values, quantile, confidence=looks.each)

    return _decide(errors, looks, estimate, lambda found: np.isfinite(found.high) and found.high <= ratio * found.low)


def _decide(
    errors: ArrayLike, looks: Looks, estimate: Callable[[np.ndarray], Estimate], narrow: Callable[[Estimate], bool]
) -> Decision:
    """The first look, among those whose size was reached, that is narrow; otherwise the last reached."""
    values = losses(errors, least=0)
    found, last = None, 0
    for size in looks.sizes:
        if size > len(values):
            return Decision(stop=False, met=False, samples=last, upto=size, estimate=found)
        found, last = dataclasses.replace(estimate(values[:size]), confidence=looks.confidence), size
        if narrow(found):
            return Decision(stop=True, met=True, samples=size, upto=size, estimate=found)
    return Decision(stop=True, met=False, samples=last, upto=last, estimate=found)
