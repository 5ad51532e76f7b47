"""The ngspice engine: sends a deck's text to the simulator's process and reads its vectors back as the model's variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import RUNAWAY, Drive, VectorField, complete
from analogflow.errors import SimulationFailed
from analogflow.netlister import Deck
from analogflow.outcome import Outcome
from analogflow.simulators.ngspice.protocol import Reply, Request, Settle
from analogflow.simulators.ngspice.session import default_session
from analogflow.trajectory import Trajectory

__all__ = ["run"]

_WINDOW = 10.0
"""τ over which the answer must rest for the run to stop early."""

_GROWN = 1e2
"""Flow units above which a run that ngspice gives up is a blow-up: its steps shrink as the state goes to infinity."""


def run(
    deck: Deck, *, tolerance: float, time_limit: float, on_progress: Callable[[float], None] | None = None
) -> Trajectory:
    """Simulate `deck` to its end, or until the answer settles.

    Raises
    ------
    SimulationFailed
        ngspice crashed, ran past the time limit or found no solution; the text names the model's variable.
    MissingProgram
        ngspice's library is not installed.
    """
    circuit = deck.circuit
    nodes = tuple(dict.fromkeys(vector for reading in deck.readings.values() for vector in reading.vectors))
    settle = None
    if tolerance:
        answer = deck.readings[circuit.flow.answer]
        settle = Settle(answer.vectors, tolerance * answer.resolution / circuit.time_constant)
    request = Request(
        deck=deck.embedded,
        vectors=nodes,
        end_time=deck.end_time,
        window=min(_WINDOW * circuit.time_constant, deck.end_time),
        settle=settle,
        blow_up=RUNAWAY * (circuit.unit or 1.0),
        tables=deck.tables,
    )

    def progress(seconds: float) -> None:
        if on_progress is not None:
            on_progress(seconds / circuit.time_constant)

    reply = default_session().run(request, time_limit=time_limit, on_progress=progress)
    time, values = _signals(deck, reply)
    record = {"engine": "ngspice", "versions": {"ngspice": reply.versions.get("ngspice", "unknown")}}
    outcome, detail = _outcome(deck, reply, values, asked=bool(tolerance))
    return Trajectory(time, values, outcome, detail, record)


def _signals(deck: Deck, reply: Reply) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Time in τ and signals in flow units, with the row at t = 0 that a run from initial conditions does not have."""
    circuit = deck.circuit
    time, vectors = (reply.time - circuit.release) / circuit.time_constant, reply.vectors
    if circuit.release:
        time, vectors = _released(time, vectors)
    values = {
        name: reading.apply(np.stack([vectors[vector] for vector in reading.vectors], axis=-1))
        for name, reading in deck.readings.items()
    }
    if not circuit.release and (not len(time) or time[0] > 0):
        field = VectorField(circuit.graph)
        noise = Drive(field, circuit.noise, [circuit.sample], circuit.noise.step).at(0.0)[0] if deck.tables else None
        start = field.observables(circuit.graph.initial(), noise)
        time = np.concatenate([[0.0], time])
        values = {
            name: np.concatenate([start[name][None] / circuit.scales.get(name, 1.0), value])
            for name, value in values.items()
        }
    if circuit.derived_from is not None:
        values = complete(circuit.derived_from, values)
    return time, values


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


def _outcome(deck: Deck, reply: Reply, values: dict[str, NDArray[np.float64]], *, asked: bool) -> tuple[Outcome, str]:
    if reply.status == "settled":
        return Outcome.SETTLED, ""
    if reply.status == "done":
        return (Outcome.NOT_SETTLED if asked else Outcome.COMPLETED), ""
    circuit = deck.circuit
    when = f"at t = {(reply.last_time - circuit.release) / circuit.time_constant:.4g} τ"
    largest = max(deck.circuit.flow.states, key=lambda name: float(abs(values[name][-1]).max()))
    size = float(abs(values[largest][-1]).max())
    if reply.status == "blew up" or size > _GROWN:
        element = int(np.argmax(abs(values[largest][-1])))
        return Outcome.BLEW_UP, f"{largest}[{element}] ran away {when}."
    variable = circuit.variable(reply.node) if reply.node else None
    where = f" at {variable or f'the inner node {reply.node}'}" if reply.node else ""
    raise SimulationFailed(
        f"ngspice gave up {when}{where} ({reply.detail or 'no reason given'}); "
        "take a smaller largest step, another form, or the block engine."
    )
