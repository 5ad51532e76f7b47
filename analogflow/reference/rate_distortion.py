"""Optimal reproduction distributions by an interior point method, each with the interval that holds the optimum.

How fast the flow q̇ = T(q) − q relaxes to the optimum follows from the optimal test channel. Models whose optimum and rates
are known in closed form have the corrected formulas of Q. Wang, Relaxation Kernel and Global Convergence of the
Blahut-Arimoto Dynamics, arXiv:2604.25106 (2026), sections 8 to 10.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg.lapack import dposv  # pyright: ignore[reportAttributeAccessIssue]

from analogflow.checks import is_positive, real_array
from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import RateDistortion

__all__ = [
    "CurvePoint",
    "GaussianGrid",
    "RateDistortionBounds",
    "RateDistortionReference",
    "Relaxation",
    "rate_distortion_certificate",
    "rate_distortion_curve",
    "rate_distortion_reference",
    "rate_distortion_relaxation",
    "three_cluster_rate",
    "two_point",
    "water_filling",
    "wyner_ziv_beta",
]

Array = NDArray[np.float64]

_ROUNDING = 8 * float(np.finfo(float).eps)

_AIM, _ENOUGH, _STEPS, _POLISH, _JITTER = 1e-13, 1e-10, 100, 1000, 1e-14

_FEW = 100
"""Blahut's steps that cost no more than the Newton steps in their place."""

_SUPPORT, _LARGEST = 1e-7, float(np.finfo(float).max)


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
    sweeps : int
        Blahut's steps taken, which come first, and alone where they arrive.
    """

    reproduction: Array
    rate_nats: float
    distortion: float
    bounds: RateDistortionBounds
    steps: int
    sweeps: int

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
    q, A = q / q.sum(), problem.gibbs
    return _bounds(problem, A, A.dot(q))


def _bounds(problem: RateDistortion, A: Array, partition: Array) -> RateDistortionBounds:
    """The interval of a distribution q whose Z is `partition`; A is `problem.gibbs`."""
    p = problem.source
    if not np.minimum.reduce(partition) > 0:
        return RateDistortionBounds(-np.inf, np.inf)
    upper = problem.offset - float(p.dot(np.log(partition)))
    return RateDistortionBounds(upper - math.log(np.maximum.reduce(A.T.dot(p / partition))), upper)


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
    Newton steps on q_y (1 − c_y) = μ find it while μ goes to 0. Where Blahut's steps show that they soon arrive, none is
    taken.

    Raises
    ------
    BadInput
        `gap` is not a positive number.
    SimulationFailed
        The gap did not close.
    """
    if not is_positive(gap, finite=False):
        raise BadInput(f"gap is {gap!r}; give a positive number of nats, such as 1e-9.")
    p, A, enough = problem.source, problem.gibbs, max(gap, _ENOUGH)
    uniform = np.full(problem.reproductions, 1 / problem.reproductions)
    (q, reached, sweeps), steps = _swept(p, A, uniform, gap), 0
    if reached > gap:
        q, reached, steps = _interior(p, A, uniform, gap, enough)
    if reached > gap:
        # Where columns of A are nearly alike, Newton's matrix is nearly singular; Blahut's step mends what it leaves.
        q, more = _polished(p, A, q, gap)
        sweeps += more
    partition = A.dot(q)
    bounds = _bounds(problem, A, partition)
    if not bounds.gap <= enough:
        raise SimulationFailed(f"the reference of {problem!r} stopped at a gap of {bounds.gap:.2g} nat.")
    # What never occurs has an infinite distortion and A of 0, which a product with any number leaves 0.
    distortion = float((p / partition).dot((A * np.minimum(problem.distortion, _LARGEST)).dot(q)))
    return RateDistortionReference(q, bounds.upper - problem.beta * distortion, distortion, bounds, steps, sweeps)


def _gap(p: Array, A: Array, q: Array) -> tuple[float, Array, Array]:
    """Gap of q/Σq, nats, with Z and c at q itself."""
    partition = A @ q
    scores = A.T @ (p / partition)
    return math.log(scores.max() * q.sum()), partition, scores


def _swept(p: Array, A: Array, q: Array, gap: float) -> tuple[Array, float, int]:
    """Blahut's steps q ← q c while they are about to reach the gap if they go on as the last did: q, its gap, the steps."""
    # Of few symbols a step takes as long as its calls: these are NumPy's shortest, and only every other step is looked at.
    onto, back, largest = A.dot, A.T.dot, np.maximum.reduce
    before, sweeps = math.inf, 0
    while True:
        scores = back(p / onto(q))
        reached = math.log(largest(scores))  # Σq stays 1
        if reached <= gap or (before < math.inf and reached * (reached / before) ** (_FEW / 2) > gap):
            return q / q.sum(), reached, sweeps
        q = q * scores
        q = q * back(p / onto(q))
        before, sweeps = reached, sweeps + 2


