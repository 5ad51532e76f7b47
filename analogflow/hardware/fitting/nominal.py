"""The nominal run of a flow: where its elements go, which is what they are scaled to."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from analogflow.block_engine import RUNAWAY, VectorField
from analogflow.graph import BlockGraph

__all__ = ["Nominal", "nominal_run"]

Array = NDArray[np.float64]

_STRETCHES = (5.0, 15.0, 40.0)
"""τ: how long is integrated before it is looked whether the state rests."""

_AT_REST = 1e-7
"""Rate of the state per τ, flow units, at which it rests."""


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
    """

    states: Array
    end: float
    finished: bool


def nominal_run(graph: BlockGraph, end_time: float | None = None) -> Nominal:
    """Follow `graph` in the block engine to `end_time`, in τ, or until it rests, at most 60 τ."""
    field = VectorField(graph)
    y, end, finished = graph.initial(), 0.0, True
    points = [y[None]]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for stretch in (end_time,) if end_time else _STRETCHES:
            leaving = _leaving
            run = solve_ivp(field, (0.0, stretch), y, method="LSODA", rtol=1e-9, atol=1e-12, events=leaving)
            y, end = run.y[:, -1], end + float(run.t[-1])
            points.append(run.y.T)
            finished = run.status == 0 and bool(np.isfinite(y).all())
            if not finished or abs(field(0.0, y)).max() < _AT_REST:
                break
    return Nominal(np.concatenate(points), end, finished)


def _leaving(time: float, y: Array) -> float:
    return RUNAWAY - float(abs(y).max())


_leaving.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
