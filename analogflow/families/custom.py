"""The family of flows of one's own: equations as text, and where their path ends."""

from __future__ import annotations

from analogflow.families.family import Family
from analogflow.flows.expressions.custom import FORMS, custom
from analogflow.problems import Equations

__all__ = ["CUSTOM"]

CUSTOM = Family(
    name="custom",
    problem=Equations,
    noun="a flow of one's own",
    keys=(
        "name", "time", "answer", "states", "constants", "definitions", "equations", "observables", "conserved", "manifolds",
        "noise",
    ),
    needed={"states": "the initial value of every state", "equations": "the rate of every state"},
    flow=custom,
    forms=FORMS,
)  # fmt: skip
"""The family of flows of one's own."""
