"""Optimal reproduction distributions by an interior point method, each with the interval that holds the optimum."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

from analogflow.checks import is_positive, real_array
from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import RateDistortion

__all__ = [
    "CurvePoint",
    "RateDistortionBounds",
    "RateDistortionReference",
    "rate_distortion_certificate",
    "rate_distortion_curve",
    "rate_distortion_reference",
]

Array = NDArray[np.float64]

_ROUNDING = 8 * float(np.finfo(float).eps)

_AIM, _ENOUGH, _STEPS, _POLISH, _JITTER = 1e-13, 1e-10, 100, 1000, 1e-14


@dataclasses.dataclass(frozen=True)
class RateDistortionBounds:
    """An interval that holds min Φ = R + βD, nats."""

    lower: float
    upper: float

    @property
    def gap(self) -> float:
        """Its width, nats."""
        return self.upper - self.lower


@dataclasses.dataclass(frozen=True, eq=False)
class RateDistortionReference:
    """A certified point of the curve.

    Parameters
    ----------
    reproduction : array, shape (m,)
        The optimal q.
    rate_nats : float
        Mutual information of the source and its reproduction, nats.
    distortion : float
        Mean distortion.
    bounds : RateDistortionBounds
        Of R + βD.
    steps : int
        Newton steps taken.
    """

    reproduction: Array
    rate_nats: float
    distortion: float
    bounds: RateDistortionBounds
    steps: int

    @property
    def gap(self) -> float:
        """Certified width of the interval that holds R + βD, with the rounding of its ends, nats."""
        return self.bounds.gap + _ROUNDING * max(1.0, abs(self.bounds.upper))


@dataclasses.dataclass(frozen=True)
class CurvePoint:
    """R(D) at the distortion D that slope −β leads to, between a bound that no code beats and one that a code attains."""

    beta: float
    distortion: float
    lower: float
    upper: float


def rate_distortion_certificate(problem: RateDistortion, q: ArrayLike) -> RateDistortionBounds:
    r"""Interval that a reproduction distribution proves: Φ(q) − ln max_y c_y ≤ min Φ ≤ Φ(q), c_y = Σ_x p_x A_xy/Z_x.

    Raises
    ------
    BadInput
        q has another length, a negative entry, or no sum.

    References
    ----------
    R. E. Blahut, Computation of channel capacity and rate-distortion functions, IEEE Trans. Inf. Theory 18 (1972):
    Theorem 6.
    """
    q = real_array(q, "q")
    if q.shape != (problem.reproductions,) or not np.isfinite(q).all() or (q < 0).any() or not q.sum() > 0:
        raise BadInput(f"q must be a distribution over {problem.reproductions} reproduction symbols.")
    A = problem.gibbs
    with np.errstate(divide="ignore"):
        partition = A @ (q / q.sum())
        if not (partition > 0).all():
            return RateDistortionBounds(-np.inf, np.inf)
        upper = problem.offset - float(problem.source @ np.log(partition))
        return RateDistortionBounds(upper - float(np.log((A.T @ (problem.source / partition)).max())), upper)


def rate_distortion_reference(problem: RateDistortion, *, gap: float = _AIM) -> RateDistortionReference:
    """Point of the curve at the slope of `problem`, to a certified gap of 1e-10 nat or less.

    Parameters
    ----------
    problem : RateDistortion
    gap : float
        At which to stop, nats; a larger one than 1e-10 saves steps and is what is certified then.

    Notes
    -----
    Φ is convex, and falls by ln s where q is scaled by s; so min Φ over the simplex is that of Φ + Σq − 1 over q ≥ 0, and
    Newton steps on q_y (1 − c_y) = μ find it while μ goes to 0.

    Raises
    ------
    BadInput
        `gap` is not a positive number.
    SimulationFailed
        The gap did not close.
    """
    if not is_positive(gap, finite=False):
        raise BadInput(f"gap is {gap!r}; give a positive number of nats, such as 1e-9.")
    enough = max(gap, _ENOUGH)
    p, A = problem.source, problem.gibbs
    q = np.full(problem.reproductions, 1 / problem.reproductions)
    best, bounds, steps = q, rate_distortion_certificate(problem, q), 0
    slack = np.maximum(1 - A.T @ (p / (A @ q)), 0.1)
    for steps in range(1, _STEPS + 1):
        partition = A @ q
        scores = A.T @ (p / partition)
        centre = 0.1 * float(q @ slack) / len(q) if steps % 2 or float(q @ slack) > 1e-3 else 0.0
        centre = max(centre, 1e-19)
        residual = 1 - scores - slack
        scaled = A * (np.sqrt(p) / partition)[:, None]
        matrix = scaled.T @ scaled + np.diag(slack / q)
        unit = 1 / np.sqrt(np.diag(matrix))
        matrix *= unit[:, None] * unit
        matrix[np.diag_indices_from(matrix)] += _JITTER
        moved = unit * cho_solve(cho_factor(matrix), unit * (centre / q - slack - residual))
        slacker = (centre - slack * moved) / q - slack
        along = min(1.0, *(0.995 / max(float((-d / v).max()), 1e-300) for v, d in ((q, moved), (slack, slacker))))
        q, slack = q + along * moved, slack + along * slacker
        found = rate_distortion_certificate(problem, q)
        if found.gap < bounds.gap:
            best, bounds = q / q.sum(), found
        if bounds.gap <= gap or (found.gap > 10 * bounds.gap and bounds.gap <= enough):
            break
    q = best
    # Where columns of A are nearly alike, Newton's matrix is nearly singular; Blahut's step mends what it leaves.
    for _ in range(0 if bounds.gap <= gap else _POLISH):
        polished = q / q.sum()
        q = polished * (A.T @ (p / (A @ polished)))
        found = rate_distortion_certificate(problem, q)
        if found.gap < bounds.gap:
            best, bounds = q / q.sum(), found
        if bounds.gap <= gap:
            break
    if not bounds.gap <= enough:
        raise SimulationFailed(f"the reference of {problem!r} stopped at a gap of {bounds.gap:.2g} nat.")
    rate, distortion = _point(problem, best)
    return RateDistortionReference(best, rate, distortion, bounds, steps)


def rate_distortion_curve(source: ArrayLike, distortion: ArrayLike, betas: Sequence[float]) -> list[CurvePoint]:
    """R(D) at the distortions that the slopes −`betas` lead to, each between two certified bounds, nats.

    Every q proves R(D) ≥ Φ(q) − ln max_y c_y − βD for all D, and the test channel made of it attains its own rate at its
    own distortion.
    """
    points = []
    for beta in betas:
        problem = RateDistortion(source, distortion, beta)
        found = rate_distortion_reference(problem)
        attained = _information(problem, found.reproduction)
        points.append(CurvePoint(float(beta), found.distortion, found.bounds.lower - beta * found.distortion, attained))
    return points


def _point(problem: RateDistortion, q: Array) -> tuple[float, float]:
    """Rate Φ − βD, nats, and distortion D of the test channel of q."""
    A = problem.gibbs
    partition = A @ q
    distortion = float((problem.source / partition) @ ((A * problem.distortion) @ q))
    phi = problem.offset - float(problem.source @ np.log(partition))
    return phi - problem.beta * distortion, distortion


def _information(problem: RateDistortion, q: Array) -> float:
    """Mutual information of the source and its reproduction through the test channel of q, nats."""
    A = problem.gibbs
    channel = q * A / (A @ q)[:, None]
    output = problem.source @ channel
    used = output > 0
    ratios = np.where(channel[:, used] > 0, channel[:, used] / output[used], 1.0)
    return float(problem.source @ (channel[:, used] * np.log(ratios)).sum(axis=1))
