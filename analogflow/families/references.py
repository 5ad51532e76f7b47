"""The exact answer that a run is held against, computed once for each problem, however many runs are held against it."""

from __future__ import annotations

import functools
from typing import Any

from analogflow.errors import BadInput
from analogflow.families import judging_family
from analogflow.families.ends import known_to

__all__ = ["expected_answer", "reference_for", "reference_of", "require_reference"]

_KEPT = 64


@functools.lru_cache(maxsize=_KEPT)
def reference_of(problem: Any, time: float = 0.0) -> Any:
    """Reference of a problem, as its family computes it, or None; `time`, in τ, where it is a point of a path."""
    reference = judging_family(problem).reference
    return None if reference is None else reference(problem, time)


def reference_for(problem: Any, end: float) -> Any:
    """Reference that a run of `problem` is held against which ended at `end`, in τ."""
    return reference_of(problem, end) if judging_family(problem).follows(problem) else reference_of(problem)


def require_reference(problem: Any, *, accuracy: float, end: float | None = None) -> None:
    """Compute the reference that a run will be held against, so that what it refuses is refused before anything runs.

    Parameters
    ----------
    problem : object
    accuracy : float
        Error that must be found in a law, in standard deviations.
    end : float, optional
        When the run ends, in τ, if that is known beforehand; a path's end is not computed otherwise.

    Raises
    ------
    BadInput
        No family knows such problems, or the reference does not know a law to half of `accuracy`.
    SimulationFailed
        The reference was not found.
    """
    family = judging_family(problem)
    if family.follows(problem) and end is None:
        return
    found = reference_for(problem, float(end or 0.0))
    if family.law(problem) and found is not None and not (known := known_to(found)) <= 0.5 * accuracy:
        raise BadInput(
            f"the reference knows the law of {problem!r} to {known:.2g} of its standard deviation only, and {accuracy:g} is "
            "asked for; ask for less accuracy, or take an energy without scales so far apart."
        )


def expected_answer(problem: Any) -> dict[str, Any]:
    """Name to number or list, by the names of the flow's signals; nothing where a family has no reference, or tells nothing.

    For a channel ``capacity_nats`` and the optimal ``z``; for attention ``x``, tokens at the problem's time, row after row;
    for transport ``plan``, row after row, and ``cost``; for equations every state, observable and conserved quantity at the
    problem's time, and nothing if it has none; for a Hopfield network where "v" and "h" come to rest, or their means and
    variances.

    Raises
    ------
    BadInput
        No family knows such problems.
    """
    family = judging_family(problem)
    end = family.flow(problem).end_time if family.follows(problem) else 0.0
    if family.expected is None or family.reference is None or end is None:
        return {}
    return dict(family.expected(problem, reference_of(problem, end)))
