"""One judgement of runs, of one or of thousands: their errors, each held against the largest that is let pass.

Certificates, restarts and studies ask here. Laws are read off one long run each, and judged by their standard errors instead
(`stationary`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.families import judging_family
from analogflow.families.check import Check, Held
from analogflow.families.ends import Ends
from analogflow.families.references import reference_for
from analogflow.trajectory import Trajectory
from analogflow.validation.measures import errors_of

__all__ = ["Judgement", "judge_run", "judge_runs"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """What some runs are worth.

    Parameters
    ----------
    errors : mapping of name to array, shape (samples,)
        As `measures` has them.
    held : tuple of Held
    """

    errors: Mapping[str, Array]
    held: tuple[Held, ...]

    @property
    def passed(self) -> NDArray[np.bool_]:
        """Which runs pass all that is asked, shape (samples,)."""
        return np.all([held.passed for held in self.held], axis=0)

    def checks(self, sample: int = 0) -> list[Check]:
        """All checks of a run."""
        return [held.check(sample) for held in self.held]

    def errors_of_one(self, sample: int = 0, *, leave_out: str = "") -> dict[str, float]:
        """Errors of a run, as a certificate lists them."""
        return {name: float(values[sample]) for name, values in self.errors.items() if name != leave_out}

    def failed(self, sample: int) -> list[str]:
        """Names of what a run does not pass."""
        return [held.name for held in self.held if not held.passed[sample]]


def judge_runs(
    problem: Any,
    finals: Mapping[str, Array],
    *,
    tolerance: float,
    paths: Mapping[str, Array] | None = None,
    times: Array | None = None,
    end: float = 0.0,
) -> Judgement:
    """Judge the ends of runs that solve `problem`, or of a flow that has none.

    Parameters
    ----------
    problem, finals, paths, times, end
        As `measures` takes them; the answer is no law.
    tolerance : float
        Largest error that passes, in nats, in probability and in coordinates.
    """
    finals = {name: np.asarray(value, dtype=float) for name, value in finals.items()}
    paths = {name: value[:, None] for name, value in finals.items()} if paths is None else paths
    errors = errors_of(problem, finals, paths, times, end)
    family = judging_family(problem)
    if family.reference is None:
        return Judgement(errors, (Held("the answer is known", errors[family.primary], 0.0),))
    with np.errstate(all="ignore"):
        held = family.held(problem, reference_for(problem, end), errors, Ends(finals, paths, times, end), tolerance)
    return Judgement(errors, tuple(held))


def judge_run(problem: Any, run: Trajectory, *, tolerance: float) -> Judgement:
    """The same for one run."""
    finals, paths = ({name: value[part] for name, value in run.values.items()} for part in (np.s_[-1:], np.s_[None]))
    return judge_runs(problem, finals, tolerance=tolerance, paths=paths, times=run.time, end=float(run.time[-1]))
