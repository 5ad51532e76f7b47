"""Figures of the paper on the Blahut-Arimoto flow, with the corrected formulas beside the printed ones.

Where a printed formula is wrong, it stands beside the corrected one, and an independent number decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from analogflow.problems import RateDistortion
from analogflow.reference.rate_distortion.closed_forms import GaussianGrid, three_cluster_rate, two_point, wyner_ziv_beta
from analogflow.reference.rate_distortion.relaxation import rate_distortion_relaxation
from analogflow.reproduction import gaussian_source
from analogflow.reproduction.result import Curve, Finding, Panel, Reproduction, agreement

__all__ = ["FIGURES"]

Array = NDArray[np.float64]

_SOURCE = "the paper on the Blahut-Arimoto flow and its relaxation kernel"


def mapped_variance(s: Array | float, beta: float, variance: float = 1.0) -> Array:
    """Second moment of T(q) for a Gaussian q of variance s: what the variance equation integrates."""
    s = np.asarray(s, dtype=float)
    gain = 2 * beta * s / (1 + 2 * beta * s)
    return s / (1 + 2 * beta * s) + gain**2 * variance


def figure_2() -> Reproduction:
    """The variance equation ṡ = s̃(s) − s, and the flow that it is said to be closed for."""
    s = np.linspace(0.01, 2.0, 200)
    betas = (0.75, 1.0, 2.0, 4.0)
    curves, findings = [], []
    for beta in betas:
        curves.append(Curve.of(f"β = {beta:g}", s, mapped_variance(s, beta) - s))
        star = 1 - 1 / (2 * beta)
        curves.append(Curve.of(f"β = {beta:g}, s*", [star], [0.0], "points"))
        residual = float(mapped_variance(star, beta) - star)
        findings.append(agreement(f"ṡ at s* = σ² − 1/(2β), β = {beta:g}", 0.0, residual, allowed=1e-12))
    step, beta = 1e-6, 2.0
    star = 1 - 1 / (2 * beta)
    slope = float((mapped_variance(star + step, beta) - mapped_variance(star - step, beta)) / (2 * step) - 1)
    printed, right = -1 / (2 * beta), -((1 - 1 / (2 * beta)) ** 2)
    claim = "rate of the variance at s*, β = 2"
    findings.append(agreement(f"{claim}: minus the gap 1/(2βσ²), as printed", printed, slope, allowed=1e-6))
    findings.append(agreement(f"{claim}: −α², α = 1 − 1/(2βσ²), corrected", right, slope, allowed=1e-6))
    time, exact, closed = _variance_paths(beta, 2.0)
    apart = float(abs(exact - closed).max())
    findings.append(
        Finding("the variance equation is closed for the flow, from a Gaussian start", "exact for any shape",
                "not closed: the flow makes mixtures", f"{apart:.2g}", "differs" if apart > 1e-3 else "agrees")
    )  # fmt: skip
    panels = (
        Panel("variance equation", "variance s (σ² = 1)", "ds/dt (1/τ)", tuple(curves)),
        Panel("variance of the flow, β = 2", "time (τ)", "variance",
              (Curve.of("flow on a grid", time, exact), Curve.of("variance equation", time, closed, "dashed"))),
    )  # fmt: skip
    return Reproduction(
        "rate-distortion-figure-2", "Variance of a Gaussian source's flow", f"{_SOURCE}, Figure 2", panels, tuple(findings)
    )


def _variance_paths(beta: float, start: float) -> tuple[Array, Array, Array]:
    """Times, variance of the flow on a grid from a Gaussian of variance `start`, and what the variance equation says."""
    problem = GaussianGrid(1.0, beta, 161, 6.0).problem()
    x = np.linspace(-6.0, 6.0, problem.reproductions)
    p, A = np.asarray(problem.source), problem.gibbs
    q = np.exp(-(x**2) / (2 * start))
    times = np.linspace(0.0, 6.0, 61)
    run = solve_ivp(
        lambda _, q: q * (A.T @ (p / (A @ q))) - q, (0, 6.0), q / q.sum(), "DOP853", times, rtol=1e-9, atol=1e-14
    )
    ode = solve_ivp(lambda _, s: mapped_variance(s, beta) - s, (0, 6.0), [start], "DOP853", times, rtol=1e-11, atol=1e-13)
    return times, np.asarray(run.y.T @ x**2), ode.y[0]


def figure_5() -> Reproduction:
    """Spectral gap of the asymmetric two-point model over the source and the temperature."""
    alphas = np.linspace(0.02, 0.98, 97)
    curves = [
        Curve.of(f"βd = {bd:g}", alphas, [two_point(float(a), bd)[1] for a in alphas]) for bd in (0.5, 1.0, 2.0, 4.0, 8.0)
    ]
    betas = np.linspace(0.2, 8.0, 79)
    cuts = [Curve.of(f"α = {a:g}", betas, [two_point(a, float(b))[1] for b in betas]) for a in (0.1, 0.3, 0.5)]
    findings = []
    for alpha, beta_d in ((0.3, 2.0), (0.5, 2.0), (0.3, 8.0)):
        problem = RateDistortion(source=[alpha, 1 - alpha], distortion=1 - np.eye(2), beta=beta_d)
        numeric = rate_distortion_relaxation(problem).slowest
        findings.append(
            agreement(f"rate at α = {alpha:g}, βd = {beta_d:g}: corrected formula against the eigenvalue",
                      numeric, two_point(alpha, beta_d)[1], allowed=1e-8)
        )  # fmt: skip
    symmetric = two_point(0.5, 2.0)[1]
    square = math.tanh(1.0) ** 2
    findings.append(agreement("symmetric rate ½ tanh²(βd/2) as printed, βd = 2", square / 2, symmetric, allowed=1e-8))
    findings.append(agreement("symmetric rate tanh²(βd/2), corrected", square, symmetric, allowed=1e-12))
    low = two_point(0.3, 8.0)[1]
    findings.append(
        Finding("low-temperature limit of the rate", "a constant below 1", f"towards 1 ({low:.4f} at βd = 8)", "", "differs")
    )
    panels = (
        Panel("over the source", "probability α", "rate λ* (1/τ)", tuple(curves)),
        Panel("over the temperature", "βd", "rate λ* (1/τ)", tuple(cuts)),
    )
    return Reproduction(
        "rate-distortion-figure-5", "Spectral gap of the two-point model", f"{_SOURCE}, Figure 5", panels, tuple(findings)
    )


def figure_6() -> Reproduction:
    """The three-cluster model, m = 5, Δ = 3, β = 2: how the distance from the fixed points decays."""
    m, beta_d = 5, 6.0
    labels = np.repeat(np.arange(3), m)
    problem = RateDistortion(source=np.full(3, 1 / 3), distortion=3.0 * (np.arange(3)[:, None] != labels), beta=2.0)
    p, A = np.asarray(problem.source), problem.gibbs

    def rate(_: float, q: Array) -> Array:
        return q * (A.T @ (p / (A @ q))) - q

    times = np.linspace(0, 12, 121)
    uniform = float(abs(rate(0, np.full(3 * m, 1 / (3 * m)))).max())
    start = np.random.default_rng(1).dirichlet(np.ones(3 * m))
    path = solve_ivp(rate, (0, 12), start, "DOP853", times, rtol=1e-10, atol=1e-13).y.T
    long = solve_ivp(rate, (0, 60), start, "DOP853", rtol=1e-11, atol=1e-14).y[:, -1]
    distance = np.linalg.norm(path - long, axis=1)
    true = three_cluster_rate(beta_d)
    fitted = float(np.polyfit(times[20:90], np.log(distance[20:90]), 1)[0])
    first = -math.log(distance[10] / distance[0])
    findings = (
        agreement("λ* of the cluster modes, printed ≈ 0.08", 0.08, true, allowed=5e-3),
        agreement("slope of the distance against ((1 − e)/(1 + 2e))², e = e^−βΔ", -true, fitted, allowed=0.02),
        Finding("uniform start", "a typical trajectory begins there", "it is a fixed point", f"{uniform:.1g}", "differs"),
        Finding("plateau until t = 2.5", "distance decreases very slowly", f"falls at {first:.2f} per τ", "", "differs"),
        Finding("λ* does not depend on m", "independent of m", "the cluster modes do not; how weight splits in a cluster "
                "does not relax at all", "", "differs"),
    )  # fmt: skip
    curves = (
        Curve.of("distance from where it ends", times, np.maximum(distance, 1e-12)),
        Curve.of("rate ((1−e)/(1+2e))²", times, distance[0] * np.exp(-true * times), "dashed"),
        Curve.of("printed: exp(−0.08 t/4)", times, distance[0] * np.exp(-0.02 * times), "dotted"),
    )
    panel = Panel("three clusters, random start", "time (τ)", "‖q − q*‖", curves, log_y=True)
    return Reproduction("rate-distortion-figure-6", "Three-cluster model", f"{_SOURCE}, Figure 6", (panel,), findings)


def _rate_gap(correlation: float, distortion: float = 0.1) -> float:
    """R(D) without side information less the Wyner-Ziv rate, unit variance, D below 1 − ρ², nats."""
    return 0.5 * math.log(1 / distortion) - 0.5 * math.log((1 - correlation**2) / distortion)


def figure_8() -> Reproduction:
    """Wyner-Ziv: effective inverse temperature, rate gap, and the variance equation with side information."""
    rho = np.linspace(0.0, 0.99, 100)
    beta = 2.0
    star = 1 - 1 / (2 * beta)
    ratio = np.array([wyner_ziv_beta(beta, 1.0, star, float(r)) / beta for r in rho])
    gap = -0.5 * np.log1p(-(rho**2))
    s = np.linspace(0.01, 1.0, 100)
    curves = []
    for r in (0.0, 0.5, 0.8):
        rates = [float(mapped_variance(v, wyner_ziv_beta(beta, 1.0, v, r))) - v for v in s]
        curves.append(Curve.of(f"ρ = {r:g}", s, rates))
    cooling = "heating: β_eff falls with |ρ|" if (np.diff(ratio) <= 1e-12).all() else "cooling"
    findings = (
        Finding("side information", "effective cooling", cooling, f"β_eff/β = {ratio[50]:.3f} at |ρ| = 0.5", "differs"),
        agreement("β_eff at ρ = 0 over β", 1.0, float(ratio[0]), allowed=1e-12),
        Finding("dynamical cost of adapting to side information", "a solid line in the middle panel",
                "the paper defines it nowhere; the dashed line is drawn", "", "cannot be reproduced"),
        agreement("rate gap at |ρ| = 0.5, nats, from two rates", 0.5 * math.log(4 / 3), _rate_gap(0.5), allowed=1e-12),
    )  # fmt: skip
    panels = (
        Panel("effective temperature", "correlation |ρ|", "β_eff/β", (Curve.of("β = 2, s = s*", rho, ratio),)),
        Panel("rate gap", "correlation |ρ|", "I(X; Y) (nat)", (Curve.of("½ ln 1/(1 − ρ²)", rho, gap, "dashed"),)),
        Panel("variance equation", "variance s", "ds/dt (1/τ)", tuple(curves)),
    )
    return Reproduction("rate-distortion-figure-8", "Wyner-Ziv", f"{_SOURCE}, Figure 8", panels, findings)


FIGURES: dict[str, Callable[[], Reproduction]] = {
    "rate-distortion-figure-2": figure_2,
    "rate-distortion-figure-3": gaussian_source.figure_3,
    "rate-distortion-figure-4": gaussian_source.figure_4,
    "rate-distortion-figure-5": figure_5,
    "rate-distortion-figure-6": figure_6,
    "rate-distortion-figure-8": figure_8,
}
"""By name."""
