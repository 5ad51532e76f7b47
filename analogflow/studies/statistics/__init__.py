"""What may be concluded from a study's samples: intervals, comparisons, yields, tolerances and when to stop."""

from analogflow.studies.statistics.comparison import EngineComparison, compare_engines
from analogflow.studies.statistics.intervals import Estimate, quantile_estimate, rate_estimate
from analogflow.studies.statistics.paired import PairedComparison, compare_paired, compare_study
from analogflow.studies.statistics.samples import at, conditions, errors_at, was_run
from analogflow.studies.statistics.stopping import Decision, Looks, plan_looks, stop_for_quantile, stop_for_yield
from analogflow.studies.statistics.summary import VERDICTS, summarise
from analogflow.studies.statistics.tolerance import Tolerance, largest_tolerated, study_tolerance
from analogflow.studies.statistics.variance import CAUSES, VarianceSplit, split_crossed, split_runs, split_study
from analogflow.studies.statistics.yields import YieldCurve, yield_at, yield_curve

__all__ = [
    "CAUSES",
    "VERDICTS",
    "Decision",
    "EngineComparison",
    "Estimate",
    "Looks",
    "PairedComparison",
    "Tolerance",
    "VarianceSplit",
    "YieldCurve",
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
