"""The families of flows of one's own, as text or as a function, and where their path ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analogflow.errors import BadInput
from analogflow.families.family import Family
from analogflow.families.path import PathEnd
from analogflow.flows import Flow
from analogflow.flows.custom import FORMS, custom
from analogflow.problems import Equations
from analogflow.reference.equations import equations_reference, path_to

__all__ = ["CUSTOM", "FUNCTION"]

_KNOWN = "the reference's two integrations agree"


def _equations(problem: Equations, time: float) -> PathEnd:
    found = equations_reference(problem, time)
    return PathEnd(found.values, found.gap, _KNOWN, found.path)


def _function(flow: Flow, time: float) -> PathEnd:
    if flow.latches or flow.jumps or flow.delays:
        raise BadInput(
            "the reference can not follow what switches, jumps or is delayed in a function: write the flow as Equations, or "
            "run it by simulate, which holds it against nothing."
        )

    def read(states: Mapping[str, Any], t: float) -> dict[str, Any]:
        return {name: flow.observe(name, **states) for name in flow.observables}

    path = path_to(lambda values: flow.rates(**values), flow.states, time, read=read)
    return PathEnd({**path.end, **read(path.end, time)}, path.gap, _KNOWN, path)


CUSTOM = Family(
    name="custom",
    problem=Equations,
    noun="a flow of one's own",
    keys=(
        "name", "time", "answer", "states", "constants", "inputs", "definitions", "equations", "observables", "conserved",
        "manifolds", "noise", "events",
    ),
    needed={"states": "the initial value of every state", "equations": "the rate of every state"},
    flow=custom,
    forms=FORMS,
    reference=_equations,
    contest=None,
    conserves=lambda problem: problem.conserved,
)  # fmt: skip
"""The family of flows of one's own that are written as equations."""

FUNCTION = Family(
    name="function",
    problem=Flow,
    noun="a flow given as a function",
    keys=(),
    flow=lambda flow: flow,
    forms=("",),
    reference=_function,
    follows=lambda flow: True,
)
"""Flows that have no problem: each is its own. No file holds one."""
