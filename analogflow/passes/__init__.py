"""Passes over a graph of blocks: each returns a new graph and a sentence on what it changed."""

from analogflow.passes.check import check
from analogflow.passes.degrade import degrade_graph, pole_label
from analogflow.passes.fuse import fuse
from analogflow.passes.lift import lift
from analogflow.passes.scaling import Scaling, pruned, rescaled, scale, unfolded
from analogflow.passes.stabilise import Return, nominal_orbit, return_rates, stabilise

__all__ = [
    "Return",
    "Scaling",
    "check",
    "degrade_graph",
    "fuse",
    "lift",
    "nominal_orbit",
    "pole_label",
    "pruned",
    "rescaled",
    "return_rates",
    "scale",
    "stabilise",
    "unfolded",
]
