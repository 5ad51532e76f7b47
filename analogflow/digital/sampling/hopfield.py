"""The law of a noisy linear Hopfield network: its equation stepped by Euler and Maruyama, and in closed form."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, sqrtm

from analogflow.digital.sampling.chains import LawRun, averaged, check_step
from analogflow.errors import BadInput
from analogflow.problems import Hopfield

__all__ = ["network_euler_maruyama", "network_law"]

Array = NDArray[np.float64]


def network_euler_maruyama(
    problem: Hopfield, *, step: float, steps: int, skipped: int = 0, chains: int = 256, seed: int = 0
) -> LawRun:
    r"""Moments of :math:`x \leftarrow x + h\,b(x) + \sqrt{2Th}\,\xi`, ξ ~ N(0, K), b the rates.

    K is G⁻¹ for v and F⁻¹ for h. Activations are linear: with tanh noise grows as cosh, and steps run away.

    Parameters
    ----------
    problem : Hopfield, n + m states
        Linear, with a temperature above 0.
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
        A number is out of range, the temperature is 0, the activations are not linear, or a chain ran away.

    References
    ----------
    P. E. Kloeden and E. Platen, Numerical Solution of Stochastic Differential Equations (1992), section 10.2.
    """
    check_step(problem, step)
    _check_linear(problem)
    rng, n = np.random.default_rng(seed), problem.visible
    gains = np.zeros((problem.size, problem.size))
    gains[:n, :n], gains[n:, n:] = problem.gain_v, problem.gain_h
    couplings = np.zeros_like(gains)
    couplings[:n, n:], couplings[n:, :n] = problem.U, problem.U.T
    inputs = np.concatenate([problem.I, np.zeros(problem.hidden)])
    root = math.sqrt(2 * problem.temperature * step) * np.real(np.asarray(sqrtm(np.linalg.inv(gains))))
    pull = gains @ couplings - np.eye(problem.size)

    def advance(x: Array) -> Array:
        return x + step * (x @ pull + inputs) + rng.standard_normal(x.shape) @ root

    return averaged(problem, advance, steps=steps, skipped=skipped, chains=chains)


def network_law(problem: Hopfield) -> LawRun:
    """Mean and covariance T H⁻¹ of a linear network, H its energy's Hessian: one factorisation.

    Raises
    ------
    BadInput
        The activations are not linear.
    """
    _check_linear(problem)
    cross = -problem.gain_v @ problem.U @ problem.gain_h
    hessian = np.block([[problem.gain_v, cross], [cross.T, problem.gain_h]])
    factor = cho_factor(hessian)
    pull = np.concatenate([problem.gain_v @ problem.I, np.zeros(problem.hidden)])
    return LawRun(cho_solve(factor, pull), problem.temperature * cho_solve(factor, np.eye(problem.size)), 0)


def _check_linear(problem: Hopfield) -> None:
    if problem.activation != "linear":
        raise BadInput(f"the activation is {problem.activation!r}, and this is for 'linear' alone.")
