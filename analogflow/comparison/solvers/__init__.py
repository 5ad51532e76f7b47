"""Digital contenders, by the family of problems they solve."""

from collections.abc import Callable, Mapping
from typing import Any

from analogflow.comparison.solvers import attention, capacity, hopfield, langevin, rate_distortion, transport
from analogflow.comparison.solvers.solver import Delivered, Solver, Work

__all__ = ["GROWING", "SOLVERS", "Delivered", "Solver", "Work"]

SOLVERS: dict[str, tuple[Solver, ...]] = {
    "capacity": capacity.SOLVERS,
    "rate-distortion": rate_distortion.SOLVERS,
    "transport": transport.SOLVERS,
    "attention": attention.SOLVERS,
    "hopfield": hopfield.SOLVERS,
    "langevin": langevin.SOLVERS,
}
"""Contenders by the name of the flow's family, the plainest first."""

GROWING: Mapping[str, Mapping[str, Callable[[int, int], Any]]] = {"capacity": capacity.GROWING}
"""Problems of any size, by the name of the flow's family and by their kind: size and seed in."""
