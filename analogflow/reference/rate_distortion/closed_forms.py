"""Rate-distortion models whose optimum and rates are known in closed form, with the corrected formulas.

The models are those of Q. Wang, Relaxation Kernel and Global Convergence of the Blahut-Arimoto Dynamics, arXiv:2604.25106
(2026), sections 8 to 10.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.errors import BadInput
from analogflow.problems import RateDistortion

__all__ = ["GaussianGrid", "three_cluster_rate", "two_point", "water_filling", "wyner_ziv_beta"]

Array = NDArray[np.float64]


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
