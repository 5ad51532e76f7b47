"""Theorems of the paper on relaxation, Lyapunov functions and Hopfield networks, as relaxations that can be looked at."""

from collections.abc import Callable

from analogflow.reproduction.relaxation import hopfield, langevin
from analogflow.reproduction.result import Reproduction

__all__ = ["FIGURES"]

FIGURES: dict[str, Callable[[], Reproduction]] = {
    "hopfield-algorithm-14": hopfield.algorithm_14,
    "hopfield-definition-15": hopfield.definition_15,
    "hopfield-theorem-16": hopfield.theorem_16,
    "langevin-theorem-6": langevin.theorem_6,
    "langevin-theorem-8": langevin.theorem_8,
    "langevin-theorem-22": langevin.theorem_22,
}
"""By name."""
