"""How a circuit and the best digital solvers grow with the size of the problem."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from analogflow.checks import near_names
from analogflow.comparison.energy import Prices, prices
from analogflow.comparison.judge import judge_of
from analogflow.comparison.solvers import Delivered, Solver, Work, growing, solvers_of
from analogflow.compiler import compile
from analogflow.errors import BadInput, SimulationFailed
from analogflow.families import family_of, flow_of
from analogflow.hardware.parts_list import parts_list
from analogflow.run import settling_times
from analogflow.solution import solve

__all__ = ["FITTED", "GROWING", "KINDS", "LARGEST", "Scaling", "ScalingPoint", "exponent", "measure_scaling"]

Array = NDArray[np.float64]

LARGEST = 1024
"""Inputs that a problem of this comparison may have."""

GROWING: Mapping[str, Mapping[str, Callable[[int, int], Any]]] = growing()
"""Problems of any size, by the name of the flow's family and by their kind: size and seed in."""

KINDS: Mapping[str, Callable[[int, int], Any]] = {kind: make for kinds in GROWING.values() for kind, make in kinds.items()}
"""Problems of any size by their kind, of all families: size and seed in."""


_REPEATS, _SECONDS = 3, 30.0


@dataclasses.dataclass(frozen=True)
class ScalingPoint:
    """One size.

    Parameters
    ----------
    inputs : int
    settling : float
        Time in τ until the error stays within the accuracy, in the flow's first form and the block engine.
    elements : int
        Of the ideal circuit.
    parts : int
        Of the circuit of transistors.
    board_seconds, board_joules : float
        What that circuit would take to settle: its τ, and the static power of its parts.
    faster, cheaper : str
        The digital solvers of least time and of least energy.
    digital_seconds : float
        Of the first, measured here.
    operations, digital_joules : float
        Of the second: multiply-adds, and those with the words they fetch at their prices.
    chip_seconds, chip_joules : float
        Of a chip with a branch for each element, as `Prices` assumes it.
    """

    inputs: int
    settling: float
    elements: int
    parts: int
    board_seconds: float
    board_joules: float
    faster: str
    digital_seconds: float
    cheaper: str
    operations: float
    digital_joules: float
    chip_seconds: float
    chip_joules: float


FITTED = (
    "settling", "elements", "parts", "board_seconds", "board_joules", "digital_seconds", "operations", "digital_joules",
    "chip_seconds", "chip_joules",
)  # fmt: skip
"""Fields of a point that an exponent is fitted to."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scaling:
    """Problems of one kind at several sizes.

    Parameters
    ----------
    kind : str
    accuracy : float
        Error at which everything is read, in the unit of the problem's contest: of channels the certified gap, nats.
    points : tuple of ScalingPoint
    """

    kind: str
    accuracy: float
    points: tuple[ScalingPoint, ...]

    def exponent(self, name: str) -> tuple[float, float]:
        """Exponent of n of a field of the points, and its standard error."""
        return exponent([p.inputs for p in self.points], [getattr(p, name) for p in self.points])

    def crossover(self, analog: str, digital: str) -> int | None:
        """Size from which `analog` stays below `digital` as far as measured; None if it is not below at the largest."""
        above = [p.inputs for p in self.points if getattr(p, analog) >= getattr(p, digital)]
        below = [p.inputs for p in self.points if not above or p.inputs > max(above)]
        return min(below, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers under plain names."""
        return {
            "kind": self.kind,
            "accuracy": self.accuracy,
            "points": [dataclasses.asdict(point) for point in self.points],
            "exponents": {name: self.exponent(name) for name in FITTED} if len(self.points) > 1 else {},
            "crossover": {
                f"{side}_{unit}": self.crossover(f"{side}_{unit}", f"digital_{unit}")
                for side in ("board", "chip")
                for unit in ("seconds", "joules")
            },
        }


