"""Figures 4 and 6 to 10 of the paper on tokens on a sphere: over many draws of the tokens and of the matrices.

Figures 6 to 9 have V = ±B with B definite, where an energy rises or falls; 4 and 10 diagonal matrices in ten dimensions.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analogflow.papers.attention import (
    SOURCE,
    alignment_path,
    band,
    circuit_line,
    circuit_path,
    digital_path,
    distance_path,
    drawn_anew,
    first_tokens,
    named,
    overtaken,
)
from analogflow.papers.result import Curve, Line, Panel, Reproduction
from analogflow.problems import Attention
from analogflow.problems.attention import gradient, random_diagonal, uniform_tokens
from analogflow.reference.attention_theory import Eigenspace, dominant_eigenspace, log_energy, value_space

__all__ = ["figure_4", "figure_6", "figure_7", "figure_8", "figure_9", "figure_10"]

Array = NDArray[np.float64]

_TOKENS, _RUNS, _CIRCUIT, _TIME = 100, 10, 12, 15.0
_TIMES = np.linspace(0, _TIME, 31)
_BETAS = (1.0, 100.0, math.inf)


@dataclasses.dataclass(frozen=True, eq=False)
class _Runs:
    """What is read off all runs at one temperature, each array of shape (runs, times).

    Parameters
    ----------
    E, F, apart : array
        Alignments and W₂.
    printed, corrected : array
        Logarithms of the energies without and with β in the exponent; at β = ∞ the second is nothing.
    best : array, shape (runs, 1)
        Logarithm of the best energy as printed; nothing where the paper knows none.
    """

    E: Array
    F: Array
    apart: Array
    printed: Array
    corrected: Array
    best: Array

    def ratio(self, sign: int) -> Array:
        """Energy over the best, or 1 less the best over the energy, as printed."""
        return np.exp(self.printed - self.best) if sign > 0 else 1 - np.exp(self.best - self.printed)


def _problem(seed: int, sign: int, definite: int, beta: float, tokens: int = _TOKENS) -> Attention:
    """B with the eigenvalues of ±AᵀA, A normal, over the largest; its axes are free, for uniform tokens have none."""
    A = np.random.default_rng([seed, 2]).standard_normal((3, 3))
    values = np.linalg.eigvalsh(A.T @ A)
    return gradient(definite * values / values[-1], sign, count=tokens, beta=beta, time=_TIME, seed=seed)


def _best(problem: Attention, sign: int, definite: int) -> float:
    """Logarithm of the best printed energy: one Dirac, or where B is negative and energy rises two opposite ones."""
    values = np.linalg.eigvalsh(problem.scores)
    if sign > 0:
        return float(values[-1]) if definite > 0 else math.log(math.cosh(values[0]))
    return float(values[0]) if definite < 0 else math.nan


def _runs(sign: int, definite: int, beta: float, tokens: int, count: int) -> _Runs:
    rows: list[tuple[Array, ...]] = []
    for seed in range(count):
        problem = _problem(seed, sign, definite, beta, tokens)
        path = digital_path(problem, _TIMES)
        space = dominant_eigenspace(problem.attraction)
        plain = dataclasses.replace(problem, beta=1.0)
        printed = np.array([log_energy(plain, tokens) for tokens in path])
        right = (
            np.array([log_energy(problem, tokens) for tokens in path]) if math.isfinite(beta) else np.full(len(path), np.nan)
        )
        aligned = alignment_path(path, space), alignment_path(path, value_space(problem))
        best = np.array([_best(problem, sign, definite)])
        rows.append((*aligned, distance_path(problem, path, space), printed, right, best))
    return _Runs(*(np.array(column) for column in zip(*rows, strict=True)))


def _figure(
    number: int, sign: int, definite: int, tokens: int, count: int
) -> tuple[list[Panel], list[Line], dict[float, _Runs]]:
    """Panels and findings that the four figures share."""
    panels, lines, runs = [], [], {beta: _runs(sign, definite, beta, tokens, count) for beta in _BETAS}
    energy = "energy over best" if sign > 0 else "1 − best over energy"
    for beta, found in runs.items():
        curves = [*band("E", _TIMES, found.E), *band("F", _TIMES, found.F, "dashed"), *band("W₂", _TIMES, found.apart)]
        if np.isfinite(found.best).all():
            curves += band(energy, _TIMES, found.ratio(sign))
        panels.append(Panel(named(beta), "time (τ)", "alignment, W₂, energy (no unit)", tuple(curves)))
        few = first_tokens(_problem(0, sign, definite, beta), _CIRCUIT, 4.0)
        lines.append(circuit_line(few, circuit_path(few, np.array([0.0, few.time]))))
    way = "raise" if sign > 0 else "lower"
    printed, corrected = (_broken(getattr(runs[100.0], name), sign) for name in ("printed", "corrected"))
    lines += [
        Line(f"runs of {count} in which ∬ exp⟨x, By⟩ does not always {way}, β = 100", 0.0, printed,
             says=f"none: the dynamics {way} it, C.3", corrected=1.0, corrected_relation="≥", row="C.3"),
        Line(f"runs of {count} in which ∬ exp(β⟨x, By⟩) does not always {way}, β = 100", 0.0, corrected,
             says="our check of the corrected energy"),
        drawn_anew(f"{count} runs of 100 tokens; dimension, law of B and seeds are not given",
                   f"{count} runs of {tokens} tokens in 3-D, B = ±AᵀA/‖AᵀA‖ with A normal, seeds 0 to {count - 1}"),
    ]  # fmt: skip
    return panels, lines, runs


def _broken(levels: Array, sign: int) -> float:
    """Runs in which a level moves the wrong way by more than the integration's error."""
    return float((sign * np.diff(levels, axis=1) < -1e-6).any(axis=1).sum())


