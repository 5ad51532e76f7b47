"""Digital contenders, by the family of problems they solve."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from analogflow.comparison.solvers.solver import Delivered, Refiner, Solver, Work

__all__ = ["SOLVED", "Delivered", "Refiner", "Solver", "Work", "growing", "refiner_of", "solvers_of"]

SOLVED = ("capacity", "rate-distortion", "transport", "attention", "hopfield", "langevin")
"""Families whose problems have digital contenders: ``SOLVERS`` of the module of that name, the plainest first."""

_GROWING = ("capacity",)
"""Those of them whose module has problems of any size, ``GROWING``."""

_REFINED = ("capacity",)
"""Those of them whose module has what corrects the answers of circuits, ``REFINER``."""


def solvers_of(family: str) -> tuple[Solver, ...]:
    """Contenders for the problems of a family, loaded when they are asked for; none where there are none."""
    return _contenders(family).SOLVERS if family in SOLVED else ()


def refiner_of(family: str) -> Refiner | None:
    """What corrects the answers of a family's circuits; None where nothing does."""
    return _contenders(family).REFINER if family in _REFINED else None


def growing() -> Mapping[str, Mapping[str, Callable[[int, int], Any]]]:
    """Problems of any size, by the name of the flow's family and by their kind: size and seed in."""
    return {family: _contenders(family).GROWING for family in _GROWING}


def _contenders(family: str) -> Any:
    return import_module(f"{__name__}.{family.replace('-', '_')}")
