"""From flow units to machine units: ranges of signals, the scales that fill them best, and the graph rewritten for them."""

from analogflow.passes.scaling.ranges import amplitudes, ensemble_starts, intervals
from analogflow.passes.scaling.rescale import pruned, rescaled, unfolded
from analogflow.passes.scaling.scale import FILL, Scaling, scale

__all__ = ["FILL", "Scaling", "amplitudes", "ensemble_starts", "intervals", "pruned", "rescaled", "scale", "unfolded"]
