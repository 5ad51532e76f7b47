"""Cooling too fast: Sinkhorn sweeps that follow a drifting cost, with and without the paper's pause, and its speed limit.

The paper trains networks; here the cost drifts as it would while features mature, in a simulation that can be repeated.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.digital import Annealing, Tracking, annealed_tracking, drifting_costs
from analogflow.reproduction.result import Curve, Line, Panel, Reproduction
from analogflow.reproduction.transport.costs import SOURCE

__all__ = ["RUNS", "SIZE", "STEPS", "figure_4", "figure_5", "followed", "theorem_3_2"]

Array = NDArray[np.float64]

RUNS, SIZE, STEPS = 96, 10, 120
"""Runs, rows of a cost, and steps of a run."""

_SPREAD = 0.1
"""Half width of a 95 % interval of a rate of success over `RUNS` runs, at most."""


@functools.cache
def _costs(noise: float = 0.0) -> Array:
    return drifting_costs(RUNS, SIZE, STEPS, noise=noise)


@functools.cache
def followed(
    alpha: float, k_safe: float | None, carry: str, sweeps: int = 2, noise: float = 0.0, gumbel: float = 0.0
) -> Tracking:
    """All runs on one schedule; with noise the target is the cost without it."""
    kind = "exponential" if k_safe is None else "adaptive"
    annealing = Annealing(kind, alpha, k_safe, sweeps=sweeps, carry=carry, gumbel=gumbel)
    return annealed_tracking(_costs(noise), annealing, target=_costs()[-1] if noise else None)


def success(found: Tracking) -> str:
    """Part of the runs whose rows are all right, with Wilson's interval."""
    low, high = found.interval
    return f"{found.rate:.2f} ({low:.2f} to {high:.2f})"


def all_right(found: Tracking) -> Array:
    """Part of the runs whose rows are all right, step by step."""
    return (found.right == 1).mean(axis=1)


def _compared(claim: str, says: str, plain: Tracking, braked: Tracking, corrected: float | None) -> Line:
    """Whether pausing does no harm to the rate of success, to the half width of the difference's 95 % interval."""
    spread = float(np.hypot(*(np.ptp(found.interval) / 2 for found in (plain, braked))))
    return Line(claim, 0.0, braked.rate - plain.rate, spread, "≥", says=says,
                shown=f"{success(braked)} against {success(plain)}", corrected=corrected,
                row="Section 4" if corrected is not None else "")  # fmt: skip


def figure_4() -> Reproduction:
    """Drifting cost: exponential cooling, Gumbel noise and the adaptive pause, α = 0.95, k_safe = 0.5."""
    steps = np.arange(STEPS)
    panels, lines = [], []
    # Success by exponential cooling in 1,000 runs of other code, and what the pause changed, where the claim fails.
    known = {"scaling": (None, None), "potential": (0.98, -0.25)}
    for carry, name in (("scaling", "u = ln of the scalings carried"), ("potential", "g = εu carried")):
        plain, braked, shaken = (
            followed(0.95, None, carry),
            followed(0.95, 0.5, carry),
            followed(0.95, None, carry, gumbel=1.0),
        )
        panels.append(
            Panel(name, "step", "runs with all rows right (part)",
                  (Curve.of("exponential", steps, all_right(plain)), Curve.of("adaptive, k = 0.5", steps, all_right(braked)),
                   Curve.of("Gumbel", steps, all_right(shaken)))),
        )  # fmt: skip
        letter = name[0]
        rate, gain = known[carry]
        lines += [
            Line(f"success of exponential cooling at α = 0.95, {letter} carried", 0.5, plain.rate, _SPREAD, "≤",
                 says="fails, Table 1: in half of the runs at least", corrected=rate,
                 row="Theorem 3.2, Corollary 3.3" if rate is not None else ""),
            _compared(f"success with the pause less that without, α = 0.95, k_safe = 0.5, {letter} carried",
                      "prevents collapse, 5.2", plain, braked, gain),
            Line.unjudged(f"steps to nine right rows of ten against Gumbel noise, {letter} carried", "1.60 times fewer",
                          f"the paper's is of SPair-71k; in this simulation {_steps(braked)} against {_steps(shaken)}"),
        ]  # fmt: skip
    braked = followed(0.95, 0.5, "scaling")
    panels.append(
        Panel("temperature, u carried", "step", "median ε (unit of cost)",
              (Curve.of("exponential", steps, np.median(followed(0.95, None, "scaling").epsilon, axis=1)),
               Curve.of("adaptive, k = 0.5", steps, np.median(braked.epsilon, axis=1))), log_y=True),
    )  # fmt: skip
    lines += _table_1()
    return Reproduction(
        "transport-figure-4", "Annealing while the cost drifts", f"{SOURCE}, Figure 4 and Table 1, in a simulated version",
        tuple(panels), tuple(lines),
    )  # fmt: skip


def _reached(found: Tracking) -> float:
    """First step from which on nine of ten rows are right on the mean over the runs; infinite if none."""
    below = np.flatnonzero(found.right.mean(axis=1) < 0.9)
    first = below[-1] + 1 if len(below) else 0
    return float(first) if first < len(found.right) else np.inf


def _steps(found: Tracking) -> str:
    reached = _reached(found)
    return "never" if np.isinf(reached) else f"{reached:.0f}"


