"""Gaussian sources in the paper on the Blahut-Arimoto flow: how fast their modes relax, parallel channels, side information.

The formulas, printed and corrected, stand beside the squared canonical correlations of the optimal test channel on a grid.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar, root_scalar

from analogflow.papers.result import Curve, Line, Panel, Reproduction
from analogflow.reference import rate_distortion_reference
from analogflow.reference.rate_distortion import GaussianGrid, water_filling, wyner_ziv_beta

__all__ = ["SOURCE", "figure_3", "figure_4", "figure_7", "figure_8", "mapped_variance", "rates_on_a_grid"]

Array = NDArray[np.float64]

SOURCE = "the paper on the Blahut-Arimoto flow and its relaxation kernel"
"""The paper, as its figures name it."""

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
        "rate-distortion-figure-3", "Modes of a Gaussian source's flow", f"{SOURCE}, Figure 3", panels, tuple(lines)
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
        "rate-distortion-figure-4", "Stiffness of a Gaussian vector's flow", f"{SOURCE}, Figure 4", panels, lines
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


_POWER, _OTHERS = 3.0, (2.0, 1.0)
"""Budget of the channels, and the gains of the second and the third."""


def figure_7() -> Reproduction:
    """Parallel channels: power and speed of each, and whether the strongest is the bottleneck."""
    first = np.geomspace(2.0, 400.0, 24)
    gains = [np.array([h, *_OTHERS]) for h in first]
    slowest, printed = np.array([_slow_mode(h)[0] for h in gains]), np.array([_printed_gap(h) for h in gains])
    h = np.array([4.0, *_OTHERS])
    power, (rate, shape) = water_filling(h, _POWER), _slow_mode(h)
    times, fitted = np.linspace(0, 40, 81), _fitted_rate(h)
    update = np.full(3, _POWER / 3)
    for _ in range(4000):
        update = 1 / (h + 1 / update)
        update *= _POWER / update.sum()
    worse = np.array([400.0, *_OTHERS])
    row = "10.5, Figure 7"
    lines = (
        Line("slowest rate at gains (4, 2, 1), fitted to a run of the flow", _printed_gap(h), fitted, 2e-3,
             says="1 − max α, α = q/(q + 1/h), 10.5", corrected=0.443, row=row),
        Line("slowest rate at gains (400, 2, 1), fitted to a run of the flow", _printed_gap(worse), _fitted_rate(worse),
             2e-3, says="the same: shrinks with the condition number", corrected=0.411, row=row),
        Line("gain of the channel that moves most in the slowest mode, of 4, 2 and 1", 4.0, float(h[abs(shape).argmax()]),
             says="the largest, 10.5", corrected=1.0, row=row),
        Line("gain of the channel with the most power, of 4, 2 and 1", 4.0, float(h[power.argmax()]),
             says="the largest, 10.5"),
        Line("where the printed update settles at gains (4, 2, 1)", power, update, 1e-6, says="water-filling, 10.5",
             corrected=_POWER / h / (1 / h).sum(), row="10.5"),
        Line.unjudged("axes and curves of the figure", "Fig. 7", "the text that names it gives neither caption nor numbers"),
    )  # fmt: skip
    path = _powers(h, times)
    index = np.arange(1, 4)
    panels = (
        Panel("power, gains (4, 2, 1)", "channel", "power", (
            Curve.of("water-filling", index, power, "points"),
            Curve.of("printed update", index, update, "crosses"),
        )),
        Panel("way to water-filling", "time (τ)", "distance", (
            Curve.of("flow", times[1:40], np.linalg.norm(path - power, axis=1)[1:40]),
            Curve.of("slowest rate", times[1:40], np.linalg.norm(path[1] - power) * np.exp(-rate * (times[1:40] - times[1])),
                     "dotted"),
        ), log_y=True),
        Panel("slowest rate, gains (h, 2, 1)", "condition number h", "rate (1/τ)", (
            Curve.of("flow", first, slowest), Curve.of("1 − max α, printed", first, printed, "dashed"),
        ), log_x=True, log_y=True),
    )  # fmt: skip
    return Reproduction("rate-distortion-figure-7", "Parallel Gaussian channels", f"{SOURCE}, Figure 7", panels, lines)


def _channel_flow(q: Array, h: Array) -> Array:
    """q̇_i = q_i(c h_i/(1 + h_i q_i) − 1), c such that the power stays: the continuous form of the step that fills water."""
    gained = h * q / (1 + h * q)
    return q.sum() / gained.sum() * gained - q


def _powers(h: Array, times: Array) -> Array:
    run = solve_ivp(lambda _, q: _channel_flow(q, h), (0, times[-1]), _START, "DOP853", times, rtol=1e-12, atol=1e-14)
    return np.asarray(run.y.T)


_START = _POWER * np.array([0.2, 0.3, 0.5])


def _fitted_rate(h: Array) -> float:
    """Slope of the logarithm of the distance from where a run ends."""
    times = np.linspace(0, 80, 161)
    path = _powers(h, times)
    late = slice(28, 44)
    distance = np.linalg.norm(path - path[-1], axis=1)
    return -float(np.polyfit(times[late], np.log(distance[late]), 1)[0])


def _slow_mode(h: Array) -> tuple[float, Array]:
    """Slowest rate at water-filling among changes that keep the power, and the change itself, by differences."""
    q, step = water_filling(h, _POWER), 1e-6
    J = np.array([(_channel_flow(q + step * e, h) - _channel_flow(q - step * e, h)) / (2 * step) for e in np.eye(3)]).T
    basis = np.linalg.svd(np.ones((1, 3)))[2][1:]
    values, vectors = np.linalg.eig(basis @ J @ basis.T)
    rates = -np.real(values)
    slow = int(np.argmin(rates))
    return float(rates[slow]), np.real(basis.T @ vectors[:, slow])


def _printed_gap(h: Array) -> float:
    """1 − max α with 1/h in the place of (2β)⁻¹, the noise that a channel's power is compared with."""
    return float((1 / (1 + h * water_filling(h, _POWER))).min())


