"""Samplers of a Boltzmann distribution on a digital machine, many chains at once, and its exact law where it is Gaussian.

Euler and Maruyama's steps are cheap, with a bias in proportion to the step; proposals that a Metropolis test accepts or
refuses have none. Where the energy is quadratic, one factorisation gives the law.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, sqrtm

from analogflow.checks import is_positive, is_whole
from analogflow.errors import BadInput
from analogflow.problems import Hopfield, Langevin

__all__ = ["LawRun", "averaged", "check_step", "euler_maruyama", "gaussian_law", "is_quadratic", "metropolis_langevin"]

Array = NDArray[np.float64]

_PROBES, _ROUNDING = 16, 1e-10


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


def metropolis_langevin(
    problem: Langevin, *, step: float, steps: int, skipped: int = 0, chains: int = 256, seed: int = 0
) -> LawRun:
    r"""Moments of :math:`e^{-E/T}` by proposals :math:`x' = x - h\nabla E + \sqrt{2Th}\,\xi`, ξ ~ N(0, 1) (MALA).

    The stationary law does not know the mobility, so the proposals have none. Parameters and exceptions are those of
    `euler_maruyama`.

    References
    ----------
    G. O. Roberts and R. L. Tweedie, Exponential convergence of Langevin distributions and their discrete approximations,
    Bernoulli 2 (1996) 341.
    """
    check_step(problem, step)
    rng, T = np.random.default_rng(seed), problem.temperature
    taken = 0
    energy = slope = None

    def advance(x: Array) -> Array:
        nonlocal taken, energy, slope
        if energy is None or slope is None:
            energy, slope = problem.energy_at(x), problem.gradient_at(x)
        proposed = x - step * slope + math.sqrt(2 * T * step) * rng.standard_normal(x.shape)
        its_energy, its_slope = problem.energy_at(proposed), problem.gradient_at(proposed)
        forth = ((proposed - x + step * slope) ** 2).sum(axis=1)
        back = ((x - proposed + step * its_slope) ** 2).sum(axis=1)
        logarithm = (energy - its_energy) / T + (forth - back) / (4 * T * step)
        # What is not finite, as far out an energy may be, is refused.
        accepted = np.log(rng.random(len(x))) < np.nan_to_num(logarithm, nan=-np.inf)
        taken += int(accepted.sum())
        energy = np.where(accepted, its_energy, energy)
        slope = np.where(accepted[:, None], its_slope, slope)
        return np.where(accepted[:, None], proposed, x)

    found = averaged(problem, advance, steps=steps, skipped=skipped, chains=chains)
    return dataclasses.replace(found, accepted=taken / found.evaluations)


def is_quadratic(problem: Langevin) -> bool:
    """Whether the energy's gradient is linear at random points, to rounding."""
    constant, hessian = _linear_part(problem)
    points = np.random.default_rng(0).normal(scale=2.0, size=(_PROBES, problem.size))
    off = problem.gradient_at(points) - constant - points @ hessian.T
    return bool(abs(off).max() <= _ROUNDING * max(1.0, float(abs(hessian).max())))


def gaussian_law(problem: Langevin) -> LawRun:
    """Mean −H⁻¹g and covariance T H⁻¹ of the energy ½ xᵀHx + gᵀx.

    Raises
    ------
    BadInput
        The energy is not quadratic.
    """
    if not is_quadratic(problem):
        raise BadInput(f"the energy {problem.energy.text!r} is not quadratic, so its law is not Gaussian; sample it.")
    constant, hessian = _linear_part(problem)
    factor = cho_factor(hessian)
    return LawRun(-cho_solve(factor, constant), problem.temperature * cho_solve(factor, np.eye(problem.size)), 0)


def _linear_part(problem: Langevin) -> tuple[Array, Array]:
    """Gradient at 0, and its differences along the axes."""
    gradients = problem.gradient_at(np.vstack([np.zeros(problem.size), np.eye(problem.size)]))
    return gradients[0], (gradients[1:] - gradients[0]).T
