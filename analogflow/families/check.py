"""One check of a run, or of thousands: its name, what it found, and the numbers behind the verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAILED", "PASSED", "UNCERTIFIED", "UNDECIDED", "Check", "Held", "asked"]

Array = NDArray[np.float64]

PASSED, FAILED, UNDECIDED, UNCERTIFIED = "passed", "failed", "too few samples to tell", "not certified"
"""What a check can find. Only the first is a pass: the third could not have failed by the accuracy asked for, and for the
fourth there is nothing exact to hold a run against."""


@dataclasses.dataclass(frozen=True)
class Check:
    """A named verdict with a sentence of detail.

    Parameters
    ----------
    name : str
    passed : bool
    detail : str
    verdict : {"passed", "failed", "too few samples to tell", "not certified"}
        The first two as `passed` says, if not given.
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
    """

    name: str
    errors: Array
    limit: float
    unit: str | NDArray[np.str_] = ""
    words: Callable[[float], str] | None = None

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
        return Check.at_most(self.name, error, self.limit, unit)


def asked(errors: Mapping[str, Array], limit: float, *what: tuple[Any, ...]) -> list[Held]:
    """What is asked, name, sentence, unit and, where it is not 1, what errors count in; of signals that a run has."""
    return [
        Held(sentence, errors[name] / (scale[0] if scale else 1.0), limit, unit)
        for name, sentence, unit, *scale in what
        if name in errors
    ]
