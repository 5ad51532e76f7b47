"""When a condition of a study has samples enough. It decides from errors alone, so every resume decides alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_finite, is_whole, proposal
from analogflow.errors import BadInput
from analogflow.studies.statistics import Decision, Looks, plan_looks, stop_for_quantile, stop_for_yield

__all__ = ["Stop", "stop_of"]


@dataclasses.dataclass(frozen=True)
class Stop:
    """Stop sampling a condition as soon as its yield, or a quantile of its errors, is known well enough.

    Parameters
    ----------
    limit : float, optional
        Largest acceptable error, in its unit: the yield is the share of samples within it.
    half_width : float, optional
        Half of the width of the yield's interval at which to stop, between 0 and 1.
    target : float, optional
        Yield whose being reached or missed is the question: stop once the interval lies on one side of it, too.
    ratio : float, optional
        Instead of the yield: stop once the interval of a quantile reaches up to this times its lower end.
    quantile : float
        Which one, between 0 and 1; the median if not given.
    first, looks : int
        Samples at the first look, and how many looks there are until all samples.
    confidence : float
        Of the interval that it stops with, whichever look that is.

    Raises
    ------
    BadInput
        Neither or both of `half_width` and `ratio` are given, or a value is out of range.
    """

    limit: float | None = None
    half_width: float | None = None
    target: float | None = None
    ratio: float | None = None
    quantile: float = 0.5
    first: int = 50
    looks: int = 5
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if (self.half_width is None) == (self.ratio is None):
            raise BadInput("stop: give half_width, for the yield within a limit, or ratio, for a quantile, and not both.")
        if (self.limit is None) == (self.ratio is None):
            raise BadInput("stop: limit is the largest acceptable error of a yield; give it with half_width alone.")
        if self.ratio is not None and self.target is not None:
            raise BadInput("stop: target is a yield; it has no meaning with ratio.")
        for name in ("limit", "half_width", "target", "ratio", "quantile", "confidence"):
            value = getattr(self, name)
            if value is not None and not is_finite(value):
                raise BadInput(f"stop: {name} is {value!r}; give a number.")
        for name in ("first", "looks"):
            value = getattr(self, name)
            if not isinstance(value, int) or not is_whole(value, 1):
                raise BadInput(f"stop: {name} is {value!r}; give a whole number from 1.")
        self.decide(np.zeros(0), self.plan(max(self.first, self.looks)))  # refuses what is out of range

    def plan(self, samples: int) -> Looks:
        """Numbers of samples at which one looks, the last of them `samples`."""
        return plan_looks(samples, first=min(self.first, samples), looks=self.looks, confidence=self.confidence)

    def decide(self, errors: NDArray[np.float64], looks: Looks) -> Decision:
        """Whether to go on after the samples with these errors, NaN where one failed."""
        if self.half_width is not None and self.limit is not None:
            return stop_for_yield(errors, looks, limit=self.limit, half_width=self.half_width, target=self.target)
        assert self.ratio is not None
        return stop_for_quantile(errors, looks, ratio=self.ratio, quantile=self.quantile)

    def wanted(self, errors: Sequence[NDArray[np.float64]], samples: int) -> tuple[list[int], list[bool]]:
        """Samples that each condition should have before the next look, and whether that was its last.

        Parameters
        ----------
        errors : sequence of arrays
            Of every condition: its samples so far, from the first on.
        samples : int
            At most.
        """
        looks = self.plan(samples)
        decisions = [self.decide(values, looks) for values in errors]
        return [decision.upto for decision in decisions], [decision.stop for decision in decisions]


def stop_of(keys: Any) -> Stop:
    """The `Stop` with these keys.

    Raises
    ------
    BadInput
        A key is unknown, or a value is out of range.
    """
    known = [field.name for field in dataclasses.fields(Stop)]
    if not isinstance(keys, Mapping):
        raise BadInput(f"stop: {keys!r} is no table; give one with {', '.join(known)}.")
    for key in keys:
        if key not in known:
            raise BadInput(f"stop: unknown key {key!r}; {proposal(key, known)}")
    return Stop(**keys)
