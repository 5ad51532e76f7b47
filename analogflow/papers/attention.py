"""Figures of the paper on tokens on a sphere in three dimensions: concentration at E, the move to F, and turning tokens.

A. Alcalde, L. Bungert, K. Riedl and T. Roith, Quantifying Concentration Phenomena of Mean-Field Transformers in the
Low-Temperature Regime, arXiv:2605.10931 (2026). Its seeds are not published: claims are checked on our own draws.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from analogflow.digital import attention_steps
from analogflow.papers.attention_paths import (
    SOURCE,
    alignment_path,
    circuit_line,
    circuit_path,
    digital_path,
    distance_path,
    drawn_anew,
    first_tokens,
    overtaken,
    sphere,
)
from analogflow.papers.result import Curve, Line, Panel, Reproduction, largest
from analogflow.problems import Attention
from analogflow.problems.attention import circle, circle_then_pole, rotating, skewed, two_phases
from analogflow.reference.attention_theory import (
    Eigenspace,
    concentration_bound,
    dominant_eigenspace,
    limit_tokens,
    spread,
    value_space,
    wasserstein,
)

__all__ = ["figure_1", "figure_2", "figure_3", "figure_5"]

Array = NDArray[np.float64]

_TOKENS = 2000
_CIRCUIT, _BOTH_PHASES = 40, 100
"""Tokens of a circuit, and of that of Figure 2: with fewer the phase at E does not stand out."""

_PAIRED = 500
"""Tokens whose distance is computed: the best pairing of 2,000 takes seconds an instant."""


def figure_1(count: int = _TOKENS) -> Reproduction:
    """Concentration at a circle, V = I; the bound of Corollary 2 as printed and corrected."""
    problem = circle(count)
    times = np.linspace(0, 5, 21)
    path = digital_path(problem, times, accuracy=1e-5, single=True)
    space = dominant_eigenspace(problem.attraction)
    aligned = alignment_path(path, space)
    few = first_tokens(problem, _CIRCUIT)
    on_circuit = circuit_path(few, times)
    paired = first_tokens(problem, _PAIRED)
    cold = paired.at_zero_temperature()
    apart = distance_path(cold, digital_path(cold, times), space)
    right = np.array([concentration_bound(cold, float(t), p=0.5) for t in times])
    printed = right * spread(cold.tokens, space, 0.5) / math.sqrt(2 * spread(cold.tokens, space, 0.5))
    near, apart_near = _close_to(space)
    lines = (
        Line("smallest alignment with the circle E at t = 2.5 and 5", 0.95, float(aligned[[10, 20]].min()), relation="≥",
             says="concentration at E, Figure 1: 0.95 at least", shown=f"{aligned[0]:.3f} at t = 0"),
        circuit_line(few, on_circuit),
        Line("W₂ at t = 0 of tokens 0.1 rad from E, p = 1", near, apart_near, 1e-9, "≤", says="V_p(ρ₀)",
             corrected=math.sqrt(2 * near), corrected_relation="≤", row="Theorem 1, Corollary 2"),
        Line("W₂ less √(2V_p) exp(−pγt/σ_max(B)) at β = ∞, p = ½, the largest", 0.0, float((apart - right).max()), 1e-9, "≤",
             says="our check of the corrected bound"),
        Line.unjudged("term 2 √(ln(β + 1)/β) (exp(C₁t) − exp(C₀t)) of Theorem 1", "constants that depend on the problem",
                      "no values of C₀ and C₁ are given, so that the bound has none"),
        drawn_anew("2,000 tokens, seed and axis of R not given",
                   f"{count} tokens of the stated mixture, seed 0, R about the first axis"),
    )  # fmt: skip
    shots = [sphere(f"t = {times[k]:g}", path[k], {"E": space}) for k in (0, 10, 20)]
    distances = (
        Curve.of("β = 30", times, distance_path(paired, path[:, :_PAIRED], space)),
        Curve.of("β = ∞", times, apart),
        Curve.of("√(2V_p) bound, corrected", times, right, "dotted"),
        Curve.of("V_p bound, printed", times, printed, "dashed"),
    )
    panels = (*shots, Panel(f"distance from Π♯ρ₀ of {paired.count} tokens, p = ½", "time (τ)", "W₂ (radii)", distances,
                            log_y=True))  # fmt: skip
    return Reproduction("attention-figure-1", "Concentration at a circle", f"{SOURCE}, Figure 1", panels, lines)


def _close_to(space: Eigenspace) -> tuple[float, float]:
    """V_1 and W₂ to the projection of tokens that are all 0.1 rad from a plane."""
    angle = np.arange(12) * 2 * np.pi / 12
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ space.basis.T
    normal = np.cross(space.basis[:, 0], space.basis[:, 1])
    tokens = math.cos(0.1) * around + math.sin(0.1) * normal
    return spread(tokens, space, 1.0), wasserstein(tokens, limit_tokens(tokens, space))


def figure_2(count: int = _TOKENS) -> Reproduction:
    """Concentration at a circle, then at two poles."""
    problem = circle_then_pole(count)
    times = np.linspace(0, 10, 41)
    path = digital_path(problem, times, accuracy=1e-5, single=True)
    few = first_tokens(problem, _BOTH_PHASES)
    on_circuit = circuit_path(few, times)
    spaces = {"E": dominant_eigenspace(problem.attraction), "F": value_space(problem)}
    panel, aligned = _alignment(problem, times, path, spaces, on_circuit)
    first = int(np.argmax(aligned["E"]))
    seen = alignment_path(on_circuit, spaces["E"]), alignment_path(on_circuit, spaces["F"])
    lines = (
        Line("largest alignment with E", 0.95, float(aligned["E"][first]), relation="≥",
             says="initial concentration at E, Figure 2: 0.95 at least", shown=f"at t = {times[first]:g}"),
        Line("alignment with F less that with E at t = 10", 0.0, float(aligned["F"][-1] - aligned["E"][-1]), relation="≥",
             says="terminal clustering in F, Figure 2", shown=f"{aligned['F'][-1]:.3f} with F"),
        circuit_line(few, on_circuit),
        Line(f"circuit of {few.count} tokens: rise of the alignment with E to its highest", 0.1,
             float(seen[0].max() - seen[0][0]), relation="≥", says="the first phase, a tenth at least",
             shown=f"{seen[0].max():.3f} at t = {times[seen[0].argmax()]:g}"),
        Line(f"circuit of {few.count} tokens: alignment with F less that with E at t = 10", 0.0,
             float(seen[1][-1] - seen[0][-1]), relation="≥", says="the second phase"),
        drawn_anew("2,000 tokens, seed not given, B \"adapted accordingly\"",
                   f"{count} tokens, seed 0, B = (V⁻¹S)ᵀ with the S = VBᵀ of Figure 1"),
    )  # fmt: skip
    shots = [sphere(f"t = {t:g}", path[int(4 * t)], spaces) for t in (0, 2.5, 4, 10)]
    return Reproduction("attention-figure-2", "From a circle to its poles", f"{SOURCE}, Figure 2", (*shots, panel), lines)


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
    others = [digital_path(two_phases(200, beta=beta), times) for beta in betas]
    every = [*({name: alignment_path(other, spaces[name]) for name in ("E", "F")} for other in others), aligned]
    handed = [min(overtaken(times, one), float(times[-1])) for one in every]
    betas = (*betas, 100.0)
    cold = problem.at_zero_temperature()
    stays = float(alignment_path(digital_path(cold, times[[0, -1]]), spaces["E"])[-1])
    early = float(aligned["E"][:17].max())
    lines = (
        Line("largest alignment with E = e₁ before t = 4", 0.95, early, relation="≥",
             says="concentration on e₁ first, Figure 3: 0.95 at least"),
        Line("alignment with F = e₂ at t = 20", 0.99, float(aligned["F"][-1]), relation="≥",
             says="then with e₂, Figure 3: 0.99 at least"),
        Line("smallest growth of the time at which F overtakes E, from β to the next larger", 0.0,
             float(np.diff(handed).min()), relation="≥", says="after a time of order ln β, section 5",
             shown=", ".join(f"{t:g}" for t in handed) + " for β = " + ", ".join(f"{b:g}" for b in betas)),
        Line("β = ∞: alignment with E at t = 20", 0.99, stays, relation="≥", says="no second phase, Corollary 2"),
        circuit_line(few, on_circuit),
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
        "attention-figure-3", "Two phases of tokens on a sphere", f"{SOURCE}, Figure 3", (*shots, panel, delay), lines
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


def _in_place(problem: Attention) -> Line:
    """Algorithm 1 as printed, in which a token sees those before it already moved, with tokens listed in two orders."""
    short = dataclasses.replace(problem, time=2.0)
    turned = dataclasses.replace(short, tokens=short.tokens[::-1])
    ends = [attention_steps(one, 0.01, order="in place").tokens for one in (short, turned)]
    return Line("largest change of a token at t = 2 by listing them backwards, Algorithm 1 as printed", 0.0,
                largest(ends[0] - ends[1][::-1]), 1e-9, says="none: discretises equation (1)", corrected=1e-4,
                corrected_relation="≥", row="Algorithm 1")  # fmt: skip


_TURNING, _TURNING_CIRCUIT = 60, 10


def figure_5() -> Reproduction:
    """Complex eigenvalues turn the tokens, real ones lead them to E and then to F."""
    times = np.linspace(0, 20, 201)
    turning, two = rotating(_TURNING), skewed(_TURNING)
    around, straight = digital_path(turning, times), digital_path(two, times)
    E, F = dominant_eigenspace(two.attraction), value_space(two)
    plane = dominant_eigenspace(turning.attraction)
    late = times >= 9
    turns = _turns(around[late] @ plane.basis)
    at_E, at_F = alignment_path(straight, E), alignment_path(straight, F)
    root = float(np.sqrt(2))
    first = int(np.argmax(at_E[times < 6]))
    lines = (
        _eigenvalues("V₁B₁ᵀ", turning.attraction, "±i, −2", [1j, -1j, -2]),
        _eigenvalues("V₁", turning.V, "±i, −2", [1j, -1j, -2]),
        _eigenvalues("V₂B₂ᵀ", two.attraction, "1 ± √2, −2", [1 + root, 1 - root, -2]),
        _eigenvalues("V₂", two.V, "±1, −2", [1, -1, -2]),
        Line("V₁, B₁: turns of the median token in the plane of ±i from t = 9 to 20", 0.5, float(np.median(turns)),
             relation="≥", says="trajectories rotate, C.2: half a turn at least"),
        Line("V₂, B₂: largest alignment with E before t = 6", 0.85, float(at_E[first]), relation="≥",
             says="initial alignment with E, Figure 5", shown=f"at t = {times[first]:.1f}"),
        Line("V₂, B₂: alignment with F at t = 20", 0.95, float(at_F[-1]), relation="≥",
             says="then with F, Figure 5"),
        _on_circuit("V₁, B₁: ", turning), _on_circuit("V₂, B₂: ", two),
        drawn_anew("number of tokens, β and seed not given", f"{_TURNING} uniform tokens, β = 100, seed 0"),
    )  # fmt: skip
    panels: list[Panel] = []
    for name, path, windows, spaces in (
        ("V₁, B₁", around, ((0, 4), (4, 9), (9, 20)), {"plane of ±i": plane}),
        ("V₂, B₂", straight, ((0, 1.5), (1.5, 6), (6, 20)), {"E": E, "F": F}),
    ):
        for a, b in windows:
            chosen = path[(times >= a) & (times < b)]
            panels.append(sphere(f"{name}, t from {a:g} to {b:g}", chosen[:: max(1, len(chosen) // 20), :50], spaces,
                                 label="paths"))  # fmt: skip
    return Reproduction(
        "attention-figure-5", "Tokens where VBᵀ is not symmetric", f"{SOURCE}, Figure 5", tuple(panels), lines
    )


def _turns(plane: Array) -> Array:
    """Net turns of every token in a plane, from coordinates of shape (times, n, 2)."""
    angle = np.unwrap(np.arctan2(plane[..., 1], plane[..., 0]), axis=0)
    return abs(angle[-1] - angle[0]) / (2 * np.pi)


def _eigenvalues(name: str, matrix: Array, printed: str, values: list[complex]) -> Line:
    """Real parts, then imaginary parts, in one order."""
    found, paper = (
        np.sort_complex(np.round(np.asarray(some, dtype=complex), 12)).astype(np.complex128)
        for some in (np.linalg.eigvals(matrix), values)
    )
    return Line(f"eigenvalues of {name}: real parts, then imaginary ones", np.concatenate([paper.real, paper.imag]),
                np.concatenate([found.real, found.imag]) + 0.0, 1e-9, says=f"{printed}, C.2")  # fmt: skip


def _on_circuit(name: str, problem: Attention) -> Line:
    few = first_tokens(problem, _TURNING_CIRCUIT, 4.0)
    return circuit_line(few, circuit_path(few, np.linspace(0, few.time, 3)), name)
