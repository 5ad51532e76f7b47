"""The family of the Hopfield flow: networks, and where they rest, or with noise their stationary law."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.families.averages import average, halves
from analogflow.families.ends import NOT_MIXED, Held, RunEnds, asked, for_all, gap_of, largest
from analogflow.families.family import Contest, Family, contest_of_law
from analogflow.families.stationary import (
    LAW_LABELS,
    Deviations,
    LawHeld,
    coarse_knots,
    law_checks,
    law_errors,
    law_of,
    power_check,
    skipped_in,
)
from analogflow.flows.hopfield import FORMS, hopfield, noise_rate
from analogflow.noise import KNOTS_TAKE
from analogflow.problems import Hopfield
from analogflow.reference.hopfield import HopfieldReference, energy, hopfield_reference, metric
from analogflow.reference.hopfield_recall import GAINS, MOST_HIDDEN, MOST_NAMED, Edge, from_memory, mixture_edge, recalled
from analogflow.rest import size_of
from analogflow.run import IDEAL_ACCURACY, Run

__all__ = ["HOPFIELD"]

Array = NDArray[np.float64]

_STATES = ("v", "h")
_KNOWN = 1e-6
"""Error of a network's reference that is let pass whatever the limit, over the size of its rest."""

_RISE = 1e-8
"""Rise of the energy, over its height, that rounding explains."""


def _errors(problem: Hopfield, reference: HopfieldReference, ends: RunEnds) -> dict[str, Array]:
    averaging = hopfield(problem).averaging
    if averaging is not None:
        return law_errors(_STATES, reference, ends, skipped=averaging.skipped_of(ends.end))
    finals = ends.finals
    found = {"mean": largest(np.concatenate([finals["v"], finals["h"]], axis=1) - reference.mean)}
    if "energy" in finals:
        found["energy"] = abs(finals["energy"][:, 0] - reference.energy)
        found["rise"] = np.diff(ends.paths["energy"][:, :, 0], axis=1).max(axis=1, initial=0.0)
    if "overlap" in finals and reference.overlap is not None:
        found["overlap"] = largest(finals["overlap"] - reference.overlap)
    return found


def _rest_size(problem: Hopfield, reference: HopfieldReference) -> float:
    """What errors of a network's rest are relative to: its largest state or input, or 1 where that is little smaller."""
    return size_of(max(float(abs(reference.mean).max()), float(abs(problem.I).max(initial=0.0))))


def _held(
    problem: Hopfield, reference: HopfieldReference, errors: Mapping[str, Array], ends: RunEnds, limit: float
) -> list[Held]:
    paths = ends.paths
    unit = _rest_size(problem, reference)
    # Far down a slope rounding is relative to the height.
    heights = abs(paths["energy"]).max(axis=(1, 2)) if "energy" in paths else np.zeros(1)
    height = np.maximum(unit**2 if unit < 1 else 1.0, heights)
    # As high as the energy, flat at its rest, is where every state is off by the limit: noise may take it so far up.
    level = 0.5 * reference.mean.size * limit**2
    return [
        Held("the reference itself is known", gap_of(reference, errors) / unit, max(limit, _KNOWN)),
        *asked(
            errors,
            limit,
            ("mean", "the rest agrees with the reference", "", unit),
            ("energy", "the energy agrees with the reference", "", height),
            ("overlap", "overlaps with the patterns agree with the reference", "", _slope(problem, unit)),
        ),
        *asked(errors, max(_RISE, 1e-2 * limit, level), ("rise", "the energy never rises", "", height)),
        Held(
            "the rest is a valley of the energy",
            for_all(-reference.valley, errors),
            -np.finfo(float).tiny,
            words=lambda x: f"smallest curvature {-x:.3g} over its gains (above 0); from another start the network goes on",
        ),
    ]


def _slope(problem: Hopfield, unit: float) -> float:
    """What errors of overlaps count in: a state that is off by a share of `unit` moves none by more than that of this."""
    if (memories := problem.memories) is None:
        return 1.0
    steepest = abs(memories @ problem.gain_v).sum(axis=1) / (memories**2).sum(axis=1)
    return max(1.0, unit * float(steepest.max()))


def _answer(problem: Hopfield, reference: HopfieldReference, run: Run) -> dict[str, Any]:
    state = np.concatenate([run.final[name] for name in _STATES])
    answer = {"mean": state.tolist(), "covariance": np.zeros((problem.size, problem.size)).tolist()}
    return answer | ({"overlap": run.final["overlap"].tolist()} if "overlap" in run.final else {})


