"""From flow units to machine units: ranges of signals, the scales that fill them best, and the graph rewritten for them."""

from analogflow.passes.scaling.program import FILL, Scaling, scale
from analogflow.passes.scaling.ranges import ensemble_starts, intervals, reach
from analogflow.passes.scaling.rescale import pruned, rescaled, unfolded

__all__ = ["FILL", "Scaling", "ensemble_starts", "intervals", "pruned", "reach", "rescaled", "scale", "unfolded"]
