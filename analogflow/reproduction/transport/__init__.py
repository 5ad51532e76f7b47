"""Figures and the table of the paper on annealed Sinkhorn iterations, in a simulated version, and its laws in ε."""

from collections.abc import Callable

from analogflow.reproduction.result import Reproduction
from analogflow.reproduction.transport import collapse, constants, linearisation, tracking

__all__ = ["FIGURES"]

FIGURES: dict[str, Callable[[], Reproduction]] = {
    "transport-figure-1": collapse.figure_1,
    "transport-figure-2": linearisation.figure_2,
    "transport-figure-3": collapse.figure_3,
    "transport-figure-4": tracking.figure_4,
    "transport-figure-5": tracking.figure_5,
    "transport-table-1": constants.table_1,
    "transport-theorem-3.2": tracking.theorem_3_2,
}
"""By name."""