def _end(values: Array) -> float:
    return float(values[:, -1].mean())


def _written(number: int, title: str, panels: list[Panel], lines: list[Line]) -> Reproduction:
    return Reproduction(f"attention-figure-{number}", title, f"{SOURCE}, Figure {number}", tuple(panels), tuple(lines))


def figure_6(tokens: int = _TOKENS, runs: int = _RUNS) -> Reproduction:
    """V = B positive definite."""
    panels, lines, found = _figure(6, 1, 1, tokens, runs)
    warm, cold = found[1.0], found[100.0]
    lines += [
        Line.unjudged("β = 1 ends at a single Dirac", "converges to the best energy, C.3",
                      f"{_NO_SCALE}; here the energy is {_end(warm.ratio(1)):.2f} of the best on the mean of the runs"),
        Line("W₂ to Π♯ρ₀ at the end: β = 1 less β = 100", 0.0, _end(warm.apart) - _end(cold.apart), relation="≥",
             says="large for small β, smaller for larger ones"),
        Line("energy over the best at the end: β = 100 less β = 1", 0.0, _end(cold.ratio(1)) - _end(warm.ratio(1)),
             relation="≤", says="suboptimal for larger β"),
    ]  # fmt: skip
    return _written(6, "V = B, positive definite", panels, lines)


def figure_7(tokens: int = _TOKENS, runs: int = _RUNS) -> Reproduction:
    """V = B negative definite."""
    panels, lines, found = _figure(7, 1, -1, tokens, runs)
    warm, cold = found[1.0], found[100.0]
    lines += [
        Line.unjudged("β = 1: W₂ to Π♯ρ₀ vanishes", "convergence even for small β, C.3",
                      f"{_NO_SCALE}; here it falls from {float(warm.apart[:, 0].mean()):.2f} to {_end(warm.apart):.2f}"),
        Line("β = 100: energy over the best at the end", 1.0, _end(cold.ratio(1)), 0.05,
             says="the best for large β, C.3"),
    ]  # fmt: skip
    return _written(7, "V = B, negative definite", panels, lines)


def figure_8(tokens: int = _TOKENS, runs: int = _RUNS) -> Reproduction:
    """V = −B, B negative definite."""
    panels, lines, found = _figure(8, -1, -1, tokens, runs)
    warm, cold, frozen = found[1.0], found[100.0], found[math.inf]
    moved = frozen.ratio(-1).mean(axis=0)
    lines += [
        _CONTRADICTION,
        Line(f"β = 1: 1 − best over energy at t = {_TIME:g}", 0.0, _end(warm.ratio(-1)), 0.05,
             says="energetically optimal for small β, C.3"),
        Line("β = 1: alignment with F at the end", 0.9, _end(warm.F), relation="≥", says="aligned with F: 0.9 at least"),
        Line("β = 100: fall of the alignment with E from its highest to the end", 0.1,
             float(cold.E.mean(0).max()) - _end(cold.E), relation="≥", says="first E, then F: a tenth at least"),
        Line("β = 100: rise of the alignment with F from its lowest to the end", 0.1,
             _end(cold.F) - float(cold.F.mean(0).min()), relation="≥", says="first E, then F: a tenth at least"),
        Line("β = ∞: alignment with E at the end", 0.9, _end(frozen.E), relation="≥", says="E only: 0.9 at least"),
        Line("β = ∞: range of 1 − best over energy, mean of the runs", 0.0, float(np.ptp(moved)), 0.1,
             says="stays constant, on an axis from 0 to 1"),
    ]  # fmt: skip
    return _written(8, "V = −B, negative definite", panels, lines)


