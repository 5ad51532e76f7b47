"""Hopfield networks: descent of the energy, the law under noise, and learning with and without a negative phase."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_lyapunov

from analogflow.compiler import compile
from analogflow.digital import recall_and_learn
from analogflow.flows import hopfield
from analogflow.noise import Noise
from analogflow.problems import Hopfield
from analogflow.reference.hopfield import drift, energy, from_hessian, gradient, metric, rates
from analogflow.reproduction.result import Curve, Line, Panel, Reproduction
from analogflow.simulators import ensemble

__all__ = ["algorithm_14", "definition_15", "theorem_16"]

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
