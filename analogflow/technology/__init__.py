"""From blocks to cells: each technology maps a graph of blocks to groups of elements."""

from analogflow.technology import (
    ideal,
    ideal_product,  # noqa: F401  registers a cell
    opamp,
    translinear,
)
from analogflow.technology.options import DEFAULT_PARTS, DEFAULT_TECHNOLOGY, DELAY_FRACTION, BuildOptions, build_of, heeded
from analogflow.technology.parts import PART_SETS, part_set
from analogflow.technology.realisation import Brief, Realisation
from analogflow.technology.spread import matched_parts, spread

__all__ = [
    "DEFAULT_PARTS",
    "DEFAULT_TECHNOLOGY",
    "DELAY_FRACTION",
    "PART_SETS",
    "TECHNOLOGIES",
    "Brief",
    "BuildOptions",
    "Realisation",
    "build_of",
    "heeded",
    "matched_parts",
    "part_set",
    "spread",
]

TECHNOLOGIES = {"ideal": ideal.realise, "opamp": opamp.realise, "translinear": translinear.realise}
"""Technology by name: what is to be built in; elements, readings, scale and time constant out."""