def figure_9(tokens: int = _TOKENS, runs: int = _RUNS) -> Reproduction:
    """V = −B, B positive definite."""
    panels, lines, found = _figure(9, -1, 1, tokens, runs)
    warm, cold = found[1.0], found[100.0]
    lines += [
        _CONTRADICTION,
        Line("alignment with E at the end: β = 100 less β = 1", 0.0, _end(cold.E) - _end(warm.E), relation="≥",
             says="only for larger β, C.3"),
        Line("W₂ to Π♯ρ₀ at the end: β = 100 less β = 1", 0.0, _end(cold.apart) - _end(warm.apart), relation="≤",
             says="only for larger β, C.3"),
    ]  # fmt: skip
    return _written(9, "V = −B, positive definite", panels, lines)


_NO_SCALE = "the law of B is not given, so that β has no scale"
_CONTRADICTION = Line.unjudged("which of Figures 8 and 9 shows B negative definite", "text: 9, captions: 8",
                               "text and captions contradict each other; taken as captioned")  # fmt: skip


_DIAGONAL_TOKENS, _DIAGONAL_RUNS, _DIAGONAL_CIRCUIT, _PAIRS = 500, 20, 10, 10
"""The paper's tokens and runs; with fewer tokens a larger β need not delay the second phase (80: it comes earlier)."""

_FIRST = 1
"""Seed of the matrices of Figure 4: of seeds from 0 the first whose spaces E, F and F_abs all differ."""


def _spaces(problem: Attention) -> dict[str, Eigenspace]:
    return {
        "E": dominant_eigenspace(problem.attraction),
        "F": value_space(problem),
        "F_abs": value_space(problem, by="magnitude"),
    }


def _same(one: Eigenspace, other: Eigenspace) -> bool:
    return bool(abs(one.basis.T @ other.basis).max() > 0.5)


def figure_4(
    tokens: int = _DIAGONAL_TOKENS, runs: int = _DIAGONAL_RUNS, *, on_progress: Callable[[float], None] | None = None
) -> Reproduction:
    """Alignment with E and F and the distance from Π♯ρ₀, over several draws of tokens, at three temperatures."""
    times = np.linspace(0, 15, 31)
    panels, lines = [], []
    mean: dict[float, dict[str, Array]] = {}
    for beta in (10.0, 1000.0, math.inf):
        problem = random_diagonal(tokens, beta=beta, seed=_FIRST)
        spaces = _spaces(problem)
        draws = [dataclasses.replace(problem, tokens=uniform_tokens(tokens, 10, seed=seed)) for seed in range(runs)]
        paths = []
        for draw in draws:
            paths.append(digital_path(draw, times, accuracy=1e-4, single=True))
            if on_progress is not None:
                on_progress((len(panels) + len(paths) / runs) / 4)
        aligned = {name: np.array([alignment_path(path, spaces[name]) for path in paths]) for name in ("E", "F")}
        mean[beta] = {name: values.mean(axis=0) for name, values in aligned.items()}
        apart = np.array([distance_path(d, path[::3], spaces["E"]) for d, path in zip(draws, paths, strict=True)])
        curves = [*band("E", times, aligned["E"]), *band("F", times, aligned["F"], "dashed"),
                  *band("W₂", times[::3], apart)]  # fmt: skip
        if math.isfinite(beta):
            curves.append(Curve.of("t = ln β", [math.log(beta)] * 2, [0, 1], "dotted"))
        panels.append(Panel(named(beta), "time (τ)", "alignment, W₂ (no unit)", tuple(curves)))
        few = first_tokens(problem, _DIAGONAL_CIRCUIT)
        lines.append(circuit_line(few, circuit_path(few, times[[0, -1]])))
    warm, cold, frozen = mean.values()
    passed = [overtaken(times, found) for found in mean.values()]
    ends = [_ends(random_diagonal(tokens, beta=10.0, seed=seed)) for seed in range(_PAIRS)]
    lines += [
        Line("β = 10: rise of the alignment with E to its highest, mean of the runs", 0.1,
             float(warm["E"].max() - warm["E"][0]), relation="≥",
             says="transient growth, section 5: a tenth at least", shown=f"at t = {times[warm['E'].argmax()]:g}"),
        Line("β = 10: alignment with F less that with E at t = 15", 0.0, float(warm["F"][-1] - warm["E"][-1]), relation="≥",
             says="aligns instead with F after a time of order ln β"),
        Line("time from which tokens are nearer to F than to E: β = 1000, or the end, less β = 10", 0.0,
             min(passed[1], float(times[-1])) - passed[0], relation="≥", says="increasing β delays this transition",
             shown=f"{_said(passed[0])} for β = 10, {_said(passed[1])} for β = 1000"),
        Line("β = 1000: alignment with E less that with F at t = ln β", 0.0,
             float(np.interp(math.log(1000), times, cold["E"] - cold["F"])), relation="≥", says="metastable until then"),
        Line("β = ∞: alignment with E at t = 15", 0.99, float(frozen["E"][-1]), relation="≥",
             says="remains aligned with E, Corollary 2"),
        Line(f"pairs of matrices whose tokens are within 0.1 of F at t = 15, β = 10, of {_PAIRS}", float(_PAIRS),
             float(sum(end["F"] > 0.9 for end in ends)), says="aligns with F after a time of order ln β: all",
             corrected=_PAIRS - 1.0, corrected_relation="≤", row="Figure 4, C.4"),
        drawn_anew(f"{_DIAGONAL_RUNS} runs of {_DIAGONAL_TOKENS} tokens; the matrices and seeds are not given",
                   f"{runs} runs of {tokens} tokens; matrices of seed {_FIRST}"),
    ]  # fmt: skip
    seeds = np.arange(_PAIRS)
    panels.append(
        Panel("ten pairs of matrices, β = 10, t = 15", "seed of the pair", "alignment (no unit)",
              tuple(Curve.of(name, seeds, [end[name] for end in ends], style)
                    for name, style in (("E", "points"), ("F", "points"), ("F_abs", "crosses"))))
    )  # fmt: skip
    return Reproduction(
        "attention-figure-4", "Random diagonal matrices, ten dimensions", f"{SOURCE}, Figure 4", tuple(panels),
        tuple(lines),
    )  # fmt: skip


