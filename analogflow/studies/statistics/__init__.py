"""What may be concluded from a study's samples: intervals, comparisons, yields, tolerances and when to stop."""

from analogflow.studies.statistics.comparisons import compare_engines, compare_paired, compare_study
from analogflow.studies.statistics.estimates import at, conditions, errors_at, quantile_estimate, rate_estimate, was_run
from analogflow.studies.statistics.stopping import Decision, Looks, plan_looks, stop_for_quantile, stop_for_yield
from analogflow.studies.statistics.summary import VERDICTS, summarise
from analogflow.studies.statistics.variance import CAUSES, split_crossed, split_runs, split_study
from analogflow.studies.statistics.yields import largest_tolerated, study_tolerance, yield_at, yield_curve

__all__ = [
    "CAUSES",
    "VERDICTS",
    "Decision",
    "Looks",
    "at",
    "compare_engines",
    "compare_paired",
    "compare_study",
    "conditions",
    "errors_at",
    "largest_tolerated",
    "plan_looks",
    "quantile_estimate",
    "rate_estimate",
    "split_crossed",
    "split_runs",
    "split_study",
    "stop_for_quantile",
    "stop_for_yield",
    "study_tolerance",
    "summarise",
    "was_run",
    "yield_at",
    "yield_curve",
]
