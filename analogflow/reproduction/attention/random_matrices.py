"""Figures 4 and 10 of the paper on tokens on a sphere: random diagonal matrices in ten dimensions."""

from __future__ import annotations

import dataclasses
import itertools
import math

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
    circuit_finding,
    circuit_path,
    digital_path,
    distance_path,
    drawn_anew,
    first_tokens,
    named,
    verdict,
)
from analogflow.reproduction.result import Curve, Finding, Panel, Reproduction

__all__ = ["figure_4", "figure_10"]

Array = NDArray[np.float64]

_TOKENS, _RUNS, _CIRCUIT, _PAIRS = 80, 6, 10, 10
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


def figure_4() -> Reproduction:
    """Alignment with E and F and the distance from Π♯ρ₀, over several draws of tokens, at three temperatures."""
    times = np.linspace(0, 15, 31)
    panels, findings, last = [], [], {}
    for beta in (10.0, 1000.0, math.inf):
        problem = random_diagonal(_TOKENS, beta=beta, seed=_FIRST)
        spaces = _spaces(problem)
        draws = [dataclasses.replace(problem, tokens=uniform_tokens(_TOKENS, 10, seed=seed)) for seed in range(_RUNS)]
        paths = [digital_path(draw, times) for draw in draws]
        aligned = {name: np.array([alignment_path(path, spaces[name]) for path in paths]) for name in ("E", "F")}
        apart = np.array([distance_path(draw, path, spaces["E"]) for draw, path in zip(draws, paths, strict=True)])
        curves = [*band("E", times, aligned["E"]), *band("F", times, aligned["F"], "dashed"), *band("W₂", times, apart)]
        if math.isfinite(beta):
            curves.append(Curve.of("t = ln β", [math.log(beta)] * 2, [0, 1], "dotted"))
        panels.append(Panel(named(beta), "time (τ)", "alignment, W₂ (no unit)", tuple(curves)))
        few = first_tokens(problem, _CIRCUIT)
        findings.append(circuit_finding(few, circuit_path(few, times[[0, -1]])))
        last[beta] = {name: float(values[:, -1].mean()) for name, values in aligned.items()}
        peak = float(aligned["E"].mean(axis=0).max())
        after = times[int(np.argmax(aligned["E"].mean(axis=0)))]
        if math.isfinite(beta):
            findings.append(
                Finding(f"E first, then F, our pair of matrices, β = {beta:g}", "E rises, then F takes over",
                        f"E up to {peak:.2f} at t = {after:g}; at t = 15 E {last[beta]['E']:.2f}, F {last[beta]['F']:.2f}",
                        "", verdict(last[beta]["E"] < peak and last[beta]["F"] > last[beta]["E"]))
            )  # fmt: skip
    findings.append(
        Finding("no second phase at β = ∞", "remains aligned with E", f"E {last[math.inf]['E']:.3f} at t = 15", "",
                verdict(last[math.inf]["E"] > 0.99))
    )  # fmt: skip
    ends = [_ends(random_diagonal(_TOKENS, beta=10.0, seed=seed)) for seed in range(_PAIRS)]
    reached = sum(end["F"] > 0.9 for end in ends)
    findings += [
        Finding("alignment with F above 0.9 at t = 15, for other random pairs of matrices, β = 10", "shown for one pair",
                f"{reached} of {_PAIRS} pairs", "", verdict(reached == _PAIRS)),
        drawn_anew("20 runs of 500 tokens; the matrices and seeds are not given",
                   f"{_RUNS} runs of {_TOKENS} tokens; matrices of seed {_FIRST}"),
    ]  # fmt: skip
    seeds = np.arange(_PAIRS)
    panels.append(
        Panel("ten pairs of matrices, β = 10, t = 15", "seed of the pair", "alignment (no unit)",
              tuple(Curve.of(name, seeds, [end[name] for end in ends], style)
                    for name, style in (("E", "points"), ("F", "points"), ("F_abs", "crosses"))))
    )  # fmt: skip
    return Reproduction(
        "attention-figure-4", "Random diagonal matrices, ten dimensions", f"{SOURCE}, Figure 4", tuple(panels),
        tuple(findings),
    )  # fmt: skip


def _ends(problem: Attention) -> dict[str, float]:
    """Alignment with E, F and F_abs at the problem's time."""
    path = digital_path(problem, np.array([0.0, problem.time]), accuracy=1e-5)
    return {name: float(alignment_path(path, space)[-1]) for name, space in _spaces(problem).items()}


def figure_10() -> Reproduction:
    """Three kinds of pairs: E, F and F_abs all different, F = F_abs, E = F_abs; at two temperatures."""
    kinds = {
        "E, F, F_abs differ": lambda s: not any(_same(s[a], s[b]) for a, b in itertools.combinations(s, 2)),
        "F = F_abs": lambda s: _same(s["F"], s["F_abs"]) and not _same(s["E"], s["F"]),
        "E = F_abs": lambda s: _same(s["E"], s["F_abs"]) and not _same(s["E"], s["F"]),
    }  # fmt: skip
    times = np.linspace(0, 40, 81)
    panels, findings = [], []
    for letters, beta in (("abc", 10.0), ("def", 1000.0)):
        for letter, (kind, fits) in zip(letters, kinds.items(), strict=True):
            seed = next(s for s in itertools.count() if fits(_spaces(random_diagonal(1, seed=s))))
            problem = random_diagonal(_TOKENS, beta=beta, time=40.0, seed=seed)
            spaces = _spaces(problem)
            aligned = {name: alignment_path(path, space) for path in [digital_path(problem, times)]
                       for name, space in spaces.items()}  # fmt: skip
            styles = {"E": "line", "F": "line", "F_abs": "dashed"}
            curves = [Curve.of(name, times, values, styles[name]) for name, values in aligned.items()]
            curves.append(Curve.of("t = ln β", [math.log(beta)] * 2, [0, 1], "dotted"))
            panels.append(Panel(f"({letter}) {kind}, β = {beta:g}", "time (τ)", "alignment (no unit)", tuple(curves)))
            end = {name: float(values[-1]) for name, values in aligned.items()}
            shown = ", ".join(f"{name} {value:.2f}" for name, value in end.items())
            findings.append(
                Finding(f"({letter}) long-time alignment with F or F_abs above 0.9, β = {beta:g}, {kind}",
                        "yes, conjectured", f"at t = 40: {shown}", "", verdict(max(end["F"], end["F_abs"]) > 0.9))
            )  # fmt: skip
    few = first_tokens(random_diagonal(_TOKENS, beta=10.0, seed=0), _CIRCUIT)
    findings += [
        circuit_finding(few, circuit_path(few, np.array([0.0, few.time]))),
        drawn_anew("three instances of 500 tokens; matrices and seeds are not given",
                   f"{_TOKENS} tokens; of each kind of pair the first seed that has it"),
    ]  # fmt: skip
    return Reproduction("attention-figure-10", "Where tokens end", f"{SOURCE}, Figure 10", tuple(panels), tuple(findings))
