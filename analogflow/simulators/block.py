"""The block engine behind the contract all engines keep: it evaluates the graph a deck was made from, not its text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from analogflow.block_engine import integrate
from analogflow.netlister import Deck
from analogflow.trajectory import Trajectory

__all__ = ["run"]


def run(
    deck: Deck, *, tolerance: float, time_limit: float, on_progress: Callable[[float], None] | None = None
) -> Trajectory:
    """Integrate the deck's graph to the deck's end, or until the answer settles."""
    circuit = deck.circuit
    run = integrate(
        circuit.graph,
        deck.end_time / circuit.time_constant,
        answer=circuit.flow.answer,
        tolerance=tolerance,
        on_progress=on_progress,
    )
    return dataclasses.replace(run, record={"engine": "block", "versions": {}})
