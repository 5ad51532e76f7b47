"""One judgement of runs, of one or of thousands: their errors, each held against the largest that is let pass.

Certificates, restarts and studies ask here. Laws are read off one long run each, and judged by their standard errors instead
(`stationary`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.families.check import Check, Held
from analogflow.families.references import reference_of
from analogflow.flows import Flow
from analogflow.problems import Attention, Channel, Equations, Hopfield, Langevin, RateDistortion, Transport
from analogflow.trajectory import Trajectory, usual
from analogflow.validation.measures import errors_of, full_scales

__all__ = ["Judgement", "answer_sizes", "cost_unit", "judge_run", "judge_runs", "rest_size"]

Array = NDArray[np.float64]

ROW_LIMIT = 1e-8
"""Largest error of a row's sum that an ideal transport circuit is let pass anywhere along its path, over the mass."""

_SHARP = 1e-5
"""Tolerance above which a circuit is not taken for an ideal one, whose rows hold by themselves."""

_ALIKE = 1e-9
"""Range of the costs, over the largest of them, below which they are all alike."""

_AGREEMENT, _OWN_AGREEMENT = 1e-11, 1e-7
"""Largest disagreement of a reference's two integrations that counts as agreement; of flows of one's own, relative."""

_KNOWN = 1e-6
"""Error of a network's reference that is let pass whatever the tolerance, over the size of its rest."""

_RISE = 1e-8
"""Rise of the energy, over its height, that rounding explains."""

_RANK = 1e-9
"""Curvature, over the largest, below which a direction is flat: there is nowhere to go along it."""

_NO_CURVATURE = 1e-9
"""Curvature that may be the rounding of slopes."""

_STEP, _FLAT = 1e-4, 1e-6
"""Step of the differences of slopes, and how far below 0 their rounding may carry the curvature of a flat floor."""


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """What some runs are worth.

    Parameters
    ----------
    errors : mapping of name to array, shape (samples,)
        As `measures` has them.
    held : tuple of Held
    """

    errors: Mapping[str, Array]
    held: tuple[Held, ...]

    @property
    def passed(self) -> NDArray[np.bool_]:
        """Which runs pass all that is asked, shape (samples,)."""
        return np.all([held.passed for held in self.held], axis=0)

    def checks(self, sample: int = 0) -> list[Check]:
        """All checks of a run."""
        return [held.check(sample) for held in self.held]

    def errors_of_one(self, sample: int = 0, *, leave_out: str = "") -> dict[str, float]:
        """Errors of a run, as a certificate lists them."""
        return {name: float(values[sample]) for name, values in self.errors.items() if name != leave_out}

    def failed(self, sample: int) -> list[str]:
        """Names of what a run does not pass."""
        return [held.name for held in self.held if not held.passed[sample]]


def judge_runs(
    problem: Any,
    finals: Mapping[str, Array],
    *,
    tolerance: float,
    paths: Mapping[str, Array] | None = None,
    times: Array | None = None,
    end: float = 0.0,
) -> Judgement:
    """Judge the ends of runs that solve `problem`, or of a flow that has none.

    Parameters
    ----------
    problem, finals, paths, times, end
        As `measures` takes them; the answer is no law.
    tolerance : float
        Largest error that passes, in nats, in probability and in coordinates.
    """
    finals = {name: np.asarray(value, dtype=float) for name, value in finals.items()}
    paths = {name: value[:, None] for name, value in finals.items()} if paths is None else paths
    errors = errors_of(problem, finals, paths, times, end)
    with np.errstate(all="ignore"):
        held = _HELD[type(problem)](problem, errors, finals, paths, end, tolerance)
    return Judgement(errors, tuple(held))


def judge_run(problem: Any, run: Trajectory, *, tolerance: float) -> Judgement:
    """The same for one run."""
    finals, paths = ({name: value[part] for name, value in run.values.items()} for part in (np.s_[-1:], np.s_[None]))
    return judge_runs(problem, finals, tolerance=tolerance, paths=paths, times=run.time, end=float(run.time[-1]))


def answer_sizes(problem: Any, answers: Array) -> Array:
    """What differences of answers, shape (samples, k), are relative to, shape (samples,).

    The mass of a plan, 1 for distributions and points on a sphere, and elsewhere the largest magnitude, or 1 where that is
    within two decades below 1.
    """
    if isinstance(problem, Transport):
        return np.full(len(answers), problem.mass)
    if isinstance(problem, Channel | RateDistortion | Attention):
        return np.ones(len(answers))
    return np.array([_size_of(float(size)) for size in abs(answers).max(axis=1)])


