"""Digital contenders for the capacity of a channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from analogflow.comparison.solvers.solver import Delivered, Refiner, Solver, Work, decades
from analogflow.digital import (
    blahut_arimoto,
    discretised_flow,
    multiplicative_weights,
    newton_refined,
    over_relaxed_blahut_arimoto,
)
from analogflow.problems import Channel
from analogflow.reference import capacity_batch, capacity_reference
from analogflow.reference.capacity_search import interior_point, negative_entropies

__all__ = ["GROWING", "REFINER", "SOLVERS"]

_STEP_OF_FLOW, _SMALL_STEP = 0.5, 0.1
_MOST = 10_000_000
_WARM_STEPS, _DENSE = 60, 64
"""Multiplicative steps before screening, and inputs up to which there is none."""

_BATCH = 256


def _matrix(channel: Channel) -> tuple[int, int]:
    return len(channel.available), channel.outputs


def evaluations(channel: Channel, iterations: int, each: int = 1, exponentials: bool = True) -> Work:
    """Work of steps of two matrix-vector products, m logarithms and, if the step is multiplicative, n exponentials."""
    n, m = _matrix(channel)
    count = each * iterations + 1
    entropies = n * m
    functions = count * (m + (n if exponentials else 0)) + entropies
    return Work(iterations, count * (2 * n * m + 3 * n) + entropies, functions, count * 2 * n * m, n * m)


def _newton(channel: Channel, z: Any, iterations: int) -> Work:
    """Work of the interior point: P diag(1/q) Pᵀ and a Cholesky factor an iteration, on the inputs that screening keeps."""
    n, m = _matrix(channel)
    screened = n > _DENSE
    newton = max(1, iterations - _WARM_STEPS) if screened else iterations
    # How many inputs screening kept is not told: an optimum's support and as much again is about what it is.
    kept = min(n, 2 * int((np.asarray(z) > 0).sum())) if screened else n
    first = evaluations(channel, (_WARM_STEPS if screened else 0) + 1)
    each = kept * kept * m / 2 + kept**3 / 6 + 2 * kept * kept + 2 * kept * m
    return Work(
        iterations,
        newton * each + first.multiply_adds,
        newton * (m + 3 * kept) + first.functions,
        newton * (2 * kept * m + kept * kept) + first.words,
        n * m + kept * kept,
    )


def _multiplicative(solve: Callable[..., Any]) -> Callable[[Channel, float, float, int], Delivered]:
    def run(channel: Channel, gap: float, seconds: float, seed: int) -> Delivered:
        found = solve(channel, gap=gap, most=_MOST, seconds=seconds)
        return Delivered(found.input_distribution, lambda: evaluations(channel, found.iterations))

    return run


def _stepped(rule: str, each: int) -> Callable[[Channel, float, float, int], Delivered]:
    def run(channel: Channel, movement: float, seconds: float, seed: int) -> Delivered:
        n, m = _matrix(channel)
        # The steps know no deadline; what they may take is worked out from the time of a step.
        most = int(min(_MOST, max(100, seconds / (each * (1.5e-5 + 1e-9 * n * m)))))
        found = discretised_flow(channel, step=rule, tau=_STEP_OF_FLOW, tolerance=movement, most=most)
        return Delivered(found.input_distribution, lambda: evaluations(channel, found.iterations, each, exponentials=False))

    return run


def _movements(problem: Channel, finest: float) -> Sequence[float]:
    """Movements of z in a step at which to stop: smaller than the gap where convergence is slow."""
    return decades(problem, 1e-3 * finest)


def _interior(channel: Channel, gap: float, seconds: float, seed: int) -> Delivered:
    found = capacity_reference(channel, gap=gap)
    if channel.cost is not None:  # its iterations are not counted
        return Delivered(found.input_distribution)
    return Delivered(found.input_distribution, lambda: _newton(channel, found.input_distribution, found.iterations))


def _batch(channel: Channel, gap: float, seconds: float, seed: int) -> Delivered:
    matrix = channel.reduced().transition
    found = capacity_batch(np.broadcast_to(matrix, (_BATCH, *matrix.shape)), gap=gap)
    z = np.zeros(channel.inputs)
    z[channel.available] = found.input_distributions[0]

    def work() -> Work:
        uniform = np.full((1, len(matrix)), 1 / len(matrix))
        entropies = negative_entropies(matrix)[None]
        return _newton(channel, z, interior_point(matrix[None], entropies, uniform, aim=0.1 * gap).iterations)

    return Delivered(z, work)


def _without_cost(channel: Channel) -> str:
    return "" if channel.cost is None else "it knows no cost"


def _one_cost(channel: Channel) -> str:
    return "" if len(channel.costs) < 2 else "it knows one cost, not several"


def _small(channel: Channel) -> str:
    n, m = _matrix(channel)
    if channel.cost is not None:
        return _without_cost(channel)
    return "" if n * m <= 1024 else f"{_BATCH} channels of {n}×{m} at once take more memory than they save time"


SOLVERS: tuple[Solver, ...] = (
    Solver(
        "blahut-arimoto",
        "Blahut-Arimoto: the flow in steps of τ = 1 (Arimoto; Blahut 1972)",
        decades,
        _multiplicative(blahut_arimoto),
        applies=_one_cost,
        grows=True,
    ),
    Solver(
        "multiplicative-weights",
        f"multiplicative weights with τ = {_SMALL_STEP:g}, which follows the flow (Beretta and Pelillo 2025)",
        decades,
        _multiplicative(lambda channel, **limits: multiplicative_weights(channel, _SMALL_STEP, **limits)),
        applies=_without_cost,
    ),
    Solver(
        "euler",
        f"the flow stepped by Euler's rule, τ = {_STEP_OF_FLOW:g}",
        _movements,
        _stepped("euler", 1),
        applies=_without_cost,
    ),
    Solver(
        "runge-kutta",
        f"the flow stepped by the classical rule of order 4, τ = {_STEP_OF_FLOW:g}",
        _movements,
        _stepped("rk4", 4),
        applies=_without_cost,
    ),
    Solver(
        "over-relaxed",
        "Blahut-Arimoto with longer steps and a safeguard that keeps it monotone (Matz and Duhamel 2004)",
        decades,
        _multiplicative(over_relaxed_blahut_arimoto),
        applies=_without_cost,
        grows=True,
    ),
    Solver(
        "interior-point",
        "Newton's method on the support, or a primal-dual interior point with screening of inputs (Mehrotra 1992)",
        decades,
        _interior,
        grows=True,
    ),
    Solver(
        "interior-point-batch",
        f"the same on {_BATCH} such channels at once, time and work for each: throughput, not delay",
        decades,
        _batch,
        applies=_small,
        share=_BATCH,
    ),
)
"""Contenders, the plainest first."""


def _random(n: int, seed: int) -> Channel:
    return Channel(np.random.default_rng(seed).dirichlet(np.ones(n), n))


def _structured(n: int, seed: int) -> Channel:
    """A symbol arrives as itself or as one of its neighbours on a ring, with skewed probabilities."""
    P = np.zeros((n, n))
    skew = np.random.default_rng(seed).uniform(0.7, 0.9, n)
    for i in range(n):
        P[i, i] = skew[i]
        P[i, (i + 1) % n] += 0.75 * (1 - skew[i])
        P[i, (i - 1) % n] += 0.25 * (1 - skew[i])  # the same one where there are two symbols
    return Channel(P)


def _near_degenerate(n: int, seed: int) -> Channel:
    """Rows in pairs that differ by a hundredth, so that the optimum is nearly not unique."""
    rng = np.random.default_rng(seed)
    base = np.repeat(rng.dirichlet(np.ones(n), (n + 1) // 2), 2, axis=0)[:n]
    return Channel(0.99 * base + 0.01 * rng.dirichlet(np.ones(n), n))


GROWING: Mapping[str, Callable[[int, int], Channel]] = {
    "random": _random,
    "structured": _structured,
    "near-degenerate": _near_degenerate,
}
"""Channels of any size by their kind: size and seed in."""


def _refined(channel: Channel, start: Any, count: int) -> list[Any]:
    return [found.input_distribution for found in newton_refined(channel, start, steps=count)]


def _newton_work(channel: Channel, count: int) -> Work:
    n, m = len(channel.available), channel.outputs
    each = n * n * m / 2 + n**3 / 3 + 4 * n * m
    return Work(count, count * each + 2 * n * m, count * (2 * m + n) + m, count * (3 * n * m + n * n), n * m + n * n)


REFINER = Refiner(
    "newton",
    "the circuit's answer, read once, then Newton's steps with a certified gap",
    _refined,
    _newton_work,
    lambda channel: "" if channel.cost is None else "it knows no cost",
)
"""What corrects the answers of circuits."""
