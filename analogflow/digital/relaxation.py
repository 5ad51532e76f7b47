"""Rests of a Hopfield network on a digital machine: its equation stepped by Euler's rule, and Newton's method."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import refuse_not_positive
from analogflow.problems import Hopfield

__all__ = ["RestRun", "euler_rest", "newton_rest"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class RestRun:
    """What was found.

    Parameters
    ----------
    state : array, shape (n + m,), read-only
        v, then h.
    rate : float
        Largest |v̇| or |ḣ| there, per τ.
    iterations : int
    converged : bool
        Whether `rate` is what was asked for.
    """

    state: Array
    rate: float
    iterations: int
    converged: bool


def euler_rest(problem: Hopfield, *, step: float = 0.5, rate: float = 1e-9, most: int = 100_000) -> RestRun:
    """Euler steps from the problem's start until no state moves by more than `rate` per τ.

    Parameters
    ----------
    problem : Hopfield
        Its temperature is not looked at.
    step : float
        In τ.
    rate : float
        At which to stop, per τ.
    most : int
        Steps allowed.

    Raises
    ------
    BadInput
        A number is not positive.
    """
    refuse_not_positive(finite=True, step=step, rate=rate, most=most)
    x, iterations = np.array(problem.start), 0
    while True:
        moving, _ = _rates(problem, x)
        speed = float(abs(moving).max())
        if not speed > rate or iterations >= most:
            return _run(x, speed, iterations, rate)
        x = x + step * moving
        iterations += 1


def newton_rest(problem: Hopfield, *, rate: float = 1e-9, most: int = 100) -> RestRun:
    """Newton's method on v̇ = ḣ = 0 from the problem's start; one step is enough for a linear network.

    Where a network has several rests, it may end at another than the flow does. Parameters and exceptions are those of
    `euler_rest`.
    """
    refuse_not_positive(finite=True, rate=rate, most=most)
    x, n, iterations = np.array(problem.start), problem.visible, 0
    while True:
        moving, slopes = _rates(problem, x)
        speed = float(abs(moving).max())
        if not speed > rate or iterations >= most:
            return _run(x, speed, iterations, rate)
        jacobian = -np.eye(problem.size)
        jacobian[:n, n:] = problem.U @ (problem.gain_h * slopes[n:, None])
        jacobian[n:, :n] = problem.U.T @ (problem.gain_v * slopes[:n, None])
        x = x - np.linalg.solve(jacobian, moving)
        iterations += 1


def _rates(problem: Hopfield, x: Array) -> tuple[Array, Array]:
    """(v̇, ḣ), and the derivative of each activation, 1 for linear ones."""
    v, h = x[: problem.visible], x[problem.visible :]
    g, f = problem.gain_v @ v, problem.gain_h @ h
    slopes = np.ones(problem.size)
    if problem.activation == "tanh":
        g, f = np.tanh(g), np.tanh(f)
        slopes = 1 - np.concatenate([g, f]) ** 2
    return np.concatenate([problem.U @ f - v + problem.I, problem.U.T @ g - h]), slopes


def _run(x: Array, speed: float, iterations: int, rate: float) -> RestRun:
    x.setflags(write=False)
    return RestRun(x, speed, iterations, speed <= rate)
