"""Flows: equations whose state settles at an answer, with what they keep and what they show. One file for each family."""

from analogflow.flows.capacity import capacity
from analogflow.flows.flow import Flow
from analogflow.flows.invariants import CommonMode, Invariant, Simplex
from analogflow.problems import Channel

__all__ = ["FAMILIES", "FAMILY_OF", "CommonMode", "Flow", "Invariant", "Simplex", "capacity"]

FAMILIES = {"capacity": capacity}
"""Flow family by the name the command line knows it by: problem and form in, flow out."""

FAMILY_OF = {Channel: "capacity"}
"""Name of the family that solves a problem, by the problem's type."""
