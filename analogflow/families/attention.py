"""The family of the attention flow: tokens on a sphere, and where they are at the problem's time."""

from __future__ import annotations

from analogflow.families.family import Family
from analogflow.flows.attention import FORMS, attention
from analogflow.problems import Attention

__all__ = ["ATTENTION"]

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
)
"""The family of the attention flow."""
