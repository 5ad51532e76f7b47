"""From blocks to cells: each technology maps a graph of blocks to groups of elements."""

from analogflow.technology import (
    ideal,
    ideal_product,  # noqa: F401  registers a cell
    opamp,
    translinear,
)
from analogflow.technology.parts import PART_SETS, part_set
from analogflow.technology.realisation import LOOP_DELAY, Brief, Realisation
from analogflow.technology.spread import matched_parts, spread

__all__ = [
    "DEFAULT_PARTS",
    "LOOP_DELAY",
    "PART_SETS",
    "TECHNOLOGIES",
    "Brief",
    "Realisation",
    "matched_parts",
    "part_set",
    "spread",
]

DEFAULT_PARTS = "precision"
"""Parts of a circuit of parts unless others are named."""

TECHNOLOGIES = {"ideal": ideal.realise, "opamp": opamp.realise, "translinear": translinear.realise}
"""Technology by name: what is to be built in; elements, readings, scale and time constant out."""
