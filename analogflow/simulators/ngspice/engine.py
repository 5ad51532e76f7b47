"""The ngspice engine: sends a deck's text to the simulator's process and reads its vectors back as the model's variables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import RUNAWAY, Drive, VectorField
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
    nodes = tuple(dict.fromkeys(node for signal in deck.vectors.values() for node in signal))
    settle = None
    if tolerance:
        settle = Settle(deck.vectors[circuit.flow.answer], tolerance * circuit.unit / circuit.time_constant)
    request = Request(
        deck=deck.embedded,
        vectors=nodes,
        end_time=deck.end_time,
        window=min(_WINDOW * circuit.time_constant, deck.end_time),
        settle=settle,
        blow_up=RUNAWAY * circuit.unit,
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
    time = reply.time / circuit.time_constant
    values = {
        name: np.stack([reply.vectors[node] for node in nodes], axis=-1) / circuit.unit
        for name, nodes in deck.vectors.items()
    }
    if not len(time) or time[0] > 0:
        field = VectorField(circuit.graph)
        noise = Drive(field, circuit.noise, [circuit.sample], circuit.noise.step).at(0.0)[0] if deck.tables else None
        start = field.observables(circuit.graph.initial(), noise)
        time = np.concatenate([[0.0], time])
        values = {name: np.concatenate([start[name][None], value]) for name, value in values.items()}
    return time, values


def _outcome(deck: Deck, reply: Reply, values: dict[str, NDArray[np.float64]], *, asked: bool) -> tuple[Outcome, str]:
    if reply.status == "settled":
        return Outcome.SETTLED, ""
    if reply.status == "done":
        return (Outcome.NOT_SETTLED if asked else Outcome.COMPLETED), ""
    circuit = deck.circuit
    when = f"at t = {reply.last_time / circuit.time_constant:.4g} τ"
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
