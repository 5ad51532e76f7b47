"""From flow units to machine units: ranges of signals, the scales that fill them best, and the graph rewritten for them."""

from analogflow.passes.scaling.ranges import ensemble_starts, intervals, reach
from analogflow.passes.scaling.rescale import pruned, rescaled, unfolded
from analogflow.passes.scaling.scale import FILL, Scaling, scale

__all__ = ["FILL", "Scaling", "ensemble_starts", "intervals", "pruned", "reach", "rescaled", "scale", "unfolded"]
