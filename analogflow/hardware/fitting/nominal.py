"""The nominal run of a flow: where its elements go, which is what they are scaled to."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from analogflow.block_engine import RUNAWAY, VectorField
from analogflow.graph import BlockGraph
from analogflow.hardware.fitting.machine import path

__all__ = ["Nominal", "nominal_path", "nominal_run"]

Array = NDArray[np.float64]

_STRETCHES = (5.0, 15.0, 40.0)
"""τ: how long is integrated before it is looked whether the state rests."""

_AT_REST = 1e-7
"""Rate of each state per τ, relative to its peak, at which it rests."""

_SHARE, _SCALE_SHARE = 1e-9, 1e-4
"""Of the largest peak, and of the scale of the flow's states: a state that stays below is what rounding left of 0."""


@dataclasses.dataclass(frozen=True, eq=False)
class Nominal:
    """States along a run.

    Parameters
    ----------
    states : array, shape (points, size)
        In the order of the graph's states.
    end : float
        Length in τ.
    finished : bool
        False where the run went out of every range or would take no steps.
    resting : bool
        Whether it has come to rest.
    peaks : array, shape (size,)
        Largest |value| of each state; where a state is but rounding, what rounding may reach.
    """

    states: Array
    end: float
    finished: bool
    resting: bool
    peaks: Array


def nominal_run(graph: BlockGraph, end_time: float | None = None, *, scale: float = 1.0) -> Nominal:
    """Follow `graph`, whose states are of size `scale`, in the block engine to `end_time` (τ) or rest, at most 60 τ."""
    field = VectorField(graph)
    far = RUNAWAY * max(1.0, float(abs(graph.initial()).max(initial=0.0)))

    def leaving(time: float, y: Array) -> float:
        return far - float(abs(y).max())

    leaving.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    y, end, finished, resting = graph.initial(), 0.0, True, False
    points, peaks = [y[None]], np.abs(y)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for stretch in (end_time,) if end_time else _STRETCHES:
            run = solve_ivp(field, (0.0, stretch), y, method="LSODA", rtol=1e-9, atol=1e-14, events=leaving)
            y, end = run.y[:, -1], end + float(run.t[-1])
            points.append(run.y.T)
            finished = run.status == 0 and bool(np.isfinite(y).all())
            peaks = np.max([abs(part).max(axis=0) for part in points], axis=0)
            peaks = np.maximum(peaks, max(_SHARE * peaks.max(), _SCALE_SHARE * scale))
            resting = finished and bool((abs(field(0.0, y)) <= _AT_REST * peaks).all())
            if not finished or resting:
                break
    return Nominal(np.concatenate(points), end, finished, resting, peaks)


def nominal_path(graph: BlockGraph, peaks: Array, times: Array) -> Array:
    """States of `graph` at `times`, in τ, shape (points, size), followed closely in units of their `peaks`."""
    field = VectorField(graph)
    return peaks * path(lambda y: field(0.0, y * peaks) / peaks, graph.initial() / peaks, times)
