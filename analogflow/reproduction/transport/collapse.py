"""The paper's collapse and its brake in a cooling circuit, and whether there is a wrong basin to fall into."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp

from analogflow.problems import Schedule
from analogflow.reproduction.result import Curve, Finding, Panel, Reproduction
from analogflow.reproduction.transport.circuits import Cooled, cooled
from analogflow.reproduction.transport.costs import SOURCE
from analogflow.reproduction.transport.tracking import SIZE, STEPS, followed

__all__ = ["figure_1", "figure_3"]

Array = NDArray[np.float64]

_RATE, _END, _K_SAFE, _LIMIT = 0.3, 0.02, 0.2, 0.5
"""Cooling per τ, last temperature, k_safe, and figure 1's threshold, which the paper leaves open: a sixth of the mass."""

_SHOWN, _LONG = 14.0, 80.0
_STARTS = 100


@functools.cache
def _cost() -> Array:
    return np.random.default_rng(3).random((3, 3))


@functools.cache
def _run(kind: str, carry: str, end: float = _SHOWN) -> Cooled:
    schedule = Schedule(kind, 1.0, _RATE, _K_SAFE if kind == "adaptive" else None)
    return cooled(_cost(), _END, schedule, carry, np.arange(0.0, end + 0.05, 0.1))


def _independent(run: Cooled, name: str) -> Finding:
    return Finding(f"circuit of {name} against an independent integration", "", "at most 1e-6 apart", f"{run.apart:.1g}",
                   "agrees" if run.apart <= 1e-6 else "differs")  # fmt: skip


def figure_1() -> Reproduction:
    """A cooling circuit that collapses, the same with the pause, and one that carries g and needs none."""
    plain, braked, potential = _run("exponential", "scaling"), _run("adaptive", "scaling"), _run("exponential", "potential")
    long = _run("exponential", "scaling", _LONG)
    best = linear_sum_assignment(_cost())[1]

    def rows(run: Cooled) -> str:
        return f"{int((run.plan[-1].argmax(axis=1) == best).sum())} of {len(best)} rows right"

    steps = np.arange(STEPS)
    panels = (
        Panel("circuit, fixed cost", "time (τ)", "error of the columns (mass)",
              (Curve.of("u carried, exponential", plain.time, plain.violation),
               Curve.of("u carried, adaptive", braked.time, braked.violation, "dashed"),
               Curve.of("g carried, exponential", potential.time, potential.violation),
               Curve.of("threshold R", [0, _SHOWN], [_LIMIT, _LIMIT], "dotted"))),
        Panel("Sinkhorn, drifting cost, α = 0.95", "step", "error of the columns (part of mass)",
              tuple(Curve.of(name, steps, np.median(followed(0.95, k, carry).violation, axis=1) / SIZE, style)
                    for name, k, carry, style in (("u carried, exponential", None, "scaling", "line"),
                                                  ("u carried, adaptive", 0.5, "scaling", "dashed"),
                                                  ("g carried, exponential", None, "potential", "line"))), log_y=True),
    )  # fmt: skip
    collapsed, held = plain.violation.max() > _LIMIT, braked.violation.max() <= _LIMIT
    recovered = bool((long.plan[-1].argmax(axis=1) == best).all()) and long.violation[-1] < 0.05
    apart, right, assigned = _from_anywhere()
    findings = (
        _independent(plain, "exponential cooling"),
        _independent(braked, "the adaptive pause"),
        Finding("exponential cooling, u carried, against R = 0.5", "breaches it",
                f"up to {plain.violation.max():.2f}; {rows(plain)}",
                f"{plain.violation.max() - _LIMIT:+.2f}", "agrees" if collapsed else "differs"),
        Finding("the pause, u carried, against R = 0.5", "stays below",
                f"up to {braked.violation.max():.2f}; {rows(braked)}",
                f"{braked.violation.max() - _LIMIT:+.2f}", "agrees" if held else "differs"),
        Finding("exponential cooling, g carried, against R = 0.5", "breaches it",
                f"up to {potential.violation.max():.2f}; {rows(potential)}", f"{potential.violation.max() - _LIMIT:+.2f}",
                "agrees" if potential.violation.max() > _LIMIT else "differs"),
        Finding(f"the collapsed circuit, left alone until {_LONG:g} τ", "locked into a spurious mode",
                f"comes back: {rows(long)}, error {long.violation[-1]:.2g}", "", "differs" if recovered else "agrees"),
        Finding(f"plans that Sinkhorn reaches from {_STARTS} random starts", "several basins", "one plan", f"{apart:.1g}",
                "differs" if apart < 1e-9 else "agrees"),
        Finding("assignment solver asked about ln P, for those starts", "detects a collapse",
                f"optimal in {assigned} of {_STARTS}, rows right in {right}", "",
                "differs" if assigned == _STARTS > right else "agrees"),
    )  # fmt: skip
    return Reproduction(
        "transport-figure-1", "Premature collapse", f"{SOURCE}, Figure 1, in a simulated version", panels, findings
    )


