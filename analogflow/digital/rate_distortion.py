"""Blahut's iteration for a point of the rate-distortion curve, stopped at the gap that its own bound proves.

It is a contender and shares no code with the reference that judges it.
"""

from __future__ import annotations

import dataclasses
import math
import time

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import refuse_not_positive
from analogflow.problems import RateDistortion

__all__ = ["RateDistortionRun", "blahut_iteration"]


@dataclasses.dataclass(frozen=True, eq=False)
class RateDistortionRun:
    """What the iteration delivered.

    Parameters
    ----------
    reproduction : array, shape (m,), read-only
        q, summing to 1.
    gap : float
        ln max_y c_y, nats: how far R + βD may be above its minimum.
    iterations : int
        Steps, each of two matrix-vector products.
    converged : bool
        Whether `gap` is what was asked for.
    """

    reproduction: NDArray[np.float64]
    gap: float
    iterations: int
    converged: bool


def blahut_iteration(
    problem: RateDistortion, *, gap: float = 1e-9, most: int = 1_000_000, seconds: float = math.inf
) -> RateDistortionRun:
    r"""Step :math:`q_y \leftarrow q_y c_y`, :math:`c_y = \sum_x p_x A_{xy} / \sum_y q_y A_{xy}`, from the uniform q.

    Parameters
    ----------
    problem : RateDistortion, m reproduction symbols
    gap : float
        Certified gap to stop at, nats.
    most : int
        Steps allowed.
    seconds : float
        Time allowed, seconds.

    Raises
    ------
    BadInput
        A limit is not positive.

    References
    ----------
    R. E. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. Inf. Theory 18 (1972) 460,
    theorem 6 (the bound).
    """
    refuse_not_positive(gap=gap, most=most, seconds=seconds)
    deadline = time.perf_counter() + seconds
    p, A = problem.source, problem.gibbs
    q = np.full(problem.reproductions, 1 / problem.reproductions)
    iterations = 0
    while True:
        scores = (p / (A @ q)) @ A
        width = math.log(scores.max())
        if width <= gap or iterations >= most or time.perf_counter() > deadline:
            q = q / q.sum()
            q.setflags(write=False)
            return RateDistortionRun(q, max(width, 0.0), iterations, width <= gap)
        q = q * scores
        iterations += 1
