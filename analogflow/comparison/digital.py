"""Runs a digital solver at every setting of its knob, measures each run, and judges each answer."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from analogflow.comparison.contender import Contender, Point
from analogflow.comparison.energy import Prices
from analogflow.comparison.judge import Judge
from analogflow.comparison.solvers import Delivered, Solver
from analogflow.errors import AnalogflowError

__all__ = ["run_solver"]

_REPEATS, _WORTH_REPEATING = 5, 0.05
"""Runs of which the fastest counts, at most, and seconds of all of them after which no more are made."""

_SEEDS = 8
"""Runs of which the root mean square error counts, where answers are random."""


def run_solver(
    solver: Solver,
    problem: Any,
    judge: Judge,
    *,
    accuracy: float,
    finest: float,
    seconds: float,
    prices: Prices,
    seed: int = 0,
) -> Contender:
    """Row of a digital solver.

    Parameters
    ----------
    accuracy : float
        At which time and energy are compared.
    finest : float
        Down to which error against work is followed.
    seconds : float
        Time allowed for all settings together, about.

    Notes
    -----
    BLAS runs on one thread. The least time of up to five runs counts. A run's error is what the judge finds in its answer;
    what the solver says of itself is not looked at.
    """
    empty = Contender(solver.name, "digital", solver.method, math.inf, 0.0, batch=solver.share)
    if reason := solver.applies(problem):
        return dataclasses.replace(empty, note=reason)
    aims = sorted({*solver.settings(problem, accuracy), *solver.settings(problem, min(finest, accuracy))}, reverse=True)
    points: list[Point] = []
    note, deadline = "", time.perf_counter() + seconds
    with threadpool_limits(limits=1):
        for aim in aims:
            left = deadline - time.perf_counter()
            if left <= 0:
                note = f"stopped after {seconds:g} s"
                break
            try:
                point = _point(solver, problem, judge, aim, left, seed, prices)
            except AnalogflowError as fault:
                note = str(fault)
                break
            points.append(point)
            if point.error <= finest:
                break
    if not points:
        return dataclasses.replace(empty, note=note)
    delivered = min(point.error for point in points)
    reaching = [point for point in points if point.error <= accuracy]
    at = min(reaching, key=lambda point: point.seconds or math.inf, default=None)
    return dataclasses.replace(
        empty,
        delivered=delivered,
        bits=judge.bits(delivered),
        points=tuple(points),
        at=at,
        processor_joules=prices.of_processor(at.seconds) if at and at.seconds else None,
        note=note,
    )


def _point(solver: Solver, problem: Any, judge: Judge, aim: float, left: float, seed: int, prices: Prices) -> Point:
    seeds = _SEEDS if solver.random else 1
    taken, delivered = _timed(solver, problem, aim, left / seeds, seed)
    errors = [judge.error(delivered.answer)]
    errors += [judge.error(solver.run(problem, aim, left / seeds, seed + k).answer) for k in range(1, seeds)]
    work = None if delivered.work is None else delivered.work()
    return Point(
        float(np.sqrt(np.mean(np.square(errors)))),
        setting=aim,
        iterations=None if work is None else work.iterations,
        operations=None if work is None else prices.operations(work),
        seconds=taken / solver.share,
        joules=None if work is None else prices.of_operations(work),
    )


def _timed(solver: Solver, problem: Any, aim: float, left: float, seed: int) -> tuple[float, Delivered]:
    """Least time of some runs, seconds, and what the last delivered."""
    delivered, taken = _once(solver, problem, aim, left, seed)
    total = taken
    for _ in range(_REPEATS - 1):
        if total > _WORTH_REPEATING:
            break
        delivered, once = _once(solver, problem, aim, left, seed)
        taken, total = min(taken, once), total + once
    return taken, delivered


def _once(solver: Solver, problem: Any, aim: float, left: float, seed: int) -> tuple[Delivered, float]:
    started = time.perf_counter()
    delivered = solver.run(problem, aim, left, seed)
    return delivered, time.perf_counter() - started
