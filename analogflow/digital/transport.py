"""Sinkhorn's iteration on scalings that never overflow: at one temperature and annealed, with Gumbel noise if asked for.

These are contenders, so they stop at a violation they measure themselves, and prove a gap where one is asked for; a run that
stops early is no error. They share no code with the reference that judges them.

Sweeps can follow a drifting cost while they cool, many runs at once, with the paper's adaptive pause. Failure is then a plan
whose rows point elsewhere, or marginals that are off. An assignment solver is never asked about ln P: potentials cancel in
an assignment, so that it returns the optimum of the cost whatever became of the plan.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import xlogy

from analogflow.checks import is_whole, refuse_faults, refuse_not_positive
from analogflow.errors import BadInput
from analogflow.problems import Transport

__all__ = [
    "CARRIES",
    "Annealing",
    "Tracking",
    "TransportRun",
    "annealed_sinkhorn",
    "annealed_tracking",
    "calibrated_k_safe",
    "drifting_costs",
    "sinkhorn",
]

Array = NDArray[np.float64]

_TINY = float(np.finfo(float).tiny)
_LARGE = 1e20

CARRIES = ("potential", "scaling")
"""What is carried from one temperature to the next: g, in units of the cost, or u = g/ε."""


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
    return TransportRun(problem, plan, g, float(np.vdot(plan, problem.finite_cost)), off, sweeps, off <= violation)


def _proven_gap(problem: Transport, plan: Array, g: Array) -> float:
    a, b, epsilon = problem.row, problem.column, problem.epsilon
    # Columns with too much are scaled down, and what the rows then lack is spread over the others.
    mended = plan * np.minimum(1, b / np.maximum(plan.sum(axis=0), _TINY))
    lacking = a - mended.sum(axis=1)
    total = lacking.sum()
    mended = mended + np.outer(lacking, b - mended.sum(axis=0)) / total if total > 0 else mended
    upper = (mended * problem.finite_cost).sum() + epsilon * xlogy(mended, np.maximum(mended, _TINY)).sum()
    exponents = (g - problem.cost) / epsilon
    top = exponents.max(axis=1)
    lower = b @ g + epsilon * (a @ (np.log(a) - top - np.log(np.exp(exponents - top[:, None]).sum(axis=1))))
    return max(float(upper - lower), 0.0)


@dataclasses.dataclass(frozen=True)
class Annealing:
    r"""How temperature falls from step to step, and what is done at each.

    Parameters
    ----------
    kind : {"exponential", "quadratic", "adaptive"}
        ε ← αε; ε ← ε − cε², with c chosen so that the first step is that of α; or αε only where
        ‖ΔP‖_F ≤ k_safe ε of the step before, else ε stays.
    alpha : float
        Between 0 and 1.
    k_safe : float, optional
        Of the adaptive kind, positive.
    start, end : float
        First and lowest temperature.
    sweeps : int
        Sinkhorn sweeps at each step.
    carry : {"potential", "scaling"}
    gumbel : float
        Scale, in units of ε, of Gumbel noise that is drawn anew at each step and taken from the cost.
    """

    kind: str = "exponential"
    alpha: float = 0.95
    k_safe: float | None = None
    start: float = 1.0
    end: float = 1e-3
    sweeps: int = 2
    carry: str = "potential"
    gumbel: float = 0.0

    def __post_init__(self) -> None:
        faults = []
        if self.kind not in ("exponential", "quadratic", "adaptive"):
            faults.append(f"kind is {self.kind!r}; known are exponential, quadratic, adaptive")
        if self.carry not in CARRIES:
            faults.append(f"carry is {self.carry!r}; take {' or '.join(CARRIES)}")
        if not 0 < self.alpha < 1:
            faults.append(f"alpha is {self.alpha!r}; give a number between 0 and 1")
        if not 0 < self.end <= self.start < math.inf:
            faults.append(f"temperatures go from {self.start!r} to {self.end!r}; give positive ones that fall")
        if (self.kind == "adaptive") != (self.k_safe is not None) or not (self.k_safe is None or self.k_safe > 0):
            faults.append(f"k_safe is {self.k_safe!r}; the kind 'adaptive' needs a positive one and no other takes one")
        if not is_whole(self.sweeps, 1):
            faults.append(f"sweeps is {self.sweeps!r}; give 1 or more")
        if not 0 <= self.gumbel < math.inf:
            faults.append(f"gumbel is {self.gumbel!r}; give 0 or a positive scale")
        refuse_faults("Annealing", faults)


@dataclasses.dataclass(frozen=True, eq=False)
class Tracking:
    """What became of the runs.

    Parameters
    ----------
    plans : array, shape (runs, n, n)
        After the last step, or with Gumbel noise the mean over the last tenth of the steps.
    epsilon, violation, ratio : array, shape (steps, runs)
        Temperature, sum of the columns' errors and ‖ΔP‖_F/ε of each step.
    right : array, shape (steps, runs)
        Part of the rows whose largest entry is where that of the cheapest assignment of the last cost is.
    success : array of bool, shape (runs,)
        Whether every row's largest entry is that of the cheapest assignment of the last cost.
    """

    plans: Array
    epsilon: Array
    violation: Array
    ratio: Array
    right: Array
    success: NDArray[np.bool_]

    @property
    def rate(self) -> float:
        """Part of the runs that succeeded."""
        return float(self.success.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the rate."""
        n, p, z = len(self.success), self.rate, 1.959964
        middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (max(0.0, (middle - spread) / (1 + z * z / n)), min(1.0, (middle + spread) / (1 + z * z / n)))