def figure_8() -> Reproduction:
    """Wyner-Ziv: effective temperature, rate gap, and the variance equation with side information, right and printed."""
    rho, beta = np.linspace(0.0, 0.99, 100), 2.0
    star = 1 - 1 / (2 * beta)
    ratio = np.array([wyner_ziv_beta(beta, 1.0, star, float(r)) / beta for r in rho])
    gap = -0.5 * np.log1p(-(rho**2))
    s = np.linspace(0.01, 1.0, 100)
    curves = []
    for r in (0.0, 0.5, 0.8):
        curves.append(Curve.of(f"ρ = {r:g}", s, [_side_variance(float(v), beta, r) - v for v in s]))
        if r:  # without side information both are the standard one
            printed = [_printed_variance(float(v), beta, r) for v in s]
            curves.append(Curve.of(f"ρ = {r:g}, printed (no −I(Y; U))", s, printed, "dashed"))
    seen = _curvature_of_the_distortion(star, 0.5)
    lines = [
        Line("β_eff/β at |ρ| = 0.5, s = 0.75, by sums over both variables", wyner_ziv_beta(1.0, 1.0, star, 0.5), seen, 1e-6,
             says="(1 − ρ²)²/(1 − ρ²s)², 10.6"),
        Line("temperature over the effective one there", 1.0, seen, says="cooling: above, 10.6", relation="≥",
             corrected=wyner_ziv_beta(1.0, 1.0, star, 0.5), row="10.6", tolerance=1e-6),
        Line("rate without side information less that with it, |ρ| = 0.5, β = 2, nats, from two optima on grids",
             0.5 * math.log(4 / 3), _rate_nats(1.0, beta) - _rate_nats(0.75, beta), 2e-3, says="½ ln 1/(1 − ρ²), 10.6"),
    ]  # fmt: skip
    for warmth, r, corrected in ((2.0, 0.5, 0.727), (4.0, 0.8, 0.839), (2.0, 0.8, 0.55)):
        best = _least_objective(warmth, r)
        lines += [
            Line(f"variance of the best code, β = {warmth:g}, ρ = {r:g}, by minimising I(X;U) − I(Y;U) + βD",
                 _printed_root(warmth, r), best, 2e-3, says="where the flow with d_WZ alone settles, 10.6",
                 corrected=corrected, row="10.6, Figure 8"),
            Line(f"where the variance equation with −I(Y;U) settles, β = {warmth:g}, ρ = {r:g}", best,
                 _settled(warmth, r), 1e-5, says="our check: the minimiser"),
        ]  # fmt: skip
    lines.append(
        Line.unjudged("dynamical cost of adapting to side information", "a solid line in the middle panel",
                      "the paper defines it nowhere; the dashed line is drawn")
    )  # fmt: skip
    panels = (
        Panel("effective temperature", "correlation |ρ|", "β_eff/β", (Curve.of("β = 2, s = s*", rho, ratio),)),
        Panel("rate gap", "correlation |ρ|", "I(X; Y) (nat)", (Curve.of("½ ln 1/(1 − ρ²)", rho, gap, "dashed"),)),
        Panel("variance equation, β = 2", "variance s", "ds/dt (1/τ)", tuple(curves)),
    )
    return Reproduction("rate-distortion-figure-8", "Wyner-Ziv", f"{SOURCE}, Figure 8", panels, tuple(lines))


