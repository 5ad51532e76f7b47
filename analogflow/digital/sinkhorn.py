"""Sinkhorn's iteration on scalings that never overflow: at one temperature, annealed, and averaged over Gumbel noise.

These are contenders, so they stop at a violation they measure themselves, and prove a gap where one is asked for; a run that
stops early is no error. They share no code with the reference that judges them.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from analogflow.checks import refuse_not_positive
from analogflow.errors import BadInput
from analogflow.problems import Transport

__all__ = ["TransportRun", "annealed_sinkhorn", "gumbel_sinkhorn", "sinkhorn"]

Array = NDArray[np.float64]

_TINY = float(np.finfo(float).tiny)
_LARGE = 1e20


@dataclasses.dataclass(frozen=True, eq=False)
class TransportRun:
    """What an iterative solver delivered.

    Parameters
    ----------
    problem : Transport
    plan : array, shape (n, m), read-only
        Its rows are right; its columns are off by `violation`.
    potential : array, shape (m,), read-only
        g, of the columns.
    cost : float
        Σ C_ij P_ij.
    violation : float
        Σ_j |Σ_i P_ij − b_j| over the mass.
    iterations : int
        Sweeps, each of two products with the kernel.
    converged : bool
        Whether `violation` is what was asked for.
    """

    problem: Transport
    plan: Array
    potential: Array
    cost: float
    violation: float
    iterations: int
    converged: bool

    @functools.cached_property
    def gap(self) -> float:
        """Objective at the plan with its columns mended, minus the dual function at the potential; cost times mass."""
        return _proven_gap(self.problem, self.plan, self.potential)


def sinkhorn(problem: Transport, *, violation: float = 1e-9, most: int = 100_000, seconds: float = math.inf) -> TransportRun:
    """Sinkhorn's iteration at the problem's temperature: g_j ← g_j + ε ln(b_j/Σ_i P_ij), rows exact after each sweep.

    Parameters
    ----------
    problem : Transport
    violation : float
        Sum of the columns' errors, over the mass, at which to stop.
    most : int
        Sweeps after which to stop anyway.
    seconds : float
        Time after which to stop anyway.

    Raises
    ------
    BadInput
        A limit is not positive.

    References
    ----------
    M. Cuturi, Sinkhorn distances: lightspeed computation of optimal transport, NeurIPS 26 (2013).
    """
    refuse_not_positive(violation=violation, most=most, seconds=seconds)
    deadline = time.perf_counter() + seconds
    g, plan, sweeps = _descended(problem, np.zeros(problem.columns), problem.epsilon, violation, most, deadline)
    return _judged(problem, plan, g, violation, sweeps)


def annealed_sinkhorn(
    problem: Transport, *, factor: float = 0.5, violation: float = 1e-9, most: int = 100_000, seconds: float = math.inf
) -> TransportRun:
    """Sinkhorn's iteration while the temperature falls by `factor` from the cost's range, the potentials g carried over.

    Parameters
    ----------
    factor : float
        Ratio of a temperature to the one before, between 0 and 1. Each but the last is left at a violation of 1e-3.

    Other parameters and exceptions are those of `sinkhorn`.
    """
    refuse_not_positive(violation=violation, most=most, seconds=seconds)
    if not 0 < factor < 1:
        raise BadInput(f"factor is {factor!r}; give a number between 0 and 1, such as 0.5.")
    deadline = time.perf_counter() + seconds
    g, sweeps, epsilon = np.zeros(problem.columns), 0, max(problem.span, problem.epsilon)
    while epsilon > problem.epsilon and sweeps < most:
        g, _, more = _descended(problem, g, epsilon, 1e-3, most - sweeps, deadline)
        sweeps += more
        epsilon = max(problem.epsilon, epsilon * factor)
    g, plan, more = _descended(problem, g, problem.epsilon, violation, most - sweeps, deadline)
    return _judged(problem, plan, g, violation, sweeps + more)


def gumbel_sinkhorn(
    problem: Transport, *, scale: float = 1.0, samples: int = 16, seed: int = 0, violation: float = 1e-9, most: int = 10_000
) -> TransportRun:
    """Mean of the plans for costs C − ε s G with independent Gumbel noise G and `scale` s: a stochastic baseline.

    Its gap is with respect to the problem as given, so that it shows what the noise costs.

    Parameters
    ----------
    scale : float
        s, 0 or more.
    samples : int
        Plans averaged.
    seed : int
        Of the noise.

    Other parameters and exceptions are those of `sinkhorn`; iterations are counted over all samples.

    References
    ----------
    G. Mena, D. Belanger, S. Linderman and J. Snoek, Learning latent permutations with Gumbel-Sinkhorn networks, ICLR 2018.
    """
    refuse_not_positive(violation=violation, most=most, samples=samples)
    if not 0 <= scale < math.inf:
        raise BadInput(f"scale is {scale!r}; give 0 or a positive number.")
    noise = np.random.default_rng(seed).gumbel(size=(samples, *problem.cost.shape))
    plan, sweeps = np.zeros(problem.cost.shape), 0
    for sample in noise:
        cost = problem.cost - problem.epsilon * scale * sample
        shaken = Transport(cost, problem.row, problem.column, problem.epsilon)
        found = sinkhorn(shaken, violation=violation, most=most)
        plan, sweeps = plan + found.plan / samples, sweeps + found.iterations
    potential = problem.epsilon * np.log(np.maximum(plan, _TINY)) + problem.cost
    return _judged(problem, plan, potential.mean(axis=0), violation, sweeps)


def _descended(
    problem: Transport, g: Array, epsilon: float, violation: float, most: int, deadline: float
) -> tuple[Array, Array, int]:
    """Potentials g, their plan and the sweeps they took: scalings of a kernel, into which those of columns are absorbed."""
    a, b, scale = problem.row, problem.column, np.ones(problem.columns)
    floor, allowed = _TINY * max(1.0, float(b.max())), violation * problem.mass
    kernel, sweep = _kernel(problem, g, epsilon), 0
    while True:
        rows = a / (kernel @ scale)
        back = rows @ kernel
        if abs(scale * back - b).sum() <= allowed or sweep >= most or time.perf_counter() > deadline:
            kernel *= rows[:, None]
            kernel *= scale
            return g + epsilon * np.log(scale), kernel, sweep
        scale, sweep = b / np.maximum(back, floor), sweep + 1
        if scale.max() > _LARGE or scale.min() < 1 / _LARGE:
            g = g + epsilon * np.log(scale)
            scale, kernel = np.ones(problem.columns), _kernel(problem, g, epsilon)


def _kernel(problem: Transport, g: Array, epsilon: float) -> Array:
    """exp((g_j − C_ij)/ε), the largest entry of each row 1."""
    kernel = g - problem.cost
    kernel /= epsilon
    kernel -= kernel.max(axis=1, keepdims=True)
    return np.exp(kernel, out=kernel)


def _judged(problem: Transport, plan: Array, g: Array, violation: float, sweeps: int) -> TransportRun:
    off = float(abs(plan.sum(axis=0) - problem.column).sum()) / problem.mass
    plan.setflags(write=False)
    g.setflags(write=False)
    return TransportRun(problem, plan, g, float(np.vdot(plan, problem.cost)), off, sweeps, off <= violation)


def _proven_gap(problem: Transport, plan: Array, g: Array) -> float:
    a, b, epsilon = problem.row, problem.column, problem.epsilon
    # Columns with too much are scaled down, and what the rows then lack is spread over the others.
    mended = plan * np.minimum(1, b / np.maximum(plan.sum(axis=0), _TINY))
    lacking = a - mended.sum(axis=1)
    total = lacking.sum()
    mended = mended + np.outer(lacking, b - mended.sum(axis=0)) / total if total > 0 else mended
    upper = (mended * problem.cost).sum() + epsilon * xlogy(mended, np.maximum(mended, _TINY)).sum()
    exponents = (g - problem.cost) / epsilon
    top = exponents.max(axis=1)
    lower = b @ g + epsilon * (a @ (np.log(a) - top - np.log(np.exp(exponents - top[:, None]).sum(axis=1))))
    return max(float(upper - lower), 0.0)
