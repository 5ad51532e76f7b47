"""Langevin's equation stepped by the method of Euler and Maruyama: cheap, with a bias in proportion to the step."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from analogflow.digital.sampling.chains import LawRun, averaged, check_step
from analogflow.problems import Langevin

__all__ = ["euler_maruyama"]

Array = NDArray[np.float64]


def euler_maruyama(
    problem: Langevin, *, step: float, steps: int, skipped: int = 0, chains: int = 256, seed: int = 0
) -> LawRun:
    r"""Moments of :math:`x \leftarrow x + h(T\,\nabla\!\cdot\!K - K\nabla E) + \sqrt{2Th}\,\xi`, ξ ~ N(0, K).

    Parameters
    ----------
    problem : Langevin, n variables
        With a temperature above 0.
    step : float
        h in τ.
    steps, skipped : int
        Steps averaged over, and before that.
    chains : int
        Independent chains, computed together.
    seed : int

    Raises
    ------
    BadInput
        A number is out of range, the temperature is 0, or a chain ran away.

    References
    ----------
    P. E. Kloeden and E. Platen, Numerical Solution of Stochastic Differential Equations (1992), section 10.2.
    """
    check_step(problem, step)
    rng, T = np.random.default_rng(seed), problem.temperature
    constant = isinstance(problem.mobility, np.ndarray)
    K = np.asarray(problem.mobility) if constant else np.eye(problem.size)
    root = np.real(np.asarray(sqrtm(T * (K + K.T))))

    def advance(x: Array) -> Array:
        normal = math.sqrt(step) * rng.standard_normal(x.shape)
        slope = problem.gradient_at(x)
        if constant:
            return x - step * slope @ K.T + normal @ root
        mobility = np.einsum("...ii->...i", problem.mobility_at(x))
        return x + step * (T * problem.spreading_at(x) - mobility * slope) + np.sqrt(2 * T * mobility) * normal

    return averaged(problem, advance, steps=steps, skipped=skipped, chains=chains)
