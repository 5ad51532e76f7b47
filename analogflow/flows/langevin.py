"""The Langevin flow: noise and drift that have a Boltzmann distribution as their stationary law."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from analogflow.checks import refuse_unknown
from analogflow.flows.custom import written
from analogflow.flows.flow import USUAL_LENGTH, Averaging, Flow
from analogflow.flows.relaxation import time_scales_of
from analogflow.graph import white_noise
from analogflow.problems import Langevin

__all__ = ["FORMS", "langevin"]

FORMS: tuple[str, ...] = ("overdamped",)
"""Forms of the flow."""

_SKIPPED, _CROSSINGS, _KNOTS = 10.0, 7.0, 0.1
"""What is left out at the start, in relaxations of a well and in changes between wells; and distance of the knots, by the
fastest rate."""

_LONGEST = 1e30
"""Times of the fastest relaxation beyond which a crossing is as good as never."""

_MOST_KNOTS = 16_000
"""Knots that are averaged over, where that is less: some ten seconds of either engine."""


def langevin(problem: Langevin, form: str = "overdamped") -> Flow:
    r"""Flow of `problem`: one state for each variable, whose law over a long run is :math:`e^{-E/T}/Z`.

    Noise is played linear between knots and is read as Stratonovich reads it, so the drift has half of Itô's term:
    :math:`\dot x_i = \tfrac12 T \partial_i K_i - K_i \partial_i E + \sqrt{2 T K_i}\, \xi_i`. With a constant
    matrix K = S + A the drift is −K∇E and the noise :math:`\sqrt{2TS}\,\xi`.

    Raises
    ------
    BadInput
        There is no such form.
    """
    refuse_unknown(form, FORMS, "form", "the langevin flow", there="there is only")
    names = problem.variables

    def rates(*states: Any) -> tuple[Any, ...]:
        values = dict(zip(names, states, strict=True))
        slopes = [written(slope, values, f"dE/d{name}") for slope, name in zip(problem.gradient, names, strict=True)]
        noises = [white_noise(x) for x in states] if problem.temperature else []
        if isinstance(problem.mobility, np.ndarray):
            return _with_matrix(problem.mobility, problem.temperature, slopes, noises, states)
        moved = []
        for k, x in enumerate(states):
            mobility = written(problem.mobility[k], values, f"K of {names[k]}")
            rate = x * 0.0 - mobility * slopes[k]
            if problem.temperature:
                rate = rate + 0.5 * problem.temperature * written(problem.spreading[k], values, f"dK/d{names[k]}")
                rate = rate + np.sqrt(2 * problem.temperature * mobility) * noises[k]
            moved.append(rate)
        return tuple(moved)

    def energy(*states: Any) -> Any:
        return written(problem.energy, dict(zip(names, states, strict=True)), "E")

    return Flow(
        rates,
        {name: np.array([start]) for name, start in zip(names, problem.start, strict=True)},
        observables={"energy": energy},
        rests=tuple(names),
        family="langevin",
        form=form,
        equations="dx = (T div K - K grad E) dt + sqrt(2T) dW, dW ~ N(0, K dt); E = " + problem.energy.text,
        problem=problem,
        averaging=_averaging(problem) if problem.temperature else None,
    )


def _with_matrix(
    mobility: np.ndarray, temperature: float, slopes: list[Any], noises: list[Any], states: tuple[Any, ...]
) -> tuple[Any, ...]:
    spread = np.real(scipy.linalg.sqrtm(temperature * (mobility + mobility.T))) if noises else np.zeros_like(mobility)
    # What rounding leaves where a matrix has zeros is small against its largest entry, however low the temperature.
    rounding = 1e-15 * abs(spread).max()
    moved = []
    for k, x in enumerate(states):
        rate = x * 0.0
        for j, slope in enumerate(slopes):
            rate = rate - mobility[k, j] * slope if mobility[k, j] else rate
            rate = rate + spread[k, j] * noises[j] if noises and abs(spread[k, j]) > rounding else rate
        moved.append(rate)
    return tuple(moved)


def _averaging(problem: Langevin) -> Averaging:
    """Lengths by the rates at which the motion relaxes in its wells, and by those at which it changes between them."""
    scales = time_scales_of(problem)
    knots, crossing = _KNOTS / scales.fastest, min(scales.crossing, _LONGEST / scales.fastest)
    slowest = max(1 / scales.slowest, crossing)
    skipped = _SKIPPED / scales.slowest + _CROSSINGS * crossing
    return Averaging(min(USUAL_LENGTH * slowest, _MOST_KNOTS * knots), skipped, knots, scales.starts, slowest)