def measure_scaling(
    kind: str,
    sizes: Sequence[int] = (4, 8, 16, 32, 64, 128),
    *,
    accuracy: float = 1e-2,
    energy: Prices | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> Scaling:
    """Settling, parts, time and energy of problems of one kind at several sizes.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    sizes : sequence of int
        Inputs, and as many outputs; from 2 to `LARGEST`, different.
    accuracy : float
        Error at which both sides are read.
    energy : Prices, optional
    seed : int
        Of the problems.
    on_progress : callable, optional
        Called with the fraction done.

    Raises
    ------
    BadInput
        The kind is not known, or a size is not allowed or given twice.
    SimulationFailed
        A flow did not settle within the accuracy, or no digital solver came to it.

    Notes
    -----
    Circuits are not simulated in ngspice at these sizes: the settling in τ is the flow's, τ and the static power are those
    of the compiled parts, so that the circuit is taken to be as accurate as the flow.
    """
    if kind not in KINDS:
        near = near_names(kind, KINDS)[0]
        raise BadInput(f"scaling: {kind!r} is not known; the nearest is {near!r}, there are: {', '.join(KINDS)}.")
    if not sizes or min(sizes) < 2 or max(sizes) > LARGEST or len(set(sizes)) < len(sizes):
        raise BadInput(
            f"scaling: sizes are {', '.join(map(str, sizes)) or 'none'}; give different whole numbers from 2 to {LARGEST}."
        )
    table = prices(None) if energy is None else energy
    points = []
    for k, n in enumerate(sizes):
        points.append(_point(KINDS[kind](n, seed + n), n, accuracy, table))
        if on_progress is not None:
            on_progress((k + 1) / len(sizes))
    return Scaling(kind, accuracy, tuple(points))


def exponent(sizes: Sequence[int], values: Sequence[float]) -> tuple[float, float]:
    """Exponent of the power of n that fits best on logarithmic axes, and its standard error."""
    x, y = np.log(sizes), np.log(values)
    slope, level = np.polyfit(x, y, 1)
    rest = y - slope * x - level
    spread = (x - x.mean()) @ (x - x.mean())
    return float(slope), float(np.sqrt(rest @ rest / max(len(x) - 2, 1) / spread))


def _point(problem: Any, inputs: int, accuracy: float, table: Prices) -> ScalingPoint:
    family, judge = family_of(problem), judge_of(problem)
    aim = f"{accuracy:g} {judge.contest.unit}".rstrip()
    solution = solve(problem, engine="block")
    run, ideal = solution.run, solution.circuit
    errors = judge.errors({name: run.values[name] for name in judge.contest.signals})
    settling = float(settling_times(run.time, errors, accuracy))
    if math.isnan(settling):
        raise SimulationFailed(
            f"scaling: {family.noun} of {inputs} inputs did not settle to {aim}; ask for a larger accuracy."
        )
    settling = max(settling, float(run.time[1]))
    board = compile(flow_of(problem), technology="translinear")
    bill = parts_list(board)
    elements = len(ideal.elements)
    seconds: dict[str, float] = {}
    works: dict[str, Work] = {}
    with threadpool_limits(1):
        for solver in solvers_of(family.name):
            if solver.grows:
                taken, delivered = _timed(solver, problem, accuracy)
                if judge.error(delivered.answer) <= accuracy and delivered.work is not None:
                    seconds[solver.name], works[solver.name] = taken, delivered.work()
    if not works:
        raise SimulationFailed(f"scaling: no digital solver came to {aim}; ask for a larger accuracy.")
    joules = {name: table.of_operations(work) for name, work in works.items()}
    faster, cheaper = min(seconds, key=seconds.__getitem__), min(joules, key=joules.__getitem__)
    on_board, on_chip = board.units.time_constant * settling, table["chip_time_constant"] * settling
    return ScalingPoint(
        inputs, settling, elements, sum(entry.count for entry in bill.entries), on_board, bill.power * on_board,
        faster, seconds[faster], cheaper, table.operations(works[cheaper]), joules[cheaper],
        on_chip, table.chip_power(elements) * on_chip,
    )  # fmt: skip


def _timed(solver: Solver, problem: Any, accuracy: float) -> tuple[float, Delivered]:
    """Least time of some runs, the first of which warms up, and what they deliver."""
    delivered, taken = solver.run(problem, accuracy, _SECONDS, 0), []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        solver.run(problem, accuracy, _SECONDS, 0)
        taken.append(time.perf_counter() - started)
    return min(taken), delivered
