"""Figures of single runs, one for each kind of answer."""

from analogflow.report.runs.attention import plot_attention
from analogflow.report.runs.capacity import plot_capacity
from analogflow.report.runs.law import plot_law
from analogflow.report.runs.paths import plot_paths
from analogflow.report.runs.transport import plot_transport

__all__ = ["plot_attention", "plot_capacity", "plot_law", "plot_paths", "plot_transport"]
