"""Analog against digital: one problem, every contender, one delivered accuracy; errors recomputed, assumptions named."""

from analogflow.comparison.contender import Contender, Point
from analogflow.comparison.contest import SECONDS, compare, contenders_of
from analogflow.comparison.energy import Prices, prices
from analogflow.comparison.judge import judge_of
from analogflow.comparison.result import MEASURES, Comparison
from analogflow.comparison.scaling import KINDS, Scaling, measure_scaling
from analogflow.comparison.solvers import GROWING

__all__ = [
    "GROWING",
    "KINDS",
    "MEASURES",
    "SECONDS",
    "Comparison",
    "Contender",
    "Point",
    "Prices",
    "Scaling",
    "compare",
    "contenders_of",
    "judge_of",
    "measure_scaling",
    "prices",
]
