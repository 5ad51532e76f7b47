"""Digital contenders for the mean and the covariance of a Boltzmann distribution."""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Callable
from typing import Any

from analogflow.comparison.solvers.solver import Delivered, Solver, Work, thirds
from analogflow.digital import euler_maruyama, gaussian_law, metropolis_langevin
from analogflow.digital.langevin import is_quadratic
from analogflow.flows import langevin
from analogflow.problems import Langevin
from analogflow.reference import boltzmann_law

__all__ = ["SOLVERS"]

_CHAINS = 256
_RELAXATIONS = 6.0
"""Slowest relaxation times that are left out at the start."""


def _chains(sample: Callable[..., Any], *, biased: bool) -> Callable[[Langevin, float, float, int], Delivered]:
    def run(problem: Langevin, aim: float, seconds: float, seed: int) -> Delivered:
        slow, fast = _times(problem)
        step = fast * (min(0.2, 0.5 * aim) if biased else 0.5)
        # The mean of n independent values of variance 1 is off by n^(−1/2); a chain has one in two relaxation times.
        length = max(2 * slow * 2 / (aim * aim * _CHAINS), step)
        most = seconds / (_CHAINS * 1e-7 + 4e-5)
        steps = int(min(most, math.ceil(length / step)))
        skipped = int(min(most, math.ceil(_RELAXATIONS * slow / step)))
        found = sample(problem, step=step, steps=max(1, steps), skipped=skipped, chains=_CHAINS, seed=seed)
        return Delivered((found.mean, found.covariance), lambda: _work(problem, found.evaluations))

    return run


def _times(problem: Langevin) -> tuple[float, float]:
    """Slowest and fastest relaxation time in τ, as the flow itself is averaged by."""
    averaging = langevin(problem).averaging
    assert averaging is not None  # a problem with a temperature has one
    return averaging.slowest, averaging.noise_step / 0.1


def _exact(problem: Langevin, aim: float, seconds: float, seed: int) -> Delivered:
    found = gaussian_law(problem)
    n = problem.size
    work = Work(1, n**3 / 2 + 2 * n * n, n, n * n, n * n)
    return Delivered((found.mean, found.covariance), lambda: work)


def _quadrature(problem: Langevin, aim: float, seconds: float, seed: int) -> Delivered:
    found = boltzmann_law(copy.copy(problem))  # laws are kept for each problem, and the judge has asked for this one's
    return Delivered((found.mean, found.covariance))


def _integrable(problem: Langevin) -> str:
    return "" if boltzmann_law(problem).exact else "nothing integrates its law, which the judge itself knows by chains alone"


def _work(problem: Langevin, evaluations: int) -> Work:
    nodes = sum(isinstance(node, ast.BinOp | ast.Call) for slope in problem.gradient for node in ast.walk(slope.tree))
    n = problem.size
    return Work(evaluations, evaluations * (nodes + n * n + 4 * n), evaluations * n, evaluations * n, n)


SOLVERS: tuple[Solver, ...] = (
    Solver(
        "euler-maruyama",
        f"{_CHAINS} chains by the method of Euler and Maruyama, with a step that goes with the accuracy",
        thirds,
        _chains(euler_maruyama, biased=True),
        random=True,
    ),
    Solver(
        "mala",
        f"{_CHAINS} chains of Langevin proposals with a Metropolis test (Roberts and Tweedie 1996)",
        thirds,
        _chains(metropolis_langevin, biased=False),
        random=True,
    ),
    Solver(
        "ornstein-uhlenbeck",
        "the exact law of a linear process: one factorisation",
        lambda problem, finest: (finest,),
        _exact,
        applies=lambda problem: "" if is_quadratic(problem) else "the energy is not quadratic",
    ),
    Solver(
        "quadrature",
        "moments by the sums that the judge takes too, whichever the energy allows, so that its own gap counts",
        lambda problem, finest: (finest,),
        _quadrature,
        applies=_integrable,
    ),
)
"""Contenders, the plainest first."""
