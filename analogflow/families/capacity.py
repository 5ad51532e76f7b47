"""The family of the capacity flow: channels, and the input distributions that achieve their capacity."""

from __future__ import annotations

from analogflow.families.family import Family
from analogflow.flows.capacity import FORMS, capacity
from analogflow.problems import Channel

__all__ = ["CAPACITY"]

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
)
"""The family of the capacity flow."""
