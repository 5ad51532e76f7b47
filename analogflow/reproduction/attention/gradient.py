"""Figures 6 to 9 of the paper on tokens on a sphere: V = ±B with B definite, where an energy rises or falls."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from analogflow.problems import Attention
from analogflow.problems.named.attention import gradient
from analogflow.reference.attention import dominant_eigenspace, log_energy, value_space
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
from analogflow.reproduction.result import Finding, Panel, Reproduction

__all__ = ["figure_6", "figure_7", "figure_8", "figure_9"]

Array = NDArray[np.float64]

_TOKENS, _RUNS, _CIRCUIT, _TIME = 60, 10, 12, 15.0
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


def _problem(seed: int, sign: int, definite: int, beta: float) -> Attention:
    """B with the eigenvalues of ±AᵀA, A normal, over the largest; its axes are free, for uniform tokens have none."""
    A = np.random.default_rng([seed, 2]).standard_normal((3, 3))
    values = np.linalg.eigvalsh(A.T @ A)
    return gradient(definite * values / values[-1], sign, count=_TOKENS, beta=beta, time=_TIME, seed=seed)


def _best(problem: Attention, sign: int, definite: int) -> float:
    """Logarithm of the best printed energy: one Dirac, or where B is negative and energy rises two opposite ones."""
    values = np.linalg.eigvalsh(problem.B)
    if sign > 0:
        return float(values[-1]) if definite > 0 else math.log(math.cosh(values[0]))
    return float(values[0]) if definite < 0 else math.nan


def _runs(sign: int, definite: int, beta: float) -> _Runs:
    rows: list[tuple[Array, ...]] = []
    for seed in range(_RUNS):
        problem = _problem(seed, sign, definite, beta)
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


def _figure(number: int, sign: int, definite: int) -> tuple[list[Panel], list[Finding], dict[float, _Runs]]:
    """Panels and findings that the four figures share."""
    panels, findings, runs = [], [], {beta: _runs(sign, definite, beta) for beta in _BETAS}
    energy = "energy over best" if sign > 0 else "1 − best over energy"
    for beta, found in runs.items():
        curves = [*band("E", _TIMES, found.E), *band("F", _TIMES, found.F, "dashed"), *band("W₂", _TIMES, found.apart)]
        if np.isfinite(found.best).all():
            curves += band(energy, _TIMES, found.ratio(sign))
        panels.append(Panel(named(beta), "time (τ)", "alignment, W₂, energy (no unit)", tuple(curves)))
        few = first_tokens(_problem(0, sign, definite, beta), _CIRCUIT, 4.0)
        findings.append(circuit_finding(few, circuit_path(few, np.array([0.0, few.time]))))
    way = "rises" if sign > 0 else "falls"
    for name, label in (("printed", "∬ exp⟨x, By⟩, as the paper prints it"), ("corrected", "∬ exp(β⟨x, By⟩), corrected")):
        broken = sum(bool((sign * np.diff(row) < -1e-6).any()) for row in getattr(runs[100.0], name))
        findings.append(
            Finding(f"energy {label}, {way} along the flow, β = 100", "yes" if name == "printed" else "",
                    f"broken in {broken} of {_RUNS} runs", "", verdict(broken == 0))
        )  # fmt: skip
    findings.append(
        drawn_anew(f"{_RUNS} runs of 100 tokens; dimension, law of B and seeds are not given",
                   f"{_RUNS} runs of {_TOKENS} tokens in 3-D, B = ±AᵀA/‖AᵀA‖ with A normal, seeds 0 to {_RUNS - 1}")
    )  # fmt: skip
    return panels, findings, runs


def _many(holds: NDArray[np.bool_]) -> str:
    return f"{int(holds[:, -1].sum())} of {len(holds)} runs"


def _end(values: Array) -> float:
    return float(values[:, -1].mean())


def _written(number: int, title: str, panels: list[Panel], findings: list[Finding]) -> Reproduction:
    return Reproduction(f"attention-figure-{number}", title, f"{SOURCE}, Figure {number}", tuple(panels), tuple(findings))


def figure_6() -> Reproduction:
    """V = B positive definite."""
    panels, findings, runs = _figure(6, 1, 1)
    warm, cold = runs[1.0], runs[100.0]
    findings += [
        Finding("β = 1 ends at one Dirac, the best energy", "energy ratio 1, W₂ large",
                f"ratio above 0.9 in {_many(warm.ratio(1) > 0.9)}, W₂ {_end(warm.apart):.2f} on average (t = {_TIME:g})", "",
                verdict((warm.ratio(1)[:, -1] > 0.9).all() and _end(warm.apart) > _end(cold.apart))),
        Finding("β = 100 ends nearer to Π♯ρ₀, at a worse energy", "ratio below 1, W₂ small",
                f"ratio {_end(cold.ratio(1)):.3f}, W₂ {_end(cold.apart):.2f}", "",
                verdict(_end(cold.ratio(1)) < _end(warm.ratio(1)) and _end(cold.apart) < 0.3)),
    ]  # fmt: skip
    return _written(6, "V = B, positive definite", panels, findings)


def figure_7() -> Reproduction:
    """V = B negative definite."""
    panels, findings, runs = _figure(7, 1, -1)
    ends = {beta: (_end(found.apart), _end(found.ratio(1))) for beta, found in runs.items()}
    findings += [
        Finding("W₂ to Π♯ρ₀ vanishes even for small β", "yes", f"β = 1: W₂ below 0.1 in {_many(runs[1.0].apart < 0.1)}", "",
                verdict((runs[1.0].apart[:, -1] < 0.1).all())),
        Finding("for large β the energy becomes the best", "yes", f"ratio {ends[100.0][1]:.3f} for β = 100", "",
                verdict(ends[100.0][1] > 0.95)),
    ]  # fmt: skip
    return _written(7, "V = B, negative definite", panels, findings)


def figure_8() -> Reproduction:
    """V = −B, B negative definite."""
    panels, findings, runs = _figure(8, -1, -1)
    warm, cold, frozen = runs[1.0], runs[100.0], runs[math.inf]
    peak, trough = float(cold.E.mean(0).max()), float(cold.F.mean(0).min())
    moved = np.exp(frozen.printed).max(axis=1) / np.exp(frozen.printed).min(axis=1)
    findings += [
        Finding("which figure shows B negative definite", "text: 9, captions: 8", "as captioned", "", "differs"),
        Finding("β = 1 ends at the best energy, aligned with F", "yes",
                f"1 − best/energy {_end(warm.ratio(-1)):.3f}, F {_end(warm.F):.3f} (means at t = {_TIME:g})", "",
                verdict(_end(warm.ratio(-1)) < 0.1 and _end(warm.F) > 0.9)),
        Finding("β = 100: E first, then on the way to F", "E, then F",
                f"E from {peak:.2f} at most to {_end(cold.E):.2f}, F from {trough:.2f} at least to {_end(cold.F):.2f}", "",
                verdict(_end(cold.E) < peak - 0.1 and _end(cold.F) > trough + 0.1)),
        Finding("β = ∞ aligns with E alone", "yes", f"E {_end(frozen.E):.3f}, F {_end(frozen.F):.3f}", "",
                verdict(_end(frozen.E) > 0.9)),
        Finding("β = ∞: the energy stays constant", "yes", f"it changes by a factor of {np.median(moved):.2f} (median run)",
                "", verdict(np.median(moved) < 1.05)),
    ]  # fmt: skip
    return _written(8, "V = −B, negative definite", panels, findings)


def figure_9() -> Reproduction:
    """V = −B, B positive definite."""
    panels, findings, runs = _figure(9, -1, 1)
    ends = {beta: (_end(found.E), _end(found.apart)) for beta, found in runs.items()}
    findings += [
        Finding("which figure shows B positive definite", "text: 8, captions: 9", "as captioned", "", "differs"),
        Finding("only larger β aligns with E and nears Π♯ρ₀", "yes",
                "; ".join(f"{named(beta)}: E {e:.2f}, W₂ {w:.2f}" for beta, (e, w) in ends.items()), "",
                verdict(ends[1.0][0] < ends[100.0][0] and ends[1.0][1] > ends[100.0][1])),
    ]  # fmt: skip
    return _written(9, "V = −B, positive definite", panels, findings)
