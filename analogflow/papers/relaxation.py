"""Theorems of the paper on relaxation, Lyapunov functions and Hopfield networks, as relaxations that can be looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm, solve_continuous_lyapunov

from analogflow.compiler import compile
from analogflow.digital import recall_and_learn
from analogflow.flows import hopfield, langevin
from analogflow.noise import KNOTS_TAKE, Noise
from analogflow.papers.result import Curve, Line, Panel, Reproduction
from analogflow.problems import Hopfield, Langevin
from analogflow.reference.hopfield import drift, energy, from_hessian, gradient, metric, rates
from analogflow.reference.langevin import boltzmann_law, fokker_planck
from analogflow.simulators import ensemble

__all__ = ["algorithm_14", "definition_15", "theorem_6", "theorem_8", "theorem_16", "theorem_22"]

Array = NDArray[np.float64]

_SOURCE = "the paper on relaxation, Lyapunov functions and Hopfield networks"
_SAMPLES = 3000


def definition_15() -> Reproduction:
    """Energy along a saturating circuit: how it falls, dE/dt, and the printed gradient."""
    network = Hopfield([[0.9, -0.4], [0.3, 1.1]], [0.2, -0.1], [1.5, 1.2], [1.3, 1.6], "tanh", 0.0, [1.5, -1.0, -0.8, 1.2])
    time = np.linspace(0, 12, 121)
    run = ensemble(compile(hopfield(network)), 1, time_constants=12.0, save=time, step_accuracy=1e-10)
    states = np.hstack([run.values["v"][0], run.values["h"][0]])
    exact = solve_ivp(lambda _, x: rates(network, x), (0, 12), network.start, "DOP853", time, rtol=1e-12, atol=1e-13).y.T
    levels, descent = run.values["energy"][0, :, 0], run.values["descent"][0, :, 0]
    apart = float(abs(states - exact).max())
    slope = np.array([_slope(network, x, rates(network, x)) for x in states])
    x, n = states[5], network.visible
    numeric = np.array([_slope(network, x, e) for e in np.eye(network.size)])
    # The proof writes −[U f + v − I] ∂²L_v and −[Uᵀ g + h] ∂²L_h.
    signs = rates(network, x) + 2 * x - 2 * np.concatenate([network.I, np.zeros(network.size - n)])
    off = float(abs(slope - descent).max())
    lines = (
        Line("circuit against an independent integration", 0.0, apart, 1e-6, says="our check"),
        Line("largest rise of the energy from sample to sample along the circuit", 0.0, float(np.diff(levels).max()), 1e-9,
             "≤", says="falls"),
        Line("largest difference of −v̇ᵀ∂²L_v v̇ − ḣᵀ∂²L_h ḣ from numeric dE/dt", 0.0, off, 1e-6, says="our check"),
        Line("numeric gradient of E", -metric(network, x) @ signs, numeric, 1e-6,
             says="−(U f + v − I) ∂²L_v, −(Uᵀg + h) ∂²L_h, proof of Theorem 16", corrected=gradient(network, x),
             row="proof of Theorem 16"),
    )  # fmt: skip
    panels = (
        Panel("energy", "time (τ)", "E", (Curve.of("circuit", time, levels),)),
        Panel(
            "descent",
            "time (τ)",
            "dE/dt (1/τ)",
            (Curve.of("−v̇ᵀ∂²L v̇ − ḣᵀ∂²L ḣ", time, descent), Curve.of("numeric dE/dt", time[::6], slope[::6], "points")),
        ),
    )
    return Reproduction(
        "hopfield-definition-15", "Descent of a Hopfield network's energy", f"{_SOURCE}, Definition 15", panels, lines
    )


def _slope(network: Hopfield, x: Array, direction: Array, step: float = 1e-5) -> float:
    return (energy(network, x + step * direction) - energy(network, x - step * direction)) / (2 * step)


def theorem_16() -> Reproduction:
    """Variances of a noisy linear circuit as they grow, T H⁻¹, and what the printed prefactor would give."""
    network = Hopfield([[0.5, 0.2], [-0.3, 0.6]], gain_v=[2.0, 0.8], gain_h=[0.5, 1.2], temperature=0.5)
    A, T = drift(network), network.temperature
    K = np.linalg.inv(metric(network, np.zeros(4)))
    law, printed = from_hessian(network), solve_continuous_lyapunov(K @ A, -2 * T * K)
    time = np.linspace(0, 8, 33)
    noise = Noise(0.0, seed=1, step=0.05)
    run = ensemble(compile(hopfield(network)), _SAMPLES, noise=noise, time_constants=8.0, save=time, step_accuracy=1e-3)
    states = np.concatenate([run.values["v"], run.values["h"]], axis=2)
    path = solve_ivp(
        lambda _, c: (A @ c.reshape(4, 4) + c.reshape(4, 4) @ A.T + 2 * T * K).ravel(),
        (0, 8),
        np.zeros(16),
        "DOP853",
        time,
        rtol=1e-10,
        atol=1e-12,
    ).y.T.reshape(-1, 4, 4)
    curves = []
    for k, name in ((0, "v₁"), (2, "h₁")):
        curves += [
            Curve.of(f"{name}, circuit", time, states[:, :, k].var(axis=0), "points"),
            Curve.of(f"{name}, Lyapunov equation", time, path[:, k, k]),
            Curve.of(f"{name}, printed law", time[[0, -1]], printed[k, k] * np.ones(2), "dashed"),
        ]
    found = np.cov(states[:, -1].T)
    # Five standard errors of a variance, and what noise that is linear between knots lacks.
    allowed = 5 * np.sqrt(2 / _SAMPLES) * np.diag(law).max() + 7 / 30 * 0.05 * 2 * T * K.max()
    # Twice the couplings: G and F are as positive as before.
    crossed = -2 * network.gain_v @ network.U @ network.gain_h
    lowest = float(np.linalg.eigvalsh(np.block([[network.gain_v, crossed], [crossed.T, network.gain_h]]))[0])
    scale = [np.sqrt(np.diag(gain)) for gain in (network.gain_v, network.gain_h)]
    singular = float(np.linalg.svd(2 * scale[0][:, None] * network.U * scale[1], compute_uv=False)[0])
    left = [M @ law + law @ M.T + 2 * T * K for M in (K @ A, A)]
    lines = (
        Line("what the law T H⁻¹ lacks to be stationary with the prefactors K on the drift, largest entry", 0.0,
             float(abs(left[0]).max()), 1e-9, says="nothing, Theorem 16", corrected=0.1, corrected_relation="≥",
             row="Theorem 16"),
        Line("the same without them", 0.0, float(abs(left[1]).max()), 1e-9, says="our check: nothing"),
        Line("covariance of the circuit, which has no prefactors", law.ravel(), found.ravel(), allowed,
             says="T H⁻¹, Theorem 16", shown=f"from {_SAMPLES} samples; five standard errors are allowed"),
        Line("lowest curvature of E with couplings twice as large, Hessians of L_v and L_h positive", 0.0, lowest,
             relation="≥", says="their being positive is enough, Theorem 16", corrected=-0.1, corrected_relation="≤",
             shown=f"where σ_max(√G U √F) is {singular:.2f}", row="Theorem 16"),
    )  # fmt: skip
    panel = Panel("noisy linear circuit", "time (τ)", "variance", tuple(curves))
    return Reproduction("hopfield-theorem-16", "Law of a noisy Hopfield network", f"{_SOURCE}, Theorem 16", (panel,), lines)


def algorithm_14() -> Reproduction:
    """Recall and learn with and without a negative phase: the norm at which the energy loses its bound."""
    network = Hopfield([[0.3]], temperature=1.0)
    teacher = 0.6
    spread = 1 / (1 - teacher**2)
    data = np.sqrt(spread) * np.array([[1.0], [-1.0]])
    alone = recall_and_learn(network, None, steps=60, rate=0.05, negative=False)
    both = recall_and_learn(network, data, steps=400, rate=0.05)
    u, mine = 0.3, [0.3]
    while u < 1:
        u += 0.05 * u / (1 - u * u)  # ⟨g f⟩ = T U/(1 − U²) of the one-by-one network
        mine.append(u)
    off = abs(np.array(mine) - alone.couplings[:, 0, 0]).max() if len(mine) == len(alone.couplings) else np.inf
    end = float(both.couplings[-1, 0, 0])
    step, theta = 1e-5, 0.4
    log_z = [0.5 * np.log(1 - (theta + way * step) ** 2) for way in (1, -1)]
    lemma = (log_z[0] - log_z[1]) / (2 * step)
    # ∂E/∂U = −g f, whose mean under the law is the covariance of the reference.
    mean = -float(from_hessian(Hopfield([[theta]], temperature=1.0))[0, 1])
    lines = (
        Line("largest singular value of √G U √F after learning from what is recalled alone", 1.0, float(alone.norms[-1]),
             1e-3, "≤", says="free energy becomes smaller and smaller, Remark 17: a law remains, so 1 at most",
             shown=f"after {alone.lost} steps", corrected=1.175, row="Algorithm 14, Remark 17"),
        Line("its course against U ← U + η U/(1 − U²), largest difference", 0.0, float(off), 1e-12, says="our check"),
        Line("coupling learned with the negative phase", teacher, end, 1e-4, says="our check: the teacher's"),
        Line("∂(−T ln Z)/∂U at U = 0.4, numerically", mean, float(lemma), 1e-8, says="⟨∂E/∂U⟩, Lemma 13"),
    )  # fmt: skip
    curves = (
        Curve.of("without negative phase", np.arange(len(alone.norms)), alone.norms),
        Curve.of("with it", np.arange(61), both.norms[:61]),
        Curve.of("bound", [0, 60], [1, 1], "dotted"),
    )
    panel = Panel("recall and learn, η = 0.05", "step", "largest singular value of √G U √F", curves)
    return Reproduction(
        "hopfield-algorithm-14", "Recall and learn", f"{_SOURCE}, Algorithm 14, Remark 17 and Lemma 13", (panel,), lines
    )


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
