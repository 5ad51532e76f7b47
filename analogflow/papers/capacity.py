"""Figures 3 to 5 of the paper on the capacity flow: its orbits, those of Blahut and Arimoto, and how fast they come near.

G. Beretta and M. Pelillo's channels P(1) and P(2), started at the thirds and at (0.7, 0.2, 0.1). Our curves are those of the
log-domain circuit in the block engine; an independent integration of the equation as printed stands beside it.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.special import xlogy

from analogflow.compiler import compile
from analogflow.flows import capacity
from analogflow.papers.result import Curve, Line, Panel, Reproduction, largest
from analogflow.problems import Channel
from analogflow.reference import capacity_reference
from analogflow.reference.capacity_theory import capacity_convergence, noiseless_distance, noiseless_solution
from analogflow.simulators import ensemble

__all__ = ["figure_3", "figure_4", "figure_5"]

Array = NDArray[np.float64]

_SOURCE = "Entropy 27(4):362, 2025"
_STEP = 0.01
_CASES = {
    "P(1)": (np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]]), np.full(3, 1 / 3), 100.0),
    "P(2)": (np.eye(3), np.array([0.7, 0.2, 0.1]), 40.0),
}
"""Channel, start, and length of the run in τ: at its end the first is as near to its limit as the paper's digits ask."""

_SHOWN = {"P(1)": 40.0, "P(2)": 15.0}
"""Part of the run that Figures 3 and 4 show."""

_PRINTED = {"P(1)": ((0.3645, 0.4169, 0.2186), 5e-5), "P(2)": ((0.333, 0.333, 0.333), 5e-4)}
"""Optimal inputs of section 8, and half of a unit of their last digit."""

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
        self.convergence = capacity_convergence(self.channel)
        self.reference = capacity_reference(self.channel, gap=1e-14)
        self.limit = np.asarray(self.reference.input_distribution)
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


def _curves(name: str, label: str, flow: Array, iterated: Array) -> list[Curve]:
    """Flow and Blahut-Arimoto's iterates over the part of the run that is shown."""
    orbit, end = _orbit(name), _SHOWN[name]
    shown, steps = orbit.time <= end, np.arange(int(end) + 1)
    return [
        Curve.of(f"{label}flow", orbit.time[shown], flow[shown]),
        Curve.of(f"{label}Blahut-Arimoto", steps, iterated[: len(steps)], "points"),
    ]


def figure_3() -> Reproduction:
    """Components of the input distribution against time."""
    panels, lines = [], []
    for name, (printed, half_digit) in _PRINTED.items():
        orbit = _orbit(name)
        curves = [
            curve
            for i in range(3)
            for curve in _curves(name, f"z{i + 1}, ", orbit.z[:, i], orbit.blahut_arimoto[:, i])
        ]  # fmt: skip
        panels.append(Panel(f"channel {name}", "time (τ), or steps", "input distribution", tuple(curves)))
        lines += [
            _independent(name, orbit),
            Line(f"optimal input of {name}, from the interior point", np.array(printed), orbit.limit, half_digit,
                 says="section 8"),
            Line(f"the flow of {name} at t = {orbit.end:g}", np.array(printed), orbit.z[-1], half_digit,
                 says="tends to the optimal input, Figure 3"),
        ]  # fmt: skip
    one = largest(_orbit("P(2)").blahut_arimoto[1] - 1 / 3)
    orbit = _orbit("P(1)")
    fine = largest(orbit.small_steps[::10][: len(orbit.time)] - orbit.z)
    coarse = largest(orbit.blahut_arimoto - orbit.z[::10][: len(orbit.blahut_arimoto)])
    lines += [
        Line("distance of Blahut-Arimoto on P(2) from its limit after one step", 0.0, one, 1e-12,
             says="converges in one step, Figure 3b"),
        Line(f"distance of multiplicative weights with τ = {_STEP} from the flow", coarse, fine, relation="≤",
             says="a better approximation than τ = 1, whose distance is"),
    ]  # fmt: skip
    return Reproduction(
        "capacity-figure-3", "Orbits of the capacity flow and of Blahut-Arimoto", f"{_SOURCE}, Figure 3", tuple(panels),
        tuple(lines),
    )  # fmt: skip


