"""The ngspice engine: sends a deck's text to the simulator's process and reads its vectors back as the model's variables."""

from __future__ import annotations

from collections.abc import Callable

from analogflow.netlister import Deck
from analogflow.simulators.ngspice.protocol import Request
from analogflow.simulators.ngspice.session import default_session
from analogflow.simulators.readout import limit_of, settle_of, trajectory, vectors_of, window_of
from analogflow.trajectory import Trajectory

__all__ = ["run"]


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
    request = Request(
        deck=deck.embedded,
        vectors=vectors_of(deck),
        end_time=deck.end_time,
        window=window_of(deck),
        settle=settle_of(deck, tolerance),
        blow_up=limit_of(deck),
        tables=deck.tables,
    )

    def progress(seconds: float) -> None:
        if on_progress is not None:
            on_progress(seconds / circuit.time_constant)

    reply = default_session().run(request, time_limit=time_limit, on_progress=progress)
    record = {"engine": "ngspice", "versions": {"ngspice": reply.versions.get("ngspice", "unknown")}}
    return trajectory(deck, reply, record, asked=bool(tolerance))
