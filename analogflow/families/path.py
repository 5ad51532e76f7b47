"""Answers that are where a path ends, or rests, signal by signal: how a family is judged that says nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_number, real_array
from analogflow.errors import BadInput
from analogflow.families.chaos import followed_while_told
from analogflow.families.ends import Held, RunEnds, asked, gap_of, largest
from analogflow.flows import Flow, comparable, differences
from analogflow.run import Run

if TYPE_CHECKING:
    from analogflow.families.family import Family
    from analogflow.reference.motion import Path

__all__ = [
    "PathEnd",
    "checked_end",
    "path_answer",
    "path_errors",
    "path_exact",
    "path_expected",
    "path_followed",
    "path_held",
]

Array = NDArray[np.float64]

_SMALL_BESIDE = 1e-3
"""Part of the largest full scale that every other one is at least."""

_CERTAIN = 1e-7
"""Largest gap of a reference that counts as certain, over full scale."""


class PathEnd(NamedTuple):
    """Where a path ends.

    Parameters
    ----------
    values : mapping of name to array
        Signals, flat or shaped as they start.
    gap : float
        How far any of them may be off, flow units: the difference of two integrations, the bound of a proof, or 0.
    known : str
        What a gap that is small enough shows; the name of a check.
    path : Path, optional
        The way there, where the reference integrated it: what a path that may be chaotic is judged by.
    """

    values: Mapping[str, Array]
    gap: float
    known: str = "the reference is certain enough"
    path: Path | None = None


def checked_end(family: Family, problem: Any, found: Any) -> PathEnd:
    """What a reference returned, its values as arrays.

    Raises
    ------
    BadInput
        It is no `PathEnd`, its gap is no bound, or its values are not those of signals of the flow.
    """
    where = f"the family {family.name}: its reference"
    if not isinstance(found, PathEnd) or not isinstance(found.values, Mapping):
        what = "values that are no mapping" if isinstance(found, PathEnd) else type(found).__name__
        raise BadInput(f"{where} returns {what}; return PathEnd({{signal: values, …}}, gap).")
    if not is_number(found.gap) or found.gap < 0:
        raise BadInput(f"{where} says that it is off by at most {found.gap!r}; give a number that is not below 0.")
    flow = family.flow(problem)
    signals = [*flow.states, *flow.observables]
    unknown = [name for name in found.values if name not in signals]
    if unknown or not found.values:
        named = repr(unknown[0]) if unknown else "nothing"
        raise BadInput(f"{where} names {named}; name signals of the flow: {', '.join(signals)}.")
    values = {}
    with np.errstate(all="ignore"):
        for name, given in found.values.items():
            values[name] = given if isinstance(given, np.ndarray) and given.dtype == float else real_array(given, where)
            size = np.size(flow.states[name] if name in flow.states else flow.observe(name))
            if values[name].size != size:
                raise BadInput(f"{where} gives {name!r} {values[name].size} values; the flow has {size} of them.")
    if family.primary != "states" and family.primary not in values:
        raise BadInput(
            f"the family {family.name}: no error is called {family.primary!r}, its primary one; there are: "
            f"{', '.join(('states', *values))}."
        )
    return found._replace(values=values)


def path_followed(family: Family, problem: Any) -> bool:
    """Whether the answer is a point of a path: the flow says when it is read, or that where it rests depends on the path."""
    flow = family.flow(problem)
    return flow.end_time is not None or flow.path_matters


def path_errors(family: Family, problem: Any, reference: PathEnd, ends: RunEnds) -> dict[str, Array]:
    """Errors of all signals over their full scales, the range of what is conserved, and as ``states`` the largest error."""
    kept = family.conserves(problem)
    away = differences(family.flow(problem).keeps, ends.finals, reference.values)
    found: dict[str, Array] = {}
    known = {name: exact for name, exact in reference.values.items() if name in ends.finals}
    scales = _full_scales(family.flow(problem), known, ends.paths)
    for name in known:
        scale = scales[name]
        if name in kept:
            found[name] = largest(np.ptp(ends.paths[name], axis=1)) / scale
            continue
        found[name] = largest(away[name]) / scale
    return {"states": np.max([value for name, value in found.items() if name not in kept], axis=0), **found}


def path_held(
    family: Family, problem: Any, reference: PathEnd, errors: Mapping[str, Array], ends: RunEnds, limit: float
) -> list[Held]:
    """What is asked of a path's end; of one with noise of its own only that its noiseless path is known."""
    flow = family.flow(problem)
    scales = _full_scales(flow, reference.values, ends.paths)
    held = [Held(reference.known, gap_of(reference, errors) / np.max(list(scales.values()), axis=0), _CERTAIN)]
    if flow.noisy:
        return held  # a path with noise of its own is held against the noiseless one for information only
    conserved = sorted(family.conserves(problem))
    names = np.array([name for name in reference.values if name not in conserved])
    each = np.array([errors[name] for name in names])
    worst = np.argmax(np.nan_to_num(each, nan=np.inf), axis=0)
    unit = np.char.add("of full scale in ", names[worst])
    held.append(Held("states agree with the reference", each.max(axis=0), limit, unit))
    if reference.path is not None and not all(part.passed.all() for part in held):
        followed = {name: scale for name, scale in scales.items() if name not in conserved}
        held = followed_while_told(flow, reference.path, followed, ends, held)
    return [
        *held,
        *asked(errors, limit, *((name, f"{name} is conserved", "") for name in conserved)),
    ]


def path_answer(family: Family, problem: Any, reference: PathEnd, run: Run) -> dict[str, Any]:
    """Every signal that the reference knows, at the end of a run.

    What the flow's manifolds leave free means nothing, and circuits hold it where they like.
    """
    return _shown(family, problem, {name: run.final[name].reshape(np.shape(v)) for name, v in reference.values.items()})


def path_exact(family: Family, problem: Any, reference: PathEnd) -> dict[str, Any]:
    """The same of the reference."""
    return _shown(family, problem, reference.values)


def path_expected(problem: Any, reference: PathEnd) -> dict[str, Any]:
    """Every signal that a reference knows, row after row."""
    return {name: np.ravel(value).tolist() for name, value in reference.values.items()}


def _shown(family: Family, problem: Any, values: Mapping[str, Array]) -> dict[str, Any]:
    keeps = family.flow(problem).keeps
    return {name: comparable(keeps, name)(np.ravel(v)).reshape(np.shape(v)).tolist() for name, v in values.items()}


def _full_scales(flow: Flow, reference: Mapping[str, Array], paths: Mapping[str, Array]) -> dict[str, Array]:
    """Full scale of every quantity, shape (samples,): its largest magnitude where the flow starts, on a run, or at its end.

    The start counts for a run that began elsewhere, or whose path was not saved, too: an answer has one error, whichever way
    it was come to. A quantity that is far smaller than the others, or nothing, counts as a thousandth of the largest.
    """
    with np.errstate(all="ignore"):
        starts = {**flow.states, **{name: flow.observe(name) for name in flow.observables}}
    sizes = {
        name: np.maximum(largest(paths[name]), max(_largest_finite(exact), _largest_finite(starts[name])))
        for name, exact in reference.items()
        if name in paths
    }
    whole = np.max(list(sizes.values()), axis=0)
    least = np.where(whole > 0, _SMALL_BESIDE * whole, 1.0)
    return {name: np.maximum(size, least) for name, size in sizes.items()}


def _largest_finite(values: Array) -> float:
    """Largest magnitude of what is a number; an observable may have none where a flow starts."""
    return float(np.max(np.abs(values), where=np.isfinite(values), initial=0.0))
