"""Runs several chains of one circuit: the same parts with the same deviations, each from a start and with noise of its own.

An engine that takes many samples together carries all of them through time at once; others run each by itself, as many side
by side as there are processors.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import Circuit
from analogflow.compiler import rebuilt
from analogflow.errors import BadInput
from analogflow.flows import Flow
from analogflow.noise import MOST_CHAINS
from analogflow.run import Outcome, Run
from analogflow.simulators.engines import ENGINES, TIME_LIMIT, deck_for, named_engine, simulate
from analogflow.simulators.ngspice.session import NgspiceSession, session_in_use

__all__ = ["chain_starts", "simulate_chains"]

Array = NDArray[np.float64]

_SAVED, _MOST_SAVED, _LEAST_SAVED = 2**19, 20_000, 1000
"""Points of all chains of an engine that takes them together, and of one, at most and at least."""


def chain_starts(flow: Flow, count: int, first: int = 0) -> dict[str, Array]:
    """Where some chains begin, from number `first` on, as the flow's averaging says; shape (count, size) of each state."""
    own = np.concatenate([value.ravel() for value in flow.states.values()])
    given = [None if flow.averaging is None else flow.averaging.start_of(first + k) for k in range(count)]
    rows = np.stack([own if start is None else np.asarray(start, dtype=float) for start in given])
    cuts = np.cumsum([value.size for value in flow.states.values()])
    return dict(zip(flow.states, np.split(rows, cuts[:-1], axis=1), strict=True))


def simulate_chains(
    circuit: Circuit,
    count: int,
    *,
    engine: str,
    end: float,
    first: int = 0,
    starts: Mapping[str, Array] | None = None,
    time_limit: float = TIME_LIMIT,
    on_progress: Callable[[float], None] | None = None,
) -> Run:
    """Run chains of a circuit whose answer is a law, and return the first with the others as its `chains`.

    Parameters
    ----------
    circuit : Circuit
    count : int
        How many chains.
    engine : str
    end : float
        Length of each in τ.
    first : int
        Number of the first chain: each number has noise of its own.
    starts : mapping of state to array, shape (count, size), optional
        Where they begin, flow units; as `chain_starts` says if not given.
    time_limit : float
        Seconds after which they are stopped.
    on_progress : callable, optional
        Called with the time reached, in τ, on average over the chains.

    Raises
    ------
    BadInput
        There are not so many chains.
    SimulationFailed
        One of them was not simulated.
    """
    if not 0 < count <= MOST_CHAINS - first:
        raise BadInput(f"chains: {count!r} is not a number of chains from 1 to {MOST_CHAINS - first}.")
    begun = chain_starts(circuit.flow, count, first) if starts is None else dict(starts)
    abreast = ENGINES[named_engine(engine)].abreast
    if abreast is not None:
        points = int(np.clip(_SAVED // count, _LEAST_SAVED, _MOST_SAVED))
        times = np.linspace(0.0, end, min(points, int(np.ceil(end / circuit.noise.step))) + 1)
        numbers = range(first, first + count)
        runs = list(abreast(circuit, begun, numbers, times, time_limit=time_limit, on_progress=on_progress))
    else:
        runs = _side_by_side(circuit, begun, count, engine, end, first, time_limit, on_progress)
    return _joined(circuit, runs)


def _joined(circuit: Circuit, runs: Sequence[Run]) -> Run:
    """The first chain with the others, and how the first of those ended that did not end as they were asked to."""
    worst = next((k for k, run in enumerate(runs) if not run.outcome.ok), 0)
    outcome, detail = runs[worst].outcome, runs[worst].detail
    if len(runs) > 1 and not outcome.ok:
        detail = f"{detail} That was chain {worst + 1} of {len(runs)}.".strip()
    averaging = circuit.flow.averaging
    skipped = 0.0 if averaging is None else averaging.skipped_of(float(runs[0].time[-1]))
    if outcome is Outcome.COMPLETED and len(runs) > 1:  # whether the chains agree is a check of the law
        outcome = Outcome.STATIONARY
    record = {**runs[0].record, "noise_step": circuit.noise.step, "skipped": skipped}
    return dataclasses.replace(runs[0], outcome=outcome, detail=detail, record=record, chains=tuple(runs[1:]))


def _side_by_side(
    circuit: Circuit,
    starts: Mapping[str, Array],
    count: int,
    engine: str,
    end: float,
    first: int,
    time_limit: float,
    on_progress: Callable[[float], None] | None,
) -> list[Run]:
    """Each chain in a process of the simulator, some of them at a time; Python's threads only wait for them."""
    workers = max(1, min(count, os.cpu_count() or 1))
    reached, lock, runs = np.zeros(count), threading.Lock(), dict[int, Run]()
    sessions = [NgspiceSession() for _ in range(workers)]  # which starts nothing before its first run

    def work(which: int) -> None:
        for k in range(which, count, workers):
            states = {name: value[k].reshape(circuit.flow.states[name].shape) for name, value in starts.items()}
            noise = dataclasses.replace(circuit.noise, chain=first + k)
            own = rebuilt(circuit, starts=states, conditions=dataclasses.replace(circuit.conditions, noise=noise))

            def progress(time: float, k: int = k) -> None:
                with lock:
                    reached[k] = time
                    mean = float(reached.mean())
                if on_progress is not None:
                    on_progress(mean)

            with session_in_use(sessions[which]):
                runs[k] = simulate(
                    deck_for(own, engine, time_constants=end), engine=engine, time_limit=time_limit, on_progress=progress
                )

    with contextlib.ExitStack() as stack:
        for session in sessions:
            stack.enter_context(session)
        if workers == 1:
            work(0)
        else:
            pool = stack.enter_context(ThreadPoolExecutor(workers))
            for done in [pool.submit(work, which) for which in range(workers)]:
                try:
                    done.result()
                except BaseException:
                    for session in sessions:  # what the others still do is of no use
                        session.close()
                    raise
    return [runs[k] for k in range(count)]
