"""Judges a run of the Langevin flow: mean and covariance over time, within their standard errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from analogflow.families.check import Check
from analogflow.families.references import reference_of
from analogflow.families.stationary import ACCURACY, Law, law_checks, law_of
from analogflow.flows import langevin
from analogflow.noise import KNOTS_TAKE
from analogflow.problems import Langevin
from analogflow.reference.langevin import BoltzmannLaw
from analogflow.trajectory import Trajectory
from analogflow.validation.judgement import judge_run

__all__ = ["certify_langevin"]

_IDEAL = 1e-6
"""Tolerance up to which a circuit counts as ideal."""

_LOOKED_AT, _DESCENT, _BARRIER = 200, 300, 1.0
"""Points of a run whose valleys are looked for, steps down into them, and height in T that parts two of them."""

_OUTSIDE = 1e60
"""Distance from the start at which the power of r that a law falls by is read off."""

_ROUNDING = 1e-6
"""Of such a power."""

_RARE = 0.02
"""Share of a law that a run may leave out by chance."""


def certify_langevin(problem: Langevin, run: Trajectory, tolerance: float, accuracy: float = ACCURACY) -> tuple[Any, ...]:
    """Answer, reference, its gap, errors and checks of a run that carries every variable.

    At temperature 0 the answer is the point where the gradient flow ends, with a covariance of 0. A run that rests on a
    crest or a saddle, where the smallest push would carry it on, is not let pass. Above it, `accuracy` is what the checks
    must be able to find, in standard deviations.
    """
    ran = Check("ran to its end", run.outcome.ok, f"{run.outcome.value} {run.detail}".strip())
    if problem.temperature == 0:
        return _without_noise(problem, run, tolerance, ran)
    averaging = langevin(problem).averaging
    assert averaging is not None  # a problem with a temperature has one
    end = float(run.time[-1])
    law = law_of(run, problem.variables, skipped=min(0.05 * end, end))
    exact = reference_of(problem)
    answer = {"mean": law.mean.tolist(), "covariance": law.covariance.tolist()}
    wanted = {"mean": exact.mean.tolist(), "covariance": exact.covariance.tolist()}
    errors = {
        "mean": float(abs(law.mean - exact.mean).max()),
        "covariance": float(abs(law.covariance - exact.covariance).max()),
        "mean_standard_error": float(law.mean_error.max()),
        "covariance_standard_error": float(law.covariance_error.max()),
        "effective_samples": law.covariance_effective,
    }
    # Knots are spread by the fastest rate: a tenth of its relaxation time each.
    knots = KNOTS_TAKE * 0.1 * float(run.record.get("noise_step", averaging.noise_step)) / averaging.noise_step
    allowed = knots + (tolerance if tolerance > _IDEAL else 0.0)
    gaps = exact.mean_gap, exact.covariance_gap
    checks = law_checks(
        law,
        exact.mean,
        exact.covariance,
        accuracy=accuracy,
        allowed=allowed,
        gaps=gaps,
        unseen=_unseen(problem, law, exact),
        heavy=_heavy(problem),
    )
    return answer, wanted, exact.gap, errors, (ran, *checks)


def _unseen(problem: Langevin, law: Law, exact: BoltzmannLaw) -> str:
    """Which valley of the energy the run never entered, as a sentence; empty if it was in all that count."""
    if not len(exact.sample):
        return ""
    # The run lives on its own points: about a stride apart, so that they are as many as are looked at.
    met = _valleys(problem, law.values[:: max(1, len(law.values) // _LOOKED_AT)])
    there = _valleys(problem, exact.sample)
    between = np.linspace(0, 1, 21)[:, None, None, None]
    path = there[:, None] + between * (met[None] - there[:, None])
    with np.errstate(all="ignore"):
        heights = problem.energy_at(path)
    barrier = (heights.max(axis=0) - np.maximum(heights[0], heights[-1])) / problem.temperature
    lone = ~(barrier <= _BARRIER).any(axis=1)
    if lone.mean() <= _RARE:
        return ""
    place = there[lone][problem.energy_at(there[lone]).argmin()]
    where = ", ".join(f"{name} = {value:.3g}" for name, value in zip(problem.variables, place, strict=True))
    return (
        f"the run was never in the valley at {where} and others like it, where the reference has {lone.mean():.0%} of its "
        f"law: {law.length:.0f} τ are too short to cross the barrier, or the circuit can not, and its own errors say nothing"
    )


def _heavy(problem: Langevin) -> str:
    """Whether e^(−E/T) falls like a power of r too low for a fourth moment, as a sentence; empty if it does not.

    A ball's shell grows as r^(n−1), so that along every direction the power must exceed n + 4, and along one axis alone 5.
    """
    size = problem.size
    axes = np.concatenate([np.eye(size), -np.eye(size)])
    others = np.random.default_rng(0).normal(size=(64, size))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    lowest = []
    for directions in (axes, others):
        with np.errstate(all="ignore"):
            rise = problem.energy_at(2 * _OUTSIDE * directions) - problem.energy_at(_OUTSIDE * directions)
        powers = rise / (problem.temperature * np.log(2))
        lowest.append(float(powers[np.isfinite(powers)].min(initial=np.inf)))
    if not (lowest[0] <= 5 + _ROUNDING or lowest[1] <= size + 4 + _ROUNDING):
        return ""
    return (
        f"the law falls like r^-{min(lowest):.3g} only, so that squares have no variance and the covariance of a run no "
        "standard error: no run is long enough to tell"
    )


def _valleys(problem: Langevin, x: np.ndarray) -> np.ndarray:
    """About where points, shape (k, n), come to rest if they only go down."""
    steps = np.full((len(x), 1), 1e-2)
    with np.errstate(all="ignore"):
        energy = problem.energy_at(x)
        for _ in range(_DESCENT):
            slope = problem.gradient_at(x)
            moved = x - steps * slope
            lower = problem.energy_at(moved)
            better = lower <= energy
            x, energy = np.where(better[:, None], moved, x), np.where(better, lower, energy)
            steps = np.where(better[:, None], 1.5 * steps, 0.3 * steps)
    return x


def _without_noise(problem: Langevin, run: Trajectory, tolerance: float, ran: Check) -> tuple[Any, ...]:
    reference, judged = reference_of(problem, float(run.time[-1])), judge_run(problem, run, tolerance=tolerance)
    found = np.concatenate([run.final(name) for name in problem.variables]).tolist()
    exact = np.concatenate([reference.values[name] for name in problem.variables]).tolist()
    nothing = np.zeros((problem.size, problem.size)).tolist()
    answer, wanted = ({"mean": mean, "covariance": nothing} for mean in (found, exact))
    return answer, wanted, reference.gap, judged.errors_of_one(), (ran, *judged.checks())
