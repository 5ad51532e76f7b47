"""How far any answer to a problem is from right, computed from the answer alone: whoever gave it, and whatever it claims.

Errors count in the units in which runs are judged.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analogflow.errors import AnalogflowError, BadInput
from analogflow.families.ends import known_to

if TYPE_CHECKING:
    from analogflow.families.family import Family

__all__ = ["Judge", "judge_of_law", "judge_of_path", "read_shown"]


@dataclasses.dataclass(frozen=True, eq=False)
class Judge:
    """One measure of error for every contender of a problem.

    Parameters
    ----------
    measure : str
        What the error is, in a few words.
    unit : str
        Of the error.
    full_scale : float
        Error that is as large as an answer can be: effective bits are log₂(full_scale/error).
    usual : float
        Accuracy that is asked for where none is given.
    of : callable
        Error of an answer; an answer that is none may raise.
    """

    measure: str
    unit: str
    full_scale: float
    usual: float
    of: Callable[[Any], float]

    def error(self, answer: Any) -> float:
        """Error of `answer`, not negative; infinite where it is no answer at all."""
        try:
            error = float(self.of(answer))
        except (AnalogflowError, np.linalg.LinAlgError):
            return math.inf
        return error if error >= 0 else 0.0 if error < 0 else math.inf

    def bits(self, error: float) -> float:
        """Effective bits of an error: infinite where there is none, 0 where it is as large as an answer, or infinite."""
        if error == 0:
            return math.inf
        return math.log2(self.full_scale / error) if error < self.full_scale else 0.0


def judge_of_path(family: Family, problem: Any) -> Judge:
    """Judge of a signal that the reference knows: what the flow shows."""
    flow = family.flow(problem)
    if family.reference is None:
        raise BadInput(f"compare: the family {family.name} has no reference, so that no error can be measured.")
    reference = family.reference(problem, float(flow.end_time or 0.0))
    exact = np.ravel(reference.values[flow.shows])

    def error(answer: Any) -> float:
        return float(abs(np.ravel(answer) - exact).max()) + reference.gap

    scale = 2 * float(abs(exact).max(initial=0.0)) or 1.0
    return Judge(f"largest error of a component of {flow.shows}", "", scale, 1e-3, error)


def read_shown(family: Family, problem: Any, values: Mapping[str, Any]) -> Any:
    """What the flow shows."""
    return values[family.flow(problem).shows]


def judge_of_law(law: Any) -> Judge:
    """Judge of (mean, covariance) against those of a reference."""
    exact, spread, gap = law.mean, law.covariance, known_to(law)
    widths = np.sqrt(np.diag(spread))

    def error(answer: Any) -> float:
        mean, covariance = answer
        means = abs(np.asarray(mean) - exact) / widths
        spreads = abs(np.asarray(covariance) - spread) / np.outer(widths, widths)
        return float(max(means.max(), spreads.max())) + gap

    return Judge("largest error of a mean or covariance, in standard deviations and their products", "", 1.0, 5e-2, error)
