"""The family of the transport flow: costs and masses, and the plans that carry them."""

from __future__ import annotations

from analogflow.families.family import Family
from analogflow.flows.transport import FORMS, transport
from analogflow.problems import Transport

__all__ = ["TRANSPORT"]

TRANSPORT = Family(
    name="transport",
    problem=Transport,
    noun="a transport problem",
    keys=("cost", "row", "column", "epsilon", "schedule"),
    needed={
        "cost": "the matrix of costs, a row for each source",
        "row": "the mass of each row",
        "column": "the mass of each column",
        "epsilon": "the temperature in units of the cost",
    },
    flow=transport,
    forms=FORMS,
)
"""The family of the transport flow."""
