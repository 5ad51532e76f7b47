"""Families of flows, one record each: what each binds is asked for here, and nowhere by the name of a family.

Other packages bring families of their own under the group of entry points ``analogflow.families``.
"""

from __future__ import annotations

from typing import Any

from analogflow.errors import BadInput
from analogflow.families.attention import ATTENTION
from analogflow.families.capacity import CAPACITY
from analogflow.families.custom import CUSTOM
from analogflow.families.family import Family
from analogflow.families.hopfield import HOPFIELD
from analogflow.families.langevin import LANGEVIN
from analogflow.families.rate_distortion import RATE_DISTORTION
from analogflow.families.transport import TRANSPORT
from analogflow.flows import Flow
from analogflow.registry import Registry

__all__ = ["FAMILIES", "Family", "family_of", "flow_of", "named_families"]

FAMILIES: Registry[Family] = Registry(
    "analogflow.families",
    Family,
    (CAPACITY, RATE_DISTORTION, TRANSPORT, ATTENTION, HOPFIELD, LANGEVIN, CUSTOM),
)
"""Family by the name the command line knows it by."""


def family_of(problem: Any) -> Family:
    """The family that solves problems of this kind.

    Raises
    ------
    BadInput
        There is none.
    """
    for family in FAMILIES.values():
        if family.problem is type(problem):
            return family
    known = ", ".join(family.problem.__name__ for family in FAMILIES.values())
    raise BadInput(f"{type(problem).__name__} is not a problem a flow here solves; known are: {known}.")


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
