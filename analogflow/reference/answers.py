"""The exact answer to a problem of any kind, under the names in which answers are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from analogflow.errors import BadInput
from analogflow.problems import Attention, Channel, Equations, Hopfield, Langevin, RateDistortion, Transport
from analogflow.reference.attention import attention_reference
from analogflow.reference.capacity import capacity_reference
from analogflow.reference.equations import equations_reference
from analogflow.reference.hopfield import hopfield_reference
from analogflow.reference.rate_distortion import rate_distortion_reference
from analogflow.reference.transport import transport_reference

__all__ = ["expected_answer"]


def expected_answer(problem: Any) -> dict[str, Any]:
    """Name to number or list, by the names of the flow's signals.

    For a channel ``capacity_nats`` and the optimal ``z``; for attention ``x``, tokens at the problem's time, row after row;
    for transport ``plan``, row after row, and ``cost``; for equations every state, observable and conserved quantity at the
    problem's time, and nothing if it has none; for a Hopfield network where "v" and "h" come to rest, or their means and
    variances.
    """
    answer = _ANSWERS.get(type(problem))
    if answer is None:
        raise BadInput(f"there is no exact reference for a problem of type {type(problem).__name__}.")
    return answer(problem)


def _capacity(channel: Channel) -> dict[str, Any]:
    reference = capacity_reference(channel)
    return {"capacity_nats": reference.capacity_nats, "z": reference.input_distribution.tolist()}


def _attention(problem: Attention) -> dict[str, Any]:
    return {"x": attention_reference(problem).tokens.ravel().tolist()}


def _transport(problem: Transport) -> dict[str, Any]:
    reference = transport_reference(problem)
    return {"plan": reference.plan.ravel().tolist(), "cost": reference.cost}


def _rate_distortion(problem: RateDistortion) -> dict[str, Any]:
    found = rate_distortion_reference(problem)
    return {"q": found.reproduction.tolist(), "rate_nats": found.rate_nats, "distortion": found.distortion}


def _equations(problem: Equations) -> dict[str, Any]:
    if problem.time is None:
        return {}
    return {name: value.ravel().tolist() for name, value in equations_reference(problem, problem.time).values.items()}


def _hopfield(problem: Hopfield) -> dict[str, Any]:
    reference = hopfield_reference(problem)
    n = problem.visible
    rest = {"v": reference.mean[:n].tolist(), "h": reference.mean[n:].tolist()}
    if problem.temperature == 0:
        return rest | {"energy": reference.energy}
    variances = np.diag(reference.covariance)
    means = {f"mean of {name}": mean for name, mean in rest.items()}
    return means | {"variance of v": variances[:n].tolist(), "variance of h": variances[n:].tolist()}


_ANSWERS: dict[type, Callable[[Any], dict[str, Any]]] = {
    Channel: _capacity,
    Attention: _attention,
    Transport: _transport,
    RateDistortion: _rate_distortion,
    Equations: _equations,
    Langevin: lambda problem: {},
    Hopfield: _hopfield,
}
