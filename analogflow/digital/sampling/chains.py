"""What every sampler returns, and the averages of many chains that it is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_positive, is_whole
from analogflow.errors import BadInput
from analogflow.problems import Hopfield, Langevin

__all__ = ["LawRun", "averaged", "check_step"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class LawRun:
    """Mean and covariance of a law.

    Parameters
    ----------
    mean : array, shape (n,), read-only
    covariance : array, shape (n, n), read-only
    evaluations : int
        Gradients of the energy, over all chains; 0 where none was sampled.
    accepted : float
        Part of the proposals that were accepted; 1 where none can be refused.
    """

    mean: Array
    covariance: Array
    evaluations: int
    accepted: float = 1.0

    def __post_init__(self) -> None:
        for array in (self.mean, self.covariance):
            array.setflags(write=False)


def check_step(problem: Langevin | Hopfield, step: float) -> None:
    """Refuse a step, in τ, or a temperature that is not above 0."""
    if not is_positive(step) or not problem.temperature > 0:
        raise BadInput(
            f"step is {step!r} and the temperature {problem.temperature!r}; give a step and a temperature above 0."
        )


def averaged(
    problem: Langevin | Hopfield, advance: Callable[[Array], Array], *, steps: int, skipped: int, chains: int
) -> LawRun:
    """Mean and covariance over `steps` steps of `chains` chains, all from the problem's start, after `skipped` others.

    Parameters
    ----------
    advance : callable
        States, shape (chains, n), in; those one step later out.

    Raises
    ------
    BadInput
        A number is not a whole one from 1 (from 0 for `skipped`), or a chain ran away.
    """
    for name, value, least in (("steps", steps, 1), ("skipped", skipped, 0), ("chains", chains, 1)):
        if not is_whole(value, least):
            raise BadInput(f"{name} is {value!r}; give a whole number from {least}.")
    x = np.tile(problem.start, (chains, 1))
    total, squares = np.zeros(problem.size), np.zeros((problem.size, problem.size))
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(skipped + steps):
            x = advance(x)
            if k >= skipped:
                total += x.sum(axis=0)
                squares += x.T @ x
    if not np.isfinite(squares).all():
        raise BadInput("a chain ran away, because its step is too long for the energy; give a smaller step.")
    mean = total / (steps * chains)
    return LawRun(mean, squares / (steps * chains) - np.outer(mean, mean), (steps + skipped) * chains)
