"""What a digital contender is: a name, a knob that trades work for accuracy, and what one run delivers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Delivered", "Refiner", "Solver", "Work", "decades", "thirds"]


@dataclasses.dataclass(frozen=True)
class Work:
    """Operations of one run, counted from its iterations.

    Parameters
    ----------
    iterations : int
        In the solver's own unit: steps, sweeps, Newton iterations, evaluations.
    multiply_adds : float
    functions : float
        Exponentials, logarithms, divisions, roots and random numbers.
    words : float
        Words of 64 bits fetched from where the problem is stored.
    stored : float
        Words of the problem and what the solver holds: decides which memory they are fetched from.
    """

    iterations: int
    multiply_adds: float
    functions: float
    words: float
    stored: float


@dataclasses.dataclass(frozen=True, eq=False)
class Delivered:
    """Answer of one run, as the judge takes it, and a function that counts its work; None where that can not be counted."""

    answer: Any
    work: Callable[[], Work] | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Solver:
    """A digital contender.

    Parameters
    ----------
    name : str
    method : str
        In a sentence, with the source.
    settings : callable
        ``settings(problem, finest)``: values of its knob from coarse to fine.
    run : callable
        ``run(problem, setting, seconds, seed)``: one run, which may stop at `seconds`.
    applies : callable
        Why it can not be used for a problem; empty if it can.
    random : bool
        Whether answers depend on the seed, so that an error is the root mean square over several seeds.
    share : int
        Problems that a run solves at once: its time is divided by them.
    grows : bool
        Whether it takes part where problems grow, and the best is taken at every size, for time and for energy each.
    """

    name: str
    method: str
    settings: Callable[[Any, float], Sequence[float]]
    run: Callable[[Any, float, float, int], Delivered]
    applies: Callable[[Any], str] = lambda problem: ""
    random: bool = False
    share: int = 1
    grows: bool = False


def decades(problem: Any, finest: float) -> Sequence[float]:
    """Accuracies to aim at: 0.1, 0.01, … and last of all `finest`."""
    return _falling(0.1, 10, finest)


def thirds(problem: Any, finest: float) -> Sequence[float]:
    """Errors that a sampler aims at, from 0.3 down to `finest`: each third costs nine times the samples."""
    return _falling(0.3, 3, finest)


def _falling(first: float, ratio: float, finest: float) -> Sequence[float]:
    aims, aim = [], first
    while aim > 1.001 * finest:
        aims.append(aim)
        aim /= ratio
    return (*aims, finest)


@dataclasses.dataclass(frozen=True, eq=False)
class Refiner:
    """Certified digital steps from any answer.

    Parameters
    ----------
    name, method : str
    answers : callable
        ``answers(problem, start, count)``: those after 0, 1, …, count steps, as the judge takes them; from the problem's own
        start where it is None.
    work : callable
        ``work(problem, count)``: work of so many steps.
    applies : callable
        Why it can not be used for a problem; empty if it can.
    """

    name: str
    method: str
    answers: Callable[[Any, Any, int], list[Any]]
    work: Callable[[Any, int], Work]
    applies: Callable[[Any], str] = lambda problem: ""
