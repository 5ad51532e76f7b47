"""Figures of the paper on tokens on a sphere, whose seeds are not published: claims are checked on our own draws.

A. Alcalde, L. Bungert, K. Riedl and T. Roith, Quantifying Concentration Phenomena of Mean-Field Transformers in the
Low-Temperature Regime, arXiv:2605.10931 (2026).
"""

from collections.abc import Callable

from analogflow.reproduction.attention import gradient, random_matrices, spheres, turning
from analogflow.reproduction.result import Reproduction

__all__ = ["FIGURES"]

FIGURES: dict[str, Callable[[], Reproduction]] = {
    "attention-figure-1": spheres.figure_1,
    "attention-figure-2": spheres.figure_2,
    "attention-figure-3": spheres.figure_3,
    "attention-figure-4": random_matrices.figure_4,
    "attention-figure-5": turning.figure_5,
    "attention-figure-6": gradient.figure_6,
    "attention-figure-7": gradient.figure_7,
    "attention-figure-8": gradient.figure_8,
    "attention-figure-9": gradient.figure_9,
    "attention-figure-10": random_matrices.figure_10,
}
"""By name."""
