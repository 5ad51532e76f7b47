"""Passes over a graph of blocks: each returns a new graph and a sentence on what it changed.

`pipeline` runs those that a technology names, in its order, and checks what they make.
"""

from analogflow.passes.degrade import NOISE, degrade_graph, pole_label
from analogflow.passes.fusion import FUSE, fuse
from analogflow.passes.lifting import lift
from analogflow.passes.manifold import STABILISE, return_rates, stabilise
from analogflow.passes.pipeline import CHECK, TRACE, Brief, Pass, Passed, run_passes
from analogflow.passes.scaling import SCALE, SCALE_BLOCKS, pruned, rescaled, scale, unfolded
from analogflow.passes.soundness import check, nominal_orbit

__all__ = [
    "CHECK",
    "FUSE",
    "NOISE",
    "SCALE",
    "SCALE_BLOCKS",
    "STABILISE",
    "TRACE",
    "Brief",
    "Pass",
    "Passed",
    "check",
    "degrade_graph",
    "fuse",
    "lift",
    "nominal_orbit",
    "pole_label",
    "pruned",
    "rescaled",
    "return_rates",
    "run_passes",
    "scale",
    "stabilise",
    "unfolded",
]
