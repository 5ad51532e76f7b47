"""Figures 3 to 5 of the paper on the capacity flow: its orbits, those of Blahut and Arimoto, and how fast they come near.

L. Beretta and M. Pelillo's channels P(1) and P(2), started at the thirds and at (0.7, 0.2, 0.1). Our curves are those of the
log-domain circuit in the block engine; an independent integration of the equation as printed stands beside it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.special import xlogy

from analogflow.compiler import compile
from analogflow.flows import capacity
from analogflow.problems import Channel
from analogflow.reference import capacity_reference
from analogflow.reference.capacity.closed_forms import noiseless_distance, noiseless_solution
from analogflow.reference.capacity.convergence import capacity_convergence
from analogflow.reproduction.result import Curve, Finding, Panel, Reproduction, agreement, largest
from analogflow.simulators import ensemble

__all__ = ["FIGURES"]

Array = NDArray[np.float64]

_SOURCE = "Entropy 27(4):362, 2025"
_STEP = 0.01
_CASES = {
    "P(1)": (np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]]), np.full(3, 1 / 3), 40.0),
    "P(2)": (np.eye(3), np.array([0.7, 0.2, 0.1]), 15.0),
}
"""Channel, start, and length of the run in τ."""

_PRINTED = {"P(1)": (0.3645, 0.4169, 0.2186), "P(2)": (0.333, 0.333, 0.333)}
_RATES = {"P(1)": -0.1778, "P(2)": -1.0}


class _Orbit:
    """One channel's flow and digital iterations from one start."""

    def __init__(self, name: str) -> None:
        self.P, self.start, self.end = _CASES[name]
        self.channel = Channel(self.P, initial=self.start)
        self.time = np.arange(0.0, self.end + 0.05, 0.1)
        circuit = compile(capacity(self.channel, form="logdomain"))
        run = ensemble(circuit, 1, time_constants=self.end + 0.05, save=self.time, step_accuracy=1e-10)
        self.z = run.values["z"][0]
        self.optimum = capacity_convergence(self.channel)
        self.blahut_arimoto = self._iterated(1.0, int(self.end))
        self.small_steps = self._iterated(_STEP, round(self.end / _STEP))

    def information(self, z: Array) -> Array:
        """I(z) in nats, shape (times,)."""
        q = z @ self.P
        return (z * xlogy(self.P, self.P).sum(1)).sum(-1) - xlogy(q, q).sum(-1)

    def divergences(self, z: Array) -> Array:
        """D(p_i‖q) in nats."""
        q = z @ self.P
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.P > 0, self.P * np.log(self.P / q), 0.0).sum(1)

    def _iterated(self, tau: float, steps: int) -> Array:
        """Multiplicative weights with step τ: Blahut and Arimoto's map for τ = 1."""
        z, path = self.start.copy(), [self.start]
        for _ in range(steps):
            z = z * np.exp(tau * self.divergences(z))
            z = z / z.sum()
            path.append(z)
        return np.array(path)

    def independent(self) -> Array:
        """The printed equation, integrated by another method in other coordinates, z on the simplex."""

        def rate(_: float, z: Array) -> Array:
            x = z / z.sum()  # the printed equation repels from the simplex; its direction does not
            w = self.divergences(x)
            return x * (w - x @ w)

        return solve_ivp(rate, (0, self.end + 0.1), self.start, "DOP853", self.time, rtol=1e-12, atol=1e-14).y.T


@functools.cache
def _orbit(name: str) -> _Orbit:
    return _Orbit(name)


def figure_3() -> Reproduction:
    """Components of the input distribution against time."""
    panels, findings = [], []
    for name, printed in _PRINTED.items():
        orbit = _orbit(name)
        curves = [Curve.of(f"z{i + 1}, flow", orbit.time, orbit.z[:, i]) for i in range(3)]
        steps = np.arange(len(orbit.blahut_arimoto))
        curves += [Curve.of(f"z{i + 1}, Blahut-Arimoto", steps, orbit.blahut_arimoto[:, i], "points") for i in range(3)]
        panels.append(Panel(f"channel {name}", "time (τ), or steps", "input distribution", tuple(curves)))
        findings.append(_independent(name, orbit))
        off = largest(orbit.z[-1] - np.array(printed))
        shown = ", ".join(f"{value:.4f}" for value in orbit.z[-1])
        agrees = off <= 6e-4
        findings.append(
            Finding(f"optimal input of {name}", str(printed), f"({shown})", f"{off:.1g}", "agrees" if agrees else "differs")
        )
    one = largest(_orbit("P(2)").blahut_arimoto[1] - 1 / 3)
    findings.append(
        Finding("Blahut-Arimoto on P(2) ends after one step", "one step", "one step", f"{one:.1g}", "agrees")
        if one < 1e-12
        else Finding("Blahut-Arimoto on P(2) ends after one step", "one step", "more", f"{one:.1g}", "differs")
    )
    orbit = _orbit("P(1)")
    fine = largest(orbit.small_steps[::10][: len(orbit.time)] - orbit.z)
    coarse = largest(orbit.blahut_arimoto - orbit.z[::10][: len(orbit.blahut_arimoto)])
    findings.append(
        Finding(
            f"multiplicative weights with τ = {_STEP} follow the flow", "a better approximation than τ = 1",
            f"{coarse:.1g} apart with τ = 1", f"{fine:.1g}", "agrees" if fine < coarse else "differs",
        )
    )  # fmt: skip
    return Reproduction(
        "capacity-figure-3", "Orbits of the capacity flow and of Blahut-Arimoto", f"{_SOURCE}, Figure 3", tuple(panels),
        tuple(findings),
    )  # fmt: skip


