"""Families of flows, one record each: what each binds is asked for here, and nowhere by the name of a family.

Other packages bring families of their own under the group of entry points ``analogflow.families``.
"""

from __future__ import annotations

from typing import Any

from analogflow.errors import BadInput
from analogflow.families.attention import ATTENTION
from analogflow.families.capacity import CAPACITY
from analogflow.families.custom import CUSTOM, FUNCTION
from analogflow.families.family import Family
from analogflow.families.hopfield import HOPFIELD
from analogflow.families.langevin import LANGEVIN
from analogflow.families.path import PathEnd
from analogflow.families.rate_distortion import RATE_DISTORTION
from analogflow.families.transport import TRANSPORT
from analogflow.flows import Flow
from analogflow.registry import Registry

__all__ = [
    "FAMILIES",
    "Family",
    "PathEnd",
    "family_of",
    "flow_of",
    "judging_family",
    "known_family",
    "named_families",
    "problem_of",
]

FAMILIES: Registry[Family] = Registry(
    "analogflow.families",
    Family,
    (CAPACITY, RATE_DISTORTION, TRANSPORT, ATTENTION, HOPFIELD, LANGEVIN, CUSTOM),
)
"""Family by the name the command line knows it by."""


def known_family(problem: Any) -> Family | None:
    """The family that solves problems of this kind, or judges flows that have no problem; None if there is none."""
    return next((family for family in (*FAMILIES.values(), FUNCTION) if family.problem is type(problem)), None)


def family_of(problem: Any) -> Family:
    """The family that solves problems of this kind.

    Raises
    ------
    BadInput
        There is none.
    """
    family = known_family(problem)
    if family is None or family is FUNCTION:
        known = ", ".join(family.problem.__name__ for family in FAMILIES.values())
        raise BadInput(f"{type(problem).__name__} is not a problem a flow here solves; known are: {known}.")
    return family


def judging_family(problem: Any) -> Family:
    """The family that judges runs that solve `problem`, which may also be a flow that has none.

    Raises
    ------
    BadInput
        There is none.
    """
    family = known_family(problem)
    if family is None:
        known = ", ".join(one.problem.__name__ for one in (*FAMILIES.values(), FUNCTION) if one.reference is not None)
        raise BadInput(f"there is no exact reference for a problem of type {type(problem).__name__}; there is for: {known}.")
    return family


def problem_of(flow: Flow) -> Any:
    """What a flow solves: its problem, or itself where it has none."""
    return flow if flow.problem is None else flow.problem


def flow_of(problem: Any, form: str | None = None) -> Flow:
    """The flow that solves `problem`, in its family's most robust form if none is named.

    Raises
    ------
    BadInput
        No family solves it, or it has no such form.
    """
    return family_of(problem).flow(problem, **({"form": form} if form else {}))


def named_families() -> list[str]:
    """Names of families whose problems are files of their own; flows of one's own go by their file's name instead."""
    return [name for name in FAMILIES if name != CUSTOM.name]
