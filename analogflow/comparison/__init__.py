"""Analog against digital: one problem, every contender, one delivered accuracy; errors recomputed, assumptions named."""

from analogflow.comparison.contender import BreakEven, Contender, Point
from analogflow.comparison.contest import SECONDS, compare, contenders_of
from analogflow.comparison.energy import Price, Prices, prices
from analogflow.comparison.judge import Judge, judge_of
from analogflow.comparison.result import MEASURES, Comparison
from analogflow.comparison.scaling import KINDS, Scaling, measure_scaling
from analogflow.comparison.solvers import GROWING

__all__ = [
    "GROWING",
    "KINDS",
    "MEASURES",
    "SECONDS",
    "BreakEven",
    "Comparison",
    "Contender",
    "Judge",
    "Point",
    "Price",
    "Prices",
    "Scaling",
    "compare",
    "contenders_of",
    "judge_of",
    "measure_scaling",
    "prices",
]
