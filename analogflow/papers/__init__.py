"""Figures of the source papers, computed anew: the curves, and what the paper says beside what we find.

An add-on: it uses the package as anybody may, and nothing but the command line knows it.
"""

from collections.abc import Callable

from analogflow.checks import proposal
from analogflow.errors import BadInput
from analogflow.papers import (
    attention,
    attention_draws,
    capacity,
    gaussian,
    rate_distortion,
    relaxation,
    transport,
    transport_constants,
)
from analogflow.papers.result import Line, Panel, Reproduction

__all__ = ["FIGURES", "Line", "Panel", "Reproduction", "figure_named", "reproduce"]

FIGURES: dict[str, Callable[[], Reproduction]] = {
    "capacity-figure-3": capacity.figure_3,
    "capacity-figure-4": capacity.figure_4,
    "capacity-figure-5": capacity.figure_5,
    "rate-distortion-figure-2": rate_distortion.figure_2,
    "rate-distortion-figure-3": gaussian.figure_3,
    "rate-distortion-figure-4": gaussian.figure_4,
    "rate-distortion-figure-5": rate_distortion.figure_5,
    "rate-distortion-figure-6": rate_distortion.figure_6,
    "rate-distortion-figure-7": gaussian.figure_7,
    "rate-distortion-figure-8": gaussian.figure_8,
    "transport-figure-1": transport.figure_1,
    "transport-figure-2": transport_constants.figure_2,
    "transport-figure-3": transport.figure_3,
    "transport-figure-4": transport.figure_4,
    "transport-figure-5": transport.figure_5,
    "transport-table-1": transport_constants.table_1,
    "transport-theorem-3.2": transport.theorem_3_2,
    "attention-figure-1": attention.figure_1,
    "attention-figure-2": attention.figure_2,
    "attention-figure-3": attention.figure_3,
    "attention-figure-4": attention_draws.figure_4,
    "attention-figure-5": attention.figure_5,
    "attention-figure-6": attention_draws.figure_6,
    "attention-figure-7": attention_draws.figure_7,
    "attention-figure-8": attention_draws.figure_8,
    "attention-figure-9": attention_draws.figure_9,
    "attention-figure-10": attention_draws.figure_10,
    "hopfield-algorithm-14": relaxation.algorithm_14,
    "hopfield-definition-15": relaxation.definition_15,
    "hopfield-theorem-16": relaxation.theorem_16,
    "langevin-theorem-6": relaxation.theorem_6,
    "langevin-theorem-8": relaxation.theorem_8,
    "langevin-theorem-22": relaxation.theorem_22,
}
"""Every figure that can be asked for, by name."""


def figure_named(name: str) -> Callable[[], Reproduction]:
    """What computes a figure.

    Raises
    ------
    BadInput
        There is no such figure.
    """
    if name not in FIGURES:
        raise BadInput(f"reproduce: {name!r} is not known; {proposal(name, FIGURES, 3)}")
    return FIGURES[name]


def reproduce(name: str) -> Reproduction:
    """Compute a figure of a paper anew.

    Raises
    ------
    BadInput
        There is no such figure.
    """
    return figure_named(name)()
