"""Figures of the paper on the Blahut-Arimoto flow, with the corrected formulas beside the printed ones.

Where a printed formula is wrong, it stands beside the corrected one, and a number that neither went into decides: rates are
singular values of a test channel, variances sums over a grid.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import root_scalar

from analogflow.papers.gaussian import SOURCE, mapped_variance, rates_on_a_grid
from analogflow.papers.result import Curve, Line, Panel, Reproduction, largest
from analogflow.problems import RateDistortion
from analogflow.reference.rate_distortion import GaussianGrid, rate_distortion_relaxation, three_cluster_rate, two_point

__all__ = ["figure_2", "figure_5", "figure_6"]

Array = NDArray[np.float64]


def figure_2() -> Reproduction:
    """The variance equation ṡ = s̃(s) − s, and the flow that it is said to be closed for."""
    s = np.linspace(0.01, 2.0, 200)
    betas = (0.75, 1.0, 2.0, 4.0)
    curves, lines = [], []
    for beta in betas:
        curves.append(Curve.of(f"β = {beta:g}", s, mapped_variance(s, beta) - s))
        star = 1 - 1 / (2 * beta)
        curves.append(Curve.of(f"β = {beta:g}, s*", [star], [0.0], "points"))
        lines.append(
            Line(f"variance of the Gaussian that one step on a grid keeps, β = {beta:g}", star, _kept_variance(beta), 1e-6,
                 says="s* = σ² − 1/(2β), (31)")
        )  # fmt: skip
    beta = 2.0
    rate = float(rates_on_a_grid(1.0, beta, 2)[1])
    time, exact, closed = _variance_paths(beta, 2.0)
    at = int(abs(time - 1).argmin())
    lines += [
        Line("rate of the variance at s*, β = 2, second mode on a grid", 1 / (2 * beta), rate, 1e-6,
             says="the gap 1/(2βσ²), Theorem 19(i)", corrected=(1 - 1 / (2 * beta)) ** 2,
             row="(32), (33), Proposition 16, Theorem 17"),
        Line("variance of the flow at t = 1 from a Gaussian of variance 2, β = 2", float(closed[at]), float(exact[at]), 1e-4,
             says="that of (30), exact for any density", corrected=1.3311, row="Theorem 15, Remark 19"),
    ]  # fmt: skip
    panels = (
        Panel("variance equation", "variance s (σ² = 1)", "ds/dt (1/τ)", tuple(curves)),
        Panel("variance of the flow, β = 2", "time (τ)", "variance",
              (Curve.of("flow on a grid", time, exact), Curve.of("variance equation", time, closed, "dashed"))),
    )  # fmt: skip
    return Reproduction(
        "rate-distortion-figure-2", "Variance of a Gaussian source's flow", f"{SOURCE}, Figure 2", panels, tuple(lines)
    )


def _kept_variance(beta: float) -> float:
    """Variance s at which one step of the iteration on a grid leaves the second moment of N(0, s) as it is."""
    grid = GaussianGrid(1.0, beta, 201, 8.0)
    problem, x = grid.problem(), grid.grid
    p, A = np.asarray(problem.source), problem.gibbs

    def moved(s: float) -> float:
        q = np.exp(-(x**2) / (2 * s))
        q = q / q.sum()
        return float((q * (A.T @ (p / (A @ q))) - q) @ x**2)

    return float(root_scalar(moved, bracket=(0.05, 1.5), xtol=1e-12).root)


def _variance_paths(beta: float, start: float) -> tuple[Array, Array, Array]:
    """Times, variance of the flow on a grid from a Gaussian of variance `start`, and what the variance equation says."""
    problem = GaussianGrid(1.0, beta, 241, 8.0).problem()
    x = np.linspace(-8.0, 8.0, problem.reproductions)
    p, A = np.asarray(problem.source), problem.gibbs
    q = np.exp(-(x**2) / (2 * start))
    times = np.linspace(0.0, 6.0, 61)
    run = solve_ivp(
        lambda _, q: q * (A.T @ (p / (A @ q))) - q, (0, 6.0), q / q.sum(), "DOP853", times, rtol=1e-9, atol=1e-14
    )
    ode = solve_ivp(lambda _, s: mapped_variance(s, beta) - s, (0, 6.0), [start], "DOP853", times, rtol=1e-11, atol=1e-13)
    return times, np.asarray(run.y.T @ x**2), ode.y[0]


def _printed_rate(alpha: float, beta_d: float) -> float:
    """Proposition 20(ii) as printed, at the true θ: (i) as printed has no solution; nothing where there is no interior."""
    theta, e = two_point(alpha, beta_d)[0], math.exp(-beta_d)
    if not 0 < theta < 1:
        return math.nan
    return 0.5 * alpha * (1 - alpha) * (1 - e) ** 2 / ((theta + (1 - theta) * e) * (theta * e + 1 - theta))


def _measured_rate(alpha: float, beta_d: float) -> float:
    """Slowest rate at the optimum that the reference finds, by singular values."""
    return rate_distortion_relaxation(RateDistortion([alpha, 1 - alpha], 1 - np.eye(2), beta_d)).slowest


def figure_5() -> Reproduction:
    """Spectral gap of the asymmetric two-point model over the source and the temperature, as printed and corrected."""
    alphas, curves = np.linspace(0.02, 0.98, 97), []
    for bd in (0.5, 1.0, 2.0, 4.0, 8.0):
        curves.append(Curve.of(f"βd = {bd:g}", alphas, [two_point(float(a), bd)[1] for a in alphas]))
        curves.append(_printed_curve(f"βd = {bd:g}, printed", alphas, [_printed_rate(float(a), bd) for a in alphas]))
    betas, cuts = np.linspace(0.2, 8.0, 79), []
    for a in (0.1, 0.3, 0.5):
        cuts.append(Curve.of(f"α = {a:g}", betas, [two_point(a, float(b))[1] for b in betas]))
        cuts.append(_printed_curve(f"α = {a:g}, printed", betas, [_printed_rate(a, float(b)) for b in betas]))
    lines = [
        Line(f"rate at α = {alpha:g}, βd = {beta_d:g}", _printed_rate(alpha, beta_d), _measured_rate(alpha, beta_d), 1e-8,
             says="Proposition 20(ii)", corrected=two_point(alpha, beta_d)[1], row="Proposition 20(ii)")
        for alpha, beta_d in ((0.3, 2.0), (0.5, 2.0), (0.3, 8.0))
    ]  # fmt: skip
    edge, even = _measured_rate(0.02, 2.0), _measured_rate(0.5, 2.0)
    lines += [
        Line("rate at α = 0.3 where it is cold, βd = 30", 0.15, _measured_rate(0.3, 30.0), 1e-3,
             says="min(α, 1 − α)/2, Proposition 20(iii)", corrected=1.0, row="Proposition 20(iii), 10.2"),
        Line("rate at α = ½ where it is hot, βd = 0.1, over (βd)²", 0.125, _measured_rate(0.5, 0.1) / 0.01, 1e-3,
             says="½α(1 − α), Proposition 20(iii)", corrected=0.25, row="Proposition 20(iii), 10.2"),
        Line("rate at α = 0.02, βd = 2", 0.0, edge, 0.02, says="vanishes as α → 0, 1, Figure 5", corrected=0.72,
             row="Figure 5"),
        Line("rate at α = ½ less that at α = 0.02, βd = 2", 0.0, even - edge, 0.01, "≥", says="largest near ½, Figure 5",
             corrected=-0.14, row="Figure 5"),
    ]  # fmt: skip
    panels = (
        Panel("over the source", "probability α", "rate λ* (1/τ)", tuple(curves)),
        Panel("over the temperature", "βd", "rate λ* (1/τ)", tuple(cuts)),
    )
    return Reproduction(
        "rate-distortion-figure-5", "Spectral gap of the two-point model", f"{SOURCE}, Figure 5", panels, tuple(lines)
    )


def _printed_curve(label: str, x: Array, values: list[float]) -> Curve:
    inside = np.isfinite(values)
    return Curve.of(label, x[inside], np.asarray(values)[inside], "dashed")


def figure_6() -> Reproduction:
    """The three-cluster model, m = 5, Δ = 3, β = 2: how the distance from the fixed points decays."""
    m, beta_d = 5, 6.0
    problem = _three_clusters(m)
    p, A = np.asarray(problem.source), problem.gibbs

    def rate(_: float, q: Array) -> Array:
        return q * (A.T @ (p / (A @ q))) - q

    times, even = np.linspace(0, 12, 121), np.full(3 * m, 1 / (3 * m))
    start = np.random.default_rng(1).dirichlet(np.ones(3 * m))
    path = solve_ivp(rate, (0, 12), start, "DOP853", times, rtol=1e-10, atol=1e-13).y.T
    ends = [solve_ivp(rate, (0, 60), q, "DOP853", rtol=1e-11, atol=1e-14).y[:, -1] for q in (start, even)]
    distance = np.linalg.norm(path - ends[0], axis=1)
    true = three_cluster_rate(beta_d)
    fitted = -float(np.polyfit(times[20:90], np.log(distance[20:90]), 1)[0])
    kernels = {size: _weighted_kernel_gap(size) for size in (4, 5)}
    lines = (
        Line("rate of the modes between clusters, by singular values", 0.08, _between_clusters(m), 1e-9,
             says="λ* ≈, 9.3", corrected=true, row="(35), 9.3"),
        Line("rate at which the distance falls from t = 2 to 9", 0.02, fitted, 5e-3, says="λ*/4, Figure 6", corrected=true,
             row="Figure 6"),
        Line("rate at which the distance falls from t = 0 to 1", 0.02, -math.log(distance[10] / distance[0]), 0.02, "≤",
             says="very slow until t = 2.5, slower than λ*/4", corrected=true, row="Figure 6"),
        Line("way that a uniform start has to go", 0.1, largest(ends[1] - even), 1e-9, "≥",
             says="a distance of order 1, 9.2, shown as a tenth at least", corrected=0.0, row="Figure 6"),
        Line("smallest rate of the paper's kernel at m = 4 less that at m = 5", 0.0, kernels[4] - kernels[5], 1e-9,
             says="λ* does not depend on m, Proposition 21(iii)", corrected=true / 12 - true / 15, row="(35), 9.3"),
    )  # fmt: skip
    curves = (
        Curve.of("distance from where it ends", times, np.maximum(distance, 1e-12)),
        Curve.of("rate ((1−e)/(1+2e))²", times, distance[0] * np.exp(-true * times), "dashed"),
        Curve.of("printed: exp(−0.08 t/4)", times, distance[0] * np.exp(-0.02 * times), "dotted"),
    )
    panel = Panel("three clusters, random start", "time (τ)", "‖q − q*‖", curves, log_y=True)
    return Reproduction("rate-distortion-figure-6", "Three-cluster model", f"{SOURCE}, Figure 6", (panel,), lines)


def _three_clusters(m: int) -> RateDistortion:
    labels = np.repeat(np.arange(3), m)
    return RateDistortion(source=np.full(3, 1 / 3), distortion=3.0 * (np.arange(3)[:, None] != labels), beta=2.0)


def _between_clusters(m: int) -> float:
    """Smallest rate that is not 0 at the uniform optimum: a squared singular value of the test channel."""
    problem, q = _three_clusters(m), np.full(3 * m, 1 / (3 * m))
    kernel = problem.gibbs / (problem.gibbs @ q)[:, None]
    return float(np.linalg.svd(np.sqrt(np.outer(problem.source, q)) * kernel, compute_uv=False)[-1] ** 2)


def _weighted_kernel_gap(m: int) -> float:
    """Smallest eigenvalue that is not 0 of G with the kernel qA/Z of (8) and Proposition 21(ii)."""
    problem, q = _three_clusters(m), np.full(3 * m, 1 / (3 * m))
    kernel = q * problem.gibbs / (problem.gibbs @ q)[:, None]
    values = np.linalg.eigvalsh((kernel * np.asarray(problem.source)[:, None]).T @ kernel)
    return float(values[values > 1e-10][0])
