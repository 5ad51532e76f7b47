"""What a run is worth: its answer in the problem's terms, the reference, the errors, and checks that passed or did not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from analogflow.families import judging_family
from analogflow.families.check import FAILED, UNCERTIFIED, UNDECIDED, Check
from analogflow.families.references import reference_for
from analogflow.families.stationary import ACCURACY
from analogflow.run import Run
from analogflow.validation.ending import ending, time_needed
from analogflow.validation.judgement import judge_run

__all__ = ["Certificate", "Check", "certify"]


@dataclasses.dataclass(frozen=True, eq=False)
class Certificate:
    """Judgement on a run.

    Parameters
    ----------
    answer : mapping
        The run's answer in the problem's terms: name to number or list.
    reference : mapping
        The reference's answer under the same names.
    reference_gap : float
        Certified width of the interval that holds the true optimum.
    errors : mapping of name to float
        Differences from the reference, and departures from what the answer must satisfy.
    checks : tuple of Check
        The first says how the run ended. A state that still creeps is no fault where the other checks prove the answer.
    time_needed : float, optional
        Length of a run, in τ, after which an answer that still creeps would be right; None where it rests, or where that
        can not be seen.
    """

    answer: Mapping[str, Any]
    reference: Mapping[str, Any]
    reference_gap: float
    errors: Mapping[str, float]
    checks: tuple[Check, ...]
    time_needed: float | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        errors = ", ".join(f"{name} {value:.2g}" for name, value in self.errors.items())
        return f"{errors}; {self.verdict}"

    @property
    def verdict(self) -> str:
        """All checks in a line: those that failed, and those that could not tell, by their names."""
        said = [
            f"{verdict}: {', '.join(names)}"
            for verdict in (FAILED, UNDECIDED, UNCERTIFIED)
            if (names := [check.name for check in self.checks if check.verdict == verdict])
        ]
        return "; ".join(said) or "all checks passed"


def certify(problem: Any, run: Run, *, tolerance: float = 1e-6, accuracy: float | None = None) -> Certificate:
    """Hold the end of `run` against the exact reference of `problem`.

    Parameters
    ----------
    problem : Channel, RateDistortion, Attention, Transport, Hopfield, Langevin, Equations, Flow
        A flow of one's own, without a problem, is held against integrations of its function.
    run : Run
    tolerance : float
        Largest error a check lets pass, in nats, in probability and in coordinates.
    accuracy : float, optional
        Of a law: the error that its checks must be able to find, in standard deviations, or "too few samples to tell"; a
        quarter if not given.

    Raises
    ------
    BadInput
        No family knows this kind of problem. Of a family without a reference nothing is certified, and the checks say so.
    """
    family = judging_family(problem)
    reference = reference_for(problem, float(run.time[-1]))
    ended = Check(family.ended, run.outcome.ok, f"{run.outcome.value} {run.detail}".strip())
    if reference is None:
        shown = family.flow(problem).shows
        nothing = Check("the answer is known", False, f"the family {family.name} has no exact reference.", UNCERTIFIED)
        return Certificate({shown: run.final[shown].tolist()}, {}, math.nan, {}, (ended, nothing))
    if family.held_as_law is not None and family.law(problem):
        answer, errors, others = family.held_as_law(problem, reference, run, tolerance, accuracy or ACCURACY)
    else:
        judged = judge_run(problem, run, limit=tolerance)
        answer, errors = family.answer(problem, reference, run), judged.listed()
        others = judged.checks()
    checks = (ending(problem, run, ended, others, tolerance), *others)
    exact = family.exact(problem, reference)
    return Certificate(answer, exact, reference.gap, errors, checks, time_needed(problem, run, tolerance))