def drifting_costs(
    runs: int = 24, size: int = 10, steps: int = 120, *, drift: float = 0.6, memory: float = 25.0, noise: float = 0.0,
    seed: int = 0,
) -> Array:  # fmt: skip
    """Costs C + drift e^{−t/memory} D + noise N_t, shape (steps, runs, size, size).

    C is uniform on [0, 1], D and the N_t are standard normal; C is what is left of the cost in the end, as features that
    mature leave theirs.
    """
    rng = np.random.default_rng(seed)
    last, direction = rng.random((runs, size, size)), rng.standard_normal((runs, size, size))
    decay = drift * np.exp(-np.arange(steps) / memory)
    costs = last + decay[:, None, None, None] * direction
    return costs + noise * rng.standard_normal(costs.shape) if noise else costs


def annealed_tracking(costs: Array, annealing: Annealing, *, target: Array | None = None, seed: int = 0) -> Tracking:
    """Follow every run's cost through its steps on one schedule; masses are 1 for every row and column.

    Parameters
    ----------
    costs : array, shape (steps, runs, n, n)
    annealing : Annealing
    target : array, shape (runs, n, n), optional
        Costs whose cheapest assignment is the right answer; those of the last step if not given.
    seed : int
        Of the Gumbel noise.

    Raises
    ------
    BadInput
        The costs have another shape.

    References
    ----------
    Y. Liu, Avoiding Premature Collapse, arXiv:2601.23039 (2026): sections 3.1 and 4.2. Corrected: that the step must
    shrink like ε² holds where u is carried; where g is, the exponents need no correction when ε falls.
    """
    costs = np.asarray(costs, dtype=float)
    if costs.ndim != 4 or costs.shape[2] != costs.shape[3] or min(costs.shape) < 1:
        raise BadInput(f"costs have shape {costs.shape}; give an array of shape (steps, runs, n, n).")
    steps, runs, n, _ = costs.shape
    rng = np.random.default_rng(seed)
    epsilon, moving = np.full(runs, annealing.start), np.ones(runs, dtype=bool)
    g, plan = np.zeros((runs, n)), np.full((runs, n, n), 1 / n)
    path = np.empty((4, steps, runs))
    wanted = costs[-1] if target is None else np.asarray(target, dtype=float)
    best = np.stack([linear_sum_assignment(cost)[1] for cost in wanted])
    mean = np.zeros(plan.shape)
    tail = max(1, steps // 10)
    fraction = (1 - annealing.alpha) / annealing.start
    for t, cost in enumerate(costs):
        if t:
            cooler = epsilon * (1 - fraction * epsilon if annealing.kind == "quadratic" else annealing.alpha)
            cooler = np.where(moving, np.maximum(cooler, annealing.end), epsilon)
            g = g * (cooler / epsilon)[:, None] if annealing.carry == "scaling" else g
            epsilon = cooler
        if annealing.gumbel:
            cost = cost - annealing.gumbel * epsilon[:, None, None] * rng.gumbel(size=cost.shape)
        before = plan
        for _ in range(annealing.sweeps):
            plan = _rows_exact(g, cost, epsilon)
            g = g - epsilon[:, None] * np.log(np.maximum(plan.sum(axis=1), _TINY))
        plan = _rows_exact(g, cost, epsilon)
        moved = np.sqrt(((plan - before) ** 2).sum(axis=(1, 2))) / epsilon
        pointing = (plan.argmax(axis=2) == best).mean(axis=1)
        path[:, t] = epsilon, abs(plan.sum(axis=1) - 1).sum(axis=1), moved, pointing
        moving = moved <= annealing.k_safe if annealing.k_safe is not None else moving
        mean += plan / tail if t >= steps - tail else 0
    answer = mean if annealing.gumbel else plan
    return Tracking(answer, path[0], path[1], path[2], path[3], (answer.argmax(axis=2) == best).all(axis=1))


def calibrated_k_safe(costs: Array, annealing: Annealing, *, violation: float = 0.05, quantile: float = 0.1) -> float:
    """Estimate k_safe as the paper's first phase does: cool so fast that runs collapse, and look at ‖ΔP‖_F/ε when they do.

    Parameters
    ----------
    costs : array, shape (steps, runs, n, n)
    annealing : Annealing
        An aggressive schedule without a brake.
    violation : float
        Collapse is the first step at which the columns' errors exceed this part of the mass, below the first temperature.
    quantile : float
        Of the ratios over the runs that collapsed: a small one brakes early.

    Raises
    ------
    BadInput
        The schedule is adaptive, or no run collapsed.
    """
    if annealing.kind == "adaptive":
        raise BadInput("calibration: the schedule has a brake already; give an exponential or quadratic one.")
    found = annealed_tracking(costs, annealing)
    collapsed = (found.violation > violation * costs.shape[2]) & (found.epsilon < annealing.start)
    runs = np.flatnonzero(collapsed.any(axis=0))
    if not len(runs):
        raise BadInput(
            f"calibration: no run's marginals were off by more than {violation:g} of its mass; cool faster, "
            "with a smaller alpha or fewer sweeps."
        )
    return float(np.quantile(found.ratio[collapsed.argmax(axis=0)[runs], runs], quantile))


def _rows_exact(g: Array, cost: Array, epsilon: Array) -> Array:
    exponents = (g[:, None, :] - cost) / epsilon[:, None, None]
    weights = np.exp(exponents - exponents.max(axis=2, keepdims=True))
    return weights / weights.sum(axis=2, keepdims=True)
