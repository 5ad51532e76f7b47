"""Langevin motion: its free energy falls, its mobility needs a drift, and a law may carry a current."""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

from analogflow.compiler import compile
from analogflow.flows import langevin
from analogflow.noise import KNOTS_TAKE, Noise
from analogflow.problems import Langevin
from analogflow.reference.langevin import boltzmann_law, fokker_planck
from analogflow.reproduction.result import Curve, Line, Panel, Reproduction
from analogflow.simulators import ensemble

__all__ = ["theorem_6", "theorem_8", "theorem_22"]

_SOURCE = "the paper on relaxation, Lyapunov functions and Hopfield networks"
_SAMPLES = 3000
_KNOTS = 0.05


def _well() -> Langevin:
    """A double well whose mobility is largest between the wells."""
    return Langevin("x**4/4 - x**2/2", ["x"], 0.5, mobility="1/(1 + x**2)", start=[1.0])


def theorem_6() -> Reproduction:
    """Free energy along the Fokker-Planck equation of a double well, and along a spreading that has no law to end in."""
    problem = _well()
    grid = fokker_planck(problem, 140)
    x = grid.axes[0]
    p = np.exp(-((x - 1.0) ** 2) / 0.02)
    p /= p.sum()
    time, levels = np.linspace(0, 20, 41), []
    for _ in time:
        levels.append(grid.free_energy(p))
        p = grid.after(p, float(time[1]))
    least = boltzmann_law(problem).free_energy
    flat = _flat_variance(float(time[-1]))
    lines = (
        Line("largest rise of the free energy along the Fokker-Planck equation", 0.0, float(np.diff(levels).max()), 1e-9,
             "≤", says="falls, Theorem 6"),
        Line("free energy at 20 τ", least, float(levels[-1]), 1e-5, says="tends to −T ln Z, here by quadrature"),
        Line("variance at 20 τ over that at 10 τ, E = 0 on the line, K = 1, T = 1, by random walks", 1.0, flat, 0.1,
             says="any p relaxes for K positive definite, Theorem 6", corrected=2.0, row="Theorem 6"),
    )  # fmt: skip
    panel = Panel(
        "double well, T = 0.5",
        "time (τ)",
        "free energy F",
        (
            Curve.of("Fokker-Planck equation", time, levels),
            Curve.of("−T ln Z", time[[0, -1]], [least, least], "dotted"),
        ),
    )
    return Reproduction("langevin-theorem-6", "Free energy of a relaxation", f"{_SOURCE}, Theorem 6", (panel,), lines)


