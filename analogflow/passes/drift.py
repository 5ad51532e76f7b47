"""What delays do to a motion to whose orbit nothing leads back: what it conserves drifts, turn by turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import ErrorLimits, VectorField, march, method_for
from analogflow.flows import Flow
from analogflow.graph import BlockGraph
from analogflow.passes.limits import farthest

__all__ = ["drift_of"]

Array = NDArray[np.float64]

_POINTS = 4000
"""Points of the path, over which the drift is added up."""

_STEP = 1e-6
"""Share of a state's range by which it is moved to find slopes."""


def drift_of(graph: BlockGraph, flow: Flow) -> float:
    r"""Part of an amplitude that a delay adds in a run, over that delay in τ, told by what the flow conserves.

    Parameters
    ----------
    graph : BlockGraph
        With the observables that are conserved; of one that it lacks nothing is known.
    flow : Flow

    Returns
    -------
    float
        Of several states and conserved quantities the largest; 0 of a flow without any, or without an end.

    Notes
    -----
    A short delay d makes :math:`\dot y = f - d\,Jf` of :math:`\dot y = f`, with the Jacobian J of f, and of what is
    conserved, L, a drift :math:`\dot L = -d\,\nabla L \cdot Jf`. Where a state has an extreme, it moves with L along
    :math:`\nabla L`, in units of the amplitudes. Of a harmonic oscillator of angular frequency ω, run for T, each amplitude
    grows by ω² T d of itself.
    """
    names = [name for name in flow.conserved if name in graph.observables]
    end = flow.end_time
    if not names or end is None:
        return 0.0
    field, times = VectorField(graph), np.linspace(0.0, end, _POINTS)
    start = graph.initial()[None]
    with np.errstate(all="ignore"):
        walked = march(
            field, start, times, end, method_for(field, start, np.inf),
            tolerances=ErrorLimits(1e-6, 1e-9, 0.0, 1.0, farthest(flow), sharpens=False),
        )  # fmt: skip
        path = walked.states[0]
        moves = np.ptp(path, axis=0) > 0
        amplitudes = np.ptp(path[:, moves], axis=0) / 2
        rates = field.rates(path, field.signals(path))
        step = _STEP / float(abs(rates[:, moves] / amplitudes).max(initial=_STEP))
        ahead, behind = (field.rates(y, field.signals(y)) for y in (path + step * rates, path - step * rates))
        bent = (ahead - behind)[:, moves] / (2 * step * amplitudes)
        found = []
        for name in names:
            node = graph.observables[name]
            slopes = np.zeros(bent.shape)
            for k, column in enumerate(np.flatnonzero(moves)):
                moved = _STEP * amplitudes[k] * np.eye(field.size)[column]
                ahead, behind = (field.signals(y)[node].sum(axis=-1) for y in (path + moved, path - moved))
                slopes[:, k] = (ahead - behind) / (2 * _STEP)
            drift = np.sum(slopes * bent, axis=-1)
            gathered = np.cumsum(drift[1:] + drift[:-1]) * times[1] / 2
            shifts = abs(gathered).max() * abs(slopes) / np.sum(slopes**2, axis=-1, keepdims=True)
            extremes = np.stack([path[:, moves].argmax(axis=0), path[:, moves].argmin(axis=0)])
            grown = np.take_along_axis(shifts, extremes, axis=0).mean(axis=0)
            found.append(float(grown.max(where=np.isfinite(grown), initial=0.0)))
    return max(found)
