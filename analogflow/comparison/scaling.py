"""How a capacity circuit and the best digital solver grow with the size of the channel."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.comparison.energy import Prices, prices
from analogflow.comparison.judge import judge_of
from analogflow.comparison.solvers import SOLVERS
from analogflow.compiler import compile
from analogflow.errors import BadInput
from analogflow.flows import capacity
from analogflow.problems import Channel
from analogflow.solution import solve

__all__ = ["KINDS", "ScalingPoint", "exponent", "measure_scaling"]

Array = NDArray[np.float64]


def _random(n: int, seed: int) -> Array:
    return np.random.default_rng(seed).dirichlet(np.ones(n), n)


def _structured(n: int, seed: int) -> Array:
    """A symbol arrives as itself or as one of its neighbours on a ring, with skewed probabilities."""
    P = np.zeros((n, n))
    skew = np.random.default_rng(seed).uniform(0.7, 0.9, n)
    for i in range(n):
        P[i, [i, (i + 1) % n, (i - 1) % n]] += [skew[i], 0.75 * (1 - skew[i]), 0.25 * (1 - skew[i])]
    return P


def _near_degenerate(n: int, seed: int) -> Array:
    """Rows in pairs that differ by a hundredth, so that the optimum is nearly not unique."""
    rng = np.random.default_rng(seed)
    base = np.repeat(rng.dirichlet(np.ones(n), (n + 1) // 2), 2, axis=0)[:n]
    return 0.99 * base + 0.01 * rng.dirichlet(np.ones(n), n)


KINDS: dict[str, Callable[[int, int], Array]] = {
    "random": _random,
    "structured": _structured,
    "near-degenerate": _near_degenerate,
}
"""Families of channels by name: size and seed in, transition matrix out."""

_SOLVER = "interior-point"
_REPEATS = 3


@dataclasses.dataclass(frozen=True)
class ScalingPoint:
    """One size.

    Parameters
    ----------
    inputs : int
    settling : float
        Time in τ until the certified gap stays within the accuracy, log-domain form.
    elements : int
        Of the ideal circuit.
    digital_seconds, digital_joules : float
        Of the interior point to the same accuracy: measured here, and its operations times their price.
    chip_seconds, chip_joules : float
        Of a chip with a branch for each element, as `Prices` assumes it.
    """

    inputs: int
    settling: float
    elements: int
    digital_seconds: float
    digital_joules: float
    chip_seconds: float
    chip_joules: float


def measure_scaling(
    kind: str,
    sizes: Sequence[int] = (4, 8, 16, 32, 64, 128),
    *,
    accuracy: float = 1e-2,
    energy: Prices | None = None,
    seed: int = 0,
) -> list[ScalingPoint]:
    """Settling, parts, time and energy of channels of one kind at several sizes.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    sizes : sequence of int
        Inputs, and as many outputs; from 2.
    accuracy : float
        Certified gap, nats, at which both sides are read.
    energy : Prices, optional
    seed : int
        Of the channels.

    Raises
    ------
    BadInput
        The kind is not known, or a size is below 2.
    """
    if kind not in KINDS:
        raise BadInput(f"scaling: {kind!r} is not known; there are: {', '.join(KINDS)}.")
    if min(sizes) < 2:
        raise BadInput(f"scaling: a channel of {min(sizes)} inputs has no capacity to find; give sizes from 2.")
    table = prices(None) if energy is None else energy
    return [_point(Channel(KINDS[kind](n, seed + n)), accuracy, table) for n in sizes]


def exponent(sizes: Sequence[int], values: Sequence[float]) -> tuple[float, float]:
    """Exponent of the power of n that fits best on logarithmic axes, and its standard error."""
    x, y = np.log(sizes), np.log(values)
    slope, level = np.polyfit(x, y, 1)
    rest = y - slope * x - level
    spread = (x - x.mean()) @ (x - x.mean())
    return float(slope), float(np.sqrt(rest @ rest / max(len(x) - 2, 1) / spread))


def _point(channel: Channel, accuracy: float, table: Prices) -> ScalingPoint:
    judge = judge_of(channel)
    solution = solve(channel, engine="block")
    run = solution.run
    errors = np.array([judge.error(z) for z in run.values["z"]])
    beyond = np.flatnonzero(errors > accuracy)
    settling = float(run.time[min(beyond[-1] + 1, len(run.time) - 1)]) if len(beyond) else float(run.time[1])
    solver = next(s for s in SOLVERS["capacity"] if s.name == _SOLVER)
    delivered, taken = solver.run(channel, accuracy, np.inf, 0), []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        solver.run(channel, accuracy, np.inf, 0)
        taken.append(time.perf_counter() - started)
    assert delivered.work is not None  # the interior point counts its iterations
    elements = len(compile(capacity(channel)).elements)
    seconds = table["chip_time_constant"] * settling
    return ScalingPoint(
        channel.inputs, settling, elements, min(taken), table.of_operations(delivered.work()),
        seconds, table.chip_power(elements) * seconds,
    )  # fmt: skip
