"""Digital contenders for the rest of a Hopfield network, and above temperature 0 for its law."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analogflow.comparison.solvers.solver import Delivered, Solver, Work, decades, thirds
from analogflow.digital import euler_rest, network_euler_maruyama, network_law, newton_rest, update_rest
from analogflow.problems import Hopfield
from analogflow.reference.hopfield_saturating import by_quadrature, within_reach

__all__ = ["SOLVERS"]

_CHAINS = 256


def _rates(problem: Hopfield, finest: float) -> Sequence[float]:
    """Rates at which to stop: a state is further from rest than its rate where the network is slow."""
    return decades(problem, 1e-2 * finest)


def _euler(problem: Hopfield, rate: float, seconds: float, seed: int) -> Delivered:
    found = euler_rest(problem, rate=rate, most=max(100, int(seconds / 2e-5)))
    return Delivered(found.state, lambda: _work(problem, found.iterations, newton=False))


def _newton(problem: Hopfield, rate: float, seconds: float, seed: int) -> Delivered:
    found = newton_rest(problem, rate=rate)
    return Delivered(found.state, lambda: _work(problem, found.iterations, newton=True))


def _update(problem: Hopfield, rate: float, seconds: float, seed: int) -> Delivered:
    found = update_rest(problem, rate=rate, most=max(100, int(seconds / 2e-5)))
    return Delivered(found.state, lambda: _work(problem, found.iterations, newton=False))


def _work(problem: Hopfield, iterations: int, *, newton: bool) -> Work:
    n, m = problem.U.shape
    size = n + m
    each = 2 * n * m + n * n + m * m + size
    return Work(
        iterations,
        (iterations + 1) * each + (iterations * size**3 / 3 if newton else 0),
        (iterations + 1) * {"linear": 0, "tanh": size, "softmax": m}[problem.activation],
        (iterations + 1) * each + (iterations * size * size if newton else 0),
        each + (size * size if newton else 0),
    )


def _sampled(problem: Hopfield, aim: float, seconds: float, seed: int) -> Delivered:
    slow = 1 / (1 - problem.norm)
    # The law is off in proportion to the step; the fastest rate is below 2.
    step = min(0.1, 0.25 * aim)
    most = seconds / (_CHAINS * 1e-7 + 4e-5)
    steps = int(min(most, math.ceil(4 * slow / (aim * aim * _CHAINS * step))))
    skipped = int(min(most, math.ceil(6 * slow / step)))
    found = network_euler_maruyama(problem, step=step, steps=max(1, steps), skipped=skipped, chains=_CHAINS, seed=seed)
    n, m = problem.U.shape
    each = 2 * n * m + n * n + m * m + 4 * (n + m)
    return Delivered(
        (found.mean, found.covariance),
        lambda: Work(
            found.evaluations, found.evaluations * each, found.evaluations * (n + m), found.evaluations * each, each
        ),
    )


def _exact(problem: Hopfield, aim: float, seconds: float, seed: int) -> Delivered:
    found, size = network_law(problem), problem.size
    work = Work(1, size**3 / 2 + 2 * size * size, size, size * size, size * size)
    return Delivered((found.mean, found.covariance), lambda: work)


def _quadrature(problem: Hopfield, aim: float, seconds: float, seed: int) -> Delivered:
    found = by_quadrature(problem)
    assert found is not None  # `_integrable` asks
    return Delivered(found[:2])


def _at_rest(problem: Hopfield) -> str:
    return "above temperature 0 the answer is a law and no rest" if problem.temperature > 0 else ""


def _dense(problem: Hopfield) -> str:
    if reason := _at_rest(problem):
        return reason
    return "" if problem.activation == "softmax" else "it is the update of softmax networks alone"


def _noisy(problem: Hopfield) -> str:
    return "" if problem.temperature > 0 else "at temperature 0 the answer is a rest and no law"


def _gaussian(problem: Hopfield) -> str:
    if reason := _noisy(problem):
        return reason
    return "" if problem.activation == "linear" else "with tanh the law is not Gaussian, and noise grows as cosh"


def _integrable(problem: Hopfield) -> str:
    if reason := _noisy(problem):
        return reason
    if problem.activation == "linear":
        return "the network is linear: its law is known without"
    return "" if within_reach(problem) else "its layers are too large or too cold to be summed over"


SOLVERS: tuple[Solver, ...] = (
    Solver("euler", "the flow stepped by Euler's rule, half a τ a step", _rates, _euler, _at_rest),
    Solver("newton", "Newton's method; for a linear network the solution of one linear system", _rates, _newton, _at_rest),
    Solver("update", "softmax: v replaced by attention over the columns of U, h at rest", _rates, _update, _dense),
    Solver(
        "euler-maruyama",
        f"above temperature 0, linear: {_CHAINS} chains by Euler and Maruyama, with a step that goes with the accuracy",
        thirds,
        _sampled,
        _gaussian,
        random=True,
    ),
    Solver(
        "ornstein-uhlenbeck",
        "above temperature 0: the exact law of a linear network by one factorisation",
        lambda problem, finest: (finest,),
        _exact,
        _gaussian,
    ),
    Solver(
        "quadrature",
        "above temperature 0: a sum over few values of each unit of the smaller layer; what the judge uses too",
        lambda problem, finest: (finest,),
        _quadrature,
        _integrable,
    ),
)
"""Contenders, the plainest first."""
