"""The family of the Langevin flow: energies, and the stationary law of what moves in them, or at temperature 0 its rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.families.ends import Check, Held, RunEnds, asked, largest
from analogflow.families.family import Contest, Family, contest_of_law
from analogflow.families.path import PathEnd
from analogflow.families.stationary import LAW_LABELS, Law, LawHeld, coarse_knots, law_checks, law_errors, law_of, skipped_in
from analogflow.families.wells import stuck_in, wells_held
from analogflow.flows.langevin import FORMS, langevin
from analogflow.flows.relaxation import time_scales_of
from analogflow.noise import KNOTS_TAKE
from analogflow.problems import Langevin
from analogflow.problems.landscape import hessian_at
from analogflow.reference.equations import path_end
from analogflow.reference.langevin import BoltzmannLaw, boltzmann_law
from analogflow.rest import size_of, usual
from analogflow.run import IDEAL_ACCURACY, Run

__all__ = ["LANGEVIN"]

Array = NDArray[np.float64]

_RANK = 1e-9
"""Curvature, over the largest, below which a direction is flat: there is nowhere to go along it."""

_NO_CURVATURE = 1e-9
"""Curvature that may be the rounding of slopes."""

_STEP, _FLAT = 1e-4, 1e-6
"""Step of the differences of slopes, and how far below 0 their rounding may carry the curvature of a flat floor."""

_LOOKED_AT, _DESCENT, _BARRIER = 200, 300, 1.0
"""Points of a run whose valleys are looked for, steps down into them, and height in T that parts two of them."""

_OUTSIDE = 1e60
"""Distance from the start at which the power of r that a law falls by is read off."""

_ROUNDING = 1e-6
"""Of such a power."""

_WEIGHED, _SECOND = 20_000, 0.5
"""Points of a run over which what knots take is averaged; and what they take in second order, over the square of their
distance in times of the fastest relaxation: of a square it is 1/6."""

_RARE = 0.02
"""Share of a law that a run may leave out by chance."""


def _errors(problem: Langevin, reference: Any, ends: RunEnds) -> dict[str, Array]:
    names = problem.variables
    averaging = langevin(problem).averaging
    if averaging is not None:
        return law_errors(names, reference, ends, skipped=averaging.skipped_of(ends.end))
    found = np.concatenate([ends.finals[name] for name in names], axis=1)
    return {"mean": largest(found - np.concatenate([reference.values[name] for name in names]))}


def _held(problem: Langevin, reference: PathEnd, errors: Mapping[str, Array], ends: RunEnds, limit: float) -> list[Held]:
    """At temperature 0. A run on a crest or a saddle, where the smallest push would carry it on, is not let pass."""
    found = np.concatenate([ends.finals[name] for name in problem.variables], axis=1)
    highest = np.max([abs(ends.paths[name]).max(axis=(1, 2)) for name in problem.variables], axis=0)
    size = usual(highest)
    away = np.array([_away(problem, x) for x in found]) / size
    curvature = np.array([_least_curvature(problem, x) for x in found])
    return [
        # A run may stop where all that moves is slow; that is no rest where the valley is flat.
        Held("every variable rests", away, limit, "away from it"),
        *asked(errors, limit, ("mean", "the end agrees with the reference", "", size)),
        Held(
            "the end is a valley of the energy",
            -curvature,
            _FLAT,
            words=lambda x: f"smallest curvature {-x:.3g}, over the largest (not below 0); from another start it goes on",
        ),
    ]


def _away(problem: Langevin, x: Array) -> float:
    """How far `x` is from rest: the length of Newton's step to where the energy has no slope."""
    curvatures = _curvatures(problem, x)
    if not np.isfinite(curvatures).all():
        return float("nan")
    return float(abs(np.linalg.lstsq(curvatures, problem.gradient_at(x), rcond=_RANK)[0]).max())


def _least_curvature(problem: Langevin, x: Array) -> float:
    """Smallest eigenvalue of the energy's Hessian at `x`, over the largest in size, or 1 where all are rounding."""
    curvatures = _curvatures(problem, x)
    if not np.isfinite(curvatures).all():
        return float("nan")
    values = np.linalg.eigvalsh(curvatures)
    largest = float(abs(values).max())
    return float(values[0] / (largest if largest > _NO_CURVATURE else 1.0))


def _curvatures(problem: Langevin, x: Array) -> Array:
    """The energy's Hessian at `x`, from differences of slopes."""
    moves = _STEP * size_of(float(abs(x).max())) * np.eye(problem.size)
    with np.errstate(all="ignore"):
        rows = (problem.gradient_at(x + moves) - problem.gradient_at(x - moves)) / (2 * np.diag(moves)[:, None])
    return 0.5 * (rows + rows.T)


def _answer(problem: Langevin, reference: PathEnd, run: Run) -> dict[str, Any]:
    """At temperature 0 the point where the gradient flow ends, with a covariance of 0."""
    return _point(problem, np.concatenate([run.final[name] for name in problem.variables]))


def _exact(problem: Langevin, reference: Any) -> dict[str, Any]:
    if problem.temperature:
        return {"mean": reference.mean.tolist(), "covariance": reference.covariance.tolist()}
    return _point(problem, np.concatenate([reference.values[name] for name in problem.variables]))


def _point(problem: Langevin, x: Array) -> dict[str, Any]:
    return {"mean": x.tolist(), "covariance": np.zeros((problem.size, problem.size)).tolist()}


