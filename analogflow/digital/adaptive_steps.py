"""Attention followed by an integrator with error control, as a digital machine would do it instead of fixed steps."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from analogflow.digital.attention import attention_rate
from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import Attention

__all__ = ["AdaptiveRun", "attention_adaptive"]


@dataclasses.dataclass(frozen=True, eq=False)
class AdaptiveRun:
    """Tokens at the problem's time, shape (n, d), rows of length 1, and the evaluations of the rate that they took."""

    tokens: NDArray[np.float64]
    evaluations: int


def attention_adaptive(problem: Attention, tolerance: float = 1e-6) -> AdaptiveRun:
    """Integrate to the problem's time with DOP853; tokens are divided by their length at the end.

    Parameters
    ----------
    problem : Attention
    tolerance : float
        Error allowed per step, relative, and a hundredth of it absolute.

    Raises
    ------
    BadInput
        The tolerance is not from 1e-13 to 0.1.
    SimulationFailed
        The integrator gave up.

    References
    ----------
    E. Hairer, S. P. Nørsett and G. Wanner, Solving Ordinary Differential Equations I, 2nd ed. (1993), section II.5.
    """
    if not 1e-13 <= tolerance <= 0.1:
        raise BadInput(f"tolerance is {tolerance!r}; give a number from 1e-13 to 0.1.")
    shape = problem.tokens.shape

    def rate(_: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        x = y.reshape(shape)
        return attention_rate(problem, x, x).ravel()

    run = solve_ivp(
        rate, (0.0, problem.time), problem.tokens.ravel(), method="DOP853", rtol=tolerance, atol=1e-2 * tolerance
    )
    if not run.success:
        raise SimulationFailed(f"DOP853 did not reach the end of {problem!r}: {run.message}.")
    x = run.y[:, -1].reshape(shape)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    x.setflags(write=False)
    return AdaptiveRun(x, int(run.nfev))
