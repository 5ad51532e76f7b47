"""Digital contenders for the tokens of a self-attention flow at its end."""

from __future__ import annotations

from collections.abc import Sequence

from analogflow.comparison.solvers.solver import Delivered, Solver, Work, decades
from analogflow.digital import attention_adaptive, attention_steps
from analogflow.problems import Attention

__all__ = ["SOLVERS"]

_SMALLEST_STEP, _PAPER_STEP = 1e-5, 0.01


def _fixed(problem: Attention, step: float, seconds: float, seed: int) -> Delivered:
    found = attention_steps(problem, step)
    return Delivered(found.tokens, lambda: _work(problem, found.steps))


def _steps(problem: Attention, finest: float) -> Sequence[float]:
    """Steps of 0.1, the paper's 0.01 and shorter ones: the error goes with the step."""
    return decades(problem, max(_SMALLEST_STEP, min(0.1 * finest, _PAPER_STEP)))


def _adaptive(problem: Attention, tolerance: float, seconds: float, seed: int) -> Delivered:
    found = attention_adaptive(problem, tolerance)
    return Delivered(found.tokens, lambda: _work(problem, found.evaluations))


def _work(problem: Attention, evaluations: int) -> Work:
    n, d = problem.tokens.shape
    heads, m = len(problem.pairs), 0 if problem.mlp is None else len(problem.mlp.W1)
    products = heads * (2 * n * d * d + 2 * n * n * d) + 4 * n * d + 2 * n * m * d
    return Work(
        evaluations,
        evaluations * products,
        evaluations * (heads * n * n + 3 * n + n * m),
        evaluations * (heads * (2 * d * d + 2 * n * n) + 4 * n * d + 2 * m * d),
        heads * (2 * d * d + n * n) + 2 * n * d + 2 * m * d,
    )


SOLVERS: tuple[Solver, ...] = (
    Solver("euler", "Euler's steps, each followed by normalisation, as in the paper (Alcalde et al. 2026)", _steps, _fixed),
    Solver(
        "dop853",
        "an embedded Runge-Kutta method of order 8 with error control (Hairer, Nørsett and Wanner 1993)",
        lambda problem, finest: decades(problem, max(0.1 * finest, 1e-13)),
        _adaptive,
    ),
)
"""Contenders, the plainest first."""