def _table_1() -> list[Line]:
    why = "needs SPair-71k, a trained ResNet-50 and the paper's code"
    return [
        Line.unjudged("epochs to 90 % on SPair-71k", "> 100, 75 and 47", why),
        Line.unjudged("speedup over Gumbel-Sinkhorn", "1.60", f"{why}; Table 1's own epochs make 75/47 = {75 / 47:.3f}"),
        Line.unjudged("overhead of a layer and of training", "0.51 % and 0.05 %", f"{why} and machine"),
    ]


def figure_5() -> Reproduction:
    """Persistent noise on the cost: when the pause locks the temperature, α = 0.9, three sweeps a step."""
    noise, steps = 0.02, np.arange(STEPS)
    runs = {k: followed(0.9, k, "scaling", sweeps=3, noise=noise) for k in (None, 0.5, 2.0, 10.0)}
    names = {k: "exponential" if k is None else f"adaptive with k = {k:g}" for k in runs}
    panels = (
        Panel("noise 0.02, u carried", "step", "runs with all rows right (part)",
              tuple(Curve.of(names[k], steps, all_right(found)) for k, found in runs.items())),
        Panel("temperature", "step", "median ε (unit of cost)",
              tuple(Curve.of(names[k], steps, np.median(found.epsilon, axis=1)) for k, found in runs.items()), log_y=True),
    )  # fmt: skip
    plain = runs[None]
    locked = float(np.median(runs[0.5].epsilon[-1]))
    moving = float((runs[0.5].epsilon[-1] < runs[0.5].epsilon[-20]).mean())
    lines = [
        *(_compared(f"success with the pause less that without under persistent noise, k_safe = {k:g}",
                    "a massive safety margin, Figure 5", plain, runs[k], gain)
          for k, gain in ((0.5, -0.36), (10.0, None))),
        Line("part of the runs that still cool in the last 20 steps, k_safe = 0.5", 0.1, moving, relation="≤",
             says="locks the temperature, 5.3: a tenth at most"),
        Line.unjudged("temperature at which it is locked", "ε ≈ 0.04",
                      f"the paper's is of FineWeb-Edu; in this simulation the median is {locked:.2g}"),
        Line.unjudged("collapse at step 980, pause at step 640", "a margin of 340 steps, 5.3",
                      "needs FineWeb-Edu and the paper's network"),
        Line.unjudged("loss, gradient norms and entropy on FineWeb-Edu", "collapse prevented",
                      "needs FineWeb-Edu and the paper's network"),
    ]  # fmt: skip
    return Reproduction(
        "transport-figure-5", "Annealing under persistent noise", f"{SOURCE}, Figure 5, in a simulated version", panels,
        tuple(lines),
    )  # fmt: skip


def theorem_3_2() -> Reproduction:
    """The speed limit δ = O(ε²) at a fixed cost, one sweep a step: what is carried decides."""
    cost = np.random.default_rng(0).random((8, SIZE, SIZE))
    cases = (
        ("u carried, exponential", Annealing("exponential", 0.99, end=5e-3, sweeps=1, carry="scaling"), 500, "line"),
        ("u carried, quadratic", Annealing("quadratic", 0.99, end=5e-3, sweeps=1, carry="scaling"), 10_000, "dashed"),
        ("g carried, exponential", Annealing("exponential", 0.99, end=5e-3, sweeps=1, carry="potential"), 500, "line"),
    )
    curves, slopes = [], []
    for name, annealing, steps, style in cases:
        found = annealed_tracking(np.broadcast_to(cost, (steps, *cost.shape)), annealing)
        keep = found.epsilon[:, 0] < 0.2
        epsilon, violation = found.epsilon[keep, 0], np.exp(np.log(found.violation[keep]).mean(axis=1))
        thin = _thinned(epsilon)
        curves.append(Curve.of(name, epsilon[thin], violation[thin], style))
        low = epsilon < 0.1
        slopes.append(float(np.polyfit(np.log(epsilon[low]), np.log(violation[low]), 1)[0]))
    scaled, quadratic, potential = slopes
    claim = "power of ε that the error grows by below ε = 0.1"
    lines = (
        Line(f"{claim}: exponential cooling, u carried", -1.0, scaled, 0.1, says="1/ε, Corollary 3.3"),
        Line(f"{claim}: δ ∝ ε², u carried", 0.0, quadratic, 0.25, says="bounded, Theorem 3.2"),
        Line(f"{claim}: exponential cooling, g carried", -1.0, potential, 0.25, says="1/ε: inevitable, Corollary 3.3",
             shown=f"error at most {curves[-1].y.max():.2g}, then {curves[-1].y[-1]:.2g}", corrected=0.0,
             corrected_relation="≥", row="Theorem 3.2, Corollary 3.3"),
    )  # fmt: skip
    panel = Panel("one sweep a step, α = 0.99", "temperature ε (unit of cost)", "error of the columns (mass)", tuple(curves),
                  log_x=True, log_y=True)  # fmt: skip
    return Reproduction("transport-theorem-3.2", "Speed limit of cooling", f"{SOURCE}, Theorem 3.2 and Corollary 3.3",
                        (panel,), lines)  # fmt: skip


def _thinned(epsilon: Array, points: int = 60) -> Sequence[int]:
    """Indices at about equal steps of ln ε."""
    wanted = np.geomspace(epsilon[0], epsilon[-1], points)
    return sorted({int(abs(epsilon - value).argmin()) for value in wanted})
