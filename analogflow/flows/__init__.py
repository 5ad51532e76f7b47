"""Flows: equations whose state settles at an answer, with what they keep and what they show. One file for each family."""

from analogflow.flows.attention import attention
from analogflow.flows.capacity import capacity
from analogflow.flows.flow import Flow
from analogflow.flows.invariants import CommonMode, Invariant, Simplex, Sphere
from analogflow.problems import Attention, Channel

__all__ = ["FAMILIES", "FAMILY_OF", "CommonMode", "Flow", "Invariant", "Simplex", "Sphere", "attention", "capacity"]

FAMILIES = {"capacity": capacity, "attention": attention}
"""Flow family by the name the command line knows it by: problem and form in, flow out."""

FAMILY_OF = {Channel: "capacity", Attention: "attention"}
"""Name of the family that solves a problem, by the problem's type."""
