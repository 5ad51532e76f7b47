"""Figures 4 and 10 of the paper on tokens on a sphere: random diagonal matrices in ten dimensions."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analogflow.problems import Attention
from analogflow.problems.named.attention import random_diagonal
from analogflow.problems.named.token_clouds import uniform_tokens
from analogflow.reference.attention import Eigenspace, dominant_eigenspace, value_space
from analogflow.reproduction.attention.paths import (
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
)
from analogflow.reproduction.result import Curve, Line, Panel, Reproduction

__all__ = ["figure_4", "figure_10"]

Array = NDArray[np.float64]

_TOKENS, _RUNS, _CIRCUIT, _PAIRS = 500, 20, 10, 10
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
    tokens: int = _TOKENS, runs: int = _RUNS, *, on_progress: Callable[[float], None] | None = None
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
        few = first_tokens(problem, _CIRCUIT)
        lines.append(circuit_line(few, circuit_path(few, times[[0, -1]])))
    warm, cold, frozen = mean.values()
    overtaken = [_overtaken(times, found) for found in mean.values()]
    ends = [_ends(random_diagonal(tokens, beta=10.0, seed=seed)) for seed in range(_PAIRS)]
    lines += [
        Line("β = 10: rise of the alignment with E to its highest, mean of the runs", 0.1,
             float(warm["E"].max() - warm["E"][0]), relation="≥",
             says="transient growth, section 5: a tenth at least", shown=f"at t = {times[warm['E'].argmax()]:g}"),
        Line("β = 10: alignment with F less that with E at t = 15", 0.0, float(warm["F"][-1] - warm["E"][-1]), relation="≥",
             says="aligns instead with F after a time of order ln β"),
        Line("time from which tokens are nearer to F than to E: β = 1000, or the end, less β = 10", 0.0,
             min(overtaken[1], float(times[-1])) - overtaken[0], relation="≥", says="increasing β delays this transition",
             shown=f"{_said(overtaken[0])} for β = 10, {_said(overtaken[1])} for β = 1000"),
        Line("β = 1000: alignment with E less that with F at t = ln β", 0.0,
             float(np.interp(math.log(1000), times, cold["E"] - cold["F"])), relation="≥", says="metastable until then"),
        Line("β = ∞: alignment with E at t = 15", 0.99, float(frozen["E"][-1]), relation="≥",
             says="remains aligned with E, Corollary 2"),
        Line(f"pairs of matrices whose tokens are within 0.1 of F at t = 15, β = 10, of {_PAIRS}", float(_PAIRS),
             float(sum(end["F"] > 0.9 for end in ends)), says="aligns with F after a time of order ln β: all",
             corrected=_PAIRS - 1.0, corrected_relation="≤", row="Figure 4, C.4"),
        drawn_anew(f"{_RUNS} runs of {_TOKENS} tokens; the matrices and seeds are not given",
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


def _overtaken(times: Array, aligned: dict[str, Array]) -> float:
    """First time from which F is above E for good; infinite if that is not before the end."""
    behind = np.flatnonzero(aligned["F"] <= aligned["E"])
    first = behind[-1] + 1 if len(behind) else 0
    return float(times[first]) if first < len(times) else math.inf


def _said(time: float) -> str:
    return f"t = {time:g}" if math.isfinite(time) else "not before the end"


def _ends(problem: Attention) -> dict[str, float]:
    """Alignment with E, F and F_abs at the problem's time."""
    path = digital_path(problem, np.array([0.0, problem.time]), accuracy=1e-4, single=True)
    return {name: float(alignment_path(path, space)[-1]) for name, space in _spaces(problem).items()}


def figure_10(tokens: int = _TOKENS) -> Reproduction:
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
    few = first_tokens(random_diagonal(tokens, beta=10.0, seed=0), _CIRCUIT)
    lines += [
        circuit_line(few, circuit_path(few, np.array([0.0, few.time]))),
        drawn_anew(f"three instances of {_TOKENS} tokens; matrices and seeds are not given",
                   f"{tokens} tokens; of each kind of pair the first seed that has it"),
    ]  # fmt: skip
    return Reproduction("attention-figure-10", "Where tokens end", f"{SOURCE}, Figure 10", tuple(panels), tuple(lines))
