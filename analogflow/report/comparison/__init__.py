"""What comparisons show: a table of all contenders with what was assumed, and their errors against time and work."""

from analogflow.report.comparison.figures import plot_comparison
from analogflow.report.comparison.tables import comparison_tables, print_comparison

__all__ = ["comparison_tables", "plot_comparison", "print_comparison"]