def _size_of(largest: float) -> float:
    return largest if 1 < largest < np.inf else usual(largest)


def cost_unit(problem: Transport) -> float:
    """What errors of a total cost are relative to: the mass, times the costs' range, or their size where they are alike."""
    largest = float(abs(problem.cost).max())
    return max((problem.span if problem.span > _ALIKE * largest else largest) * problem.mass, np.finfo(float).tiny)


def rest_size(problem: Hopfield) -> float:
    """What errors of a network's rest are relative to: its largest state or input, or 1 where that is little smaller."""
    return _size_of(max(float(abs(reference_of(problem).mean).max()), float(abs(problem.I).max(initial=0.0))))


def _asked(errors: Mapping[str, Array], tolerance: float, *asked: tuple[Any, ...]) -> list[Held]:
    """What is asked, name, sentence, unit and, where it is not 1, what errors count in; of signals that a run has."""
    return [
        Held(sentence, errors[name] / (scale[0] if scale else 1.0), tolerance, unit)
        for name, sentence, unit, *scale in asked
        if name in errors
    ]


def _same(value: float, like: Mapping[str, Array]) -> Array:
    """One number for every run."""
    return np.full(len(next(iter(like.values()))), float(value))


def _capacity(channel: Channel, errors: Mapping[str, Array], finals: Mapping[str, Array], *rest: Any) -> list[Held]:
    *_, tolerance = rest
    costs = np.zeros(1) if channel.cost is None else channel.cost[channel.available]
    spread = float(np.ptp(costs)) or max(float(costs.max()), np.finfo(float).tiny)
    return [
        *_asked(
            errors,
            tolerance,
            ("capacity_nats", "capacity agrees with the reference", "nat"),
            ("certified_gap_nats", "the distribution certifies its own capacity", "nat"),
            ("simplex", "Σz stays 1", ""),
            ("cost", "the mean cost keeps its limit", "of the costs' range", spread),
        ),
        Held("no input has a weight below 0", _below(finals["z"]), tolerance),
    ]


def _below(shares: Array) -> Array:
    """How far the smallest share of each run is below 0."""
    return np.maximum(-shares, 0.0).max(axis=1)


def _rate_distortion(
    problem: RateDistortion, errors: Mapping[str, Array], finals: Mapping[str, Array], *rest: Any
) -> list[Held]:
    *_, tolerance = rest
    unit = max(float(problem.distortion.max()), np.finfo(float).tiny)
    return [
        *_asked(
            errors,
            tolerance,
            ("lagrangian_nats", "R + βD agrees with the reference", "nat"),
            ("rate_nats", "rate agrees with the reference", "nat"),
            ("distortion", "distortion agrees with the reference", "of its range", unit),
            ("certified_gap_nats", "the distribution certifies its own R + βD", "nat"),
            ("simplex", "Σq stays 1", ""),
        ),
        # Where the optimum is on a face, an integration's last step may leave a letter a rounding below 0.
        Held("no letter has a weight below 0", _below(finals["q"]), tolerance),
    ]


def _transport(problem: Transport, errors: Mapping[str, Array], *rest: Any) -> list[Held]:
    *_, tolerance = rest
    unit = cost_unit(problem)
    # In a circuit of parts the sum of a row is one ratio of two of them, relative to the row; errors are over the mass.
    rows = ROW_LIMIT if tolerance <= _SHARP else tolerance * float(problem.row.max()) / problem.mass
    return [
        *_asked(
            errors,
            tolerance,
            ("plan", "plan agrees with the reference", "", problem.mass),
            ("cost", "cost agrees with the reference", "", unit),
            ("marginals", "marginals are right", ""),
        ),
        *_asked(errors, rows, ("rows", "row sums stay right along the path", "")),
        *_asked(errors, tolerance, ("certified_gap", "the plan certifies its own value", "", unit)),
    ]


def _attention(
    problem: Attention, errors: Mapping[str, Array], finals: Any, paths: Any, end: float, tolerance: float
) -> Any:
    gap = _same(reference_of(problem, end).gap, errors)
    return [
        Held("the reference's two integrations agree", gap, _AGREEMENT),
        *_asked(
            errors,
            tolerance,
            ("tokens", "tokens agree with the reference", ""),
            ("sphere", "every token stays on the sphere", ""),
        ),
    ]


