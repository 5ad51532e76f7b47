"""Integrates a block graph in time with SciPy's adaptive Runge-Kutta method of order 8."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from scipy.integrate import DOP853

from analogflow.block_engine.march import LOOK, RUNAWAY, SHORTEST_REST, least_progress
from analogflow.block_engine.threads import few_threads
from analogflow.block_engine.vector_field import VectorField
from analogflow.checks import is_positive
from analogflow.errors import BadInput
from analogflow.graph import BlockGraph
from analogflow.run import Outcome, Run, usual

__all__ = ["integrate"]


_SHARPEST, _JITTER = 1e-12, 10.0
"""Relative error per step down to which a run is sharpened, and change over that error which may be nothing else."""


def integrate(
    graph: BlockGraph,
    time_constants: float,
    *,
    rests: Sequence[str] = (),
    resting_speed: float = 0.0,
    rtol: float = 1e-9,
    atol: float = 1e-12,
    size: float | None = 1.0,
    scale: float = 1.0,
    runaway: float = RUNAWAY,
    on_progress: Callable[[float], None] | None = None,
) -> Run:
    """Follow the graph's states from their start.

    Parameters
    ----------
    graph : BlockGraph
    time_constants : float
        End time in units of τ; the run stops before if it settles.
    rests : sequence of str
        States and observables that have to settle; the first state if none is named.
    resting_speed : float
        The run has settled when none of them moves by as much as this times `size` per τ; 0 runs to the end.
    rtol, atol : float
        Relative error allowed per step, and absolute error over `scale`.
    size : float, optional
        Of what has to settle, flow units; None for the largest value on the way, where that is far from 1.
    scale : float
        Of the states, flow units.
    runaway : float
        Flow units at which a state has run away.
    on_progress : callable, optional
        Called with the time reached, in τ.

    Raises
    ------
    BadInput
        The end time is not a positive number.
    """
    if not is_positive(time_constants):
        raise BadInput(f"time_constants: {time_constants!r} is not a positive number of time constants.")
    field = VectorField(graph)
    rests = rests or [next(iter(graph.states))]
    outcome, detail = (Outcome.NOT_SETTLED if resting_speed else Outcome.COMPLETED), ""
    with few_threads(field.size), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        solver = DOP853(field, 0.0, graph.initial(), time_constants, rtol=rtol, atol=atol * scale)
        times, states, looked, halts = [0.0], [solver.y.copy()], 0.0, False
        watched = _joint(field, solver.y, rests)
        largest = float(abs(watched).max())
        while solver.status == "running":
            solver.step()
            if not abs(solver.y).max() < runaway:
                outcome = Outcome.BLEW_UP
                detail = f"{_largest(graph, solver.y)} ran away at t = {solver.t:.4g} τ."
                break
            if len(times) % LOOK == 0:
                halts, looked = solver.t - looked < least_progress(time_constants), solver.t
            if solver.status == "failed" or halts:  # it fails where its step is shorter than the spacing of numbers
                outcome, detail = Outcome.STUCK, f"That was at t = {solver.t:.4g} τ."
                break
            times.append(solver.t)
            states.append(solver.y.copy())
            moved, watched = watched, _joint(field, solver.y, rests)
            length, change = times[-1] - times[-2], float(abs(watched - moved).max())
            largest = max(largest, float(abs(watched).max()))
            if resting_speed and length >= SHORTEST_REST and change <= resting_speed * (size or usual(largest)) * length:
                outcome = Outcome.SETTLED
                break
            if resting_speed and solver.rtol > _SHARPEST and change <= _JITTER * solver.rtol * abs(solver.y).max():
                # What still moves may be the method's own error: large states would tremble about their rest for ever.
                solver.rtol, solver.atol = 0.1 * solver.rtol, 0.1 * solver.atol
            if on_progress is not None:
                on_progress(solver.t)
        values = field.observables(np.array(states))
    return Run(np.array(times), {name: np.array(value) for name, value in values.items()}, outcome, detail)


def _joint(field: VectorField, y: np.ndarray, names: Sequence[str]) -> np.ndarray:
    values = field.observables(y)
    return np.concatenate([values[name] for name in names])


def _largest(graph: BlockGraph, y: np.ndarray) -> str:
    names = [f"{label}[{k}]" for label, node in graph.states.items() for k in range(graph.block(node).size)]
    return names[int(np.argmax(np.where(np.isfinite(y), abs(y), np.inf)))]