def _interior(p: Array, A: Array, q: Array, gap: float, enough: float) -> tuple[Array, float, int]:
    """Distribution of the least gap that Newton steps towards q_y (1 − c_y) = μ meet, its gap, and the steps."""
    reached, partition, scores = _gap(p, A, q)
    best, least = q, reached
    slack = np.maximum(1 - scores, 0.1)
    for steps in range(1, _STEPS + 1):
        complementarity = float(q @ slack)
        centre = 0.1 * complementarity / len(q) if steps % 2 or complementarity > 1e-3 else 0.0
        centre = max(centre, 1e-19)
        scaled = A * (np.sqrt(p) / partition)[:, None]
        matrix = scaled.T @ scaled
        diagonal = matrix.diagonal() + slack / q
        unit = 1 / np.sqrt(diagonal)
        matrix *= unit[:, None] * unit
        matrix.flat[:: len(q) + 1] = 1 + _JITTER
        # The matrix is its own transpose, which LAPACK takes without a copy.
        _, solved, fault = dposv(matrix.T, unit * (centre / q - 1 + scores), overwrite_a=True)
        if fault:
            return best, least, steps
        moved = unit * solved
        slacker = (centre - slack * moved) / q - slack
        along = min(1.0, *(0.995 / max(float((-d / v).max()), 1e-300) for v, d in ((q, moved), (slack, slacker))))
        q, slack = q + along * moved, slack + along * slacker
        reached, partition, scores = _gap(p, A, q)
        if reached < least:
            best, least = q / q.sum(), reached
        if least <= gap or (reached > 10 * least and least <= enough):
            return best, least, steps
    return best, least, _STEPS


def _polished(p: Array, A: Array, q: Array, gap: float) -> tuple[Array, int]:
    """The distribution of the least gap among `q` and those that Blahut's steps lead to from there, and their number."""
    best, least, sweeps = q, math.inf, 0
    while True:
        reached, _, scores = _gap(p, A, q)
        if reached < least:
            best, least = q, reached
        if reached <= gap or sweeps == _POLISH:
            return best, sweeps
        q, sweeps = q * scores, sweeps + 1
        q /= q.sum()


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


def _information(problem: RateDistortion, q: Array) -> float:
    """Mutual information of the source and its reproduction through the test channel of q, nats."""
    A = problem.gibbs
    channel = q * A / (A @ q)[:, None]
    output = problem.source @ channel
    used = output > 0
    ratios = np.where(channel[:, used] > 0, channel[:, used] / output[used], 1.0)
    return float(problem.source @ (channel[:, used] * np.log(ratios)).sum(axis=1))


@dataclasses.dataclass(frozen=True, eq=False)
class Relaxation:
    """Rates per τ at the optimum.

    Parameters
    ----------
    reproduction : array, shape (m,)
    support : array of bool, shape (m,)
        Where q* is positive.
    kernel : array, shape (k, k)
        G = Σ_x p_x K_x K_xᵀ with K_x(y) = A_xy/Z_x, on the support; the flow's linearisation is −diag(q*) G.
    rates : array, shape (k − 1,)
        Ascending eigenvalues of diag(√q*) G diag(√q*), all in [0, 1], without the 1 that belongs to √q*.
    escape : array, shape (m − k,)
        1 − Σ_x p_x K_x(y) off the support: the rate at which y dies out.
    """

    reproduction: Array
    support: NDArray[np.bool_]
    kernel: Array
    rates: Array
    escape: Array

    @property
    def slowest(self) -> float:
        """Smallest rate, on the support or off it."""
        return float(min([*self.rates, *self.escape], default=np.inf))


def rate_distortion_relaxation(problem: RateDistortion, reference: RateDistortionReference | None = None) -> Relaxation:
    """Rates of `problem` at its optimum; reproduction symbols of a probability below 1e-7 count as unused.

    Notes
    -----
    With B_xy = √(p_x q_y) K_x(y), diag(√q) G diag(√q) = BᵀB: the rates are squared singular values of B, which are the
    canonical correlations of source and reproduction.

    References
    ----------
    Q. Wang, Relaxation Kernel and Global Convergence of the Blahut-Arimoto Dynamics, arXiv:2604.25106 (2026): Theorem 7,
    Definition 7 and Theorem 10, corrected: they have −G without diag(q*), and the smallest eigenvalue of G for the rate.
    """
    q = (reference or rate_distortion_reference(problem)).reproduction
    used = q > _SUPPORT
    A = problem.gibbs
    kernel = A / (A @ q)[:, None]
    inner = kernel[:, used]
    correlations = np.linalg.svd(np.sqrt(np.outer(problem.source, q[used])) * inner, compute_uv=False)
    # The columns' number of singular values, where there are fewer symbols than reproductions, is filled up by zeros.
    rates = np.concatenate([correlations**2, np.zeros(max(int(used.sum()) - len(correlations), 0))])
    return Relaxation(
        q,
        used,
        (inner * problem.source[:, None]).T @ inner,
        np.asarray(np.sort(rates)[:-1], dtype=float),
        1 - problem.source @ kernel[:, ~used],
    )


