"""From blocks to cells: each technology maps a graph of blocks to groups of elements."""

from analogflow.technology import ideal_product  # noqa: F401  registers a cell
from analogflow.technology.ideal import realise as ideal

__all__ = ["TECHNOLOGIES"]

TECHNOLOGIES = {"ideal": ideal}
"""Technology by name: graph in; groups, nodes of the named signals, volts per unit and τ in seconds out."""
