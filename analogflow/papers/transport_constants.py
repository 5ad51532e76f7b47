"""What the paper on annealed Sinkhorn iterations says of low temperatures: how the gap closes, and which constants exist."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import root_scalar

from analogflow.papers.result import Curve, Line, Panel, Reproduction
from analogflow.problems import Transport
from analogflow.reference.transport import transport_reference
from analogflow.reference.transport_theory import (
    COLUMNS,
    PlanDerivatives,
    constants_table,
    sinkhorn_jacobian,
    sinkhorn_spectrum,
)

__all__ = [
    "CONNECTED",
    "DISCONNECTED",
    "EPSILONS",
    "SOURCE",
    "TWO",
    "TWO_DIFFERENCE",
    "derivatives",
    "figure_2",
    "gap",
    "gaussian_line",
    "limit_gap",
    "permutations",
    "table_1",
    "uniform_line",
    "unit_masses",
]

Array = NDArray[np.float64]

SOURCE = "arXiv:2601.23039 (2026)"
"""The paper: Y. Liu, Avoiding Premature Collapse."""

TWO: Array = np.array([[0.0, 0.3], [0.4, 0.0]])
"""Two by two: the optimal plan is the diagonal."""

TWO_DIFFERENCE = 0.7
"""D = C₁₂ + C₂₁ − C₁₁ − C₂₂ of `TWO`."""

CONNECTED: Array = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
"""All assignments but those through one entry are optimal: the entries they use connect all rows and columns."""

DISCONNECTED: Array = np.array([[0.0, 0.0, 1.0, 1.0]] * 2 + [[1.0, 1.0, 0.0, 0.0]] * 2)
"""Two groups of two rows; within a group all is optimal, between them every unit costs 1: the gap is sech²(1/2ε)."""


def unit_masses(cost: ArrayLike, epsilon: float) -> Transport:
    """A square problem with mass 1 in every row and column."""
    C = np.asarray(cost, dtype=float)
    return Transport(C, np.ones(len(C)), np.ones(len(C)), epsilon)


@functools.cache
def permutations(count: int = 8, size: int = 5, seed: int = 0) -> tuple[Transport, ...]:
    """Problems with costs uniform on [0, 1]: the optimal plan of each is one permutation."""
    rng = np.random.default_rng(seed)
    return tuple(unit_masses(rng.random((size, size)), 0.1) for _ in range(count))


def uniform_line(epsilon: float, points: int = 120) -> Transport:
    """Uniform measures on [0, 1], cost ½ (x − y)², at the middles of equal cells."""
    x = (np.arange(points) + 0.5) / points
    masses = np.full(points, 1 / points)
    return Transport(0.5 * (x[:, None] - x) ** 2, masses, masses, epsilon)


def gaussian_line(epsilon: float, points: int = 97) -> Transport:
    """Standard normal measures, cost ½ (x − y)², on a grid from −6 to 6."""
    x = np.linspace(-6, 6, points)
    masses = np.exp(-0.5 * x**2)
    masses /= masses.sum()
    return Transport(0.5 * (x[:, None] - x) ** 2, masses, masses, epsilon)


def gap(problem: Transport) -> float:
    """1 − σ₂² of Sinkhorn's iteration at the problem's exact plan."""
    return sinkhorn_spectrum(transport_reference(problem).plan).gap


def derivatives(problem: Transport) -> tuple[float, float]:
    """‖dP/dC‖ and ‖dP/dε‖_F."""
    found = PlanDerivatives(problem)
    return found.norm()[0], float(np.linalg.norm(found.with_epsilon()))


def limit_gap(cost: ArrayLike) -> float:
    """Gap of the plan for ε → 0 of costs 0 and 1 with free assignments: scalings of the pattern of zeros, no temperature."""
    plan = (np.asarray(cost, dtype=float) == 0).astype(float)
    for _ in range(2000):
        plan /= plan.sum(axis=1, keepdims=True)
        plan /= plan.sum(axis=0)
    return float(1 - np.linalg.svd(plan, compute_uv=False)[1] ** 2)


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


_DELTA = 0.1
_SWEEPS = 40


def figure_2() -> Reproduction:
    """How the gap of Sinkhorn's iteration closes with ε, and the pseudospectrum of its Jacobian."""
    epsilon = np.geomspace(0.02, 1.0, 18)
    two = np.array([gap(unit_masses(TWO, float(e))) for e in epsilon])
    five = np.array([[gap(problem.at(float(e))) for problem in permutations()] for e in epsilon]).mean(axis=1)
    tied = np.array([gap(unit_masses(CONNECTED, float(e))) for e in epsilon])
    coarse = np.geomspace(2e-3, 0.1, 7)
    line = np.array([gap(uniform_line(float(e))) for e in coarse])
    closed = 1 / np.cosh(TWO_DIFFERENCE / (4 * epsilon)) ** 2
    wide = np.geomspace(2e-3, 1.0, 30)
    curves = (
        Curve.of("2 × 2, exact plan", epsilon, two, "points"),
        Curve.of("2 × 2, sech²(D/4ε)", epsilon, closed, "dashed"),
        Curve.of("random 5 × 5", epsilon, np.maximum(five, 1e-12)),
        Curve.of("tied optima", epsilon, tied),
        Curve.of("uniform measures", coarse, line, "points"),
        Curve.of("π²ε", wide[wide < 0.1], math.pi**2 * wide[wide < 0.1], "dashed"),
        Curve.of("printed: ∝ ε", wide, wide, "dotted"),
    )
    panels = (
        Panel("closing funnel", "temperature ε (unit of cost)", "gap 1 − ρ (per sweep)", curves, log_x=True, log_y=True),
        _spectrum_panel(),
    )
    row = "Propositions 2.1 and 3.1(2)"
    claim, says = "slope of ln gap over ln ε at ε = 0.02", "gap Θ(ε), 3.1(2)"
    lines = [
        Line(f"{claim}, 2 × 2", 1.0, _slope(epsilon, two), 0.1, says=says, corrected=_slope(epsilon, closed), row=row),
        Line(f"{claim}, random 5 × 5", 1.0, _slope(epsilon, five), 0.1, says=says, corrected=2.0, corrected_relation="≥",
             row=row),
        Line(f"{claim}, tied optima", 1.0, _slope(epsilon, tied), 0.1, says=says, corrected=0.0, row=row),
        Line("slope of ln gap over ln ε at ε = 0.002, uniform measures", 1.0, _slope(coarse, line), 0.1, says=says),
        Line("largest difference of the gap of 2 × 2 from sech²(D/4ε)", 0.0, float(abs(two - closed).max()), 1e-13,
             says="our check"),
    ]  # fmt: skip
    return Reproduction(
        "transport-figure-2", "The dual view of a collapse", f"{SOURCE}, Figure 2", panels, (*lines, *_normality())
    )


