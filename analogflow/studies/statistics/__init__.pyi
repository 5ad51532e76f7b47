"""What this package offers, once; each is loaded on first use."""

from analogflow.studies.statistics.comparisons import compare_engines as compare_engines
from analogflow.studies.statistics.comparisons import compare_paired as compare_paired
from analogflow.studies.statistics.comparisons import compare_study as compare_study
from analogflow.studies.statistics.estimates import at as at
from analogflow.studies.statistics.estimates import conditions as conditions
from analogflow.studies.statistics.estimates import errors_at as errors_at
from analogflow.studies.statistics.estimates import quantile_estimate as quantile_estimate
from analogflow.studies.statistics.estimates import rate_estimate as rate_estimate
from analogflow.studies.statistics.estimates import was_run as was_run
from analogflow.studies.statistics.stopping import Decision as Decision
from analogflow.studies.statistics.stopping import Looks as Looks
from analogflow.studies.statistics.stopping import plan_looks as plan_looks
from analogflow.studies.statistics.stopping import stop_for_quantile as stop_for_quantile
from analogflow.studies.statistics.stopping import stop_for_yield as stop_for_yield
from analogflow.studies.statistics.summary import VERDICTS as VERDICTS
from analogflow.studies.statistics.summary import summarise as summarise
from analogflow.studies.statistics.variance import CAUSES as CAUSES
from analogflow.studies.statistics.variance import split_crossed as split_crossed
from analogflow.studies.statistics.variance import split_runs as split_runs
from analogflow.studies.statistics.variance import split_study as split_study
from analogflow.studies.statistics.yields import largest_tolerated as largest_tolerated
from analogflow.studies.statistics.yields import study_tolerance as study_tolerance
from analogflow.studies.statistics.yields import yield_at as yield_at
from analogflow.studies.statistics.yields import yield_curve as yield_curve
