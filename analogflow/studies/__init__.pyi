"""What this package offers, once; each is loaded on first use."""

from analogflow.studies.dataset import check_export as check_export
from analogflow.studies.dataset import export_study as export_study
from analogflow.studies.dataset import failed_samples as failed_samples
from analogflow.studies.dataset import list_failures as list_failures
from analogflow.studies.dataset import open_study as open_study
from analogflow.studies.design import Study as Study
from analogflow.studies.design import study_of as study_of
from analogflow.studies.experiment import read_experiment as read_experiment
from analogflow.studies.experiment import write_experiment as write_experiment
from analogflow.studies.runner import Progress as Progress
from analogflow.studies.runner import repeat_sample as repeat_sample
from analogflow.studies.runner import run_study as run_study
from analogflow.studies.runner import sample_paths as sample_paths
from analogflow.studies.stop import Stop as Stop
from analogflow.studies.workers import dask_workers as dask_workers
from analogflow.studies.workers import local_workers as local_workers