def _hopfield(problem: Hopfield, errors: Mapping[str, Array], finals: Any, paths: Any, *rest: Any) -> list[Held]:
    *_, tolerance = rest
    reference = reference_of(problem)
    unit = rest_size(problem)
    # Far down a slope rounding is relative to the height.
    heights = abs(paths["energy"]).max(axis=(1, 2)) if "energy" in paths else np.zeros(1)
    height = np.maximum(unit**2 if unit < 1 else 1.0, heights)
    return [
        Held("the reference itself is known", _same(reference.gap / unit, errors), max(tolerance, _KNOWN)),
        *_asked(
            errors,
            tolerance,
            ("mean", "the rest agrees with the reference", "", unit),
            ("energy", "the energy agrees with the reference", "", height),
        ),
        *_asked(errors, max(_RISE, 1e-2 * tolerance), ("rise", "the energy never rises", "", height)),
        Held(
            "the rest is a valley of the energy",
            _same(-reference.valley, errors),
            -np.finfo(float).tiny,
            words=lambda x: f"smallest curvature {-x:.3g} over its gains (above 0); from another start the network goes on",
        ),
    ]


def _langevin(problem: Langevin, errors: Mapping[str, Array], finals: Mapping[str, Array], *rest: Any) -> list[Held]:
    *_, tolerance = rest
    found = np.concatenate([finals[name] for name in problem.variables], axis=1)
    paths = rest[0]
    largest = np.max([abs(paths[name]).max(axis=(1, 2)) for name in problem.variables], axis=0)
    size = np.array([usual(float(value)) for value in largest])
    away = np.array([_away(problem, x) for x in found]) / size
    curvature = np.array([least_curvature(problem, x) for x in found])
    return [
        # A run may stop where all that moves is slow; that is no rest where the valley is flat.
        Held("every variable rests", away, tolerance, "away from it"),
        *_asked(errors, tolerance, ("mean", "the end agrees with the reference", "", size)),
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


def least_curvature(problem: Langevin, x: Array) -> float:
    """Smallest eigenvalue of the energy's Hessian at `x`, over the largest in size, or 1 where all are rounding."""
    curvatures = _curvatures(problem, x)
    if not np.isfinite(curvatures).all():
        return float("nan")
    values = np.linalg.eigvalsh(curvatures)
    largest = float(abs(values).max())
    return float(values[0] / (largest if largest > _NO_CURVATURE else 1.0))


def _curvatures(problem: Langevin, x: Array) -> Array:
    """The energy's Hessian at `x`, from differences of slopes."""
    moves = _STEP * _size_of(float(abs(x).max())) * np.eye(problem.size)
    with np.errstate(all="ignore"):
        rows = (problem.gradient_at(x + moves) - problem.gradient_at(x - moves)) / (2 * np.diag(moves)[:, None])
    return 0.5 * (rows + rows.T)


def _own(problem: Any, errors: Mapping[str, Array], finals: Any, paths: Any, end: float, tolerance: float) -> list[Held]:
    scale = np.max(list(full_scales(reference_of(problem, end).values, paths).values()), axis=0)
    held = [Held("the reference's two integrations agree", reference_of(problem, end).gap / scale, _OWN_AGREEMENT)]
    equations = isinstance(problem, Equations)
    if any(np.any(density) for density in problem.noise.values()) if equations else problem.noisy:
        return held  # a path with noise of its own is held against the noiseless one for information only
    conserved = sorted(problem.conserved) if equations else []
    names = np.array([name for name in reference_of(problem, end).values if name not in conserved])
    each = np.array([errors[name] for name in names])
    worst = np.argmax(np.nan_to_num(each, nan=np.inf), axis=0)
    unit = np.char.add("of full scale in ", names[worst])
    return [
        *held,
        Held("states agree with the reference", each.max(axis=0), tolerance, unit),
        *_asked(errors, tolerance, *((name, f"{name} is conserved", "") for name in conserved)),
    ]


_HELD: dict[type, Callable[..., list[Held]]] = {
    Channel: _capacity,
    RateDistortion: _rate_distortion,
    Transport: _transport,
    Attention: _attention,
    Hopfield: _hopfield,
    Langevin: _langevin,
    Equations: _own,
    Flow: _own,
}
