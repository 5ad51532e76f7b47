"""What studies show: quantiles, yields, tolerances, phases, the samples themselves, and a table of the conditions."""

from analogflow.report.studies.gallery import folder_figures, study_figures
from analogflow.report.studies.phases import plot_phases
from analogflow.report.studies.quantiles import plot_quantiles
from analogflow.report.studies.samples import plot_histogram, plot_sample_paths
from analogflow.report.studies.tables import print_study, study_table
from analogflow.report.studies.yields import plot_tolerance, plot_yields

__all__ = [
    "folder_figures",
    "plot_histogram",
    "plot_phases",
    "plot_quantiles",
    "plot_sample_paths",
    "plot_tolerance",
    "plot_yields",
    "print_study",
    "study_figures",
    "study_table",
]
