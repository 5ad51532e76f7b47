"""Digital contenders, by the family of problems they solve."""

from importlib import import_module

from analogflow.comparison.solvers.solver import Delivered, Solver, Work

__all__ = ["SOLVED", "Delivered", "Solver", "Work", "solvers_of"]

SOLVED = ("capacity", "rate-distortion", "transport", "attention", "hopfield", "langevin")
"""Families whose problems have digital contenders: ``SOLVERS`` of the module of that name, the plainest first."""


def solvers_of(family: str) -> tuple[Solver, ...]:
    """Contenders for the problems of a family, loaded when they are asked for; none where there are none."""
    return import_module(f"{__name__}.{family.replace('-', '_')}").SOLVERS if family in SOLVED else ()
