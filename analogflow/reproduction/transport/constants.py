"""The constants of the paper's appendix over the temperature: what tends to a constant, and what does not."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from analogflow.reference.transport import COLUMNS, constants_table, transport_reference
from analogflow.reproduction.result import Curve, Finding, Panel, Reproduction, agreement
from analogflow.reproduction.transport.costs import (
    CONNECTED,
    DISCONNECTED,
    SOURCE,
    TWO,
    TWO_DIFFERENCE,
    derivatives,
    gap,
    gaussian_line,
    limit_gap,
    permutations,
    uniform_line,
    unit_masses,
)

__all__ = ["EPSILONS", "table_1"]

EPSILONS = (1.0, 0.5, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.015, 0.01)
"""Temperatures of the table, in units of the cost."""

_WINDOW = (0.05, 0.3)
_VANISHED = 0.5
"""A constant that has fallen to less than this part of its largest value, and still falls, tends to none."""


def table_1() -> Reproduction:
    """Constants of the gap and of the plan's derivatives over ε (CSV of section A.9), and closed forms they must meet."""
    rows = constants_table(permutations(), EPSILONS)
    epsilon = np.array([row.eps for row in rows])
    by_cost = np.array([row.C0_est for row in rows])
    by_epsilon = np.array([row.K1_est for row in rows])
    second = np.array([row.K2_est for row in rows])
    gaps = np.array([1 - row.rho_mean for row in rows])
    inside = (epsilon >= _WINDOW[0]) & (epsilon <= _WINDOW[1])
    spread = float(by_epsilon[inside].max() / by_epsilon[inside].min())
    window = f"{_WINDOW[0]:g} ≤ ε ≤ {_WINDOW[1]:g}"
    findings = [
        _tends("ε‖dP/dC‖ → c₀ (Lemma A.7), one permutation optimal, as printed", epsilon, by_cost),
        _tends("ε‖dP/dε‖ → constant (Lemma A.10), one permutation optimal, as printed", epsilon, by_epsilon),
        _tends("(1 − ρ)/ε → constant (Proposition 3.1), one permutation optimal, as printed", epsilon, gaps / epsilon),
        Finding(
            f"‖dP/dε‖ ∝ 1/ε in the window {window}", "Θ(1/ε)", f"constant within a factor {spread:.3g}",
            f"{by_epsilon[inside].min():.3g} to {by_epsilon[inside].max():.3g}", "agrees" if spread < 2 else "differs",
        ),
        Finding(
            "‖D²P‖ ≤ K/ε² (Lemma A.9)", "K bounded", f"at most {second.max():.3g}, {second[-1]:.3g} at the lowest ε", "",
            "agrees" if second[-1] < second.max() < 1 else "differs",
        ),
        *_two_by_two(),
        *_ties(),
        *_continuum(),
        _inverse(),
    ]  # fmt: skip
    panels = (
        Panel("eight random 5 × 5 costs, mean", "temperature ε (unit of cost)", "ε × derivative",
              (Curve.of("ε‖dP/dC‖", epsilon, by_cost), Curve.of("ε‖dP/dε‖", epsilon, by_epsilon),
               Curve.of("ε²‖D²P‖", epsilon, second),
               Curve.of("printed: constant", epsilon[[0, -1]], by_epsilon.max() * np.ones(2), "dotted")),
              log_x=True, log_y=True),
    )  # fmt: skip
    table = (COLUMNS, *(dataclasses.astuple(row) for row in rows))
    return Reproduction(
        "transport-table-1", "Constants over the temperature", f"{SOURCE}, Lemmas A.5 to A.10 and section A.9", panels,
        tuple(findings), table,
    )  # fmt: skip


def _tends(claim: str, epsilon: np.ndarray, values: np.ndarray) -> Finding:
    """Whether values that go with falling ε end at a constant, or at 0."""
    vanishes = values[-1] < _VANISHED * values.max() and values[-1] < values[-2] < values[-3]
    found = f"{values.max():.3g} at ε = {epsilon[values.argmax()]:g}, {values[-1]:.2g} at {epsilon[-1]:g}, falling"
    return Finding(
        claim, "a constant", found, f"factor {values[-1] / values.max():.2g}", "differs" if vanishes else "agrees"
    )


