"""Figures of the paper on tokens on a sphere in three dimensions: concentration at E, the move to F, and turning tokens.

A. Alcalde, L. Bungert, K. Riedl and T. Roith, Quantifying Concentration Phenomena of Mean-Field Transformers in the
Low-Temperature Regime, arXiv:2605.10931 (2026). Its seeds are not published: claims are checked on our own draws. Paths are
computed by the circuit and by digital integrations beside it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from analogflow.compiler import compile
from analogflow.digital import attention_steps
from analogflow.digital.attention import attention_rate
from analogflow.flows import attention
from analogflow.papers.result import Curve, Line, Panel, Reproduction, largest
from analogflow.problems import Attention
from analogflow.problems.attention import circle, circle_then_pole, rotating, skewed, two_phases
from analogflow.reference.attention import by_runge_kutta
from analogflow.reference.attention_theory import (
    Eigenspace,
    concentration_bound,
    dominant_eigenspace,
    limit_tokens,
    measure_spread,
    value_space,
    wasserstein,
)
from analogflow.simulators import ensemble

__all__ = [
    "SOURCE",
    "alignment_path",
    "band",
    "circuit_line",
    "circuit_path",
    "digital_path",
    "distance_path",
    "drawn_anew",
    "figure_1",
    "figure_2",
    "figure_3",
    "figure_5",
    "first_tokens",
    "named",
    "overtaken",
    "sphere",
]

Array = NDArray[np.float64]

_TOKENS = 2000
_CIRCUIT, _BOTH_PHASES = 40, 100
"""Tokens of a circuit, and of that of Figure 2: with fewer the phase at E does not stand out."""

_PAIRED = 500
"""Tokens whose distance is computed: the best pairing of 2,000 takes seconds an instant."""

_TURNING, _TURNING_CIRCUIT = 60, 10

SOURCE = "arXiv:2605.10931"
"""The paper, by its number."""

_CAMERA = np.array([0.6, -0.55, 0.58])

_RIGHT = np.cross([0.0, 0.0, 1.0], _CAMERA) / np.linalg.norm(np.cross([0.0, 0.0, 1.0], _CAMERA))

_UP = np.cross(_CAMERA, _RIGHT) / np.linalg.norm(_CAMERA)


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
    printed = right * measure_spread(cold.tokens, space, 0.5) / math.sqrt(2 * measure_spread(cold.tokens, space, 0.5))
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
    return measure_spread(tokens, space, 1.0), wasserstein(tokens, limit_tokens(tokens, space))


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
        _eigenvalues("V₁", turning.values, "±i, −2", [1j, -1j, -2]),
        _eigenvalues("V₂B₂ᵀ", two.attraction, "1 ± √2, −2", [1 + root, 1 - root, -2]),
        _eigenvalues("V₂", two.values, "±1, −2", [1, -1, -2]),
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


def first_tokens(problem: Attention, count: int, time: float | None = None) -> Attention:
    """Same problem with the first `count` tokens alone, to `time` or its own."""
    return dataclasses.replace(problem, tokens=problem.tokens[:count], time=problem.time if time is None else time)


def digital_path(problem: Attention, times: Array, *, accuracy: float = 1e-6, single: bool = False) -> Array:
    """Tokens at `times`, shape (times, n, d), by an embedded Runge-Kutta pair on the sphere.

    With `single`, attention weights are computed in single precision, which is six times as fast at 500 tokens and moves
    alignments by less than a hundredth: the paper's sizes need it.
    """
    shape = problem.tokens.shape
    moved = _single_rate(problem) if single and math.isfinite(problem.beta) else lambda x: attention_rate(problem, x, x)

    def rate(_: float, y: Array) -> Array:
        x = y.reshape(shape)
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        return moved(x).ravel()

    start = problem.tokens.ravel()
    run = solve_ivp(rate, (0, float(times[-1])), start, "RK45", times, rtol=accuracy, atol=1e-2 * accuracy)
    path = np.asarray(run.y.T).reshape(len(times), *shape)
    return path / np.linalg.norm(path, axis=-1, keepdims=True)


def _single_rate(problem: Attention) -> Callable[[Array], Array]:
    """P_x V m of all tokens, with weights in single precision and one buffer for them."""
    query, value = np.float32(problem.beta) * problem.scores.astype(np.float32), problem.values.T.astype(np.float32)
    weights = np.empty((problem.count, problem.count), np.float32)

    def rate(x: Array) -> Array:
        # Subnormal numbers cost sixty times as much: what is below 1e-13 of the largest weight, or of the radius, is cut.
        seen = np.where(abs(x) < 1e-13, 0.0, x).astype(np.float32)
        np.matmul(seen @ query, seen.T, out=weights)
        np.subtract(weights, weights.max(axis=1, keepdims=True), out=weights)
        np.exp(np.maximum(weights, -30, out=weights), out=weights)
        drive = ((weights @ seen) / weights.sum(axis=1, keepdims=True) @ value).astype(float)
        return drive - (x * drive).sum(axis=1, keepdims=True) * x

    return rate


def circuit_path(problem: Attention, times: Array, *, accuracy: float = 1e-9) -> Array:
    """Tokens at `times`, shape (times, n, d): the compiled circuit in the block engine."""
    circuit = compile(attention(problem))
    run = ensemble(circuit, 1, time_constants=float(times[-1]), save=times, step_accuracy=accuracy)
    return np.asarray(run.values["x"][0]).reshape(len(times), *problem.tokens.shape)


def circuit_line(problem: Attention, path: Array, name: str = "") -> Line:
    """Whether the circuit's last tokens are those of an integration at 1e-12 that shares nothing with it."""
    off = largest(path[-1] - by_runge_kutta(problem, problem.time)[0])
    case = f"{name}{problem.count} tokens, {named(problem.beta)}, to t = {problem.time:g}"
    return Line(f"circuit of {case}, against an independent integration", 0.0, off, 1e-6, says="our check")


