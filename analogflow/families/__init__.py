"""Families of flows, one record each: what each binds is asked for here, and nowhere by the name of a family.

So is the exact answer that a run is held against. Other packages bring families of their own under the group of entry
points ``analogflow.families``.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

from analogflow.checks import refuse_unknown
from analogflow.errors import AnalogflowError, BadInput, SimulationFailed, call_theirs
from analogflow.families.ends import Held, RunEnds, Worth
from analogflow.families.family import Contest, Family
from analogflow.families.path import PathEnd, checked_end
from analogflow.families.stationary import known_to
from analogflow.families.trade_off import TradeOff
from analogflow.flows import Flow
from analogflow.problems.arrays import holds_matrix
from analogflow.registry import Registry
from analogflow.run import own_time

__all__ = [
    "FAMILIES",
    "Contest",
    "Family",
    "Held",
    "PathEnd",
    "RunEnds",
    "TradeOff",
    "Worth",
    "answer_notes",
    "as_problem",
    "expected_answer",
    "family_of",
    "flow_of",
    "judging_family",
    "known_family",
    "named_families",
    "own_end",
    "own_reference",
    "problem_of",
    "reference_for",
    "reference_of",
    "require_reference",
]

_KEPT = 64
"""References that are kept: each is computed once for a problem, however many runs are held against it."""

_WRITTEN = "custom"

_OURS = {
    "capacity": "Channel",
    "rate-distortion": "RateDistortion",
    "transport": "Transport",
    "attention": "Attention",
    "hopfield": "Hopfield",
    "langevin": "Langevin",
    _WRITTEN: "Equations",
}
"""Our own families, each in the module of its name, and what their problems are called."""

_MODULES = {name: name.replace("-", "_") for name in _OURS}


def _all_of_ours() -> dict[str, str]:
    """Where each family's record is: those that the package knows, and one for each file of `plugins`."""
    files = sorted(path.stem for path in (Path(__file__).parent / "plugins").glob("[a-z]*.py"))
    plugins = {name.replace("_", "-"): f"analogflow.families.plugins.{name}:{name.upper()}" for name in files}
    return {name: f"analogflow.families.{module}:{module.upper()}" for name, module in _MODULES.items()} | plugins


FAMILIES: Registry[Family] = Registry("analogflow.families", Family, _all_of_ours)
"""Family by the name the command line knows it by; each is loaded when it is asked for."""


def known_family(problem: Any) -> Family | None:
    """The family that solves problems of this kind, or judges flows that have no problem; None if there is none."""
    # That of such a name first: all others would be loaded for nothing.
    module, likely = type(problem).__module__, type(problem).__name__
    if module.startswith(f"{__name__}.plugins."):
        likely = module.rpartition(".")[2].replace("_", "-")
    names = sorted(FAMILIES, key=lambda name: likely not in (_OURS.get(name), name))
    found = next((FAMILIES[name] for name in names if FAMILIES[name].problem is type(problem)), None)
    return found or (_of_functions() if _of_functions().problem is type(problem) else None)


def _of_functions() -> Family:
    """The family of flows that have no problem."""
    from analogflow.families.custom import FUNCTION

    return FUNCTION


def family_of(problem: Any) -> Family:
    """The family that solves problems of this kind.

    Raises
    ------
    BadInput
        There is none.
    """
    family = known_family(problem)
    if family is None or family.name not in FAMILIES:
        known = ", ".join(family.problem.__name__ for family in FAMILIES.values())
        raise BadInput(f"{type(problem).__name__} is not a problem a flow here solves; known are: {known}.")
    return family


def as_problem(given: Any) -> Any:
    """`given`, or the problem that a matrix is: a channel, unless another package brings a family of matrices too.

    Raises
    ------
    BadInput
        It is a matrix, and no problem; or several families take one.
    """
    if isinstance(given, Flow) or not holds_matrix(given) or known_family(given) is not None:
        return given
    taking = [family for family in FAMILIES.values() if family.bare_matrix]
    if len(taking) != 1:
        made = " or ".join(f"{family.problem.__name__}(matrix)" for family in taking)
        raise BadInput(f"a matrix may be of several families; give {made}.")
    return taking[0].problem(given)


