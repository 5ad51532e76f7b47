"""What every circuit simulator is asked for, and its reply as the model's variables in flow units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import Drive, VectorField
from analogflow.errors import SimulationFailed
from analogflow.netlister import Deck
from analogflow.passes import resting_size, runaway_of
from analogflow.run import Outcome, Run
from analogflow.simulators.flow_units import completed, readings_of, unscaled
from analogflow.simulators.ngspice.protocol import Reply, Settle

__all__ = ["limit_of", "run_of", "settle_of", "states_of", "vectors_of", "window_of"]

_WINDOW = 10.0
"""τ over which the answer must rest for the run to stop early."""

_GROWN = 1e2
"""Flow units above which a run that a simulator gives up is a blow-up: its steps shrink as the state goes to infinity."""


def vectors_of(deck: Deck) -> tuple[str, ...]:
    """Raw vectors that the deck's signals are read from, each once."""
    return tuple(dict.fromkeys(vector for reading in deck.readings.values() for vector in reading.vectors))


def settle_of(deck: Deck, resting_speed: float) -> Settle | None:
    """When a run may stop early; None where `resting_speed`, in flow units per τ, is 0."""
    if not resting_speed:
        return None
    limits: dict[str, float] = {}
    flow = deck.circuit.flow
    names = flow.rests if all(name in deck.readings for name in flow.rests) else flow.states
    readings = [deck.readings[name] for name in names]
    for reading in readings:
        limit = resting_speed * reading.resolution / deck.circuit.units.time_constant
        for vector in reading.vectors:
            limits[vector] = min(limit, limits.get(vector, limit))
    unit = min(reading.resolution for reading in readings)
    return Settle(tuple(limits), tuple(limits.values()), resting_size(deck.circuit), unit, deck.circuit.release)


def window_of(deck: Deck) -> float:
    """Seconds over which rest is judged."""
    return min(_WINDOW * deck.circuit.units.time_constant, deck.end_time)


def states_of(deck: Deck) -> tuple[str, ...]:
    """Vectors that the states are read from: what runs away where a run does; an energy may be large in itself."""
    return tuple(dict.fromkeys(vector for state in deck.circuit.flow.states for vector in deck.readings[state].vectors))


def limit_of(deck: Deck) -> float:
    """Volts beyond which a state has run away."""
    return runaway_of(deck.circuit) * deck.circuit.units.graph_volts


def run_of(deck: Deck, reply: Reply, record: Mapping[str, Any], *, asked: bool) -> Run:
    """A simulator's reply in τ and flow units.

    Parameters
    ----------
    deck : Deck
    reply : Reply
    record : mapping
        Which engine made it, in which versions.
    asked : bool
        Whether the run was to stop once settled.

    Raises
    ------
    SimulationFailed
        The simulator gave up before anything ran away.
    """
    time, values = _signals(deck, reply)
    outcome, detail = _outcome(deck, reply, values, record["engine"], asked=asked)
    return Run(time, values, outcome, detail, record)


def _signals(deck: Deck, reply: Reply) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Time in τ and signals in flow units, with the row at t = 0 that a run from initial conditions does not have."""
    circuit = deck.circuit
    time, vectors = (reply.time - circuit.release) / circuit.units.time_constant, reply.vectors
    if circuit.release:
        time, vectors = _released(time, vectors)
    values = readings_of(deck.readings, vectors)
    if not circuit.release and (not len(time) or time[0] > 0):
        field = VectorField(circuit.graph)
        plays = len(field.streams) > 0
        noise = Drive(field, circuit.noise, [circuit.sample], circuit.noise.step).at(0.0)[0] if plays else None
        start = unscaled(circuit, field.observables(circuit.graph.initial(), noise))
        time = np.concatenate([[0.0], time])
        values = {name: np.concatenate([start[name][None], value]) for name, value in values.items()}
    return time, completed(circuit, values)


def _released(
    time: NDArray[np.float64], vectors: Mapping[str, NDArray[np.float64]]
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Rows from the release of the integrators on, the first of them at t = 0."""
    later = time > 0
    if not len(time) or time[-1] < 0:
        return np.zeros(1), {name: vector[-1:] if len(vector) else np.zeros(1) for name, vector in vectors.items()}
    start = {name: np.interp(0.0, time, vector) for name, vector in vectors.items()}
    rows = {name: np.concatenate([[start[name]], vector[later]]) for name, vector in vectors.items()}
    return np.concatenate([[0.0], time[later]]), rows


def _outcome(
    deck: Deck, reply: Reply, values: dict[str, NDArray[np.float64]], name: str, *, asked: bool
) -> tuple[Outcome, str]:
    if reply.status == "settled":
        return Outcome.SETTLED, ""
    if reply.status == "done":
        return (Outcome.NOT_SETTLED if asked else Outcome.COMPLETED), ""
    circuit = deck.circuit
    when = f"at t = {(reply.last_time - circuit.release) / circuit.units.time_constant:.4g} τ"
    largest = max(deck.circuit.flow.states, key=lambda state: float(abs(values[state][-1]).max()))
    size = float(abs(values[largest][-1]).max())
    if reply.status == "blew up" or size > _GROWN:
        element = int(np.argmax(abs(values[largest][-1])))
        return Outcome.BLEW_UP, f"{largest}[{element}] ran away {when}."
    variable = circuit.variable(reply.node) if reply.node else None
    where = f" at {variable or f'the inner node {reply.node}'}" if reply.node else ""
    raise SimulationFailed(
        f"{name} gave up {when}{where} ({reply.detail or 'no reason given'}); "
        "take a smaller largest step, another form, or the block engine."
    )
