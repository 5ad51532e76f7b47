"""Studies: grids of conditions, each with many samples, that can be stopped, resumed and repeated bit by bit."""

from analogflow.studies.dataset import check_export, export_study, failed_samples, list_failures, open_study
from analogflow.studies.design import Study, study_of
from analogflow.studies.experiment import read_experiment, write_experiment
from analogflow.studies.runner import Progress, repeat_sample, run_study, sample_paths
from analogflow.studies.stop import Stop
from analogflow.studies.workers import dask_workers, local_workers

__all__ = [
    "Progress",
    "Stop",
    "Study",
    "check_export",
    "dask_workers",
    "export_study",
    "failed_samples",
    "list_failures",
    "local_workers",
    "open_study",
    "read_experiment",
    "repeat_sample",
    "run_study",
    "sample_paths",
    "study_of",
    "write_experiment",
]
