"""Langevin proposals that a Metropolis test accepts or refuses: no bias, whatever the step."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from analogflow.digital.sampling.chains import LawRun, averaged, check_step
from analogflow.problems import Langevin

__all__ = ["metropolis_langevin"]

Array = NDArray[np.float64]


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
