"""Passes over a graph of blocks: each returns a new graph and a sentence on what it changed."""

from analogflow.passes.degrade import degrade_graph, pole_label
from analogflow.passes.fusion import fuse
from analogflow.passes.lifting import lift
from analogflow.passes.manifold import Return, nominal_orbit, return_rates, stabilise
from analogflow.passes.scaling import Scaling, pruned, rescaled, scale, unfolded
from analogflow.passes.soundness import check

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
