"""The family of the capacity flow: channels, and the input distributions that achieve their capacity."""

from __future__ import annotations

from typing import Any

from analogflow.families.family import Family
from analogflow.flows.capacity import FORMS, capacity
from analogflow.problems import Channel
from analogflow.reference.capacity import CapacityReference, capacity_reference

__all__ = ["CAPACITY"]


def _expected(channel: Channel, reference: CapacityReference) -> dict[str, Any]:
    return {"capacity_nats": reference.capacity_nats, "z": reference.input_distribution.tolist()}


def _smaller(problem: Channel, count: int) -> tuple[Channel, str]:
    part = problem.transition[:count, : max(2, min(count, problem.transition.shape[1]))]
    # A part that lost all its weight gets some everywhere, for it is only counted.
    part = part + 1e-3
    cost = None if problem.cost is None else problem.cost[:count]
    name = f"a channel of {part.shape[0]} inputs and {part.shape[1]} outputs"
    return Channel(part / part.sum(axis=1, keepdims=True), cost=cost, cost_limit=problem.cost_limit), name


CAPACITY = Family(
    name="capacity",
    problem=Channel,
    noun="a channel",
    keys=("transition", "initial", "unavailable", "cost", "cost_limit"),
    needed={"transition": "the matrix of p(output|input)"},
    bare_matrix=True,
    flow=capacity,
    forms=FORMS,
    units={"error": "nats", "error_time_average": "nats", "error_reading": "nats", "error_certified_gap_nats": "nats"},
    reference=lambda channel, _: capacity_reference(channel),
    expected=_expected,
    size=lambda channel: channel.transition.shape[0],
    smaller=_smaller,
)
"""The family of the capacity flow."""