def _exact(problem: Hopfield, reference: HopfieldReference) -> dict[str, Any]:
    overlap = {} if reference.overlap is None else {"overlap": reference.overlap.tolist()}
    return {"mean": reference.mean.tolist(), "covariance": reference.covariance.tolist(), **overlap}


def _notes(problem: Hopfield, reference: HopfieldReference) -> list[str]:
    """What a rest recalls; and of a mixture, along which gains it is one, and what comes after."""
    if reference.overlap is None or problem.activation == "linear" or not np.isfinite(reference.gap):
        return []
    found = recalled(problem, reference.mean)
    told = ", ".join(f"{found.overlaps[abs(part) - 1]:.3f}" for part in found.parts)
    if not found.mixed:
        rest = f" (overlap {told})" if told else "; all overlaps are 0"
        return [f"The network rests at {found}{rest}."]
    if len(found.parts) > MOST_NAMED:
        return [f"The network rests at {found}, not at one of them."]
    alone = [part for part in found.parts if (own := from_memory(problem, part)) is not None and own.parts == (part,)]
    named = " and ".join(f"pattern {abs(part)}" for part in alone)
    own = f"From a nearer cue it recalls {named}" if alone else "Started at one of these it does not stay there"
    notes = [f"The network rests at {found} (overlaps {told}), not at one of them. {own}."]
    if reference.valley <= 0 or problem.hidden > MOST_HIDDEN:
        return notes
    for gain in GAINS if problem.activation == "tanh" else ("gain_h",):
        ends = [_end_of_mixture(problem, mixture_edge(problem, reference.mean, gain, rising=up), up) for up in (True, False)]
        notes.append(f"Along {gain} it is a mixture {ends[1]} and {ends[0]}.")
    return notes


def _end_of_mixture(problem: Hopfield, edge: Edge | None, rising: bool) -> str:
    if edge is None:
        return f"{'up' if rising else 'down'} to {'1e4 times' if rising else '1e-4 of'} what it is"
    times = f"{edge.factor:.4g} times what it is"
    if edge.gain in ("gain_v", "gain_h"):
        gain = np.diag(getattr(problem, edge.gain))
        times = f"{edge.factor * gain[0]:.4g}" if np.ptp(gain) == 0 else times
    beyond = " or ".join(edge.beyond) or "no rest that is found"
    return f"{'up' if rising else 'down'} to {times} ({'above' if rising else 'below'}: {beyond})"


def _law(problem: Hopfield, reference: HopfieldReference, run: Run, limit: float, accuracy: float) -> LawHeld:
    averaging = hopfield(problem).averaging
    assert averaging is not None  # a flow with noise has it
    law = law_of(run, _STATES, skipped=skipped_in(run, averaging))
    knots = float(run.record.get("noise_step", averaging.noise_step))
    allowed = limit if limit > IDEAL_ACCURACY else 0.0  # an ideal circuit's averages may differ by standard errors only
    expected = np.array(reference.covariance)
    widths = np.sqrt(np.diag(expected))
    if problem.activation == "linear":
        # Noise that is linear between knots lacks power: (7/30) NT B Bᵀ, with B Bᵀ = 2T K.
        mobility = np.linalg.inv(metric(problem, np.zeros(problem.size)))
        taken = KNOTS_TAKE * knots * problem.temperature * mobility
        expected -= taken
        change = float(abs(taken / np.outer(widths, widths)).max())
    else:
        change = KNOTS_TAKE * knots * noise_rate(problem)
        allowed += change
    gaps = reference.gap, reference.gap
    coarse = coarse_knots(change, accuracy, knots, averaging.noise_step)
    checks = list(
        law_checks(
            law, reference.mean, expected, accuracy=accuracy, allowed=allowed, gaps=gaps, coarse=coarse,
            stuck=lambda: "a higher temperature, or chains that are many times as long, would tell",
        )
    )  # fmt: skip
    if coarse:
        return LawHeld(law, law.errors(reference.mean, reference.covariance), tuple(checks))
    apart = next((check.detail for check in checks if check.verdict == NOT_MIXED), "")
    if not reference.exact:
        said = f"; without exact reference: held against {reference.gap:.2g} about averages of 256 chains"
        checks = [dataclasses.replace(check, detail=check.detail + said) for check in checks]
    errors = law.errors(reference.mean, reference.covariance)
    if problem.activation == "linear":
        heights = _energies(problem, law.values).reshape(*law.paths.shape[:2], 1)
        quadratic = 2 * (heights - energy(problem, reference.mean)) / problem.temperature
        shared = average(halves(quadratic) if len(quadratic) > 1 else quadratic)
        wanted = float((np.linalg.inv(reference.covariance) * expected).sum())
        off = abs(shared.mean - wanted)
        # The lower a run's energies, the smaller the error that it finds, so that it is held to no less than a right one's.
        right = wanted / problem.size * _energy_error(problem, reference, law.total)
        error = np.maximum(shared.error * wanted / shared.mean, right)
        deviations = Deviations(
            off, error, np.array([wanted]), samples=float(shared.effective[0]), length=law.length, chains=len(law.paths)
        )
        check = power_check("energy is shared equally", deviations, accuracy=accuracy, allowed=allowed, unseen=apart)
        said = f"2(⟨E⟩ − E_min)/T is {shared.mean[0]:.4g}, and should be {wanted:.4g}: {check.detail}"
        checks.append(dataclasses.replace(check, detail=said))
    return LawHeld(law, errors, tuple(checks))


