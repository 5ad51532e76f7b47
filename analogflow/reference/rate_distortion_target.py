"""The point of a rate-distortion curve at a distortion or at a rate: the slope β is found by the exact reference."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
from numpy.typing import ArrayLike

from analogflow.checks import is_finite
from analogflow.errors import AssumptionWarning, BadInput
from analogflow.problems import RateDistortion
from analogflow.reference.rate_distortion import rate_distortion_reference

__all__ = ["CurveTarget", "rate_distortion_at", "straight_piece"]

_FLATTEST, _STEEPEST = 1e-9, 1e9
"""Slopes, over one nat for the range of the distortion, between which β is looked for."""

_SHARP = 1e-14
"""Relative precision of β."""

_MISSED = 1e-6
"""Distance from what was asked for, over the whole range of it, above which the curve is straight there."""

_STRAIGHT = 1e-3
"""Length of a straight piece, over the range of the distortion, from which on it is told from a bend."""


@dataclasses.dataclass(frozen=True, eq=False)
class CurveTarget:
    """Where a distortion or a rate lies on the curve.

    Parameters
    ----------
    problem : RateDistortion
        With the β that was found.
    distortion, rate_nats : float
        The point of the curve that was asked for.
    piece : tuple of float, or None
        Distortions between which the curve is straight, if the point lies inside such a piece: −β is the slope of all of it,
        and answers for β may lie anywhere on it.
    """

    problem: RateDistortion
    distortion: float
    rate_nats: float
    piece: tuple[float, float] | None

    def __str__(self) -> str:
        said = f"D = {self.distortion:.9g} and R = {self.rate_nats:.9g} nat are at beta = {self.problem.beta:.9g}"
        if self.piece is None:
            return said
        near, far = self.piece
        return f"{said}, the slope of a straight piece from D = {near:.6g} to {far:.6g}: answers lie anywhere on it"


def rate_distortion_at(
    source: ArrayLike,
    distortion: ArrayLike,
    *,
    mean_distortion: float | None = None,
    rate_nats: float | None = None,
    normalise: bool = False,
) -> CurveTarget:
    r"""The problem whose answer is R(D) at a given D, or the D at which R(D) is given.

    Parameters
    ----------
    source, distortion, normalise
        As `RateDistortion` takes them.
    mean_distortion : float, optional
        D, in units of the distortion.
    rate_nats : float, optional
        R, nats. One of both.

    Raises
    ------
    BadInput
        Both or none are given, the source or the distortion is none, or what was asked for lies outside the curve.

    Warns
    -----
    AssumptionWarning
        With what was found.

    Notes
    -----
    D falls and R rises with β, so that β is found by bisection; where D jumps, R(D) = min Φ − βD is straight.

    References
    ----------
    R. E. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. Inf. Theory 18 (1972),
    section VI.
    """
    if (mean_distortion is None) == (rate_nats is None):
        raise BadInput("RateDistortion: give one of beta, mean_distortion and rate_nats.")
    name, wanted = ("mean_distortion", mean_distortion) if rate_nats is None else ("rate_nats", rate_nats)
    if wanted is None or not is_finite(wanted):
        raise BadInput(f"RateDistortion: {name} is {wanted!r}; give a finite number.")
    given = RateDistortion(source, distortion, 1.0, normalise=normalise)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)  # said once, above
        found = _found(given, name, float(wanted))
    warnings.warn(f"RateDistortion: {found}.", AssumptionWarning, stacklevel=2)
    return found


def _found(given: RateDistortion, name: str, wanted: float) -> CurveTarget:
    p, d = given.source, given.distortion
    unit = _unit(given)

    def at(beta: float) -> RateDistortion:
        return RateDistortion(p, d, beta)

    def point(beta: float) -> tuple[float, float]:
        known = rate_distortion_reference(at(beta))
        return known.distortion, known.rate_nats

    coordinate = 0 if name == "mean_distortion" else 1

    def excess(beta: float) -> float:
        return point(beta)[coordinate] - wanted

    low, high = _ends(given, name)
    if not low < wanted < high:
        ends = (
            f"the distortion is {low:.9g} at least, and from {high:.9g} on no rate is needed"
            if coordinate == 0
            else f"R(D) falls from {high:.9g} nat, at the least distortion, to {low:.9g}"
        )
        raise BadInput(f"RateDistortion: {name} is {wanted:.9g}; {ends}: give a number between both.")
    first = last = 1.0 / unit
    sign = 1.0 if coordinate == 0 else -1.0
    while sign * excess(first) < 0 and first * unit > _FLATTEST:
        first *= 0.25
    while sign * excess(last) > 0 and last * unit < _STEEPEST:
        last *= 4.0
    if sign * excess(first) < 0 or sign * excess(last) > 0:
        raise BadInput(
            f"RateDistortion: {name} is {wanted:.9g}, which is too near to an end of the curve; give beta itself."
        )
    while last > first * (1 + _SHARP):
        middle = math.sqrt(first * last)
        if not first < middle < last:
            break
        first, last = (middle, last) if sign * excess(middle) > 0 else (first, middle)
    beta = math.sqrt(first * last)
    problem = at(beta)
    known = rate_distortion_reference(problem)
    optimum = known.rate_nats + beta * known.distortion
    span = high - low if high < math.inf else max(abs(wanted), unit)
    if abs(point(beta)[coordinate] - wanted) <= _MISSED * span:
        return CurveTarget(problem, known.distortion, known.rate_nats, None)
    if coordinate == 0:
        D, R = wanted, optimum - beta * wanted
    else:
        D, R = (optimum - wanted) / beta, wanted
    return CurveTarget(problem, D, R, straight_piece(problem))


def straight_piece(problem: RateDistortion) -> tuple[float, float]:
    """Distortions between which the curve of `problem` is straight at its slope −β: the same twice where it is not.

    Beside the slope itself they are known as well as the gap over the change of slope.
    """
    unit = _unit(problem)
    beside = (RateDistortion(problem.source, problem.distortion, problem.beta * (1 + side)) for side in (1e-6, -1e-6))
    near, far = (round(rate_distortion_reference(each).distortion / unit, 6) * unit for each in beside)
    if far - near > _STRAIGHT * unit:
        return near, far
    known = rate_distortion_reference(problem).distortion
    return known, known


def _unit(problem: RateDistortion) -> float:
    """What distortions are measured in."""
    finite = problem.distortion[np.isfinite(problem.distortion)]
    return float(np.ptp(finite)) or float(finite.max()) or 1.0


def _ends(given: RateDistortion, name: str) -> tuple[float, float]:
    """What D or R lies between."""
    p, d = given.source, given.distortion
    if name == "mean_distortion":
        return float(p @ given.least), float((p @ d).min())

    def least(allowed: np.ndarray) -> float:
        """Rate of the cheapest test channel that uses allowed pairs alone."""
        return rate_distortion_reference(RateDistortion(p, np.where(allowed, 0.0, np.inf), 1.0)).rate_nats

    return max(least(np.isfinite(d)), 0.0), least(d <= given.least[:, None])