def judging_family(problem: Any) -> Family:
    """The family that judges runs that solve `problem`, which may also be a flow that has none.

    Raises
    ------
    BadInput
        There is none.
    """
    family = known_family(problem)
    if family is None:
        known = ", ".join(one.problem.__name__ for one in (*FAMILIES.values(), _of_functions()) if one.reference is not None)
        raise BadInput(f"there is no exact reference for a problem of type {type(problem).__name__}; there is for: {known}.")
    return family


def problem_of(flow: Flow) -> Any:
    """What a flow solves: its problem, or itself where it has none."""
    return flow if flow.problem is None else flow.problem


def flow_of(problem: Any, form: str | None = None) -> Flow:
    """The flow that solves `problem`, in its family's most robust form if none is named.

    It has the family's name and the form's where it says neither.

    Raises
    ------
    BadInput
        No family solves it, it has no such form, or the family's flow is none or does not say what it solves: a form may
        solve a problem of its own, but a flow without one would be held against itself.
    """
    family = family_of(problem)
    said = f"the family {family.name}: its flow of {problem!r}{f' in the form {form!r}' if form else ''}"
    forms = f"its forms are: {', '.join(family.forms)}"  # it may not know the one it is asked for
    flow = call_theirs(said, forms, family.flow, problem, **({"form": form} if form else {}))
    if not isinstance(flow, Flow):
        raise BadInput(f"the family {family.name}: its flow returns {type(flow).__name__}; return a Flow.")
    if not isinstance(flow.problem, family.problem):
        raise BadInput(
            f"the family {family.name}: its flow does not carry the {family.problem.__name__} that it solves, so that its "
            "reference would never be asked; write Flow(…, problem=problem)."
        )
    if form:
        refuse_unknown(form, family.forms, "form", f"the {family.name} flow")
    said = {"family": family.name} if flow.family == Flow.family else {}
    return dataclasses.replace(flow, form=flow.form or form or family.forms[0], **said)


def named_families() -> list[str]:
    """Names of families whose problems are files of their own; flows of one's own go by their file's name instead."""
    return [name for name in FAMILIES if name != _WRITTEN]


@functools.lru_cache(maxsize=_KEPT)
def reference_of(problem: Any, time: float = 0.0) -> Any:
    """Reference of a problem, as its family computes it, or None; `time`, in τ, where it is a point of a path.

    Raises
    ------
    BadInput
        No family knows such problems, or what its reference returned can not be held against a run.
    SimulationFailed
        It was not found, whatever the code of another package raised.
    """
    family = judging_family(problem)
    if family.reference is None:
        return None
    try:
        found = family.reference(problem, time)
    except (AnalogflowError, MemoryError):
        raise
    except Exception as fault:
        raise SimulationFailed(
            f"the family {family.name}: its reference of {problem!r} failed ({type(fault).__name__}: {fault}); "
            "nothing can be certified until it is mended."
        ) from fault
    if found is None:
        return None
    if family.judges_paths:
        return checked_end(family, problem, found)
    if not hasattr(found, "gap"):
        raise BadInput(
            f"the family {family.name}: its reference returns {type(found).__name__}, which has no gap; give it one."
        )
    return found


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
    if family.expected is None or family.reference is None or (family.follows(problem) and own_end(problem) is None):
        return {}
    return dict(family.expected(problem, own_reference(problem)))


def answer_notes(problem: Any) -> tuple[str, ...]:
    """What a family says of the kind of a problem's answer, which is known before any run; nothing of laws."""
    family = known_family(problem)
    if family is None or family.notes is None or family.reference is None or family.law(problem) or family.follows(problem):
        return ()
    return tuple(family.notes(problem, own_reference(problem)))


def own_reference(problem: Any) -> Any:
    """Reference of a problem at the time that it says itself, or where it comes to rest; None where nobody knows it."""
    return reference_for(problem, own_end(problem) or 0.0)


def own_end(problem: Any) -> float | None:
    """Time in τ of the point of its path that answers a problem; None where the run decides it, or no point answers it."""
    family = judging_family(problem)
    return own_time(family.flow(problem)) if family.follows(problem) else None
