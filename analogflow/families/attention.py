"""The family of the attention flow: tokens on a sphere, and where they are at the problem's time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.families.ends import Held, RunEnds, asked, gap_of, largest
from analogflow.families.family import Contest, Family
from analogflow.flows import Flow
from analogflow.flows.attention import FORMS, attention
from analogflow.problems import Attention
from analogflow.reference.attention import AttentionReference, attention_reference
from analogflow.reference.attention_theory import facing
from analogflow.run import Run

__all__ = ["ATTENTION"]


Array = NDArray[np.float64]

_AGREEMENT = 1e-11
"""Largest disagreement of the reference's two integrations that counts as agreement."""


def _errors(problem: Attention, reference: AttentionReference, ends: RunEnds) -> dict[str, Array]:
    path = ends.paths["x"].reshape(*ends.paths["x"].shape[:2], *problem.tokens.shape)
    return {
        "tokens": largest(ends.finals["x"] - reference.tokens.ravel()),
        "sphere": largest(np.sqrt((path**2).sum(axis=3)) - 1),
    }


def _held(
    problem: Attention, reference: AttentionReference, errors: Mapping[str, Array], ends: RunEnds, limit: float
) -> list[Held]:
    side = _side(problem, ends)
    return [
        Held("the reference's two integrations agree", gap_of(reference, errors), _AGREEMENT),
        *asked(
            errors,
            limit,
            ("tokens", "tokens agree with the reference", ""),
            ("sphere", "every token stays on the sphere", ""),
        ),
        *([] if side is None else [Held("no token turns from the side that all began on", side, limit)]),
    ]


def _side(problem: Attention, ends: RunEnds) -> Array | None:
    """How far the least component of any token along the direction that all face ever falls, shape (samples,)."""
    direction = facing(problem)
    if direction is None:
        return None
    path = ends.paths["x"].reshape(*ends.paths["x"].shape[:2], *problem.tokens.shape)
    least = (path @ direction).min(axis=2)
    return (np.maximum.accumulate(least, axis=1) - least).max(axis=1)


_SAME_CLUSTER = 0.9
"""Cosine from which two tokens belong to one cluster."""


def _clusters(flow: Flow, tokens: Array) -> tuple[int, ...]:
    """For each token the first one of its cluster."""
    x = tokens.reshape(flow.states["x"].shape)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    near = x @ x.T > _SAME_CLUSTER
    return tuple(int(np.argmax(row)) for row in near)


def _started(problem: Attention, starts: Mapping[str, Array]) -> Attention:
    return dataclasses.replace(problem, tokens=starts["x"].reshape(problem.tokens.shape))


def _answer(problem: Attention, reference: AttentionReference, run: Run) -> dict[str, Any]:
    return {"tokens": run.final["x"].reshape(problem.tokens.shape).tolist()}


def _exact(problem: Attention, reference: AttentionReference) -> dict[str, Any]:
    return {"tokens": reference.tokens.tolist()}


def _contest(problem: Attention, reference: Callable[[], AttentionReference]) -> Contest:
    """Of the tokens at the problem's time."""
    return Contest(
        measure="largest error of a coordinate of a token",
        full_scale=2.0,
        signals=("x",),
        errors={"tokens": 1.0},
        gap=reference().gap,
    )


def _expected(problem: Attention, reference: AttentionReference) -> dict[str, Any]:
    return {"x": reference.tokens.ravel().tolist()}


def _smaller(problem: Attention, count: int) -> tuple[Attention, str] | None:
    mask = problem.mask[:count, :count] if isinstance(problem.mask, np.ndarray) else problem.mask
    if isinstance(mask, np.ndarray) and not mask.any(axis=1).all():
        return None
    part = dataclasses.replace(problem, tokens=problem.tokens[:count], mask=mask)
    return part, f"{count} tokens of {problem.dimension} dimensions"


ATTENTION = Family(
    name="attention",
    problem=Attention,
    noun="an attention problem",
    keys=("tokens", "B", "V", "beta", "time", "Q", "K", "heads", "output", "mask", "mlp"),
    needed={
        "tokens": "the tokens' starting positions, one row for each",
        "beta": "the inverse temperature",
        "time": "the end of the run in time constants",
    },
    flow=attention,
    forms=FORMS,
    reference=lambda problem, time: attention_reference(problem, time=time),
    errors=_errors,
    sizes=lambda problem, answers: np.ones(len(answers)),
    primary="tokens",
    unlisted="",
    labels={
        "tokens": "largest difference of a coordinate",
        "sphere": "largest departure of a token's length from 1",
    },
    held=_held,
    started=_started,
    groups=_clusters,
    no_groups=(
        "The clusters in which the two paths end are compared, and none has formed: give the tokens more time, or take the "
        "answer by its checks alone."
    ),
    answer=_answer,
    exact=_exact,
    contest=_contest,
    expected=_expected,
    size=lambda problem: len(problem.tokens),
    smaller=_smaller,
)
"""The family of the attention flow."""
