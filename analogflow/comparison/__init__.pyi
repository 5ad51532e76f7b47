"""What this package offers, once; each is loaded on first use."""

from analogflow.comparison.contender import Contender as Contender
from analogflow.comparison.contender import Point as Point
from analogflow.comparison.contest import compare as compare
from analogflow.comparison.contest import contenders_of as contenders_of
from analogflow.comparison.energy import Prices as Prices
from analogflow.comparison.energy import prices as prices
from analogflow.comparison.judge import judge_of as judge_of
from analogflow.comparison.result import MEASURES as MEASURES
from analogflow.comparison.result import Comparison as Comparison
from analogflow.comparison.scaling import GROWING as GROWING
from analogflow.comparison.scaling import KINDS as KINDS
from analogflow.comparison.scaling import Scaling as Scaling
from analogflow.comparison.scaling import measure_scaling as measure_scaling
from analogflow.comparison.trials import SECONDS as SECONDS
