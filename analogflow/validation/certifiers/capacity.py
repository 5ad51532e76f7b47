"""Judges a run of the capacity flow: the circuit's own reading, the certificate of its distribution, and the simplex."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.families.check import Check
from analogflow.families.references import reference_of
from analogflow.problems import Channel
from analogflow.trajectory import Trajectory
from analogflow.validation.judgement import judge_run

__all__ = ["certify_capacity"]


def certify_capacity(channel: Channel, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries "z" and "capacity_nats"."""
    reference, judged = reference_of(channel), judge_run(channel, run, tolerance=tolerance)
    checks = (Check("settled", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip()), *judged.checks())
    answer = {
        "capacity_nats": float(run.final("capacity_nats")[0]),
        "input_distribution": _all_inputs(channel, run.final("z")).tolist(),
    }
    exact = {"capacity_nats": reference.capacity_nats, "input_distribution": reference.input_distribution.tolist()}
    return answer, exact, reference.gap, judged.errors_of_one(leave_out="state_nats"), checks


def _all_inputs(channel: Channel, z: np.ndarray) -> np.ndarray:
    """Distribution over all inputs; a form that leaves out unavailable inputs has weight 0 there."""
    if z.size == channel.inputs:
        return z
    full = np.zeros(channel.inputs)
    full[channel.available] = z
    return full
