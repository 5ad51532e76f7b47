"""One judgement of runs, of one or of thousands: their errors, each held against the largest that is let pass.

Certificates, studies, restarts and comparisons ask here, and compute no error of an answer themselves; where a contest has a
measure of its own, as those of paths and laws have, its family computes it. Laws are read off one long run each, and held
against their standard errors instead (`stationary`).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.families import Family, PathEnd, judging_family, known_family, own_end, reference_for, reference_of
from analogflow.families.ends import Check, Held, RunEnds, Worth
from analogflow.run import IDEAL_ACCURACY, Run, Samples

__all__ = ["Judgement", "batched", "judge", "judge_along", "judge_run", "worth_of"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    r"""What some runs are worth.

    Parameters
    ----------
    family : Family
        By which they are judged.
    problem, reference : object
        What was asked, and the exact answer; None where nobody knows it.
    ends : RunEnds
    errors : mapping of name to array, shape (samples,)
        NaN where a run's end says nothing. ``state_nats`` is :math:`|I(z) - C|` or :math:`|\Phi(q) - \Phi^*|` of the state
        read by an ideal instrument (brought to the simplex, and the value computed exactly), where ``capacity_nats`` is
        about the value that the circuit itself shows; ``states`` is the largest error of any state or observable.
    limit : float
        Largest error that passes.
    parts : sequence of (array of int, Judgement)
        Where runs that ended at different times are held against different ends of a path: which runs, and what they are
        worth; `reference` and `ends` are then those of the last to end. None elsewhere.
    """

    family: Family
    problem: Any
    reference: Any
    ends: RunEnds
    errors: Mapping[str, Array]
    limit: float
    parts: tuple[tuple[NDArray[np.intp], Judgement], ...] = ()

    @property
    def error(self) -> Array:
        """The error by which answers are compared first, shape (samples,); BadInput where the family computes none."""
        family = self.family
        if family.primary not in self.errors:
            raise BadInput(
                f"the family {family.name}: no error is called {family.primary!r}, its primary one; there are: "
                f"{', '.join(self.errors)}."
            )
        return self.errors[family.primary]

    @functools.cached_property
    def held(self) -> tuple[Held, ...]:
        """What is asked of runs whose answer is no law."""
        if self.parts:
            rows = np.argsort(np.concatenate([runs for runs, _ in self.parts]))
            return tuple(_together(rows, each) for each in zip(*(part.held for _, part in self.parts), strict=True))
        if self.reference is None:
            return (Held("the answer is known", self.error, 0.0),)
        with np.errstate(all="ignore"):
            return tuple(self.family.held(self.problem, self.reference, self.errors, self.ends, self.limit))

    @property
    def passed(self) -> NDArray[np.bool_]:
        """Which runs pass all that is asked, shape (samples,)."""
        return np.all([held.passed for held in self.held], axis=0)

    def checks(self, sample: int = 0) -> list[Check]:
        """All checks of a run."""
        return [held.check(sample) for held in self.held]

    def listed(self, sample: int = 0) -> dict[str, float]:
        """Errors of a run, as a certificate lists them."""
        return {name: float(values[sample]) for name, values in self.errors.items() if name != self.family.unlisted}

    def failed(self, sample: int) -> list[str]:
        """Names of what a run does not pass."""
        return [held.name for held in self.held if not held.passed[sample]]


def _together(rows: NDArray[np.intp], each: tuple[Held, ...]) -> Held:
    """What is asked of all runs, from the same asked of some after others."""

    def joined(parts: list[Any]) -> Any:
        wide = [np.broadcast_to(part, held.errors.shape) for part, held in zip(parts, each, strict=True)]
        return np.concatenate(wide)[rows]

    return dataclasses.replace(
        each[0],
        errors=joined([held.errors for held in each]),
        unit=joined([held.unit for held in each]),
        until=joined([np.nan if held.until is None else held.until for held in each]),
        told=joined(["" if held.told is None else held.told for held in each]),
    )


_STANDS = 1e-8
"""Change of a reference, over its size, below which it is at rest: a tenth of what counts as certain of it."""


def _stands(problem: Any, times: Array) -> bool:
    """Whether a path is where it ends from the first of some times to the last, as far as its reference is certain."""
    ends = [reference_for(problem, float(times[k])) for k in (0, len(times) // 2, -1)]
    if not all(isinstance(end, PathEnd) for end in ends):
        return False
    *before, last = ({name: np.ravel(value) for name, value in end.values.items()} for end in ends)
    size = max(float(abs(value).max(initial=0.0)) for value in last.values())
    return all(abs(end[name] - value).max(initial=0.0) <= _STANDS * size for end in before for name, value in last.items())


def judge(
    problem: Any,
    finals: Mapping[str, Array],
    *,
    limit: float = IDEAL_ACCURACY,
    paths: Mapping[str, Array] | None = None,
    times: Array | None = None,
    end: float | Array | None = None,
) -> Judgement:
    """Judge the ends of runs that solve `problem`, or of a flow that has none.

    Parameters
    ----------
    problem : object
    finals : mapping of name to array, shape (samples, size of the signal)
        States and observables at each run's end; errors of what is not there are left out.
    limit : float
        Largest error that passes, in nats, in probability and in coordinates.
    paths : mapping of name to array, shape (samples, k, size of the signal), optional
        Signals on the way, for what should hold all along; the ends alone if not given. A law is read off them.
    times : array, shape (k,), optional
        Of the paths, in τ.
    end : float, or array of shape (samples,), optional
        Time, in τ, at which the runs ended, or each of them, for answers that are a point of a path; the flow's own, or the
        last of `times`, if not given. Where a path rests from the first end to the last, one reference serves all.

    Raises
    ------
    BadInput
        No family knows such problems.
    """
    family = judging_family(problem)
    finals = {name: np.asarray(value, dtype=float) for name, value in finals.items()}
    along = {name: value[:, None] for name, value in finals.items()} if paths is None else paths
    if end is None:
        end = own_end(problem) or (float(times[-1]) if times is not None and len(times) else 0.0)
    reached = np.unique(end)
    if len(reached) > 1 and family.follows(problem) and not _stands(problem, reached):
        rows = [np.flatnonzero(end == time) for time in reached]
        parts = []
        for which, time in zip(rows, reached, strict=True):
            some = ({name: value[which] for name, value in each.items()} for each in (finals, along))
            parts.append(judge(problem, next(some), limit=limit, paths=next(some), times=times, end=float(time)))
        order, last = np.argsort(np.concatenate(rows)), parts[-1]
        errors = {name: np.concatenate([part.errors[name] for part in parts])[order] for name in last.errors}
        return Judgement(family, problem, last.reference, last.ends, errors, limit, tuple(zip(rows, parts, strict=True)))
    end = float(reached[-1])
    ends, reference = RunEnds(finals, along, times, end), reference_for(problem, end)
    if reference is None:
        unknown = np.full(len(next(iter(finals.values()))), np.nan)
        return Judgement(family, problem, None, ends, {family.primary: unknown}, limit)
    with np.errstate(all="ignore"):
        found = family.errors(problem, reference, ends)
    errors = {name: np.asarray(value, dtype=float) for name, value in found.items()}
    return Judgement(family, problem, reference, ends, errors, limit)


def batched(run: Run) -> Run:
    """One run as the only one of many samples, so that what is asked of many can be asked of it."""
    if run.each is not None:
        return run
    final = {name: value[None] for name, value in run.final.items()}
    each = Samples(np.array([0]), (run.outcome,), run.time[-1:], final, details=(run.detail,))
    return Run.of(each, run.time, {name: value[None] for name, value in run.values.items()}, run.record)


def judge_run(problem: Any, run: Run, *, limit: float) -> Judgement:
    """The same for one run."""
    many = batched(run)
    return judge(problem, many.final, limit=limit, paths=many.values, times=run.time, end=float(run.time[-1]))


def judge_along(problem: Any, run: Run, points: Iterable[int]) -> dict[str, Array]:
    """Errors that a certificate would list if a run had ended at each of some of its points, shape (points,) each.

    What should hold all along is judged as far as each point. An answer that is a point of a path is not: it is held against
    where the whole run should end, so that at the last point all errors are those of the run.
    """
    end, found = float(run.time[-1]), []
    for k in points:
        finals, paths = ({n: v[part] for n, v in run.values.items()} for part in (np.s_[k : k + 1], np.s_[None, : k + 1]))
        found.append(judge(problem, finals, paths=paths, times=run.time[: k + 1], end=end).listed())
    return {name: np.array([errors[name] for errors in found]) for name in found[0]}


def worth_of(problem: Any, distributions: Array) -> Worth | None:
    """Worth of distributions, shape (samples, n): what is below 0 counts as 0, the rest is divided by its sum.

    None for problems whose answer is no distribution. Inputs that are not available are left out of the pressure.
    """
    family = known_family(problem)
    if family is None or family.worth is None:
        return None
    with np.errstate(all="ignore"):
        return family.worth(problem, reference_of(problem), np.asarray(distributions, dtype=float))