def figure_4() -> Reproduction:
    """Mutual information along the orbits."""
    panels, lines = [], []
    for name in _CASES:
        orbit = _orbit(name)
        along, capacity_nats = orbit.information(orbit.z), orbit.reference.capacity_nats
        curves = _curves(name, "", along, orbit.information(orbit.blahut_arimoto))
        curves.append(Curve.of("capacity", [0, _SHOWN[name]], [capacity_nats] * 2, "dotted"))
        panels.append(Panel(f"channel {name}", "time (τ), or steps", "I(z) (nat)", tuple(curves)))
        lines += [
            Line(f"smallest rise of I(z) from sample to sample along the flow of {name}", 0.0, float(np.diff(along).min()),
                 1e-12, "≥", says="rises, Figure 4"),
            Line(f"I(z) of the flow of {name} at t = {orbit.end:g}", capacity_nats, float(along[-1]), 1e-9,
                 says="attains the capacity, here by the interior point"),
        ]  # fmt: skip
    orbit = _orbit("P(2)")
    lines += [
        Line("capacity of P(2), nats", math.log(3), float(orbit.information(orbit.z[-1])), 1e-9,
             says="ln 3 of a noiseless channel of three symbols"),
        Line("I(z) of Blahut-Arimoto on P(2) after one step", orbit.reference.capacity_nats,
             float(orbit.information(orbit.blahut_arimoto[1])), 1e-12, says="the capacity, Figure 4b"),
        *(_independent(name, _orbit(name)) for name in _CASES),
    ]  # fmt: skip
    return Reproduction(
        "capacity-figure-4", "Mutual information along the orbits", f"{_SOURCE}, Figure 4", tuple(panels), tuple(lines)
    )


def figure_5() -> Reproduction:
    """Distances from the limit, and from Blahut-Arimoto's iterates, with the lines of Theorems 5 and 7."""
    panels, lines = [], []
    for name, rate in _RATES.items():
        orbit = _orbit(name)
        distance = np.linalg.norm(orbit.z - orbit.limit, axis=1)
        whole = np.arange(int(orbit.end))
        apart = np.linalg.norm(orbit.z[10 * whole] - orbit.blahut_arimoto[whole], axis=1)
        slope = orbit.convergence.lambda_max
        steep = distance[len(distance) // 3] * np.exp(slope * (orbit.time - orbit.time[len(distance) // 3]))
        curves = [
            Curve.of("flow to its limit", orbit.time, distance),
            Curve.of("flow to Blahut-Arimoto", whole[1:], apart[1:], "points"),
            Curve.of("slope of Theorem 5", orbit.time, steep, "dotted"),
        ]
        if name == "P(2)":
            curves.append(Curve.of("Theorem 7", orbit.time, noiseless_distance(orbit.start, orbit.time), "dashed"))
        panels.append(Panel(f"channel {name}", "time (τ)", "Euclidean distance", tuple(curves), log_y=True))
        late = (orbit.time > 0.3 * orbit.end) & (distance > 1e-9)
        measured = float(np.polyfit(orbit.time[late], np.log(distance[late]), 1)[0])
        lines += [
            Line(f"λ_max of {name}", rate, slope, 5e-5, says="section 8"),
            Line(f"slope of the logarithm of the flow's distance on {name}, fitted from t = {0.3 * orbit.end:g}", rate,
                 measured, 0.005 * abs(rate), says="λ_max, Theorem 5"),
        ]  # fmt: skip
    orbit = _orbit("P(2)")
    ratio = float(np.linalg.norm(orbit.z[150] - 1 / 3) / noiseless_distance(orbit.start, orbit.time[150]))
    floor = np.linalg.norm(orbit.small_steps - 1 / 3, axis=1)
    asymptote = noiseless_distance(orbit.start, _STEP * np.arange(len(floor)))
    off = np.flatnonzero((floor > 2 * asymptote) | (floor < 0.5 * asymptote))
    lines += [
        Line("distance of the flow on P(2) from softmax(e^−t ln y)", 0.0,
             largest(noiseless_solution(orbit.start, orbit.time) - orbit.z), 1e-6, says="none, proof of Theorem 7"),
        Line("distance of the flow on P(2) over Theorem 7's asymptote at t = 15", 1.0, ratio, 1e-3, says="(31)"),
        Line("decimal logarithm of where multiplicative weights with τ = 0.01 stand still on P(2)", -14.0,
             float(np.log10(floor[-1])), 0.5, says="close to 10⁻¹⁴, section 8"),
        Line("time at which they are off Theorem 7's asymptote by a factor of two", 32.0, float(_STEP * off[0]), 2.0,
             says="deviates for t ≥ 32, Figure 5b"),
    ]  # fmt: skip
    return Reproduction(
        "capacity-figure-5", "Speed of convergence of the capacity flow", f"{_SOURCE}, Figure 5", tuple(panels),
        tuple(lines),
    )  # fmt: skip


def _independent(name: str, orbit: _Orbit) -> Line:
    return Line(f"circuit of {name} against an independent integration", 0.0, largest(orbit.independent() - orbit.z), 1e-6,
                says="our check")  # fmt: skip