def _printed_variance(s: float, beta: float, rho: float) -> float:
    """ds/dt of the printed flow: the standard one with d_WZ in the place of d."""
    return float(mapped_variance(s, wyner_ziv_beta(beta, 1.0, s, rho))) - s


def _printed_root(beta: float, rho: float) -> float:
    """Where the printed flow settles from a variance of 1; 0 where it falls without end."""
    run = solve_ivp(lambda _, s: [_printed_variance(max(float(s[0]), 1e-12), beta, rho)], (0, 4000), [0.999], "LSODA",
                    rtol=1e-10, atol=1e-12)  # fmt: skip
    return float(run.y[0, -1])


def _side_variance(s: float, beta: float, rho: float) -> float:
    """Variance after one step of Dupuis, Yu and Willems on Gaussian codes, σ² = 1, from one of variance s with E[X|U] = U.

    The step minimises Σ p(x, y) q(u|x) ln q(u|x)/Q(u|y) + β E d_WZ over q, where Q is the posterior of the code before:
    ln q(u|x) = E[ln Q(u|Y) | x] − β d_WZ(x, u) + constant. Without E ln Q it would be the printed one.
    """
    spread = s - rho**2 * s**2  # of U given Y
    pull = 2 * beta * ((1 - rho**2) / (1 - rho**2 * s)) ** 2
    precision = 1 / spread + pull
    gain = (rho**2 * s / spread + pull) / precision
    return gain**2 + 1 / precision


def _settled(beta: float, rho: float) -> float:
    """Root of the variance equation in (0, 1)."""
    return float(root_scalar(lambda s: _side_variance(s, beta, rho) - s, bracket=(0.02, 1 - 1e-9)).root)


def _least_objective(beta: float, rho: float) -> float:
    """Variance s of U that minimises I(X;U) − I(Y;U) + βD, from determinants of the covariance of (X, Y, U)."""

    def objective(s: float) -> float:
        C = np.array([[1.0, rho, s], [rho, 1.0, rho * s], [s, rho * s, s]])

        def information(i: int) -> float:
            return -0.5 * math.log(np.linalg.det(C[np.ix_([i, 2], [i, 2])]) / (C[i, i] * C[2, 2]))

        D = np.linalg.det(C) / np.linalg.det(C[1:, 1:])  # of X given Y and U
        return information(0) - information(1) + beta * float(D)

    found: Any = minimize_scalar(objective, bounds=(1e-6, 1 - 1e-6), method="bounded", options={"xatol": 1e-10})
    return float(found.x)


def _curvature_of_the_distortion(s: float, rho: float) -> float:
    """Coefficient of (x − u)² in E[(x − x̂(u, Y))² | x], x̂ the mean of X given u and Y, all by sums over grids; σ² = 1."""
    x = np.linspace(-9, 9, 721)
    noise = math.sqrt(1 - rho**2)

    def density(y: Array, given: Array) -> Array:
        return np.exp(-((y - rho * given) ** 2) / (2 * noise**2))

    y, u = np.linspace(-12, 12, 721), 0.3
    prior = np.exp(-((x - u) ** 2) / (2 * (1 - s)))  # X given u
    joint = density(y[:, None], x) * prior
    guess = joint @ x / joint.sum(axis=1)
    apart, costs = np.linspace(-1.5, 1.5, 7), []
    for d in apart:
        weight = density(y, np.array(u + d))
        costs.append(float(weight @ (u + d - guess) ** 2 / weight.sum()))
    return float(np.polyfit(apart, costs, 2)[0])


def _rate_nats(variance: float, beta: float) -> float:
    """Rate of the optimum on a grid."""
    return rate_distortion_reference(GaussianGrid(variance, beta, 81, 5.0).problem()).rate_nats
