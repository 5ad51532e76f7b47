"""What people look at: figures, block diagrams and tables. Nothing here computes a result."""

from __future__ import annotations

from analogflow.report.block_diagram import draw_blocks
from analogflow.report.comparison import plot_comparison, plot_scaling, print_comparison, print_scaling
from analogflow.report.figure import alt_text, check_writable, save_figure
from analogflow.report.html import check_page, write_page
from analogflow.report.pages import run_page, study_page
from analogflow.report.runs import PLOTS, plot_attention, plot_capacity, plot_law, plot_of, plot_paths, plot_transport
from analogflow.report.schematic import draw_circuit
from analogflow.report.studies import folder_figures, study_figures
from analogflow.report.studies.levels import plot_phases, plot_quantiles
from analogflow.report.studies.samples import plot_histogram, plot_sample_paths, plot_tolerance, plot_yields
from analogflow.report.tables import (
    agreement_table,
    doctor_table,
    history_table,
    levels_table,
    mapping_table,
    parts_table,
    print_solution,
    print_study,
    solution_json,
    solution_table,
    study_table,
)

__all__ = [
    "PLOTS",
    "agreement_table",
    "alt_text",
    "check_page",
    "check_writable",
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
