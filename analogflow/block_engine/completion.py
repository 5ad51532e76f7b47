"""Observables that a circuit does not build, computed from the signals that are read off it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine.vector_field import VectorField
from analogflow.graph import BlockGraph

__all__ = ["complete"]


def complete(graph: BlockGraph, measured: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """All states and observables of `graph` in its units, given those that were `measured`.

    A measured signal stands for itself wherever another depends on it: what is computed from a measured distribution has
    that distribution's errors, not those of the state behind it.

    Parameters
    ----------
    graph : BlockGraph
    measured : mapping of name to array, shape (..., size)
        Every state, and any observables; further names are passed on.
    """
    field = VectorField(graph)
    known = {graph.observables[name]: value for name, value in measured.items() if name in graph.observables}
    state = field.pack({name: measured[name] for name in field.visible_states})
    values = field.signals(state, known=known)
    shape = state.shape[:-1]
    computed = {
        name: np.broadcast_to(values[node], (*shape, values[node].shape[-1])) for name, node in graph.observables.items()
    }
    return {**computed, **measured}
