"""Digital contenders for a point of the rate-distortion curve."""

from __future__ import annotations

from analogflow.comparison.solvers.solver import Delivered, Solver, Work, decades
from analogflow.digital import blahut_iteration
from analogflow.problems import RateDistortion
from analogflow.reference import rate_distortion_reference

__all__ = ["SOLVERS"]


def _blahut(problem: RateDistortion, gap: float, seconds: float, seed: int) -> Delivered:
    found = blahut_iteration(problem, gap=gap, most=10_000_000, seconds=seconds)
    return Delivered(found.reproduction, lambda: _work(problem, found.iterations, 0))


def _interior(problem: RateDistortion, gap: float, seconds: float, seed: int) -> Delivered:
    found = rate_distortion_reference(problem, gap=gap)
    return Delivered(found.reproduction, lambda: _work(problem, found.sweeps + found.steps, found.steps))


def _work(problem: RateDistortion, products: int, newton: int) -> Work:
    n, m = problem.distortion.shape
    count = products + 1
    return Work(
        max(products, newton),
        count * (2 * n * m + m) + newton * (n * m * m / 2 + m**3 / 6 + 2 * m * m),
        count * (n + 1) + n * m + newton * 4 * m,
        count * 2 * n * m + newton * (2 * n * m + m * m),
        n * m + (m * m if newton else 0),
    )


SOLVERS: tuple[Solver, ...] = (
    Solver("blahut", "Blahut's iteration, stopped by his bound (Blahut 1972)", decades, _blahut),
    Solver(
        "interior-point",
        "primal-dual interior point on the reproduction distribution, after Blahut's steps",
        decades,
        _interior,
    ),
)
"""Contenders, the plainest first."""
