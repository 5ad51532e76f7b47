"""The family of the rate-distortion flow: sources, and the points of their curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.families.ends import Held, RunEnds, Worth, asked, below_zero, distribution, largest
from analogflow.families.family import Contest, Family
from analogflow.families.trade_off import TradeOff
from analogflow.flows.rate_distortion import FORMS, rate_distortion
from analogflow.problems import RateDistortion
from analogflow.reference.curves import at_slope, rate_distortion_ends, rate_distortion_point
from analogflow.reference.rate_distortion import (
    RateDistortionReference,
    rate_distortion_reference,
    rate_distortion_relaxation,
)
from analogflow.reference.rate_distortion_target import rate_distortion_at, straight_piece
from analogflow.run import Run

__all__ = ["RATE_DISTORTION"]


Array = NDArray[np.float64]

_OFF = 1e-9
"""Distance of a run from the known distortion, over its largest, from which on a straight piece is looked for."""


def _errors(problem: RateDistortion, reference: RateDistortionReference, ends: RunEnds) -> dict[str, Array]:
    finals, optimum = ends.finals, reference.bounds.upper
    found = {"state_nats": abs(_lagrangian(problem, distribution(finals, "q"))[0] - optimum)}
    exact = _nearest(problem, reference, finals)
    found |= {name: abs(finals[name][:, 0] - value) for name, value in exact.items() if name in finals}
    if "phi" in finals:
        found["lagrangian_nats"] = abs(finals["phi"][:, 0] - optimum)
    found["reproduction"] = largest(finals["q"] - reference.reproduction)
    found["certified_gap_nats"] = _worth(problem, reference, finals["q"]).gap
    found["simplex"] = largest(ends.paths["q"].sum(axis=2) - 1)
    return found


def _nearest(problem: RateDistortion, reference: RateDistortionReference, finals: Mapping[str, Array]) -> dict[str, Any]:
    """The optimum next to each run, on the straight piece of the curve if there is one: R + βD alone is unique there."""
    known = {"rate_nats": reference.rate_nats, "distortion": reference.distortion}
    D = finals["distortion"][:, 0] if "distortion" in finals else np.array([reference.distortion])
    if not (abs(D - reference.distortion) > _OFF * problem.finite_distortion.max()).any():
        return known
    near, far = straight_piece(problem)
    if near == far:
        return known
    D = np.clip(D, near, far)
    return {"rate_nats": reference.bounds.upper - problem.beta * D, "distortion": D}


def _worth(problem: RateDistortion, reference: RateDistortionReference | None, q: Array) -> Worth:
    positive = np.maximum(q, 0)
    value, scores = _lagrangian(problem, positive / positive.sum(axis=1, keepdims=True))
    pressure = np.log(scores)
    return Worth(-value, pressure, pressure.max(axis=1))


def _lagrangian(problem: RateDistortion, q: Array) -> tuple[Array, Array]:
    """Φ(q), nats, shape (samples,), and c_y = Σ_x p_x A_xy/Z_x, shape (samples, m); Φ − ln max c_y is below the minimum."""
    A, p = problem.gibbs, problem.source
    partition = q @ A.T
    return problem.offset - np.log(partition) @ p, (p / partition) @ A


def _held(
    problem: RateDistortion,
    reference: RateDistortionReference,
    errors: Mapping[str, Array],
    ends: RunEnds,
    limit: float,
) -> list[Held]:
    unit = max(float(problem.finite_distortion.max()), np.finfo(float).tiny)
    return [
        *asked(
            errors,
            limit,
            ("lagrangian_nats", "R + βD agrees with the reference", "nat"),
            ("rate_nats", "rate agrees with the reference", "nat"),
            ("distortion", "distortion agrees with the reference", "of its range", unit),
            ("certified_gap_nats", "the distribution certifies its own R + βD", "nat"),
            ("simplex", "Σq stays 1", ""),
        ),
        # Where the optimum is on a face, an integration's last step may leave a letter a rounding below 0.
        Held("no letter has a weight below 0", below_zero(ends.finals["q"]), limit),
    ]


def _answer(problem: RateDistortion, reference: RateDistortionReference, run: Run) -> dict[str, Any]:
    """Where the curve has a straight piece of slope −β, rate and distortion may lie anywhere on it: R + βD is unique."""
    return {
        "rate_nats": float(run.final["rate_nats"][0]),
        "distortion": float(run.final["distortion"][0]),
        "reproduction": run.final["q"].tolist(),
    }


def _exact(problem: RateDistortion, reference: RateDistortionReference) -> dict[str, Any]:
    return {
        "rate_nats": reference.rate_nats,
        "distortion": reference.distortion,
        "reproduction": reference.reproduction.tolist(),
    }


_LEAVING = 1e-4
"""Rate, per τ, below which a reproduction letter is between coming into use and staying out."""


def _why_slow(problem: RateDistortion, slowest: float) -> str:
    return "at this β a reproduction letter is about to come into use; " if slowest < _LEAVING else ""


def _contest(problem: RateDistortion, reference: Any) -> Contest:
    """Of q, shape (m,), which proves by itself how good it is."""
    return Contest(
        measure="certified gap of the reproduction distribution",
        unit="nat",
        full_scale=math.log(max(2, min(problem.symbols, problem.reproductions))),
        signals=("q",),
        errors={"certified_gap_nats": 1.0},
    )


def _expected(problem: RateDistortion, reference: RateDistortionReference) -> dict[str, Any]:
    return {
        "q": reference.reproduction.tolist(), "rate_nats": reference.rate_nats, "distortion": reference.distortion,
    }  # fmt: skip


def _smaller(problem: RateDistortion, count: int) -> tuple[RateDistortion, str]:
    distortion = problem.distortion[:count, :count]
    source = np.asarray(problem.source)[: len(distortion)]
    part = RateDistortion(source / source.sum(), distortion, problem.beta)
    return part, f"a source of {distortion.shape[0]} symbols and {distortion.shape[1]} reproductions"


def _read(
    source: Any,
    distortion: Any,
    beta: Any = None,
    mean_distortion: Any = None,
    rate_nats: Any = None,
    normalise: bool = False,
) -> RateDistortion:
    """The problem in a file, which may say where on the curve it lies by D or by R instead of β."""
    given = [value for value in (beta, mean_distortion, rate_nats) if value is not None]
    if len(given) != 1:
        raise BadInput(
            "RateDistortion: give one of beta, nats per unit of distortion, of mean_distortion, at which R(D) is wanted, "
            f"and of rate_nats, at which D is; not {len(given) or 'none'} of them."
        )
    if beta is not None:
        return RateDistortion(source, distortion, beta, normalise=normalise)
    return rate_distortion_at(
        source, distortion, mean_distortion=mean_distortion, rate_nats=rate_nats, normalise=normalise
    ).problem


RATE_DISTORTION = Family(
    name="rate-distortion",
    problem=RateDistortion,
    noun="a rate-distortion problem",
    keys=("source", "distortion", "beta"),
    needed={
        "source": "the probabilities of the source symbols",
        "distortion": "the matrix of distortions, a row for each source symbol",
    },
    options=("normalise",),
    read=_read,
    also=("mean_distortion", "rate_nats"),
    flow=rate_distortion,
    forms=FORMS,
    units={"error": "nats", "error_time_average": "nats"},
    reference=lambda problem, _: rate_distortion_reference(problem),
    errors=_errors,
    sizes=lambda problem, answers: np.ones(len(answers)),
    primary="state_nats",
    unlisted="state_nats",
    labels={
        "certified_gap_nats": "certified gap of the circuit's q",
        "simplex": "largest departure of Σq from 1",
    },
    held=_held,
    ended="settled",
    answer=_answer,
    exact=_exact,
    worth=_worth,
    slowest=lambda problem, reference: rate_distortion_relaxation(problem, reference).slowest,
    why_slow=_why_slow,
    contest=_contest,
    expected=_expected,
    size=lambda problem: max(problem.distortion.shape),
    smaller=_smaller,
    curve=TradeOff(
        at="distortion",
        value="rate_nats",
        says="distortion",
        value_says="rate",
        ends=rate_distortion_ends,
        point=lambda problem, at, which: rate_distortion_point(problem, at),
        posed=lambda problem, point, which: at_slope(problem, point.slope),
        read=lambda run, which: (run.final["distortion"][0], run.final["rate_nats"][0]),
    ),
)
"""The family of the rate-distortion flow."""
