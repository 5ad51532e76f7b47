"""What comparisons show: all contenders with what was assumed, their errors against time and work, and growth with size."""

from analogflow.report.comparison.figures import plot_comparison
from analogflow.report.comparison.scaling import plot_scaling, print_scaling
from analogflow.report.comparison.tables import comparison_tables, print_comparison

__all__ = ["comparison_tables", "plot_comparison", "plot_scaling", "print_comparison", "print_scaling"]
