"""The verb `simulate`, the engines behind it, and what is said of a run whichever engine made it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from analogflow.circuit import Circuit
from analogflow.errors import BadInput, MissingProgram
from analogflow.netlister import Deck, netlist
from analogflow.outcome import Outcome
from analogflow.simulators import block, ngspice, vacask
from analogflow.simulators.ending import judged
from analogflow.simulators.ngspice.library import find_library, require_library
from analogflow.simulators.ngspice.session import default_session
from analogflow.simulators.vacask.program import find_programs
from analogflow.technology import known_technology
from analogflow.trajectory import Trajectory

__all__ = ["ENGINES", "SPICE", "default_engine", "engine_for", "engine_versions", "named_engine", "simulate"]

ENGINES: dict[str, Callable[..., Trajectory]] = {"ngspice": ngspice.run, "vacask": vacask.run, "block": block.run}
"""Engine by name: a deck and how to end it in, a trajectory out."""

SPICE = "spice"
"""Asks for a circuit simulator, whichever is there."""

_FEWEST = 8
"""Points in a quarter of a run below which nothing is said of its mean."""


def default_engine() -> str:
    """Name of the engine that is used where none is asked for: ngspice where its library is found, else block."""
    return "ngspice" if find_library() is not None else "block"


def engine_for(technology: str, engine: str | None = None) -> str:
    """Name of the engine that runs circuits of `technology`: the one asked for, or the default.

    The block engine integrates the equations of a circuit, whatever it is built of: it would ignore the parts.

    Raises
    ------
    BadInput
        The engine or the technology is not known, or it is the block engine and the technology has parts.
    MissingProgram
        There are parts, no engine is asked for, and no circuit simulator is installed.
    """
    has_parts = bool(known_technology(technology).parts)
    if engine is None:
        return named_engine(SPICE) if has_parts else default_engine()
    found = named_engine(engine)
    if found == "block" and has_parts:
        raise BadInput(
            f"the block engine integrates equations and knows no parts, so it would ignore what {technology!r} is built of; "
            "take the engine ngspice or vacask, or the technology 'ideal'."
        )
    return found


def named_engine(engine: str) -> str:
    """Name of an engine as asked for: ``spice`` is ngspice where its library is found, else VACASK where it is installed.

    Raises
    ------
    BadInput
        The engine is not known.
    MissingProgram
        It is ``spice``, and neither is there.
    """
    if engine == SPICE:
        if find_library() is not None:
            return "ngspice"
        try:
            find_programs()
        except MissingProgram:
            require_library()  # says how to install ngspice, which is the first choice
        return "vacask"
    if engine not in ENGINES:
        raise BadInput(f"engine {engine!r} is not known; known are: {', '.join((*ENGINES, SPICE))}.")
    return engine


def engine_versions(engine: str) -> dict[str, str]:
    """Versions of the programs behind an engine, by name: of none for the block engine.

    Raises
    ------
    MissingProgram
        The engine's simulator is not installed.
    """
    if engine == "vacask":
        return find_programs().versions
    if engine != "ngspice":
        return {}
    session = default_session()
    found = {"ngspice": session.versions.get("ngspice", "unknown")}
    session.close()
    return found


def simulate(
    deck: Deck | Circuit,
    *,
    engine: str | None = None,
    resting_speed: float = 0.0,
    time_limit: float = 600.0,
    on_progress: Callable[[float], None] | None = None,
) -> Trajectory:
    """Run a deck.

    Parameters
    ----------
    deck : Deck or Circuit
        A circuit is written as a deck first, of the problem's own time or 60 τ.
    engine : {"ngspice", "vacask", "block", "spice"}, optional
        If not given, the one that `engine_for` names for the circuit's technology.
    resting_speed : float
        Stop when nothing in the flow's `rests` moves by more than this per τ, in flow units; 0 runs to the end. With noise
        every run goes to its end, and any resting_speed above 0 asks whether the mean still moves there.
    time_limit : float
        Seconds of real time after which the run is stopped.
    on_progress : callable, optional
        Called with the time reached, in τ.

    Returns
    -------
    Trajectory
        With an outcome: a run that does not settle, blows up or leaves its manifold is data, not an exception.

    Raises
    ------
    BadInput
        The engine is not known, or it is the block engine and the parts of the circuit have deviations.
    MissingProgram, SimulationFailed
        The simulator is not installed, crashed, ran past its time limit or found no solution.
    """
    deck = netlist(deck) if isinstance(deck, Circuit) else deck
    if engine is None or (deck.circuit.parts is not None and deck.circuit.imperfections.effects):
        engine = engine_for(deck.circuit.technology, engine)
    engine = named_engine(engine)
    rest = 0.0 if deck.tables else resting_speed  # with noise the answer never rests
    run = ENGINES[engine](deck, resting_speed=rest, time_limit=time_limit, on_progress=on_progress)
    if deck.tables and resting_speed and run.outcome is Outcome.COMPLETED:
        run = dataclasses.replace(run, outcome=_fluctuating(run.time, _resting(deck.circuit, run)))
    return judged(deck.circuit, run, resting=rest)


def _resting(circuit: Circuit, run: Trajectory) -> np.ndarray:
    return np.concatenate([run.values[name] for name in circuit.flow.rests], axis=-1)


def _fluctuating(time: np.ndarray, values: np.ndarray) -> Outcome:
    """Whether the mean over the last quarter of the run lies within the fluctuations of the quarter before.

    Means of a stationary answer differ by less than half the range of its fluctuations; those of one that still drifts
    from quarter to quarter differ by most of it.
    """
    quarters = [values[(time >= low * time[-1]) & (time <= high * time[-1])] for low, high in ((0.5, 0.75), (0.75, 1.0))]
    if min(map(len, quarters)) < _FEWEST:
        return Outcome.NOT_SETTLED
    moved = abs(quarters[1].mean(axis=0) - quarters[0].mean(axis=0))
    spread = np.maximum(*(np.ptp(quarter, axis=0) for quarter in quarters))
    return Outcome.STATIONARY if (moved <= 0.5 * spread + 1e-12).all() else Outcome.NOT_SETTLED
