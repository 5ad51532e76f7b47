"""Analog against digital: one problem, every contender, one delivered accuracy; errors recomputed, assumptions named."""

from analogflow.comparison.break_even import BreakEven
from analogflow.comparison.contender import Contender, Point
from analogflow.comparison.contest import compare, contenders_of
from analogflow.comparison.energy import Price, Prices, prices
from analogflow.comparison.judge import Judge, judge_of
from analogflow.comparison.result import MEASURES, Comparison

__all__ = [
    "MEASURES",
    "BreakEven",
    "Comparison",
    "Contender",
    "Judge",
    "Point",
    "Price",
    "Prices",
    "compare",
    "contenders_of",
    "judge_of",
    "prices",
]
