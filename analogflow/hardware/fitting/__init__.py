"""A flow as scalar elements and coefficients, in flow units and in machine units."""

from analogflow.hardware.fitting.couplings import DECISIONS, FUNCTIONS, Couplings, Element
from analogflow.hardware.fitting.flatten import flatten
from analogflow.hardware.fitting.forms import ONE, Form

__all__ = ["DECISIONS", "FUNCTIONS", "ONE", "Couplings", "Element", "Form", "flatten"]
