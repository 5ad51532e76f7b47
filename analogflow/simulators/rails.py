"""Whether an amplifier of a run met its rail: seen from the signals that were read, through the equations of the others."""

from __future__ import annotations

import numpy as np

from analogflow.block_engine import VectorField
from analogflow.blocks import Block, Comparator, Constant, Multiplier, Scaled, Wire
from analogflow.circuit import Circuit
from analogflow.names import comment
from analogflow.run import Run

__all__ = ["rail_met"]

_AT = 0.99
"""Part of the largest output from which an amplifier counts as being there."""


def rail_met(circuit: Circuit, run: Run) -> str:
    """Sentence that names the first signal at a rail and the time; empty where there is none, and for circuits without."""
    graph, parts = circuit.graph, circuit.parts
    if parts is None or not circuit.scales or not set(graph.states) <= set(run.values):
        return ""
    states = np.concatenate([run.values[name] * circuit.scales[name] for name in graph.states], axis=-1)
    with np.errstate(all="ignore"):
        values = VectorField(graph).signals(states)
    decided = _decided(circuit)
    first, where, limit = len(run.time), ("", 0), 0.0
    for node, value in values.items():
        block = graph.block(node)
        if isinstance(block, Constant | Wire) or node in decided:
            continue
        swing = min(parts.swing, parts.multiplier.limit) if _plain(block) is Multiplier else parts.swing
        met = np.broadcast_to(abs(value) * circuit.machine_unit >= _AT * swing, (len(run.time), block.size))
        at = np.flatnonzero(met.any(axis=1))
        if len(at) and at[0] < first:
            first, where, limit = int(at[0]), (node, int(met[at[0]].argmax())), swing
    if not where[0]:
        return ""
    followed = f"; its range was chosen for {circuit.covered:g} τ" if np.isfinite(circuit.covered) else ""
    return f"{_named(circuit, *where)} met ±{limit:g} V at t = {run.time[first]:.4g} τ{followed}."


def _decided(circuit: Circuit) -> set[str]:
    """Signals that comparators alone read: what is beyond the threshold may stand at a rail."""
    graph, found = circuit.graph, set[str]()
    for node in reversed(graph.order()):
        readers = list(graph.network.successors(node))
        if readers and all(reader in found or _plain(graph.block(reader)) is Comparator for reader in readers):
            found.add(node)
    return found - set(graph.states.values())


def _plain(block: Block) -> type[Block]:
    return type(block.block) if isinstance(block, Scaled) else type(block)


def _named(circuit: Circuit, node: str, index: int) -> str:
    """A signal by its name in the flow, or by its node and the line that placed it."""
    graph = circuit.graph
    for name, origin in {**graph.observables, **graph.states}.items():
        if origin == node:
            return f"{name}[{index}]" if graph.block(node).size > 1 else name
    return f"{node} ({comment(str(graph.source(node)), width=60)})"
