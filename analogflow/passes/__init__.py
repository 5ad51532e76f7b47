"""Passes from a flow to its circuit: each returns a new graph, or a new circuit, and a sentence on what it changed.

`pipeline` runs those that a technology names, in its order, and checks what they make.
"""

from analogflow.passes.degrade import DEGRADE, NOISE, degrade_graph, graph_under, pole_label, require_blocks
from analogflow.passes.device_noise import DEVICE_GROUP, DEVICE_NOISE, with_device_noise
from analogflow.passes.fusion import FUSE, fuse
from analogflow.passes.lifting import LIFT, lift
from analogflow.passes.limits import bend_of, farthest, limits_of, resting_size, runaway_of
from analogflow.passes.manifold import STABILISE, return_rates, stabilise
from analogflow.passes.pipeline import CHECK, REALISE, TRACE, Brief, Pass, Passed, run_passes
from analogflow.passes.preferred import CHOOSE, choose_values
from analogflow.passes.referred_noise import ReferredNoise, refer_noise
from analogflow.passes.scaling import SCALE, SCALE_BLOCKS, pruned, rescaled, scale, unfolded
from analogflow.passes.soundness import check, nominal_orbit
from analogflow.passes.spread import SPREAD, SingleDraws, matched, sample_parts
from analogflow.passes.wipers import TRIM

__all__ = [
    "CHECK",
    "CHOOSE",
    "DEGRADE",
    "DEVICE_GROUP",
    "DEVICE_NOISE",
    "FUSE",
    "LIFT",
    "NOISE",
    "REALISE",
    "SCALE",
    "SCALE_BLOCKS",
    "SPREAD",
    "STABILISE",
    "TRACE",
    "TRIM",
    "Brief",
    "Pass",
    "Passed",
    "ReferredNoise",
    "SingleDraws",
    "bend_of",
    "check",
    "choose_values",
    "degrade_graph",
    "farthest",
    "fuse",
    "graph_under",
    "lift",
    "limits_of",
    "matched",
    "nominal_orbit",
    "pole_label",
    "pruned",
    "refer_noise",
    "require_blocks",
    "rescaled",
    "resting_size",
    "return_rates",
    "run_passes",
    "runaway_of",
    "sample_parts",
    "scale",
    "stabilise",
    "unfolded",
    "with_device_noise",
]