def _slope(epsilon: Array, gaps: Array) -> float:
    """Of the logarithms, between the two lowest temperatures."""
    return float(np.diff(np.log(gaps[:2]))[0] / np.diff(np.log(epsilon[:2]))[0])


def _uneven() -> Transport:
    """Six rows of unequal mass: the Jacobian is then not symmetric."""
    rng = np.random.default_rng(4)
    row, column = rng.dirichlet(np.full(6, 2.0)), rng.dirichlet(np.full(6, 2.0))
    return Transport(rng.random((6, 6)), row, column, 0.1)


def _in_weights(J: Array, r: Array) -> Array:
    """D_r^½ J D_r^−½: the Jacobian as l²(r) measures it."""
    root = np.sqrt(r)
    return root[:, None] * J / root


def _spectrum_panel() -> Panel:
    problem = _uneven()
    J = sinkhorn_jacobian(transport_reference(problem).plan)
    values = np.linalg.eigvals(J).real
    turn = np.linspace(-0.6, 0.6, 100)
    curves = [
        Curve.of("unit circle", np.cos(turn), np.sin(turn), "dotted"),
        Curve.of("eigenvalues", values, np.zeros(len(values)), "points"),
    ]
    for label, matrix, style in (
        ("δ = 0.1, plain norm", J, "line"), ("δ = 0.1, norm of l²(r)", _in_weights(J, problem.row), "dashed"),
    ):  # fmt: skip
        x, y = _outline(matrix)
        curves.append(Curve.of(label, np.concatenate([x, x[::-1]]), np.concatenate([y, -y[::-1]]), style))
    return Panel("pseudospectrum, ε = 0.1", "real part", "imaginary part", tuple(curves))


