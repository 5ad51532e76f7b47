"""The exact answer that a run is held against, computed once for each problem, however many runs are held against it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
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

__all__ = ["PathEnd", "known_to", "reference_of", "require_reference"]

_KEPT = 64


class PathEnd(NamedTuple):
    """Where a path ends: signals by name, flat or shaped as they start, and how far two integrations disagree."""

    values: Mapping[str, NDArray[np.float64]]
    gap: float


@functools.lru_cache(maxsize=_KEPT)
def reference_of(problem: Any, time: float = 0.0) -> Any:
    """Reference of a problem, as its family computes it; `time`, in τ, where it is a point of a path."""
    return _REFERENCES[type(problem)](problem, time)


def require_reference(problem: Any, *, accuracy: float, end: float | None = None) -> None:
    """Compute the reference that a run will be held against, so that what it refuses is refused before anything runs.

    Parameters
    ----------
    problem : object
    accuracy : float
        Error that must be found in a law, in standard deviations.
    end : float, optional
        When the run ends, in τ, if that is known beforehand; a path's end is not computed otherwise.

    Raises
    ------
    BadInput
        There is no reference for this problem, or it does not know a law to half of `accuracy`.
    SimulationFailed
        The reference was not found.
    """
    if type(problem) not in _REFERENCES:
        known = ", ".join(kind.__name__ for kind in _REFERENCES)
        raise BadInput(f"there is no exact reference for a problem of type {type(problem).__name__}; there is for: {known}.")
    lawful = isinstance(problem, Langevin | Hopfield) and problem.temperature > 0
    follows = isinstance(problem, Equations | Flow) or (isinstance(problem, Langevin) and not lawful)
    if isinstance(problem, Attention):
        end = problem.time if end is None else end
    if follows and end is None:
        return
    found = reference_of(problem, float(end or 0.0)) if follows or isinstance(problem, Attention) else reference_of(problem)
    if lawful and not (known := known_to(found)) <= 0.5 * accuracy:
        raise BadInput(
            f"the reference knows the law of {problem!r} to {known:.2g} of its standard deviation only, and {accuracy:g} is "
            "asked for; ask for less accuracy, or take an energy without scales so far apart."
        )


def known_to(law: Any) -> float:
    """Largest error that the reference of a law may have, in standard deviations and their products."""
    widths = np.sqrt(np.diag(law.covariance))
    means, covariances = getattr(law, "mean_gap", law.gap), getattr(law, "covariance_gap", law.gap)
    return float(max((means / widths).max(), (covariances / np.outer(widths, widths)).max()))


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
