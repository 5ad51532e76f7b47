"""Judges a run of the attention flow: where tokens end, against two integrations, and their sphere."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.problems import Attention
from analogflow.reference import attention_reference
from analogflow.trajectory import Trajectory
from analogflow.validation.certifiers.check import Check

__all__ = ["certify_attention"]

_AGREEMENT = 1e-11
"""Largest disagreement of the reference's two integrations that counts as agreement."""


def certify_attention(problem: Attention, run: Trajectory, tolerance: float) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries "x", at the time where the run ended."""
    x = run.final("x").reshape(problem.tokens.shape)
    reference = attention_reference(problem, time=float(run.time[-1]))
    path = run.values["x"].reshape(-1, *problem.tokens.shape)
    errors = {
        "tokens": float(abs(x - reference.tokens).max()),
        "sphere": float(abs(np.sqrt((path**2).sum(axis=2)) - 1).max()),
    }
    checks = (
        Check("ran to its end", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip()),
        Check.at_most("the reference's two integrations agree", reference.gap, _AGREEMENT),
        Check.at_most("tokens agree with the reference", errors["tokens"], tolerance),
        Check.at_most("every token stays on the sphere", errors["sphere"], tolerance),
    )
    return {"tokens": x.tolist()}, {"tokens": reference.tokens.tolist()}, reference.gap, errors, checks