def _outline(J: Array) -> tuple[Array, Array]:
    """Upper edge of {z: σ_min(z − J) ≤ δ} over the real axis; 0 between its islands."""
    x = np.linspace(-1.3 * _DELTA, 1 + 1.3 * _DELTA, 180)
    y = np.linspace(0, 1.5 * _DELTA, 61)
    z = x[:, None] + 1j * y
    smallest = np.linalg.svd(z[..., None, None] * np.eye(len(J)) - J, compute_uv=False)[..., -1]
    inside = smallest <= _DELTA
    reached = np.flatnonzero(inside.any(axis=1))
    top = np.where(inside, y, 0.0).max(axis=1)
    return x[reached[0] : reached[-1] + 1], top[reached[0] : reached[-1] + 1]


def _normality() -> list[Line]:
    problem = _uneven()
    plan = transport_reference(problem).plan
    J, spectrum = sinkhorn_jacobian(plan), sinkhorn_spectrum(plan)
    weighed = _in_weights(J, plan.sum(axis=1))
    vectors = np.linalg.eig(J)[1]
    condition = float(np.linalg.cond(vectors / np.linalg.norm(vectors, axis=0)))
    others = np.eye(6) - np.outer(np.ones(6), plan.sum(axis=1)) / plan.sum()
    grown = [
        float(np.linalg.norm(_in_weights(np.linalg.matrix_power(J, k) @ others, plan.sum(axis=1)), 2))
        for k in range(1, _SWEEPS)
    ]
    uniform = sinkhorn_jacobian(transport_reference(permutations()[0]).plan)
    row = "2.3, Figure 2(b)"
    return [
        Line("largest entry of JJᵀ − JᵀJ in l²(r)", 1e-3, _departure(weighed), 1e-12, "≥", says="non-normal, 2.3: not 0",
             corrected=0.0, row=row),
        Line("largest entry of JJᵀ − JᵀJ with equal masses", 1e-3, _departure(uniform), 1e-12, "≥",
             says="non-normal, 2.3: not 0", corrected=0.0, row=row),
        Line("condition κ(V) of the eigenvectors", math.sqrt(plan.sum(axis=1).max() / plan.sum(axis=1).min()), condition,
             1e-9, "≤", says="our check: √(max r/min r)", shown=f"{spectrum.condition:.3g} by the reference"),
        Line(f"reach of the pseudospectrum of δ = {_DELTA:g} beyond the unit circle in l²(r)", 1.01 * _DELTA,
             _reach(weighed) - 1, 1e-9, "≥", says="quantifies amplification, Figure 2(b): more than δ", corrected=_DELTA,
             row=row),
        Line(f"largest growth of an error after 1 to {_SWEEPS - 1} sweeps in l²(r)", 1.0, max(grown), 1e-9, "≥",
             says="amplifies transient errors, 2.3", corrected=spectrum.radius, row=row),
    ]  # fmt: skip


def _departure(J: Array) -> float:
    return float(abs(J @ J.T - J.T @ J).max())


def _reach(J: Array) -> float:
    """Largest real z with σ_min(z − J) ≤ δ."""

    def over(z: float) -> float:
        return float(np.linalg.svd(z * np.eye(len(J)) - J, compute_uv=False)[-1]) - _DELTA

    return float(root_scalar(over, bracket=(1.0, 3.0), xtol=1e-14).root)