def drawn_anew(paper: str, here: str) -> Line:
    """What the paper leaves out, so that its very curves can not be drawn."""
    return Line.unjudged("the very curves of the figure", paper, f"drawn here: {here}")


def named(beta: float) -> str:
    """β as it is shown."""
    return f"β = {beta:g}" if math.isfinite(beta) else "β = ∞"


def alignment_path(path: Array, space: Eigenspace) -> Array:
    """Mean length of the projections onto `space` at every time, shape (times,)."""
    return np.linalg.norm(space.project(path), axis=-1).mean(axis=-1)


def overtaken(times: Array, aligned: dict[str, Array]) -> float:
    """First time from which F is above E for good; infinite if that is not before the end."""
    behind = np.flatnonzero(aligned["F"] <= aligned["E"])
    first = behind[-1] + 1 if len(behind) else 0
    return float(times[first]) if first < len(times) else math.inf


def distance_path(problem: Attention, path: Array, space: Eigenspace) -> Array:
    """W₂ from Π♯ρ₀ at every time, shape (times,)."""
    limit = limit_tokens(problem.tokens, space)
    return np.array([wasserstein(tokens, limit) for tokens in path])


def band(label: str, times: Array, runs: Array, style: str = "line") -> tuple[Curve, ...]:
    """Mean over runs, shape (runs, times), and faint lines at the quantiles 0.1 and 0.9, as the paper shades them.

    A dashed mean lets one below it be seen where the two coincide.
    """
    low, high = np.quantile(runs, [0.1, 0.9], axis=0)
    return (
        Curve.of(label, times, runs.mean(axis=0), style),
        Curve.of(f"{label}, quantile 0.1", times, low, "faint"),
        Curve.of(f"{label}, quantile 0.9", times, high, "faint"),
    )


def sphere(title: str, points: Array, spaces: dict[str, Eigenspace], *, label: str = "tokens") -> Panel:
    """Parallel projection of points on the sphere, shape (..., 3), with the unit vectors of named eigenspaces."""
    points = points.reshape(-1, 3)
    near = points @ _CAMERA >= 0
    angle = np.linspace(0, 2 * np.pi, 181)
    curves = [
        _seen(f"{label}, near side", points[near], "dots"),
        _seen(f"{label}, far side", points[~near], "haze"),
        Curve.of("sphere", np.cos(angle), np.sin(angle), "dotted"),
    ]
    for name, space in spaces.items():
        if space.dimension == 2:
            circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ space.basis.T
            curves.append(_seen(name, circle, "line"))
        elif space.dimension == 1:
            curves.append(_seen(name, np.array([space.basis[:, 0], -space.basis[:, 0]]), "points"))
    return Panel(title, "across (radii)", "up (radii)", tuple(curves), equal=True)


def _seen(label: str, points: ArrayLike, style: str) -> Curve:
    points = np.asarray(points, dtype=float)
    return Curve.of(label, points @ _RIGHT, points @ _UP, style)
