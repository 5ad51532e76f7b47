"""Digital contenders for the rest of a Hopfield network."""

from __future__ import annotations

from collections.abc import Sequence

from analogflow.comparison.solvers.solver import Delivered, Solver, Work, decades
from analogflow.digital import euler_rest, newton_rest
from analogflow.problems import Hopfield

__all__ = ["SOLVERS"]


def _rates(problem: Hopfield, finest: float) -> Sequence[float]:
    """Rates at which to stop: a state is further from rest than its rate where the network is slow."""
    return decades(problem, 1e-2 * finest)


def _euler(problem: Hopfield, rate: float, seconds: float, seed: int) -> Delivered:
    found = euler_rest(problem, rate=rate, most=max(100, int(seconds / 2e-5)))
    return Delivered(found.state, lambda: _work(problem, found.iterations, newton=False))


def _newton(problem: Hopfield, rate: float, seconds: float, seed: int) -> Delivered:
    found = newton_rest(problem, rate=rate)
    return Delivered(found.state, lambda: _work(problem, found.iterations, newton=True))


def _work(problem: Hopfield, iterations: int, *, newton: bool) -> Work:
    n, m = problem.U.shape
    size = n + m
    each = 2 * n * m + n * n + m * m + size
    return Work(
        iterations,
        (iterations + 1) * each + (iterations * size**3 / 3 if newton else 0),
        (iterations + 1) * size * (problem.activation == "tanh"),
        (iterations + 1) * each + (iterations * size * size if newton else 0),
        each + (size * size if newton else 0),
    )


SOLVERS: tuple[Solver, ...] = (
    Solver("euler", "the flow stepped by Euler's rule, half a τ a step", _rates, _euler),
    Solver("newton", "Newton's method; for a linear network the solution of one linear system", _rates, _newton),
)
"""Contenders, the plainest first."""
