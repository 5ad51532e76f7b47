"""The paper's dual view of a collapse: how the gap closes with the temperature, and what the pseudospectrum says."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from analogflow.problems import Transport
from analogflow.reference.transport import sinkhorn_jacobian, sinkhorn_spectrum, transport_reference
from analogflow.reproduction.result import Curve, Finding, Panel, Reproduction, agreement
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
    slopes = {"2 × 2": _slope(epsilon, two), "random 5 × 5": _slope(epsilon, five), "tied optima": _slope(epsilon, tied)}
    findings = [
        Finding(f"slope of ln gap over ln ε at ε = 0.02, {name}, as printed", "1", f"{slope:.3g}", f"{slope - 1:.2g}",
                "agrees" if abs(slope - 1) < 0.1 else "differs")
        for name, slope in slopes.items()
    ]  # fmt: skip
    findings.append(agreement("slope of ln gap over ln ε at ε = 0.002, uniform measures", 1.0, _slope(coarse, line),
                              allowed=0.1, digits=3))  # fmt: skip
    off = float(abs(two - closed).max())
    findings.append(Finding("gap of 2 × 2 against sech²(D/4ε), corrected", "", "the same", f"{off:.1g}",
                            "agrees" if off < 1e-13 else "differs"))  # fmt: skip
    return Reproduction(
        "transport-figure-2", "The dual view of a collapse", f"{SOURCE}, Figure 2", panels, (*findings, *_normality())
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


def _normality() -> list[Finding]:
    problem = _uneven()
    plan = transport_reference(problem).plan
    J, spectrum = sinkhorn_jacobian(plan), sinkhorn_spectrum(plan)
    same = _in_weights(J, plan.sum(axis=1))
    asymmetric = float(abs(same - same.T).max())
    values, vectors = np.linalg.eig(J)
    condition = float(np.linalg.cond(vectors / np.linalg.norm(vectors, axis=0)))
    reach = float(abs(np.linalg.svd((1 + _DELTA) * np.eye(6) - same, compute_uv=False)[-1] - _DELTA))
    others = np.eye(6) - np.outer(np.ones(6), plan.sum(axis=1)) / plan.sum()
    powers = [np.linalg.matrix_power(J, k) @ others for k in range(_SWEEPS)]
    weighed = max(float(np.linalg.norm(_in_weights(power, plan.sum(axis=1)), 2)) for power in powers)
    grown = np.array([np.linalg.norm(_in_weights(power, plan.sum(axis=1)), 2) for power in powers])
    falls = bool((np.diff(grown) < 1e-12).all())
    uniform = sinkhorn_jacobian(transport_reference(permutations()[0]).plan)
    level = float(abs(uniform - uniform.T).max())
    return [
        Finding("Jacobian of Sinkhorn's iteration", "non-normal", "self-adjoint in l²(r)", f"{asymmetric:.1g}",
                "differs" if asymmetric < 1e-12 and float(abs(np.imag(values)).max()) < 1e-12 else "agrees"),
        Finding("Jacobian with equal masses", "non-normal", "symmetric, κ(V) = 1", f"{level:.1g}",
                "differs" if level < 1e-12 else "agrees"),
        Finding("condition κ(V) of its eigenvectors", "compresses the basin by κ(V)",
                f"{condition:.3g}, at most √(max r/min r) = {spectrum.condition:.3g} in all", "",
                "differs" if condition <= spectrum.condition * (1 + 1e-9) else "agrees"),
        Finding("pseudospectrum beyond the unit circle", "quantifies transient amplification",
                "by δ and no more in l²(r): no amplification", f"{reach:.1g}", "differs" if reach < 1e-12 else "agrees"),
        Finding(f"largest growth of an error over {_SWEEPS} sweeps", "transient growth before contraction",
                f"{weighed:.3g} in l²(r), falling from the first", "",
                "differs" if falls and weighed <= 1 + 1e-9 else "agrees"),
    ]  # fmt: skip
