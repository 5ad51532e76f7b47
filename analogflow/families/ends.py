"""Ends of runs, one or thousands: what their errors are measured by, and the checks that hold these against a limit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.rest import size_of

__all__ = [
    "FAILED",
    "NOT_EXACT",
    "NOT_MIXED",
    "PASSED",
    "UNCERTIFIED",
    "UNDECIDED",
    "Check",
    "Held",
    "RunEnds",
    "Worth",
    "asked",
    "below_zero",
    "distribution",
    "for_all",
    "gap_of",
    "is_exact",
    "largest",
    "sizes_of",
]

Array = NDArray[np.float64]

PASSED, FAILED, UNDECIDED, UNCERTIFIED = "passed", "failed", "too few samples to tell", "not certified"
NOT_MIXED = "not mixed"
"""What a check can find. Only the first is a pass: the third could not have failed by the accuracy asked for, for the
fourth there is nothing exact to hold a run against, and chains that have not mixed do not know their law."""


NOT_EXACT = "Without exact reference: the law is held against an interval of long chains, which no proof bounds."
"""What is said of an answer whose reference is none."""


def is_exact(reference: Any) -> bool:
    """Whether the gap of a reference bounds its error; else it is an interval of chains."""
    return bool(getattr(reference, "exact", True))


@dataclasses.dataclass(frozen=True)
class Check:
    """A named verdict with a sentence of detail.

    Parameters
    ----------
    name : str
    passed : bool
    detail : str
    verdict : {"passed", "failed", "too few samples to tell", "not certified", "not mixed"}
        The first two as `passed` says, if not given. Of a chaotic path that was followed for as long as can be: "passed
        until t = 12.3, then chaos", with the time in τ.
    """

    name: str
    passed: bool
    detail: str
    verdict: str = ""

    def __post_init__(self) -> None:
        if not self.verdict:
            object.__setattr__(self, "verdict", PASSED if self.passed else FAILED)

    @classmethod
    def at_most(cls, name: str, value: float, limit: float, unit: str = "") -> Check:
        """Check that `value` does not exceed `limit`; a NaN fails."""
        return cls(name, bool(value <= limit), f"{value:.3g}{unit and ' ' + unit} (at most {limit:g})")

    @classmethod
    def undecided(cls, name: str, detail: str) -> Check:
        """A check that can not tell."""
        return cls(name, False, detail, UNDECIDED)


@dataclasses.dataclass(frozen=True, eq=False)
class Held:
    """An error of some runs, held against the largest that is let pass.

    Parameters
    ----------
    name : str
        What is right where it passes.
    errors : array, shape (samples,)
        A NaN does not pass.
    limit : float
    unit : str, or array of str, shape (samples,)
    words : callable, optional
        The sentence that says an error, where its number and its limit do not.
    until : array, shape (samples,), optional
        Of chaotic paths: time, in τ, from which on nothing is asked; NaN where all is asked to the end.
    told : array of str, shape (samples,), optional
        What a person should know beyond the error.
    """

    name: str
    errors: Array
    limit: float
    unit: str | NDArray[np.str_] = ""
    words: Callable[[float], str] | None = None
    until: Array | None = None
    told: NDArray[np.str_] | None = None

    @property
    def passed(self) -> NDArray[np.bool_]:
        """Which runs pass, shape (samples,)."""
        with np.errstate(invalid="ignore"):
            return self.errors <= self.limit

    def check(self, sample: int) -> Check:
        """The check of one run."""
        error, unit = float(self.errors[sample]), self.unit if isinstance(self.unit, str) else str(self.unit[sample])
        if self.words is not None:
            return Check(self.name, bool(self.passed[sample]), self.words(error))
        check = Check.at_most(self.name, error, self.limit, unit)
        if self.told is not None and self.told[sample]:
            check = dataclasses.replace(check, detail=f"{check.detail}; {self.told[sample]}")
        if check.passed and self.until is not None and np.isfinite(self.until[sample]):
            check = dataclasses.replace(check, verdict=f"{PASSED} until t = {self.until[sample]:.3g}, then chaos")
        return check


def asked(errors: Mapping[str, Array], limit: float, *what: tuple[Any, ...]) -> list[Held]:
    """What is asked, name, sentence, unit and, where it is not 1, what errors count in; of signals that a run has."""
    return [
        Held(sentence, errors[name] / (scale[0] if scale else 1.0), limit, unit)
        for name, sentence, unit, *scale in what
        if name in errors
    ]


class RunEnds(NamedTuple):
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
        return np.asarray(scipy.special.softmax(finals["u"], axis=1))
    positive = np.maximum(finals[name], 0)
    return positive / positive.sum(axis=1, keepdims=True)


def for_all(value: float, like: Mapping[str, Array]) -> Array:
    """One number for every run, shape (samples,)."""
    return np.full(len(next(iter(like.values()))), float(value))


def gap_of(reference: Any, like: Mapping[str, Array]) -> Array:
    """How far a reference may be off, for every run, shape (samples,); NaN, which passes nothing, where that is below 0."""
    return for_all(reference.gap if reference.gap >= 0 else np.nan, like)


def sizes_of(problem: Any, answers: Array) -> Array:
    """What differences of answers, shape (samples, k), are relative to, shape (samples,): the size of each."""
    return size_of(abs(answers).max(axis=1))