def _from_anywhere() -> tuple[float, int, int]:
    """Spread of the plans at ε = 0.1 after many sweeps; right rows, and optimal assignments of ln P, before the first."""
    cost, epsilon = np.random.default_rng(5).random((6, 6)), 0.1
    g = np.random.default_rng(6).normal(size=(_STARTS, 1, 6))
    best = linear_sum_assignment(cost)[1]

    def logs(potential: Array) -> Array:
        exponents = (potential - cost) / epsilon
        return exponents - np.asarray(logsumexp(exponents, axis=2, keepdims=True))

    first = logs(g)
    right = int((first.argmax(axis=2) == best).all(axis=1).sum())
    assigned = sum(bool((linear_sum_assignment(-one)[1] == best).all()) for one in first)
    for _ in range(400):
        g = g - epsilon * np.asarray(logsumexp(logs(g), axis=1, keepdims=True))
    plans = np.exp(logs(g))
    return float(np.ptp(plans, axis=0).max()), right, assigned


def figure_3() -> Reproduction:
    """The plan's speed against k_safe ε in the circuit of the adaptive pause, and what its brake does to the temperature."""
    braked, plain = _run("adaptive", "scaling"), _run("exponential", "scaling")
    panels = (
        Panel("speed of the plan", "time (τ)", "‖dP/dt‖ (mass per τ)",
              (Curve.of("exponential", plain.time, plain.speed), Curve.of("adaptive", braked.time, braked.speed),
               Curve.of("limit k ε of the adaptive", braked.time, _K_SAFE * braked.epsilon, "dotted")), log_y=True),
        Panel("temperature", "time (τ)", "ε (unit of cost)",
              (Curve.of("exponential", plain.time, plain.epsilon), Curve.of("adaptive", braked.time, braked.epsilon)),
              log_y=True),
        Panel("brake", "time (τ)", "brake (0: off, 1: full)",
              (Curve.of("exponential", plain.time, plain.brake), Curve.of("adaptive", braked.time, braked.brake))),
    )  # fmt: skip
    over = float((braked.speed / (_K_SAFE * braked.epsilon)).max())
    free = float((plain.speed / (_K_SAFE * plain.epsilon)).max())
    late = braked.time > 3
    sliding = bool(((braked.brake[late] > 0.05) & (braked.brake[late] < 0.98)).all())
    digital = followed(0.95, 0.5, "scaling")
    later = float((digital.ratio[1:] / 0.5).max(axis=0).mean())
    cools = bool((np.diff(braked.epsilon) < 0).all())
    findings = (
        _independent(braked, "the adaptive pause"),
        Finding("largest ‖dP/dt‖/(k_safe ε), circuit with its brake", "at most 1", f"{over:.3f}", f"{over - 1:+.2f}",
                "agrees" if over <= 1.1 else "differs"),
        Finding("the same without a brake", "above 1", f"{free:.2f}", f"{free - 1:+.2f}",
                "agrees" if free > 1 else "differs"),
        Finding("largest ‖ΔP‖/(k_safe ε), rule of equation (3) step by step", "strictly enforced: at most 1",
                f"{later:.2f} on the mean of the runs: the step that breaks it is done before it is seen",
                f"{later - 1:+.2f}", "differs" if later > 1.1 else "agrees"),
        Finding("temperature while braking", "held constant, then resumed",
                "the circuit slides along the limit, between both" if sliding and cools else "held",
                f"brake {braked.brake[late].min():.2f} to {braked.brake[late].max():.2f}",
                "differs" if sliding and cools else "agrees"),
    )  # fmt: skip
    return Reproduction(
        "transport-figure-3",
        "Mechanism of the adaptive pause",
        f"{SOURCE}, Figure 3, in a simulated version",
        panels,
        findings,
    )
