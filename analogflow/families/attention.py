"""The family of the attention flow: tokens on a sphere, and where they are at the problem's time."""

from __future__ import annotations

from typing import Any

from analogflow.families.family import Family
from analogflow.flows.attention import FORMS, attention
from analogflow.problems import Attention
from analogflow.reference.attention import AttentionReference, attention_reference

__all__ = ["ATTENTION"]


def _expected(problem: Attention, reference: AttentionReference) -> dict[str, Any]:
    return {"x": reference.tokens.ravel().tolist()}


def _smaller(problem: Attention, count: int) -> tuple[Attention, str]:
    part = Attention(problem.tokens[:count], problem.B, problem.V, problem.beta, problem.time)
    return part, f"{count} tokens of {problem.dimension} dimensions"


ATTENTION = Family(
    name="attention",
    problem=Attention,
    noun="an attention problem",
    keys=("tokens", "B", "V", "beta", "time"),
    needed={
        "tokens": "the tokens' starting positions, one row for each",
        "B": "the matrix B of the scores",
        "V": "the value matrix",
        "beta": "the inverse temperature",
        "time": "the end of the run in time constants",
    },
    flow=attention,
    forms=FORMS,
    reference=lambda problem, time: attention_reference(problem, time=time),
    follows=lambda problem: True,
    expected=_expected,
    size=lambda problem: len(problem.tokens),
    smaller=_smaller,
)
"""The family of the attention flow."""
