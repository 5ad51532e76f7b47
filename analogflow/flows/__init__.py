"""Flows: equations whose state settles at an answer, with what they keep and what they show. One file for each family."""

from analogflow.flows.capacity import capacity
from analogflow.flows.flow import Flow
from analogflow.flows.invariants import CommonMode, Invariant, Simplex

__all__ = ["FAMILIES", "CommonMode", "Flow", "Invariant", "Simplex", "capacity"]

FAMILIES = {"capacity": capacity}
"""Flow family by the name the command line knows it by: problem and form in, flow out."""
