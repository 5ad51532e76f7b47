"""Figures 3 and 4 of the paper on the Blahut-Arimoto flow: how fast the modes of a Gaussian source relax.

The formulas, printed and corrected, stand beside the squared canonical correlations of the optimal test channel on a grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analogflow.reference.rate_distortion.closed_forms import GaussianGrid
from analogflow.reproduction.result import Curve, Finding, Panel, Reproduction, agreement, largest

__all__ = ["figure_3", "figure_4"]

Array = NDArray[np.float64]

_SOURCE = "the paper on the Blahut-Arimoto flow and its relaxation kernel"
_BETAS = (0.75, 1.0, 2.0, 4.0)


def _rates(variance: float, beta: float, modes: int) -> Array:
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
    printed, found, findings = [], [], []
    for beta in _BETAS:
        alpha = GaussianGrid(1.0, beta).alpha
        rates = _rates(1.0, beta, len(n))
        printed.append(Curve.of(f"β = {beta:g}", n, 1 - alpha**n, "dashed"))
        found += [Curve.of(f"β = {beta:g}, αⁿ", n, alpha**n), Curve.of(f"β = {beta:g}, on a grid", n, rates, "points")]
        off = largest(rates - alpha**n)
        verdict = "agrees" if off < 1e-6 else "differs"
        findings.append(
            Finding(f"rates of modes 1 to {len(n)}, β = {beta:g}: αⁿ, corrected", "", "αⁿ", f"{off:.1g}", verdict)
        )
    rates = _rates(1.0, 2.0, 40)
    alpha = GaussianGrid(1.0, 2.0).alpha
    findings += [
        agreement("rate of the mean, β = 2: 1 − α, as printed", 1 - alpha, float(rates[0]), allowed=1e-6),
        agreement("rate of the variance, β = 2: 1 − α², as printed", 1 - alpha**2, float(rates[1]), allowed=1e-6),
        Finding("high modes decay fastest, a spectral gap 1/(2βσ²) remains", "gap 0.25 at β = 2",
                "high modes decay slowest, no gap", f"mode 40 at {rates[39]:.2g} per τ",
                "differs" if rates[39] < 0.25 else "agrees"),
        Finding("slowing as β → ∞", "τ_relax = 2βσ² grows", "the mean and the variance speed up towards rate 1",
                f"mean at {_rates(1.0, 4.0, 1)[0]:.4f} for β = 4, {_rates(1.0, 1.0, 1)[0]:.4f} for β = 1", "differs"),
    ]  # fmt: skip
    panels = (
        Panel("as printed: 1 − αⁿ", "mode n", "rate (1/τ)", tuple(printed)),
        Panel("corrected: αⁿ", "mode n", "rate (1/τ)", tuple(found)),
    )
    return Reproduction(
        "rate-distortion-figure-3", "Modes of a Gaussian source's flow", f"{_SOURCE}, Figure 3", panels, tuple(findings)
    )


def figure_4() -> Reproduction:
    """Spectral stiffness: which direction of a Gaussian vector is slow, and how far rates differ."""
    beta, least = 2.0, 0.5
    variances = np.geomspace(least, 16.0, 11)
    grid = np.array([_rates(float(v), beta, 1)[0] for v in variances])
    fine = np.geomspace(least, 16.0, 80)
    printed, corrected = 1 / (2 * beta * fine), 1 - 1 / (2 * beta * fine)
    condition = variances / least
    ratio = grid / grid[0]
    slowest = _rates_of_two(least, 2.0, beta)
    expected = 1 - 1 / (2 * beta * least)
    findings = (
        Finding("rate of the mean over the variance: 1 − 1/(2βσ²), corrected", "", "1 − 1/(2βσ²)",
                f"{largest(grid - 1 + 1 / (2 * beta * variances)):.1g}",
                "agrees" if largest(grid - 1 + 1 / (2 * beta * variances)) < 1e-6 else "differs"),
        agreement(f"slower of two means, variances {least:g} and 2: 1/(2β max σ²), as printed", 1 / (4 * beta), slowest,
                  allowed=1e-4),
        agreement(f"slower of two means, variances {least:g} and 2: 1 − 1/(2β min σ²), corrected", expected, slowest,
                  allowed=1e-4),
        Finding("slow direction of a Gaussian vector", "the largest variance",
                "the smallest" if grid[0] < grid[-1] else "the largest", "", "differs" if grid[0] < grid[-1] else "agrees"),
        Finding("ratio of fastest to slowest mean grows with the condition number", "linearly, without bound",
                f"bounded by 1/α = {1 / expected:.3g}", f"{ratio[-1]:.3f} at κ = {condition[-1]:g}",
                "differs" if ratio[-1] < 1 / expected else "agrees"),
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
        "rate-distortion-figure-4", "Stiffness of a Gaussian vector's flow", f"{_SOURCE}, Figure 4", panels, findings
    )


def _rates_of_two(first: float, second: float, beta: float) -> float:
    """Rate of the slower of the two means of a source in the plane, from the symbols of a grid in the plane."""
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
    return float(min((means * (S @ means)).sum(0)))