def _said(time: float) -> str:
    return f"t = {time:g}" if math.isfinite(time) else "not before the end"


def _ends(problem: Attention) -> dict[str, float]:
    """Alignment with E, F and F_abs at the problem's time."""
    path = digital_path(problem, np.array([0.0, problem.time]), accuracy=1e-4, single=True)
    return {name: float(alignment_path(path, space)[-1]) for name, space in _spaces(problem).items()}


def figure_10(tokens: int = _DIAGONAL_TOKENS) -> Reproduction:
    """Three kinds of pairs: E, F and F_abs all different, F = F_abs, E = F_abs; at two temperatures."""
    kinds = {
        "E, F, F_abs differ": lambda s: not any(_same(s[a], s[b]) for a, b in itertools.combinations(s, 2)),
        "F = F_abs": lambda s: _same(s["F"], s["F_abs"]) and not _same(s["E"], s["F"]),
        "E = F_abs": lambda s: _same(s["E"], s["F_abs"]) and not _same(s["E"], s["F"]),
    }  # fmt: skip
    times = np.linspace(0, 40, 81)
    panels, lines = [], []
    for letters, beta in (("abc", 10.0), ("def", 1000.0)):
        for letter, (kind, fits) in zip(letters, kinds.items(), strict=True):
            seed = next(s for s in itertools.count() if fits(_spaces(random_diagonal(1, seed=s))))
            problem = random_diagonal(tokens, beta=beta, time=40.0, seed=seed)
            spaces = _spaces(problem)
            path = digital_path(problem, times, accuracy=1e-4, single=True)
            aligned = {name: alignment_path(path, space) for name, space in spaces.items()}
            styles = {"E": "line", "F": "line", "F_abs": "dashed"}
            curves = [Curve.of(name, times, values, styles[name]) for name, values in aligned.items()]
            curves.append(Curve.of("t = ln β", [math.log(beta)] * 2, [0, 1], "dotted"))
            panels.append(Panel(f"({letter}) {kind}, β = {beta:g}", "time (τ)", "alignment (no unit)", tuple(curves)))
            end = {name: float(values[-1]) for name, values in aligned.items()}
            shown = ", ".join(f"{name} {value:.2f}" for name, value in end.items())
            lines.append(
                Line(f"({letter}) alignment with F or F_abs at t = 40, β = {beta:g}, {kind}", 0.9,
                     max(end["F"], end["F_abs"]), relation="≥", says="asymptotic, C.4: 0.9 at least", shown=shown)
            )  # fmt: skip
    few = first_tokens(random_diagonal(tokens, beta=10.0, seed=0), _DIAGONAL_CIRCUIT)
    lines += [
        circuit_line(few, circuit_path(few, np.array([0.0, few.time]))),
        drawn_anew(f"three instances of {_DIAGONAL_TOKENS} tokens; matrices and seeds are not given",
                   f"{tokens} tokens; of each kind of pair the first seed that has it"),
    ]  # fmt: skip
    return Reproduction("attention-figure-10", "Where tokens end", f"{SOURCE}, Figure 10", tuple(panels), tuple(lines))
