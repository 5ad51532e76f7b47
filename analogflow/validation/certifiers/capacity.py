"""Judges a run of the capacity flow: the circuit's own reading, the certificate of its distribution, and the simplex."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.problems import Channel
from analogflow.reference import (
    CapacityReference,
    capacity_certificate,
    capacity_reference,
    cost_certificate,
)
from analogflow.trajectory import Trajectory
from analogflow.validation.certifiers.check import Check

__all__ = ["certify_capacity"]


def certify_capacity(channel: Channel, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries "z" and "capacity_nats"."""
    reference = capacity_reference(channel)
    z = _all_inputs(channel, run.final("z"))
    capacity = float(run.final("capacity_nats")[0])
    defect = float(abs(run.values["z"].sum(axis=1) - 1).max())
    finite = bool(np.isfinite(z).all() and (z > 0).any())
    gap = _gap(channel, z, reference) if finite else float("nan")
    errors = {
        "capacity_nats": abs(capacity - reference.capacity_nats),
        "input_distribution": float(abs(z - reference.input_distribution).max()),
        "certified_gap_nats": gap,
        "simplex": defect,
    }
    if "capacity_readout" in run.values:
        errors["capacity_readout_nats"] = abs(float(run.final("capacity_readout")[0]) - reference.capacity_nats)
    checks = (
        Check("settled", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip()),
        Check.at_most("capacity agrees with the reference", errors["capacity_nats"], tolerance, "nat"),
        Check.at_most("the distribution certifies its own capacity", gap, tolerance, "nat"),
        Check.at_most("Σz stays 1", defect, tolerance),
    )
    if channel.cost is not None and channel.cost_limit is not None:
        errors["cost"] = max(float(z @ channel.cost) - channel.cost_limit, 0.0)
        checks = (*checks, Check.at_most("the mean cost keeps its limit", errors["cost"], tolerance))
    answer = {"capacity_nats": capacity, "input_distribution": z.tolist()}
    exact = {"capacity_nats": reference.capacity_nats, "input_distribution": reference.input_distribution.tolist()}
    return answer, exact, reference.gap, errors, checks


def _gap(channel: Channel, z: np.ndarray, reference: CapacityReference) -> float:
    """How much more than z any distribution can carry, nats; with a cost, at the price of the reference."""
    if channel.cost is not None:
        lower, upper = cost_certificate(channel, z, reference.price)
        return upper - lower
    return capacity_certificate(channel.transition[channel.available], z[channel.available]).gap


def _all_inputs(channel: Channel, z: np.ndarray) -> np.ndarray:
    """Distribution over all inputs; a form that leaves out unavailable inputs has weight 0 there."""
    if z.size == channel.inputs:
        return z
    full = np.zeros(channel.inputs)
    full[channel.available] = z
    return full
