"""The ngspice engine: sends a deck's text to the simulator's process and reads its vectors back as the model's variables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from analogflow.errors import SimulationFailed
from analogflow.netlister import Deck
from analogflow.run import Run
from analogflow.simulators.ngspice.protocol import Request
from analogflow.simulators.ngspice.session import default_session
from analogflow.simulators.readout import limit_of, run_of, settle_of, states_of, vectors_of, window_of

__all__ = ["run"]

_LOOSER = ".options reltol=1e-4 vntol=1e-9 abstol=1e-9 itl4=500"
"""For a point where a signal all but jumps: a normaliser whose inputs were all negative goes from 0 to 1 within 1e-8 τ as
one of them returns. Newton's steps do not come to rest there within the tolerances of other runs, however short the step."""


def run(deck: Deck, *, resting_speed: float, time_limit: float, on_progress: Callable[[float], None] | None = None) -> Run:
    """Simulate `deck` to its end, or until the answer settles.

    A circuit of ideal elements whose next point ngspice does not find is run once more with looser tolerances; the record's
    ``options`` then says so.

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
        settle=settle_of(deck, resting_speed),
        blow_up=limit_of(deck),
        growing=states_of(deck),
        tables=deck.tables,
    )

    def progress(seconds: float) -> None:
        if on_progress is not None:
            on_progress(seconds / circuit.units.time_constant)

    reply = default_session().run(request, time_limit=time_limit, on_progress=progress)
    used = {name: reply.versions[name] for name in ("ngspice", "PySpice", "InSpice") if name in reply.versions}
    record = {"engine": "ngspice", "versions": used}
    try:
        return run_of(deck, reply, record, asked=bool(resting_speed))
    except SimulationFailed:
        if circuit.options is not None:  # what its parts need
            raise
        looser = dataclasses.replace(request, deck=(*deck.embedded[:-1], _LOOSER, deck.embedded[-1]))
        second = default_session().run(looser, time_limit=time_limit, on_progress=progress)
        if second.status == "failed":
            raise
    return run_of(deck, second, {**record, "options": _LOOSER}, asked=bool(resting_speed))
