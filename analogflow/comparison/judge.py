"""How far any answer to a problem is from right, computed from the answer alone: whoever gave it, and whatever it claims.

Errors are those that runs are judged by, and count in the same units, unless the contest has its own measure, `away`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import AnalogflowError, BadInput
from analogflow.families import FAMILIES, known_family, own_reference
from analogflow.families.family import Contest
from analogflow.judgement.judging import judge

__all__ = ["Judge", "judge_of"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Judge:
    """One measure of error for every contender of a problem, who are compared as its family says."""

    problem: Any
    contest: Contest

    def error(self, answer: Any) -> float:
        """Error of an answer as a digital contender gives it, not negative; infinite where it is no answer at all."""
        return float(self.errors(self.contest.signals_of(answer))[0])

    def errors(self, signals: Mapping[str, Array]) -> Array:
        """The same of answers as signals, each of shape (samples, size); shape (samples,)."""
        contest = self.contest
        try:
            if contest.away is not None:
                found = contest.away(signals)
            else:
                errors = judge(self.problem, signals).errors
                found = np.max([errors[name] / unit for name, unit in contest.errors.items()], axis=0)
        except (AnalogflowError, np.linalg.LinAlgError):
            count = len(next(iter(signals.values())))
            if count == 1:
                return np.full(1, math.inf)
            each = [self.errors({name: value[k : k + 1] for name, value in signals.items()}) for k in range(count)]
            return np.concatenate(each)
        found = found + contest.gap
        return np.where(found >= 0, found, np.where(found < 0, 0.0, math.inf))

    def bits(self, error: float) -> float:
        """Effective bits of an error: infinite where there is none, 0 where it is as large as an answer, or infinite."""
        if error == 0:
            return math.inf
        return math.log2(self.contest.full_scale / error) if error < self.contest.full_scale else 0.0


def judge_of(problem: Any) -> Judge:
    """Judge of a problem's answers; what an answer is says its family.

    Raises
    ------
    BadInput
        Answers to problems of this kind are not compared.
    """
    family = known_family(problem)
    if family is None or family.contest is None:
        known = ", ".join(one.problem.__name__ for one in FAMILIES.values() if one.contest is not None)
        raise BadInput(f"compare: a problem of type {type(problem).__name__} has no digital contenders; known are: {known}.")
    return Judge(problem, family.contest(problem, functools.partial(own_reference, problem)))