def figure_4() -> Reproduction:
    """Mutual information along the orbits."""
    panels, findings = [], []
    for name in _CASES:
        orbit = _orbit(name)
        steps = np.arange(len(orbit.blahut_arimoto))
        exact = float(orbit.information(orbit.z[-1]))
        curves = (
            Curve.of("flow", orbit.time, orbit.information(orbit.z)),
            Curve.of("Blahut-Arimoto", steps, orbit.information(orbit.blahut_arimoto), "points"),
            Curve.of("capacity", [0, orbit.end], [exact, exact], "dotted"),
        )
        panels.append(Panel(f"channel {name}", "time (τ), or steps", "I(z) (nat)", curves))
        rising = bool((np.diff(orbit.information(orbit.z)) >= -1e-12).all())
        findings.append(
            Finding(
                f"I(z) rises along the flow of {name}",
                "yes",
                "yes" if rising else "no",
                "",
                "agrees" if rising else "differs",
            )
        )
    findings.append(agreement("capacity of P(2), nats", math.log(3), float(_orbit("P(2)").information(_orbit("P(2)").z[-1])),
                              allowed=1e-6))  # fmt: skip
    findings += [_independent(name, _orbit(name)) for name in _CASES]
    return Reproduction(
        "capacity-figure-4", "Mutual information along the orbits", f"{_SOURCE}, Figure 4", tuple(panels), tuple(findings)
    )


def figure_5() -> Reproduction:
    """Distances from the limit, and from Blahut-Arimoto's iterates, with the lines of Theorems 5 and 7."""
    panels, findings = [], []
    for name, rate in _RATES.items():
        orbit = _orbit(name)
        limit = _limit(orbit)
        distance = np.linalg.norm(orbit.z - limit, axis=1)
        whole = np.arange(int(orbit.end))
        apart = np.linalg.norm(orbit.z[10 * whole] - orbit.blahut_arimoto[whole], axis=1)
        slope = orbit.optimum.lambda_max
        steep = distance[len(distance) // 3] * np.exp(slope * (orbit.time - orbit.time[len(distance) // 3]))
        curves = [
            Curve.of("flow to its limit", orbit.time, distance),
            Curve.of("flow to Blahut-Arimoto", whole[1:], apart[1:], "points"),
            Curve.of("slope of Theorem 5", orbit.time, steep, "dotted"),
        ]
        if name == "P(2)":
            curves.append(Curve.of("Theorem 7", orbit.time, noiseless_distance(orbit.start, orbit.time), "dashed"))
        panels.append(Panel(f"channel {name}", "time (τ)", "Euclidean distance", tuple(curves), log_y=True))
        findings.append(agreement(f"λ_max of {name}", rate, slope, allowed=1e-4))
        late = (orbit.time > 0.5 * orbit.end) & (distance > 1e-9)
        measured = float(np.polyfit(orbit.time[late], np.log(distance[late]), 1)[0])
        findings.append(agreement(f"slope of the distance of {name}, fitted", rate, measured, allowed=0.02 * abs(rate)))
    orbit = _orbit("P(2)")
    closed = noiseless_solution(orbit.start, orbit.time)
    off = largest(closed - orbit.z)
    findings.append(
        Finding("closed solution of the noiseless channel", "softmax(e^−t ln y)", "the circuit's path", f"{off:.1g}",
                "agrees" if off < 1e-6 else "differs")
    )  # fmt: skip
    ratio = float(np.linalg.norm(orbit.z[-1] - 1 / 3) / noiseless_distance(orbit.start, orbit.time[-1]))
    findings.append(agreement("distance over Theorem 7's asymptote at the end", 1.0, ratio, allowed=1e-3))
    return Reproduction(
        "capacity-figure-5",
        "Speed of convergence of the capacity flow",
        f"{_SOURCE}, Figure 5",
        tuple(panels),
        tuple(findings),
    )


def _limit(orbit: _Orbit) -> Array:
    """Optimal input of an orbit's channel, from the interior point."""
    return np.asarray(capacity_reference(orbit.channel, gap=1e-14).input_distribution)


def _independent(name: str, orbit: _Orbit) -> Finding:
    off = largest(orbit.independent() - orbit.z)
    verdict = "agrees" if off <= 1e-6 else "differs"
    return Finding(f"curves of {name} against an independent integration", "", "at most 1e-6 apart", f"{off:.1g}", verdict)


FIGURES: dict[str, Callable[[], Reproduction]] = {
    "capacity-figure-3": figure_3,
    "capacity-figure-4": figure_4,
    "capacity-figure-5": figure_5,
}
"""By name."""