def _energy_error(problem: Hopfield, reference: HopfieldReference, length: float) -> float:
    r"""Standard error of 2(⟨E⟩ − E_min)/T of a linear network over a time t: √(2 Σ 1/(λ t)), λ the n + m rates of its modes.

    A mode's square, of mean 1, has the autocovariance :math:`2 e^{-2 \lambda t}`; Σ 1/λ is the trace of C K⁻¹/T.
    """
    slowness = (reference.covariance * metric(problem, np.zeros(problem.size))).sum() / problem.temperature
    return float(np.sqrt(2 * slowness / length))


def _energies(problem: Hopfield, values: np.ndarray) -> np.ndarray:
    """E of a linear network at every point, shape (points,)."""
    rest = np.zeros(problem.size)
    base, n = energy(problem, rest), problem.visible
    v, h = values[:, :n], values[:, n:]
    G, F = problem.gain_v, problem.gain_h
    quadratic = 0.5 * ((v @ G) * v).sum(axis=1) + 0.5 * ((h @ F) * h).sum(axis=1)
    return base + quadratic - ((v @ G @ problem.U @ F) * h).sum(axis=1) - v @ G @ problem.I


def _contest(problem: Hopfield, reference: Callable[[], HopfieldReference]) -> Contest:
    """Of v and h in one array, or above temperature 0 of their mean and covariance."""
    exact = reference()
    if problem.temperature > 0:
        return contest_of_law(exact)
    unit, n = _rest_size(problem, exact), problem.visible
    return Contest(
        measure="largest error of a state, over their size",
        full_scale=2.0,
        signals=_STATES,
        errors={"mean": unit},
        gap=exact.gap / unit,
        read=lambda state: {"v": state[:n], "h": state[n:]},
    )


def _expected(problem: Hopfield, reference: HopfieldReference) -> dict[str, Any]:
    n = problem.visible
    rest = {"v": reference.mean[:n].tolist(), "h": reference.mean[n:].tolist()}
    if problem.temperature == 0:
        overlap = {} if reference.overlap is None else {"overlap": reference.overlap.tolist()}
        return rest | {"energy": reference.energy} | overlap
    variances = np.diag(reference.covariance)
    means = {f"mean of {name}": mean for name, mean in rest.items()}
    return means | {"variance of v": variances[:n].tolist(), "variance of h": variances[n:].tolist()}


def _smaller(problem: Hopfield, count: int) -> tuple[Hopfield, str]:
    U = problem.U[:count, :count]
    n, m = U.shape
    gains = problem.gain_v[:n, :n], problem.gain_h[:m, :m]
    stored = None if problem.patterns is None else problem.patterns[:, :n]
    stored = None if stored is None else stored[stored.any(axis=1)]
    stored = None if stored is None or not len(stored) else stored
    part = Hopfield(U, problem.I[:n], *gains, problem.activation, problem.temperature, None, stored)
    return part, f"a network of {n} visible and {m} hidden states"


HOPFIELD = Family(
    name="hopfield",
    problem=Hopfield,
    noun="a Hopfield network",
    keys=("U", "I", "gain_v", "gain_h", "activation", "temperature", "start", "patterns", "rule"),
    flow=hopfield,
    forms=FORMS,
    reference=lambda problem, _: hopfield_reference(problem),
    law=lambda problem: problem.temperature > 0,
    errors=_errors,
    primary="mean",
    unlisted="",
    labels={**LAW_LABELS, "rise": "largest rise of the energy on the way", "overlap": "largest error of an overlap"},
    held=_held,
    ended="settled",
    answer=_answer,
    exact=_exact,
    held_as_law=_law,
    slowest=lambda problem, reference: 0.0,
    contest=_contest,
    listed=("overlap",),
    notes=_notes,
    expected=_expected,
    size=lambda problem: max(problem.U.shape),
    smaller=_smaller,
)
"""The family of the Hopfield flow."""