def two_point(probability: float, beta_d: float) -> tuple[float, float]:
    """Optimal θ = q_1 and relaxation rate of two symbols with p_1 = `probability` and Hamming distortion, βd = `beta_d`.

    Interior for βd > |ln((1 − a)/a)|; else the optimum is a vertex, and the rate that at which the other symbol dies out.
    (Proposition 20 has another equation, a factor ½ in the symmetric rate, and a low-temperature limit other than 1.)

    Raises
    ------
    BadInput
        The probability is not inside (0, 1), or βd not positive.
    """
    a, e = float(probability), math.exp(-beta_d)
    if not 0 < a < 1 or not beta_d > 0:
        raise BadInput(f"two_point: give a probability inside (0, 1) and a positive βd, not {probability!r} and {beta_d!r}.")
    theta = (a * (1 + e) - e) / (1 - e)
    if theta <= 0:
        return 0.0, 1 - (a / e + (1 - a) * e)
    if theta >= 1:
        return 1.0, 1 - (a * e + (1 - a) / e)
    return theta, theta * (1 - theta) * math.tanh(beta_d / 2) ** 2 / (a * (1 - a))


def three_cluster_rate(beta_d: float) -> float:
    """Rate of the two modes between three clusters of equal weight at Hamming distance: ((1 − e)/(1 + 2e))², e = e^{−βd}.

    It does not depend on the symbols in a cluster; how a cluster's weight is split among them does not relax at all.
    """
    e = math.exp(-beta_d)
    return ((1 - e) / (1 + 2 * e)) ** 2


@dataclasses.dataclass(frozen=True)
class GaussianGrid:
    """A Gaussian source of a variance on a grid, squared-error distortion.

    Parameters
    ----------
    variance : float
    beta : float
        Above 1/(2 variance); below, everything is reproduced by 0.
    points : int
    reach : float
        Grid from −reach to reach standard deviations.
    """

    variance: float
    beta: float
    points: int = 61
    reach: float = 4.5

    @property
    def alpha(self) -> float:
        """1 − 1/(2βσ²): mode n relaxes at alphaⁿ per τ, the mean at alpha, the variance at alpha²; no gap is left."""
        return 1 - 1 / (2 * self.beta * self.variance)

    @property
    def reproduction_variance(self) -> float:
        """σ² − 1/(2β), or 0."""
        return max(self.variance - 1 / (2 * self.beta), 0.0)

    @property
    def rate_nats(self) -> float:
        """½ ln(2βσ²) or 0: the rate of the source without a grid, at a distortion of 1/(2β)."""
        return max(0.5 * math.log(2 * self.beta * self.variance), 0.0)

    @property
    def grid(self) -> Array:
        """Values of the symbols, shape (points,)."""
        return np.linspace(-self.reach, self.reach, self.points) * math.sqrt(self.variance)

    def problem(self) -> RateDistortion:
        """The discretised problem; source and reproduction share the grid."""
        x = self.grid
        weight = np.exp(-0.5 * x**2 / self.variance)
        return RateDistortion(weight / weight.sum(), (x[:, None] - x[None, :]) ** 2, self.beta)


def water_filling(gains: ArrayLike, power: float) -> Array:
    """Powers q_i = max(ν − 1/h_i, 0) of parallel Gaussian channels with Σq = `power`.

    Raises
    ------
    BadInput
        A gain or the power is not positive.

    Notes
    -----
    The flow q̇_i = q_i (c h_i/(1 + h_i q_i) − 1) with c such that Σq stays settles here. The update that the paper prints,
    (HᴴH + Q⁻¹)⁻¹ scaled to its trace, settles at channel inversion, q_i ∝ 1/h_i.
    """
    h = np.asarray(gains, dtype=float)
    if h.ndim != 1 or not h.size or not (h > 0).all() or not 0 < power < math.inf:
        raise BadInput("water_filling: give positive gains and a positive power.")
    floors = np.sort(1 / h)
    levels = (power + np.cumsum(floors)) / np.arange(1, h.size + 1)
    # The best channels are used as long as the water stands above their floor.
    return np.maximum(levels[int((levels > floors).sum()) - 1] - 1 / h, 0.0)


def wyner_ziv_beta(beta: float, variance: float, reproduction_variance: float, correlation: float) -> float:
    """Effective inverse temperature of a Gaussian source whose decoder sees side information of a correlation.

    β σ⁴(1 − ρ²)²/(σ² − ρ²s)², at most β where s ≤ σ²: side information heats (the paper calls it cooling).

    Raises
    ------
    BadInput
        A variance is not positive, s exceeds σ², or |ρ| ≥ 1.
    """
    if not (0 < variance and 0 <= reproduction_variance <= variance and abs(correlation) < 1 and beta > 0):
        raise BadInput("wyner_ziv_beta: give β > 0, 0 ≤ s ≤ σ², σ² > 0 and |ρ| < 1.")
    squared = correlation**2
    return beta * variance**2 * (1 - squared) ** 2 / (variance - squared * reproduction_variance) ** 2
