"""Figures 3 and 4 of the paper on the Blahut-Arimoto flow: how fast the modes of a Gaussian source relax.

The formulas, printed and corrected, stand beside the squared canonical correlations of the optimal test channel on a grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analogflow.reference.rate_distortion.closed_forms import GaussianGrid
from analogflow.reproduction.result import Curve, Line, Panel, Reproduction

__all__ = ["figure_3", "figure_4", "mapped_variance", "rates_on_a_grid"]

Array = NDArray[np.float64]

_SOURCE = "the paper on the Blahut-Arimoto flow and its relaxation kernel"
_BETAS = (0.75, 1.0, 2.0, 4.0)


def mapped_variance(s: Array | float, beta: float, variance: float = 1.0) -> Array:
    """Second moment of T(q) for a Gaussian q of variance s, equation (29): what the variance equation integrates."""
    s = np.asarray(s, dtype=float)
    gain = 2 * beta * s / (1 + 2 * beta * s)
    return s / (1 + 2 * beta * s) + gain**2 * variance


def rates_on_a_grid(variance: float, beta: float, modes: int) -> Array:
    """Rates of the first modes of the flow on a grid, near the Gaussian at which it settles, shape (modes,)."""
    grid = GaussianGrid(variance, beta, 161, 10.0)
    problem, x = grid.problem(), grid.grid
    q = np.exp(-(x**2) / (2 * grid.reproduction_variance))
    q = q / q.sum()
    p, A = np.asarray(problem.source), problem.gibbs
    B = np.sqrt(p[:, None] * q) * A / (A @ q)[:, None]
    # The first correlation, 1, belongs to the total mass, which does not move.
    return np.asarray(np.linalg.svd(B, compute_uv=False)[1 : modes + 1] ** 2, dtype=float)


def figure_3() -> Reproduction:
    """Hermite spectrum: how fast mode n decays, at four temperatures."""
    n = np.arange(1, 9)
    printed, found, lines = [], [], []
    row = "(32), (33), Proposition 16, Theorem 17"
    for beta in _BETAS:
        alpha = 1 - 1 / (2 * beta)
        powers = np.asarray(alpha**n, dtype=float)
        rates = rates_on_a_grid(1.0, beta, len(n))
        printed.append(Curve.of(f"β = {beta:g}", n, 1 - powers, "dashed"))
        found += [Curve.of(f"β = {beta:g}, αⁿ", n, powers), Curve.of(f"β = {beta:g}, on a grid", n, rates, "points")]
        lines.append(
            Line(f"rates of modes 1 to {len(n)} on a grid, β = {beta:g}", 1 - powers, rates, 1e-6,
                 says="1 − αⁿ, α = 1 − 1/(2βσ²)", corrected=powers, row=row)
        )  # fmt: skip
    high = float(rates_on_a_grid(1.0, 2.0, 20)[-1])
    mean = {beta: float(rates_on_a_grid(1.0, beta, 1)[0]) for beta in (1.0, 4.0)}
    lines += [
        Line("rate of mode 20 on a grid, β = 2", 0.25, high, 1e-4, "≥", says="the gap 1/(2βσ²) at least, (33)",
             corrected=0.75**20, row=row),
        Line("relaxation time of the mean at β = 4 over that at β = 1, on a grid", 4.0, mean[1.0] / mean[4.0], 1e-6,
             says="τ_relax = 2βσ², 8.4", corrected=(1 - 1 / 2) / (1 - 1 / 8), row="Corollary 18, Theorem 19, 10.2"),
    ]  # fmt: skip
    panels = (
        Panel("as printed: 1 − αⁿ", "mode n", "rate (1/τ)", tuple(printed)),
        Panel("corrected: αⁿ", "mode n", "rate (1/τ)", tuple(found)),
    )
    return Reproduction(
        "rate-distortion-figure-3", "Modes of a Gaussian source's flow", f"{_SOURCE}, Figure 3", panels, tuple(lines)
    )


def figure_4() -> Reproduction:
    """Spectral stiffness: which direction of a Gaussian vector is slow, and how far rates differ."""
    beta, least = 2.0, 0.5
    variances = np.geomspace(least, 16.0, 11)
    grid = np.array([rates_on_a_grid(float(v), beta, 1)[0] for v in variances])
    fine = np.geomspace(least, 16.0, 80)
    printed, corrected = 1 / (2 * beta * fine), 1 - 1 / (2 * beta * fine)
    condition = variances / least
    ratio = grid / grid[0]
    two = _rates_of_two(least, 2.0, beta)
    row = "(34)"
    lines = (
        Line(f"rates of the mean on a grid, σ² from {least:g} to 16, β = {beta:g}", 1 / (2 * beta * variances), grid, 1e-6,
             says="1/(2βσ²)", corrected=1 - 1 / (2 * beta * variances), row=row),
        Line(f"rate of the slower of two means on a grid in the plane, variances {least:g} and 2", 1 / (2 * beta * 2.0),
             float(two.min()), 1e-4, says="1/(2β max σ²), (34)", corrected=1 - 1 / (2 * beta * least), row=row),
        Line("variance of the direction that is slow there", 2.0, (least, 2.0)[int(two.argmin())], 1e-9,
             says="the largest, (34)", corrected=least, row=row),
        Line(f"rate of the fastest mean over that of the slowest, κ = {condition[-1]:g}", float(condition[-1]),
             float(ratio[-1]), 1e-3, says="κ: grows linearly, Figure 4",
             corrected=(1 - 1 / (2 * beta * 16.0)) / (1 - 1 / (2 * beta * least)), row=row),
    )  # fmt: skip
    panels = (
        Panel(f"rate of the mean, β = {beta:g}", "variance of the direction, σ²", "rate (1/τ)", (
            Curve.of("1 − 1/(2βσ²), corrected", fine, corrected),
            Curve.of("on a grid", variances, grid, "points"),
            Curve.of("1/(2βσ²), printed", fine, printed, "dashed"),
        ), log_x=True),
        Panel(f"stiffness, least variance {least:g}", "condition number κ", "fastest over slowest mean", (
            Curve.of("corrected", fine / least, corrected / corrected[0]),
            Curve.of("on a grid", condition, ratio, "points"),
            Curve.of("κ, printed", fine / least, fine / least, "dashed"),
        ), log_x=True, log_y=True),
    )  # fmt: skip
    return Reproduction(
        "rate-distortion-figure-4", "Stiffness of a Gaussian vector's flow", f"{_SOURCE}, Figure 4", panels, lines
    )


def _rates_of_two(first: float, second: float, beta: float) -> Array:
    """Rates of the two means of a source in the plane, from the symbols of a grid in the plane."""
    axes = [np.linspace(-5, 5, 23) * np.sqrt(v) for v in (first, second)]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    p = np.exp(-0.5 * (x**2 / [first, second]).sum(1))
    q = np.exp(-0.5 * (x**2 / np.maximum(np.array([first, second]) - 1 / (2 * beta), 1e-9)).sum(1))
    p, q = p / p.sum(), q / q.sum()
    A = np.exp(-beta * ((x[:, None] - x) ** 2).sum(-1))
    B = np.sqrt(p[:, None] * q) * A / (A @ q)[:, None]
    S = B.T @ B
    # Rayleigh quotients of the two means: coordinates in units of their deviation, weighted with √q.
    means = np.sqrt(q)[:, None] * x
    means = means / np.linalg.norm(means, axis=0)
    return np.asarray((means * (S @ means)).sum(0))
