"""What people look at: figures, block diagrams and tables. Nothing here computes a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from analogflow.report.block_diagram import draw_blocks
from analogflow.report.boards import board_table, levels_table, mapping_table, parts_table
from analogflow.report.comparison import comparison_tables, plot_comparison, plot_scaling, print_comparison, print_scaling
from analogflow.report.figure import alt_text, check_writable, save_figure
from analogflow.report.html import check_page, run_page, study_page, write_page
from analogflow.report.printing import print_solution, solution_json
from analogflow.report.runs.attention import plot_attention
from analogflow.report.runs.capacity import plot_capacity
from analogflow.report.runs.law import plot_law
from analogflow.report.runs.paths import plot_paths
from analogflow.report.runs.transport import plot_transport
from analogflow.report.schematic import draw_circuit
from analogflow.report.studies import (
    folder_figures,
    plot_histogram,
    plot_phases,
    plot_quantiles,
    plot_sample_paths,
    plot_tolerance,
    plot_yields,
    print_study,
    study_figures,
    study_table,
)
from analogflow.report.tables import agreement_table, budget_tables, doctor_table, history_table, solution_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analogflow.solution import Solution

__all__ = [
    "PLOTS",
    "agreement_table",
    "alt_text",
    "board_table",
    "budget_tables",
    "check_page",
    "check_writable",
    "comparison_tables",
    "doctor_table",
    "draw_blocks",
    "draw_circuit",
    "folder_figures",
    "history_table",
    "levels_table",
    "mapping_table",
    "parts_table",
    "plot_attention",
    "plot_capacity",
    "plot_comparison",
    "plot_histogram",
    "plot_law",
    "plot_of",
    "plot_paths",
    "plot_phases",
    "plot_quantiles",
    "plot_sample_paths",
    "plot_scaling",
    "plot_tolerance",
    "plot_transport",
    "plot_yields",
    "print_comparison",
    "print_scaling",
    "print_solution",
    "print_study",
    "run_page",
    "save_figure",
    "solution_json",
    "solution_table",
    "study_figures",
    "study_page",
    "study_table",
    "write_page",
]

PLOTS: Mapping[str, Callable[[Solution], Figure]] = {
    "capacity": plot_capacity,
    "attention": plot_attention,
    "transport": plot_transport,
    "hopfield": plot_law,
}
"""Figure of a run by the name of the flow's family; that of its path for all others."""


def plot_of(family: str) -> Callable[[Solution], Figure]:
    """What draws a run of a family."""
    return PLOTS.get(family, plot_paths)
