"""The paper's collapse and its brake in a cooling circuit, and whether there is a wrong basin to fall into."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp

from analogflow.problems import Schedule
from analogflow.reproduction.result import Curve, Line, Panel, Reproduction
from analogflow.reproduction.transport.circuits import Cooled, cooled
from analogflow.reproduction.transport.costs import SOURCE
from analogflow.reproduction.transport.tracking import SIZE, followed

__all__ = ["figure_1", "figure_3"]

Array = NDArray[np.float64]

_RATE, _END, _K_SAFE, _LIMIT = 0.3, 0.02, 0.2, 0.5
"""Cooling per τ, last temperature, k_safe, and figure 1's threshold, which the paper leaves open: a sixth of the mass."""

_SHOWN, _LONG, _PAUSED = 14.0, 80.0, 58.0
"""Of the exponential circuit: until it has collapsed, and until it is back; and until the paused one is as cold, τ."""

_STARTS = 100
_WARM = 0.2
"""Temperature below which errors are compared: above it they are still those of the start."""


@functools.cache
def _cost() -> Array:
    return np.random.default_rng(3).random((3, 3))


@functools.cache
def _run(kind: str, carry: str, end: float = _SHOWN) -> Cooled:
    schedule = Schedule(kind, 1.0, _RATE, _K_SAFE if kind == "adaptive" else None)
    return cooled(_cost(), _END, schedule, carry, np.arange(0.0, end + 0.05, 0.1))


def _independent(run: Cooled, name: str) -> Line:
    return Line(f"circuit of {name} against an independent integration", 0.0, run.apart, 1e-6, says="our check")


def _at(run: Cooled, epsilon: float) -> int:
    """Sample at which a run has cooled to a temperature."""
    return int(np.flatnonzero(run.epsilon <= epsilon)[0])


def figure_1() -> Reproduction:
    """A cooling circuit that collapses, the same with the pause, and one that carries g: errors at the same temperatures."""
    plain, braked = _run("exponential", "scaling", _LONG), _run("adaptive", "scaling", _PAUSED)
    potential = _run("exponential", "potential", _SHOWN + 1)
    best = linear_sum_assignment(_cost())[1]
    cold = float(plain.epsilon[round(_SHOWN / 0.1)])

    def largest_error(run: Cooled) -> float:
        return float(run.violation[_at(run, _WARM) : _at(run, cold) + 1].max())

    def rows(run: Cooled, sample: int) -> int:
        return int((run.plan[sample].argmax(axis=1) == best).sum())

    names = (("u carried, exponential", plain, "line"), ("u carried, adaptive", braked, "dashed"),
             ("g carried, exponential", potential, "line"))  # fmt: skip
    drifting = [(name, followed(0.95, k, carry), style)
                for name, k, carry, style in (("u carried, exponential", None, "scaling", "line"),
                                              ("u carried, adaptive", 0.5, "scaling", "dashed"),
                                              ("g carried, exponential", None, "potential", "line"))]  # fmt: skip
    panels = (
        Panel("circuit, fixed cost: cools to the left", "temperature ε (unit of cost)", "error of the columns (mass)",
              (*(Curve.of(name, run.epsilon[: _at(run, cold) + 1], run.violation[: _at(run, cold) + 1], style)
                 for name, run, style in names),
               Curve.of("threshold R", [cold, 1.0], [_LIMIT, _LIMIT], "dotted")), log_x=True),
        Panel("the same over time", "time (τ)", "error of the columns (mass)",
              (*(Curve.of(name, run.time, run.violation, style) for name, run, style in names),
               Curve.of("threshold R", [0, _LONG], [_LIMIT, _LIMIT], "dotted"))),
        Panel("Sinkhorn, drifting cost, α = 0.95", "median temperature ε (unit of cost)",
              "median error (part of mass)",
              tuple(Curve.of(name, np.median(found.epsilon, axis=1), np.median(found.violation, axis=1) / SIZE, style)
                    for name, found, style in drifting), log_x=True, log_y=True),
    )  # fmt: skip
    span = f"largest error from ε = {_WARM:g} to {cold:.3f}"
    distinct, right, assigned = _from_anywhere()
    lines = (
        _independent(plain, "exponential cooling"),
        _independent(braked, "the adaptive pause"),
        _independent(potential, "exponential cooling that carries g"),
        Line(f"{span}, exponential cooling, u carried", _LIMIT, largest_error(plain), relation="≥",
             says="breaches R, Figure 1, drawn at a sixth of the mass"),
        Line(f"{span}, the pause, u carried", _LIMIT, largest_error(braked), relation="≤",
             says="detects it and pauses: below R"),
        Line(f"{span}, exponential cooling, g carried", _LIMIT, largest_error(potential), relation="≥", says="breaches R",
             corrected=_LIMIT / 2, corrected_relation="≤", row="Theorem 3.2, Corollary 3.3"),
        Line(f"right rows of 3 at ε = {cold:.3f}, exponential cooling, u carried", 2.0, float(rows(plain, _at(plain, cold))),
             relation="≤", says="a spurious mode"),
        Line(f"right rows of 3 at ε = {cold:.3f}, the pause, u carried", 3.0, float(rows(braked, _at(braked, cold))),
             says="no collapse", shown=f"{braked.time[_at(braked, cold)]:.0f} τ in the place of {_SHOWN:g}"),
        Line(f"right rows of 3 at {_LONG:g} τ, exponential cooling, u carried, left alone", 2.0, float(rows(plain, -1)),
             relation="≤", says="locked into the spurious mode", corrected=3.0, row="2.1, Figure 1"),
        Line(f"different plans that Sinkhorn reaches from {_STARTS} random starts", 2.0, float(distinct), relation="≥",
             says="several basins, 2.1", corrected=1.0, row="2.1, Figure 1"),
        Line(f"of those starts, {_STARTS - right} with wrong rows, seen by an assignment solver on ln P", 0.0,
             float(_STARTS - assigned), says="our check: none, potentials cancel"),
    )  # fmt: skip
    return Reproduction(
        "transport-figure-1", "Premature collapse", f"{SOURCE}, Figure 1, in a simulated version", panels, lines
    )