def _two_by_two() -> list[Finding]:
    low, D = 0.05, TWO_DIFFERENCE
    problem = unit_masses(TWO, low)
    stay = 1 / (1 + math.exp(-D / (2 * low)))
    ratio = gap(unit_masses(TWO, 0.025)) / gap(problem)
    return [
        Finding("gap at ε = 0.025 over gap at 0.05, two by two, as printed", "1/2", f"{ratio:.2g}", f"{ratio - 0.5:.2g}",
                "agrees" if abs(ratio - 0.5) < 0.1 else "differs"),
        agreement("gap = sech²(D/4ε), two by two, ε = 0.05, corrected", 1 / math.cosh(D / (4 * low)) ** 2, gap(problem),
                  allowed=1e-13),
        agreement("‖dP/dε‖ = p(1 − p)D/ε², two by two, ε = 0.05, corrected", stay * (1 - stay) * D / low**2,
                  derivatives(problem)[1], allowed=1e-10),
    ]  # fmt: skip


def _ties() -> list[Finding]:
    low = unit_masses(CONNECTED, 0.02)
    by_cost, by_epsilon = derivatives(low)
    apart = unit_masses(DISCONNECTED, 0.1)
    found = gap(low)
    return [
        Finding("gap of tied optima that connect all rows, as printed", "Θ(ε): 0.02 at ε = 0.02 if 1 at 1", f"{found:.6g}",
                f"{found - 0.02:.2g}", "differs" if found > 0.1 else "agrees"),
        agreement("gap of tied optima that connect all rows: that of the limit, corrected", limit_gap(CONNECTED), found,
                  allowed=1e-9),
        agreement("ε‖dP/dC‖ of tied optima, ε = 0.02 against 0.05 (Lemma A.7)", 0.05 * _by_cost(0.05), 0.02 * by_cost,
                  allowed=1e-6),
        Finding("‖dP/dε‖ of tied optima at ε = 0.02, as printed", "Θ(1/ε)", f"{by_epsilon:.2g}", "",
                "differs" if by_epsilon < 1e-6 else "agrees"),
        agreement("gap of two tied groups = sech²(1/2ε), ε = 0.1, corrected", 1 / math.cosh(5.0) ** 2, gap(apart),
                  allowed=1e-12),
    ]  # fmt: skip


def _by_cost(epsilon: float) -> float:
    return derivatives(unit_masses(CONNECTED, epsilon))[0]


def _continuum() -> list[Finding]:
    epsilon, fine = 0.2, 2e-3
    rho = (math.sqrt(4 + epsilon**2) - epsilon) / 2
    return [
        agreement("gap of normal measures = ερ, ρ = (√(4 + ε²) − ε)/2, ε = 0.2 (Proposition 3.1.2 in the continuum)",
                  epsilon * rho, gap(gaussian_line(epsilon)), allowed=1e-6),
        agreement("gap/ε of uniform measures → π² (Proposition 3.1.2 in the continuum), ε = 0.002", math.pi**2,
                  gap(uniform_line(fine)) / fine, allowed=0.1),
    ]  # fmt: skip


def _inverse() -> Finding:
    """Lemma A.5: the smallest eigenvalue of 𝒜 beside its gauge is 1 − σ₂, so that a uniform inverse means a uniform gap."""
    problem = permutations()[0].at(EPSILONS[-1])
    plan = transport_reference(problem).plan
    blocks = np.block([[np.diag(plan.sum(axis=1)), plan], [plan.T, np.diag(plan.sum(axis=0))]])
    smallest = float(np.linalg.eigvalsh(blocks)[1])
    same = abs(smallest - (1 - np.linalg.svd(plan, compute_uv=False)[1]))
    return Finding(
        f"smallest eigenvalue of 𝒜 at ε = {problem.epsilon:g} (Lemma A.5), as printed", "bounded below for all ε",
        f"{smallest:.2g} = 1 − σ₂", f"{same:.1g} from 1 − σ₂", "differs" if smallest < 1e-2 and same < 1e-12 else "agrees",
    )  # fmt: skip
