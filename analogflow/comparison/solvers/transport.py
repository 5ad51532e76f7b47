"""Digital contenders for entropic optimal transport."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from analogflow.comparison.solvers.solver import Delivered, Solver, Work, decades
from analogflow.digital import annealed_sinkhorn, sinkhorn
from analogflow.problems import Transport
from analogflow.reference import transport_limit, transport_reference

__all__ = ["SOLVERS"]

_MOST = 10_000_000

_DEADLINE_SWEEP = 1e-5
"""Seconds that a sweep of a solver without a deadline is taken to need, beside 2 ns for each entry."""


def _sweeps(solve: Callable[..., Any]) -> Callable[[Transport, float, float, int], Delivered]:
    def run(problem: Transport, violation: float, seconds: float, seed: int) -> Delivered:
        found = solve(problem.at(problem.epsilon), violation=violation, most=_MOST, seconds=seconds)
        return Delivered((found.plan, None), lambda: _work(problem, found.iterations, 0, exponentials=False))

    return run


def _newton(problem: Transport, accuracy: float, seconds: float, seed: int) -> Delivered:
    # Newton's steps converge so fast that violation and gap follow each other; the limit is below what is asked for.
    found = transport_reference(problem, violation=0.1 * accuracy, gap=accuracy)
    return Delivered((found.plan, found.potential), lambda: _work(problem, *found.iterations, exponentials=True))


def _with_pot(problem: Transport, violation: float, seconds: float, seed: int) -> Delivered:
    ot = import_module("ot")
    most = int(min(_MOST, max(100, seconds / (_DEADLINE_SWEEP + 2e-9 * problem.cost.size))))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        plan, log = ot.sinkhorn(
            problem.row, problem.column, problem.cost, problem.epsilon, numItermax=most, stopThr=violation, log=True
        )
        potential = problem.epsilon * np.log(log["v"])
    potential = potential if np.isfinite(potential).all() else None
    return Delivered((plan, potential), lambda: _work(problem, int(log["niter"]), 0, exponentials=False))


def _without_pot(problem: Transport) -> str:
    return "" if find_spec("ot") else "POT is not installed; it is with: pip install pot"


def _programme(problem: Transport, accuracy: float, seconds: float, seed: int) -> Delivered:
    found = transport_limit(problem)
    return Delivered((found.plan, found.potential))


def _large_programme(problem: Transport) -> str:
    return (
        "" if problem.cost.size <= 40_000 else f"a linear programme with {problem.cost.size} variables takes too long here"
    )


def _work(problem: Transport, sweeps: int, newton: int, *, exponentials: bool) -> Work:
    n, m = problem.cost.shape
    entries, small = n * m, min(n, m)
    passes = sweeps + newton + 1
    return Work(
        sweeps + newton,
        passes * 2 * entries + newton * (entries * small / 2 + small**3 / 6),
        passes * (n + m) + (passes if exponentials else 1) * entries,
        passes * 2 * entries + newton * (entries + small * small),
        entries * (2 if newton else 1),
    )


SOLVERS: tuple[Solver, ...] = (
    Solver(
        "sinkhorn",
        "Sinkhorn's iteration at the problem's temperature, on scalings that are absorbed into potentials (Cuturi 2013)",
        decades,
        _sweeps(sinkhorn),
    ),
    Solver("annealed-sinkhorn", "the same while the temperature is halved", decades, _sweeps(annealed_sinkhorn)),
    Solver("newton", "annealed Sinkhorn finished by Newton's method on the dual", decades, _newton),
    Solver(
        "pot",
        "the sinkhorn of POT (Flamary et al. 2021), on scalings",
        lambda problem, finest: decades(problem, 0.1 * finest),  # it stops by another norm than the judge's
        _with_pot,
        applies=_without_pot,
    ),
    Solver(
        "linear-programme",
        "the plan of least cost without entropy, by HiGHS: the limit of ε → 0 and not this problem's answer",
        lambda problem, finest: (finest,),
        _programme,
        applies=_large_programme,
    ),
)
"""Contenders, the plainest first."""