def _from_anywhere() -> tuple[int, int, int]:
    """Plans after many sweeps at ε = 0.1, told apart at 1e-6; right rows, and optimal assignments, before."""
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
    kept: list[Array] = []
    for plan in plans:
        if all(float(abs(plan - other).max()) > 1e-6 for other in kept):
            kept.append(plan)
    return len(kept), right, assigned


def figure_3() -> Reproduction:
    """The plan's speed against k_safe ε in the circuit of the adaptive pause, and what its brake does to the temperature."""
    shown = slice(0, round(_SHOWN / 0.1) + 1)
    braked, plain = _run("adaptive", "scaling"), _run("exponential", "scaling")
    time = braked.time[shown]
    panels = (
        Panel("speed of the plan", "time (τ)", "‖dP/dt‖ (mass per τ)",
              (Curve.of("exponential", time, plain.speed[shown]), Curve.of("adaptive", time, braked.speed[shown]),
               Curve.of("limit k ε of the adaptive", time, _K_SAFE * braked.epsilon[shown], "dotted")), log_y=True),
        Panel("temperature", "time (τ)", "ε (unit of cost)",
              (Curve.of("exponential", time, plain.epsilon[shown]), Curve.of("adaptive", time, braked.epsilon[shown])),
              log_y=True),
        Panel("brake", "time (τ)", "brake (0: off, 1: full)",
              (Curve.of("exponential", time, plain.brake[shown]), Curve.of("adaptive", time, braked.brake[shown]))),
    )  # fmt: skip
    over = float((braked.speed / (_K_SAFE * braked.epsilon))[shown].max())
    free = float((plain.speed / (_K_SAFE * plain.epsilon))[shown].max())
    digital = followed(0.95, 0.5, "scaling")
    later = float((digital.ratio[1:] / 0.5).max(axis=0).mean())
    held = digital.epsilon[1:] == digital.epsilon[:-1]
    resumed = [bool((~held[int(run.argmax()) :, k]).any()) for k, run in enumerate(held.T) if run.any()]
    lines = (
        _independent(braked, "the adaptive pause"),
        Line("largest ‖dP/dt‖/(k_safe ε), circuit with its brake", 1.0, over, 0.05, "≤", says="(3)",
             shown="its comparator is a tenth wide in squares"),
        Line("the same without a brake", 1.0, free, relation="≥", says="above the threshold, Figure 3"),
        Line("largest ‖ΔP‖/(k_safe ε), rule of section 4 step by step, mean of the runs", 1.0, later, 0.05, "≤",
             says="strictly enforced, Figure 3", corrected=1.1, corrected_relation="≥", row="(3), Figure 3"),
        Line("runs that cool again after their first pause, step by step", float(len(resumed)), float(sum(resumed)),
             says="held until stability is regained, section 4: all that pause"),
    )  # fmt: skip
    return Reproduction(
        "transport-figure-3", "Mechanism of the adaptive pause", f"{SOURCE}, Figure 3, in a simulated version", panels, lines
    )
