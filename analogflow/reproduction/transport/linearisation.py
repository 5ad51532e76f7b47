"""The paper's dual view of a collapse: how the gap closes with the temperature, and what the pseudospectrum says."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root_scalar

from analogflow.problems import Transport
from analogflow.reference.transport import sinkhorn_jacobian, sinkhorn_spectrum, transport_reference
from analogflow.reproduction.result import Curve, Line, Panel, Reproduction
from analogflow.reproduction.transport.costs import (
    CONNECTED,
    SOURCE,
    TWO,
    TWO_DIFFERENCE,
    gap,
    permutations,
    uniform_line,
    unit_masses,
)

__all__ = ["figure_2"]

Array = NDArray[np.float64]

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