def _flat_variance(end: float) -> float:
    """Variance of walkers at `end` over that at half of it, in a flat energy: Euler steps, which are exact here."""
    rng, steps = np.random.default_rng(0), 40
    moves = np.sqrt(2 * end / steps) * rng.standard_normal((20_000, steps))
    return float(moves.sum(axis=1).var() / moves[:, : steps // 2].sum(axis=1).var())


def theorem_8() -> Reproduction:
    """Second moment of a circuit whose mobility depends on its state, and the law without T ∇·K."""
    problem, time = _well(), np.linspace(0, 8, 33)
    noise = Noise(0.0, seed=1, step=_KNOTS)
    run = ensemble(compile(langevin(problem)), _SAMPLES, noise=noise, time_constants=8.0, save=time, step_accuracy=1e-3)
    squares = run.values["x"][:, :, 0] ** 2
    late = squares[:, 16:].mean(axis=1)
    found, error = float(late.mean()), float(late.std() / np.sqrt(_SAMPLES))
    law = boltzmann_law(problem)
    exact = float(law.covariance[0, 0] + law.mean[0] ** 2)
    grids = {kept: fokker_planck(problem, 240, drift_by_mobility=kept) for kept in (True, False)}
    laws = {kept: grid.stationary() for kept, grid in grids.items()}
    x, cell = grids[True].axes[0], grids[True].cell
    lacking = float(laws[False] @ x**2)
    density = np.exp(-problem.energy_at(x[:, None]) / problem.temperature)
    density /= density.sum() * cell
    off = float(abs(laws[True] / cell - density).max())
    # Without T ∇·K the law is e^(−E/T)/K: the motion is that of E + T ln K.
    without = density * (1 + x**2)
    lines = (
        Line("⟨x²⟩ of the circuit, mean from 4 to 8 τ", exact, found, 5 * error + _KNOTS / 5,
             says="that of e^(−E/T), Theorem 8",
             shown="five standard errors and the noise's knots are allowed"),
        Line("largest difference of the stationary density from e^(−E/T)/Z", 0.0, off, 1e-3, says="none, Theorem 8"),
        Line("⟨x²⟩ of the stationary density without T ∇·K", float(without @ x**2 / without.sum()), lacking, 1e-3,
             says="our check: that of e^(−E/T)/K, another law"),
    )  # fmt: skip
    near = abs(x) < 3
    panels = (
        Panel(
            "mobility 1/(1 + x²), T = 0.5",
            "time (τ)",
            "⟨x²⟩",
            (
                Curve.of("circuit", time, squares.mean(axis=0)),
                Curve.of("quadrature", time[[0, -1]], [exact, exact], "dotted"),
                Curve.of("without T ∇·K", time[[0, -1]], [lacking, lacking], "dashed"),
            ),
        ),
        Panel(
            "stationary density",
            "x",
            "density",
            (
                Curve.of("with T ∇·K", x[near], laws[True][near] / cell),
                Curve.of("e^(−E/T)/Z", x[near], density[near], "dotted"),
                Curve.of("without T ∇·K", x[near], laws[False][near] / cell, "dashed"),
            ),
        ),
    )
    return Reproduction("langevin-theorem-8", "Mobility that depends on the state", f"{_SOURCE}, Theorem 8", panels, lines)


def theorem_22() -> Reproduction:
    """A rotating Ornstein-Uhlenbeck circuit: its law stands still while a current goes round."""
    turn, start, time = 1.5, np.array([2.0, 0.0]), np.linspace(0, 6, 61)
    matrix = np.array([[1.0, turn], [-turn, 1.0]])
    problem = Langevin("x**2/2 + y**2/2", ["x", "y"], 1.0, mobility=matrix, start=start)
    noise = Noise(0.0, seed=2, step=_KNOTS)
    run = ensemble(compile(langevin(problem)), _SAMPLES, noise=noise, time_constants=6.0, save=time, step_accuracy=1e-3)
    states = np.concatenate([run.values["x"], run.values["y"]], axis=2)
    mean = states.mean(axis=0)
    exact = np.array([expm(-matrix * t) @ start for t in time])
    spread = np.cov(states[:, -1].T)
    # J/p = f + x at the law N(0, 1): what is left is −R x.
    points = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    current = (points - points @ matrix.T) * np.exp(-0.5 * (points**2).sum(axis=1))[:, None]
    uneven = float(np.linalg.norm(current[0] - current[2]))
    allowed = 5 * np.sqrt(2 / _SAMPLES) + KNOTS_TAKE * _KNOTS
    away = float(abs(mean - exact).max())
    lines = (
        Line("covariance of the rotating circuit at 6 τ", np.eye(2).ravel(), spread.ravel(), allowed,
             says="our check: that of N(0, 1), its law", shown="five standard errors and the noise's knots are allowed"),
        Line("length of e^(−E)(f + ½Σ∇E) at (1, 0) less that at (−1, 0), as vectors", 0.0, uneven, 1e-9,
             says="none: it has a law only if this is constant, Theorem 22", corrected=2 * turn * np.exp(-0.5),
             row="Theorem 22"),
        Line("largest distance of the circuit's mean from e^(−(1 + R)t) x(0)", 0.0, away, 5 / np.sqrt(_SAMPLES),
             says="our check"),
    )  # fmt: skip
    panels = (
        Panel(
            "mean of the ensemble",
            "⟨x⟩",
            "⟨y⟩",
            (Curve.of("circuit", mean[:, 0], mean[:, 1], "points"), Curve.of("exact", exact[:, 0], exact[:, 1])),
        ),
        Panel(
            "variance",
            "time (τ)",
            "variance of x",
            (
                Curve.of("circuit", time, states[:, :, 0].var(axis=0)),
                Curve.of("1 − e^(−2t)", time, 1 - np.exp(-2 * time), "dashed"),
            ),
        ),
    )
    return Reproduction("langevin-theorem-22", "A law with a current", f"{_SOURCE}, Theorem 22", panels, lines)
