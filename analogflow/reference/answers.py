"""The exact answer to a problem of any kind, under the names in which answers are given."""

from __future__ import annotations

from typing import Any

from analogflow.errors import BadInput
from analogflow.problems import Channel
from analogflow.reference.capacity import capacity_reference

__all__ = ["expected_answer"]


def expected_answer(problem: Any) -> dict[str, Any]:
    """Name to number or list: for a channel ``capacity_nats`` and the optimal ``z``."""
    if isinstance(problem, Channel):
        reference = capacity_reference(problem)
        return {"capacity_nats": reference.capacity_nats, "z": reference.input_distribution.tolist()}
    raise BadInput(f"there is no exact reference for a problem of type {type(problem).__name__}.")
