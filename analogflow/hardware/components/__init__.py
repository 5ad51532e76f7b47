"""Parts that can be bought: from exact coefficients to component values and codes, and what the difference does."""

from analogflow.circuit.values import SERIES, Code, check_series, code, largest_error, nearest, neighbours
from analogflow.hardware.components.codes import round_codes, round_codes_independently
from analogflow.hardware.components.crossbar import Crossbar, biases, capacity_crossbar, optimum_sensitivity
from analogflow.hardware.components.rounded import Rounding
from analogflow.hardware.components.rounding import round_independently, round_jointly

__all__ = [
    "SERIES",
    "Code",
    "Crossbar",
    "Rounding",
    "biases",
    "capacity_crossbar",
    "check_series",
    "code",
    "largest_error",
    "nearest",
    "neighbours",
    "optimum_sensitivity",
    "round_codes",
    "round_codes_independently",
    "round_independently",
    "round_jointly",
]
