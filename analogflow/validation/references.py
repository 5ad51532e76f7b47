"""The exact answer that a run is held against, computed once for each problem, however many runs are held against it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analogflow.flows import Flow
from analogflow.problems import Attention, Channel, Equations, Hopfield, Langevin, RateDistortion, Transport
from analogflow.reference import (
    attention_reference,
    boltzmann_law,
    capacity_reference,
    equations_reference,
    hopfield_reference,
    path_end,
    rate_distortion_reference,
    transport_reference,
)

__all__ = ["PathEnd", "reference_of"]

_KEPT = 64


class PathEnd(NamedTuple):
    """Where a path ends: signals by name, flat or shaped as they start, and how far two integrations disagree."""

    values: Mapping[str, NDArray[np.float64]]
    gap: float


@functools.lru_cache(maxsize=_KEPT)
def reference_of(problem: Any, time: float = 0.0) -> Any:
    """Reference of a problem, as its family computes it; `time`, in τ, where it is a point of a path."""
    return _REFERENCES[type(problem)](problem, time)


def _langevin(problem: Langevin, time: float) -> Any:
    if problem.temperature:
        return boltzmann_law(problem)
    names = problem.variables

    def rates(states: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        x = np.concatenate([states[name] for name in names])
        return dict(zip(names, (-problem.mobility_at(x) @ problem.gradient_at(x))[:, None], strict=True))

    return PathEnd(*path_end(rates, dict(zip(names, problem.start[:, None], strict=True)), time))


def _equations(problem: Equations, time: float) -> PathEnd:
    found = equations_reference(problem, time)
    return PathEnd(found.values, found.gap)


def _flow(flow: Flow, time: float) -> PathEnd:
    states, gap = path_end(lambda values: flow.rates(**values), flow.states, time)
    return PathEnd({**states, **{name: flow.observe(name, **states) for name in flow.observables}}, gap)


_REFERENCES: dict[type, Callable[[Any, float], Any]] = {
    Channel: lambda problem, _: capacity_reference(problem),
    RateDistortion: lambda problem, _: rate_distortion_reference(problem),
    Transport: lambda problem, _: transport_reference(problem),
    Attention: lambda problem, time: attention_reference(problem, time=time),
    Hopfield: lambda problem, _: hopfield_reference(problem),
    Langevin: _langevin,
    Equations: _equations,
    Flow: _flow,
}
