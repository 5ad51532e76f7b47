"""The constants of the paper's appendix over the temperature: what tends to a constant, and what does not."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from analogflow.reference.transport import COLUMNS, constants_table, transport_reference
from analogflow.reproduction.result import Curve, Line, Panel, Reproduction
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
    one = "one permutation optimal"
    lines = [
        _tends(f"ε‖dP/dC‖, {one}", "constant c₀, Lemma A.7", epsilon, by_cost, "Lemma A.7, (15)"),
        _tends(f"ε‖dP/dε‖, {one}", "constant, Lemma A.10", epsilon, by_epsilon, "Lemma A.10, (24)"),
        _tends(f"(1 − ρ)/ε, {one}", "constant, Proposition 3.1(2)", epsilon, gaps / epsilon, "Propositions 2.1 and 3.1(2)"),
        Line(f"largest over smallest ε‖dP/dε‖ for {_WINDOW[0]:g} ≤ ε ≤ {_WINDOW[1]:g}", 2.0, spread, relation="≤",
             says="Θ(1/ε), Lemma A.10: within a factor of two"),
        Line("ε²‖D²P‖ at the lowest ε over its largest value above", 1.0, float(second[-1] / second[:-1].max()),
             relation="≤", says="‖D²P‖ ≤ K/ε², Lemma A.9", shown=f"K = {second.max():.3g}"),
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
        tuple(lines), table,
    )  # fmt: skip


def _tends(claim: str, says: str, epsilon: np.ndarray, values: np.ndarray, row: str) -> Line:
    """Whether values that go with falling ε end near their largest, or fall to nothing."""
    return Line(f"{claim}: at ε = {epsilon[-1]:g} over the largest", 1.0, float(values[-1] / values.max()), 0.2, says=says,
                corrected=_VANISHED, corrected_relation="≤", row=row)  # fmt: skip


def _two_by_two() -> list[Line]:
    low, D = 0.05, TWO_DIFFERENCE
    problem = unit_masses(TWO, low)
    stay = 1 / (1 + math.exp(-D / (2 * low)))
    halved = (math.cosh(D / (4 * low)) / math.cosh(D / (2 * low))) ** 2
    return [
        Line("gap at ε = 0.025 over gap at 0.05, two by two", 0.5, gap(unit_masses(TWO, 0.025)) / gap(problem), 1e-9,
             says="Θ(ε), 3.1(2)", corrected=halved, row="Propositions 2.1 and 3.1(2)"),
        Line("gap at ε = 0.05, two by two", 1 / math.cosh(D / (4 * low)) ** 2, gap(problem), 1e-13,
             says="our check: sech²(D/4ε)"),
        Line("‖dP/dε‖ at ε = 0.05, two by two", stay * (1 - stay) * D / low**2, derivatives(problem)[1], 1e-10,
             says="our check: p(1 − p)D/ε²"),
    ]  # fmt: skip


def _ties() -> list[Line]:
    low = unit_masses(CONNECTED, 0.02)
    by_cost, by_epsilon = derivatives(low)
    return [
        Line("gap of tied optima that connect all rows, ε = 0.02", 0.02, gap(low), 1e-9, says="Θ(ε), 3.1(2), if 1 at ε = 1",
             corrected=limit_gap(CONNECTED), row="Propositions 2.1 and 3.1(2)"),
        Line("ε‖dP/dC‖ of tied optima, ε = 0.02 against 0.05", 0.05 * _by_cost(0.05), 0.02 * by_cost, 1e-6,
             says="constant, Lemma A.7"),
        Line("ε‖dP/dε‖ of tied optima, ε = 0.02", 0.1, 0.02 * by_epsilon, 1e-6, "≥", says="constant, Lemma A.10: a tenth",
             corrected=0.0, row="Lemma A.10, (24)"),
        Line("gap of two tied groups, ε = 0.1", 1 / math.cosh(5.0) ** 2, gap(unit_masses(DISCONNECTED, 0.1)), 1e-12,
             says="our check: sech²(1/2ε)"),
    ]  # fmt: skip


def _by_cost(epsilon: float) -> float:
    return derivatives(unit_masses(CONNECTED, epsilon))[0]


def _continuum() -> list[Line]:
    epsilon, fine = 0.2, 2e-3
    rho = (math.sqrt(4 + epsilon**2) - epsilon) / 2
    return [
        Line("gap of normal measures, ε = 0.2", epsilon * rho, gap(gaussian_line(epsilon)), 1e-6,
             says="our check: ερ, ρ = (√(4 + ε²) − ε)/2, so Θ(ε) in the continuum"),
        Line("gap/ε of uniform measures, ε = 0.002", math.pi**2, gap(uniform_line(fine)) / fine, 0.1,
             says="our check: → π², so Θ(ε) in the continuum"),
    ]  # fmt: skip


def _inverse() -> Line:
    """Lemma A.5: the smallest eigenvalue of 𝒜 beside its gauge is 1 − σ₂, so that a uniform inverse means a uniform gap."""
    problem = permutations()[0].at(EPSILONS[-1])
    plan = transport_reference(problem).plan
    blocks = np.block([[np.diag(plan.sum(axis=1)), plan], [plan.T, np.diag(plan.sum(axis=0))]])
    return Line(
        f"smallest eigenvalue of 𝒜 at ε = {problem.epsilon:g}", 0.01, float(np.linalg.eigvalsh(blocks)[1]), 1e-12, "≥",
        says="bounded below whatever the support, Lemma A.5: by a hundredth", row="Lemma A.5",
        corrected=float(1 - np.linalg.svd(plan, compute_uv=False)[1]),
    )  # fmt: skip
