"""Figures 1, 2 and 3 of the paper on tokens on a sphere: concentration at E, and the move to F that follows."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from analogflow.digital import attention_steps
from analogflow.problems import Attention
from analogflow.problems.named.attention import circle, circle_then_pole, two_phases
from analogflow.reference.attention import (
    Eigenspace,
    by_runge_kutta,
    concentration_bound,
    dominant_eigenspace,
    limit_tokens,
    spread,
    value_space,
    wasserstein,
)
from analogflow.reproduction.attention.paths import (
    SOURCE,
    alignment_path,
    circuit_finding,
    circuit_path,
    digital_path,
    distance_path,
    drawn_anew,
    first_tokens,
    verdict,
)
from analogflow.reproduction.attention.views import sphere
from analogflow.reproduction.result import Curve, Finding, Panel, Reproduction, largest

__all__ = ["figure_1", "figure_2", "figure_3"]

Array = NDArray[np.float64]

_TOKENS = 400
_CIRCUIT = 40


def figure_1() -> Reproduction:
    """Concentration at a circle, V = I; the bound of Corollary 2 as printed and corrected."""
    problem = circle(_TOKENS)
    times = np.linspace(0, 5, 21)
    path = digital_path(problem, times, accuracy=1e-5)
    space = dominant_eigenspace(problem.attraction)
    aligned = alignment_path(path, space)
    few = first_tokens(problem, _CIRCUIT)
    on_circuit = circuit_path(few, times)
    cold = problem.at_zero_temperature()
    apart = distance_path(cold, digital_path(cold, times), space)
    right = np.array([concentration_bound(cold, float(t), p=0.5) for t in times])
    printed = right * spread(cold.tokens, space, 0.5) / math.sqrt(2 * spread(cold.tokens, space, 0.5))
    near, apart_near = _close_to(space)
    findings = (
        Finding("tokens concentrate at the circle E, alignment above 0.95 from t = 2.5 on", "yes, at t = 2.5 and 5",
                f"alignment {aligned[0]:.3f}, {aligned[10]:.3f}, {aligned[-1]:.3f} at t = 0, 2.5, 5", "",
                verdict(aligned[0] < 0.95 < aligned[10:].min())),
        circuit_finding(few, on_circuit),
        Finding("bound on W₂ at t = 0, tokens 0.1 rad from E: V_p(ρ₀), as printed, p = 1", f"W₂ ≤ {near:.5f}",
                f"W₂ = {apart_near:.5f}", f"{apart_near - near:.2g}", verdict(apart_near <= near)),
        Finding("bound on W₂ at t = 0, tokens 0.1 rad from E: √(2V_p(ρ₀)), corrected", f"W₂ ≤ {math.sqrt(2 * near):.5f}",
                f"W₂ = {apart_near:.5f}", f"{apart_near - math.sqrt(2 * near):.2g}",
                verdict(apart_near <= math.sqrt(2 * near))),
        Finding("bound √(2V_p) exp(−pγt/σ_max(B)), corrected, at β = ∞ and p = ½", "",
                f"holds at {int((apart <= right).sum())} of {len(times)} times", f"{(apart - right).max():.2g}",
                verdict((apart <= right).all())),
        Finding("term 2 √(ln(β + 1)/β) (exp(C₁t) − exp(C₀t)) of Theorem 1", "constants that depend on the problem",
                "no values of C₀ and C₁ are given, so that the bound has none", "", "cannot be reproduced"),
        drawn_anew("2,000 tokens, seed and axis of R not given",
                   f"{_TOKENS} tokens of the stated mixture, seed 0, R about the first axis"),
    )  # fmt: skip
    shots = [sphere(f"t = {times[k]:g}", path[k], {"E": space}) for k in (0, 10, 20)]
    distances = (
        Curve.of("β = 30", times, distance_path(problem, path, space)),
        Curve.of("β = ∞", times, apart),
        Curve.of("√(2V_p) bound, corrected", times, right, "dotted"),
        Curve.of("V_p bound, printed", times, printed, "dashed"),
    )
    panels = (*shots, Panel("distance from Π♯ρ₀, p = ½", "time (τ)", "W₂ (radii)", distances, log_y=True))
    return Reproduction("attention-figure-1", "Concentration at a circle", f"{SOURCE}, Figure 1", panels, findings)


def _close_to(space: Eigenspace) -> tuple[float, float]:
    """V_1 and W₂ to the projection of tokens that are all 0.1 rad from a plane."""
    angle = np.arange(12) * 2 * np.pi / 12
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ space.basis.T
    normal = np.cross(space.basis[:, 0], space.basis[:, 1])
    tokens = math.cos(0.1) * around + math.sin(0.1) * normal
    return spread(tokens, space, 1.0), wasserstein(tokens, limit_tokens(tokens, space))


def figure_2() -> Reproduction:
    """Concentration at a circle, then at two poles."""
    problem = circle_then_pole(_TOKENS)
    times = np.linspace(0, 10, 21)
    path = digital_path(problem, times, accuracy=1e-5)
    few = first_tokens(problem, _CIRCUIT)
    on_circuit = circuit_path(few, times)
    spaces = {"E": dominant_eigenspace(problem.attraction), "F": value_space(problem)}
    panel, aligned = _alignment(problem, times, path, spaces, on_circuit)
    first = int(np.argmax(aligned["E"]))
    findings = (
        Finding("tokens concentrate at E, then cluster in F, alignment above 0.95", "E at t = 2.5, F at t = 10",
                f"E {aligned['E'][first]:.3f} at t = {times[first]:g}; F {aligned['F'][-1]:.3f} at t = 10", "",
                verdict(aligned["E"][first] > 0.95 and aligned["F"][-1] > 0.95)),
        circuit_finding(few, on_circuit),
        drawn_anew("2,000 tokens, seed not given, B \"adapted accordingly\"",
                   f"{_TOKENS} tokens, seed 0, B = (V⁻¹S)ᵀ with the S = VBᵀ of Figure 1"),
    )  # fmt: skip
    shots = [sphere(f"t = {t:g}", path[int(2 * t)], spaces) for t in (0, 2.5, 4, 10)]
    return Reproduction("attention-figure-2", "From a circle to its poles", f"{SOURCE}, Figure 2", (*shots, panel), findings)


def figure_3() -> Reproduction:
    """Two phases in three dimensions: E, then F, later for larger β, never at zero temperature."""
    problem = two_phases(200)
    times = np.linspace(0, 20, 81)
    path = digital_path(problem, times)
    few = first_tokens(problem, _CIRCUIT)
    on_circuit = circuit_path(few, times)
    magnitude = value_space(problem, by="magnitude")
    spaces = {"E": dominant_eigenspace(problem.attraction), "F": value_space(problem), "F_abs": magnitude}
    panel, aligned = _alignment(problem, times, path, spaces, on_circuit)
    betas = (3.0, 10.0, 30.0)
    handed = [_overtaken(two_phases(200, beta=beta), times, spaces) for beta in betas] + [_crossing(times, aligned)]
    betas = (*betas, 100.0)
    cold = problem.at_zero_temperature()
    stays = float(alignment_path(digital_path(cold, times[[0, -1]]), spaces["E"])[-1])
    early = float(aligned["E"][:17].max())
    findings = (
        Finding("tokens concentrate at E = e₁ first", "t in [0, 4)", f"alignment with E up to {early:.3f} before t = 4", "",
                verdict(early > 0.95)),
        Finding("then they align with F = e₂", "t in [9, 20)", f"alignment with F {aligned['F'][-1]:.3f} at t = 20", "",
                verdict(aligned["F"][-1] > 0.99)),
        Finding("a larger β delays the second phase", "after a time of order ln β",
                "F above E from t = " + ", ".join(f"{t:.1f}" for t in handed) + " for β = "
                + ", ".join(f"{b:g}" for b in betas), "", verdict(bool(np.all(np.diff(handed) >= 0)))),
        Finding("at β = ∞ there is no second phase", "tokens remain at E", f"alignment with E {stays:.3f} at t = 20", "",
                verdict(stays > 0.99)),
        circuit_finding(few, on_circuit),
        _in_place(few),
        drawn_anew("200 tokens, seed not given", "200 tokens, uniform, seed 0"),
    )  # fmt: skip
    windows = ((0, 16), (16, 36), (36, 81))
    poles = {name: spaces[name] for name in ("E", "F")}
    shots = [sphere(f"t from {times[a]:g} to {times[b - 1]:g}", path[a:b:2, :60], poles, label="paths") for a, b in windows]
    delay = Panel("when F overtakes E", "inverse temperature β", "time (τ)",
                  (Curve.of("200 tokens", betas, handed, "points"), Curve.of("ln β", betas, np.log(betas), "dotted")),
                  log_x=True)  # fmt: skip
    return Reproduction(
        "attention-figure-3", "Two phases of tokens on a sphere", f"{SOURCE}, Figure 3", (*shots, panel, delay), findings
    )


def _alignment(
    problem: Attention, times: Array, path: Array, spaces: dict[str, Eigenspace], on_circuit: Array
) -> tuple[Panel, dict[str, Array]]:
    """Panel of the alignments with the spaces, of the tokens and of the circuit's fewer, and those of the tokens."""
    aligned = {name: alignment_path(path, space) for name, space in spaces.items()}
    few, every = on_circuit.shape[1], max(1, len(times) // 20)
    curves = []
    for name, space in spaces.items():
        curves.append(Curve.of(f"{name}, {problem.count} tokens", times, aligned[name]))
        curves.append(
            Curve.of(f"{name}, circuit of {few}", times[::every], alignment_path(on_circuit, space)[::every], "points")
        )
    curves.append(Curve.of("t = ln β", [math.log(problem.beta)] * 2, [0, 1], "dotted"))
    return Panel("alignment", "time (τ)", "mean length of projection (radii)", tuple(curves)), aligned


def _in_place(problem: Attention) -> Finding:
    """Algorithm 1 as printed, in which a token sees those before it already moved, beside steps of all at once."""
    short = dataclasses.replace(problem, time=2.0)
    exact = by_runge_kutta(short, short.time)[0]
    off = [largest(attention_steps(short, 0.01, order=order).tokens - exact) for order in ("in place", "simultaneous")]
    return Finding(
        "Algorithm 1 is the Euler method of equation (1)", "the loop overwrites one token after another",
        f"errors at t = 2: {off[0]:.1g} in place, {off[1]:.1g} with all tokens at once", f"{off[0] - off[1]:.1g}",
        verdict(off[0] == off[1]),
    )  # fmt: skip


def _overtaken(problem: Attention, times: Array, spaces: dict[str, Eigenspace]) -> float:
    path = digital_path(problem, times)
    return _crossing(times, {name: alignment_path(path, spaces[name]) for name in ("E", "F")})


def _crossing(times: Array, aligned: dict[str, Array]) -> float:
    """First time after which tokens are nearer to F than to E for good; the last time if they never are."""
    behind = np.flatnonzero(aligned["F"] <= aligned["E"])
    return float(times[min(behind[-1] + 1, len(times) - 1)])