def _law(problem: Langevin, exact: BoltzmannLaw, run: Run, limit: float, accuracy: float) -> LawHeld:
    averaging = langevin(problem).averaging
    assert averaging is not None  # a problem with a temperature has one
    law = law_of(run, problem.variables, skipped=skipped_in(run, averaging))
    knots = run.record.get("noise_step")
    if knots is None:  # of what somebody else ran nobody knows its knots
        n, usual = problem.size, averaging.noise_step * time_scales_of(problem).fastest
        means, covariances, beyond = np.zeros(n), np.zeros((n, n)), KNOTS_TAKE * usual
    else:
        means, covariances, beyond = _knots_take(problem, law, float(knots))
    allowed = beyond + (limit if limit > IDEAL_ACCURACY else 0.0)
    gaps, widths = (exact.mean_gap, exact.covariance_gap), np.sqrt(np.diag(exact.covariance))
    change = beyond + max(float(abs(means / widths).max()), float(abs(covariances / np.outer(widths, widths)).max()))
    usual = averaging.noise_step
    checks = law_checks(
        law,
        exact.mean + means,
        exact.covariance + covariances,
        accuracy=accuracy,
        allowed=allowed,
        gaps=gaps,
        unseen=_unseen(problem, law, exact),
        heavy=_heavy(problem),
        coarse=coarse_knots(change, accuracy, usual if knots is None else float(knots), usual),
        stuck=lambda: stuck_in(problem, law),
    )
    return LawHeld(law, law.errors(exact.mean, exact.covariance), _said_of(exact, checks), wells_held(problem, law))


def _said_of(exact: BoltzmannLaw, checks: Sequence[Check]) -> Sequence[Check]:
    """Checks that say it where they were held against an interval of chains, which is no exact reference."""
    if exact.exact:
        return checks
    widths = np.sqrt(np.diag(exact.covariance))
    said = (
        "; without exact reference: held against long chains, whose means are known to "
        f"{(exact.mean_gap / widths).max():.2g} standard deviations (R-hat {exact.mixing:.3f})"
    )
    return [dataclasses.replace(check, detail=check.detail + said) for check in checks]


def _knots_take(problem: Langevin, law: Law, knots: float) -> tuple[Array, Array, float]:
    r"""What noise that is linear between knots adds to mean and covariance, and what else it may, in standard deviations.

    With a constant symmetric mobility noise of a short memory t leaves, to first order in it, a law whose energy is
    :math:`E + t\,(\tfrac12 \nabla E \cdot K \nabla E - T\,\mathrm{tr}\,K\,\partial^2 E)`, which changes averages by
    their covariance with that term (M. San Miguel and J. M. Sancho, J. Stat. Phys. 22 (1980) 605). It is taken over the
    run's own points: where these are off, that changes a small number by a small share.
    """
    n, T, short = problem.size, problem.temperature, knots * time_scales_of(problem).fastest
    mobility = problem.mobility
    if not isinstance(mobility, np.ndarray) or (mobility != mobility.T).any():
        return np.zeros(n), np.zeros((n, n)), KNOTS_TAKE * short
    points = law.values[:: -(-len(law.values) // _WEIGHED)]
    away = points - points.mean(axis=0)
    with np.errstate(all="ignore"):
        slopes = problem.gradient_at(points)
        rise = 0.5 * np.einsum("ki,ij,kj->k", slopes, mobility, slopes) - T * np.einsum(
            "ij,kij->k", mobility, hessian_at(problem, points)
        )
    rise = (rise - rise.mean()) * (-KNOTS_TAKE * knots / T / len(points))
    if not np.isfinite(rise).all():
        return np.zeros(n), np.zeros((n, n)), KNOTS_TAKE * short
    return rise @ away, (away * rise[:, None]).T @ away, _SECOND * short**2


def _unseen(problem: Langevin, law: Law, exact: BoltzmannLaw) -> str:
    """Which valley of the energy the run never entered, as a sentence; empty if it was in all that count."""
    if not len(exact.sample):
        return ""
    # The run lives on its own points: about a stride apart, so that they are as many as are looked at. What a chain left
    # again before it was averaged is no valley that it never saw.
    points = law.values[:: max(1, len(law.values) // _LOOKED_AT)]
    met = _valleys(problem, np.concatenate([points, law.starts] if len(law.starts) > 1 else [points]))
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


def _contest(problem: Langevin, reference: Callable[[], BoltzmannLaw]) -> Contest:
    """Of mean and covariance."""
    if problem.temperature == 0:
        raise BadInput("compare: a Langevin problem at temperature 0 has no law to compare; give it a temperature above 0.")
    return contest_of_law(reference())


def _reference(problem: Langevin, time: float) -> Any:
    if problem.temperature:
        return boltzmann_law(problem)
    names = problem.variables

    def rates(states: Mapping[str, Array]) -> dict[str, Array]:
        x = np.concatenate([states[name] for name in names])
        return dict(zip(names, (-problem.mobility_at(x) @ problem.gradient_at(x))[:, None], strict=True))

    return PathEnd(*path_end(rates, dict(zip(names, problem.start[:, None], strict=True)), time))


LANGEVIN = Family(
    name="langevin",
    problem=Langevin,
    noun="a Langevin problem",
    keys=("energy", "variables", "temperature", "mobility", "start"),
    needed={
        "energy": "the energy as an expression of the variables",
        "variables": "the names of the variables",
        "temperature": "the temperature in units of the energy",
    },
    flow=langevin,
    forms=FORMS,
    reference=_reference,
    follows=lambda problem: problem.temperature == 0,
    law=lambda problem: problem.temperature > 0,
    errors=_errors,
    primary="mean",
    unlisted="",
    labels=LAW_LABELS,
    held=_held,
    answer=_answer,
    exact=_exact,
    held_as_law=_law,
    contest=_contest,
    expected=None,
)
"""The family of the Langevin flow."""
