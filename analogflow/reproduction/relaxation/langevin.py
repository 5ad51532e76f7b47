"""Langevin motion: its free energy falls, its mobility needs a drift, and a law may carry a current."""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

from analogflow.compiler import compile
from analogflow.flows import langevin
from analogflow.noise import Noise
from analogflow.problems import Langevin
from analogflow.reference.langevin import boltzmann_law, fokker_planck
from analogflow.reproduction.result import Curve, Finding, Panel, Reproduction, agreement
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
    falls = bool((np.diff(levels) < 1e-9).all())
    wide = -0.5 * np.log(2 * np.pi * np.e * (0.01 + 2 * time[1:]))
    findings = (
        Finding(
            "free energy along the motion", "falls", "falls" if falls else "rises", "", "agrees" if falls else "differs"
        ),
        agreement("its end against −T ln Z by quadrature", least, float(levels[-1]), allowed=1e-3),
        Finding(
            "any p relaxes, for K positive definite alone",
            "for every E",
            "not where Z is infinite: with E = 0 on the line F falls without end and no law is reached",
            f"{wide[-1] - wide[0]:.2f} from {time[1]:g} to 20 τ",
            "differs" if (np.diff(wide) < 0).all() else "agrees",
        ),
    )
    panel = Panel(
        "double well, T = 0.5",
        "time (τ)",
        "free energy F",
        (
            Curve.of("Fokker-Planck equation", time, levels),
            Curve.of("−T ln Z", time[[0, -1]], [least, least], "dotted"),
        ),
    )
    return Reproduction("langevin-theorem-6", "Free energy of a relaxation", f"{_SOURCE}, Theorem 6", (panel,), findings)


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
    findings = (
        agreement(
            "⟨x²⟩ of the circuit (mean from 4 to 8 τ) against quadrature", exact, found, allowed=5 * error + _KNOTS / 5
        ),
        Finding(
            "stationary density with T ∇·K",
            "e^(−E/T)/Z",
            "the same on a grid",
            f"{off:.1g}",
            "agrees" if off < 1e-3 else "differs",
        ),
        Finding(
            "⟨x²⟩ without T ∇·K",
            "(another motion)",
            f"{lacking:.4f}, another law",
            f"{lacking - exact:+.2f}",
            "differs" if abs(lacking - exact) > 0.1 else "agrees",
        ),
    )
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
    return Reproduction(
        "langevin-theorem-8", "Mobility that depends on the state", f"{_SOURCE}, Theorem 8", panels, findings
    )


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
    allowed = 5 * np.sqrt(2 / _SAMPLES) + 7 / 15 * _KNOTS
    off, away = float(abs(spread - np.eye(2)).max()), float(abs(mean - exact).max())
    findings = (
        Finding(
            "law of the rotating circuit",
            "exists only if e^(−E)(f + ½Σ∇E) is constant",
            "it is N(0, 1)",
            f"{off:.2g}",
            "differs" if off < allowed and uneven > 0.1 else "agrees",
        ),
        Finding(
            "e^(−E)(f + ½Σ∇E) at (1, 0) and (−1, 0)",
            "the same constant",
            "opposite: −R x p, free of divergence",
            f"{uneven:.3g} apart",
            "differs" if uneven > 0.1 else "agrees",
        ),
        Finding(
            "mean of the circuit against e^(−(1 + R)t) x(0)",
            "",
            f"within {5 / np.sqrt(_SAMPLES):.2g}",
            f"{away:.2g}",
            "agrees" if away < 5 / np.sqrt(_SAMPLES) else "differs",
        ),
    )
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
    return Reproduction("langevin-theorem-22", "A law with a current", f"{_SOURCE}, Theorem 22", panels, findings)
