"""The family of the transport flow: costs and masses, and the plans that carry them."""

from __future__ import annotations

from typing import Any

from analogflow.families.family import Family
from analogflow.flows.transport import FORMS, transport
from analogflow.problems import Transport
from analogflow.reference.transport import TransportReference, transport_reference

__all__ = ["TRANSPORT"]


def _expected(problem: Transport, reference: TransportReference) -> dict[str, Any]:
    return {"plan": reference.plan.ravel().tolist(), "cost": reference.cost}


def _smaller(problem: Transport, count: int) -> tuple[Transport, str]:
    cost = problem.cost[:count, :count]
    row, column = problem.row[: cost.shape[0]], problem.column[: cost.shape[1]]
    part = Transport(cost, row / row.sum(), column / column.sum(), problem.epsilon, problem.schedule)
    return part, f"a transport of {cost.shape[0]} rows and {cost.shape[1]} columns"


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
    reference=lambda problem, _: transport_reference(problem),
    expected=_expected,
    size=lambda problem: max(problem.cost.shape),
    smaller=_smaller,
)
"""The family of the transport flow."""
