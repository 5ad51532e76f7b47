"""A circuit's answer, read once, and corrected by certified digital steps: what it saves of them, and what both cost."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from analogflow.comparison.contender import Contender, Point
from analogflow.comparison.energy import Prices
from analogflow.comparison.judge import Judge
from analogflow.comparison.solvers import Refiner, refiner_of

__all__ = ["circuit_of_refined", "refined_name", "run_refined"]

_STEPS, _REPEATS, _EVERY = 6, 5, 4
"""Steps that are shown, runs of which the fastest counts, and of how many points of a path one is tried."""

_NEAR = 2.0
"""Times the error it ends at, from which on a circuit is read."""


def refined_name(circuit: str, family: str) -> str:
    """Name of the contender that corrects a circuit's answer; empty for families without."""
    refiner = refiner_of(family)
    return "" if refiner is None else f"{circuit}+{refiner.name}"


def circuit_of_refined(name: str) -> str:
    """The circuit that a contender corrects; empty where it corrects none."""
    circuit, plus, _ = name.partition("+")
    return circuit if plus else ""


def run_refined(
    name: str,
    family: str,
    problem: Any,
    judge: Judge,
    row: Contender,
    answers: Mapping[float, Any],
    *,
    accuracy: float,
    prices: Prices,
) -> Contender:
    """Row of a circuit whose answer is corrected.

    Parameters
    ----------
    row : Contender
        Of the circuit.
    answers : mapping of float to answer
        What it shows at each time of its path, in τ, as the judge takes answers.
    accuracy : float
        At which time and energy are compared.

    Notes
    -----
    Its points are those after each step from an answer that is read as soon as its error stays within twice that it ends
    at; conversion is not counted. The note tells their bits, and those from the problem's own start after as many steps.
    The least time at which the accuracy is reached is looked for over all times of reading, with as many steps as each then
    needs: it may be one at which the circuit has hardly begun.
    """
    refiner = refiner_of(family)
    assert refiner is not None  # such contenders are listed only where there is one
    empty = Contender(name, "mixed", refiner.method, math.inf, 0.0, components=row.components, watts=row.watts,
                      time_constant=row.time_constant)  # fmt: skip
    if reason := refiner.applies(problem) or row.note or ("" if row.points else "the circuit gave no answer"):
        return dataclasses.replace(empty, note=reason)
    far = [k for k, point in enumerate(row.points) if point.error > _NEAR * row.delivered]
    read = row.points[min(far[-1] + 1, len(row.points) - 1) if far else 0]
    start = answers[float(read.time_constants or 0.0)]
    seconds = _seconds(refiner, problem, start)

    def corrected(read: Point, k: int, error: float) -> Point:
        work = refiner.work(problem, k)
        joules = None if read.joules is None else read.joules + (prices.of_operations(work) if k else 0.0)
        after = None if read.seconds is None else read.seconds + k * seconds
        return Point(error, iterations=k, time_constants=read.time_constants, joules=joules, seconds=after)

    def chain(read: Point) -> list[Point]:
        found = refiner.answers(problem, answers[float(read.time_constants or 0.0)], _STEPS)
        return [corrected(read, k, judge.error(answer)) for k, answer in enumerate(found)]

    points = chain(read)
    reaching = [
        next((point for point in chain(other) if point.error <= accuracy), None) for other in (*row.points[::_EVERY], read)
    ]
    best = min((p for p in reaching if p), key=lambda p: p.seconds or math.inf, default=None)
    alone = [judge.error(answer) for answer in refiner.answers(problem, None, _STEPS)]
    delivered = min(point.error for point in points)
    shown = [", ".join(f"{_bits(judge, e):.0f}" for e in errors) for errors in ([p.error for p in points], alone)]
    note = (
        f"bits as read after {read.time_constants:.3g} τ and after each step: {shown[0]}; from the usual start: {shown[1]}"
    )
    if best is not None:
        note += f"; {accuracy:g} soonest if read after {best.time_constants:.3g} τ, with {best.iterations} steps"
    return dataclasses.replace(
        empty,
        delivered=delivered,
        bits=judge.bits(delivered),
        points=tuple(points),
        at=best,
        note=note,
    )


def _bits(judge: Judge, error: float) -> float:
    return min(judge.bits(error), 52.0)


def _seconds(refiner: Refiner, problem: Any, start: Any) -> float:
    """Time of one step: of all that are shown, whose fastest run counts, with what it takes to begin."""
    taken = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        refiner.answers(problem, np.array(start), _STEPS)
        taken.append(time.perf_counter() - began)
    return min(taken) / _STEPS
