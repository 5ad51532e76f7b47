"""Cooling too fast: Sinkhorn sweeps that follow a drifting cost, with and without the paper's pause, and its speed limit.

The paper trains networks; here the cost drifts as it would while features mature, in a simulation that can be repeated.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.digital import Annealing, Tracking, annealed_tracking, drifting_costs
from analogflow.reproduction.result import Curve, Finding, Panel, Reproduction
from analogflow.reproduction.transport.costs import SOURCE

__all__ = ["RUNS", "SIZE", "STEPS", "compared", "figure_4", "figure_5", "followed", "theorem_3_2"]

Array = NDArray[np.float64]

RUNS, SIZE, STEPS = 96, 10, 120
"""Runs, rows of a cost, and steps of a run."""

_MISSING = "cannot be reproduced"


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


def compared(claim: str, paper: str, plain: Tracking, braked: Tracking) -> Finding:
    """Whether pausing helps, where the intervals of both rates do not overlap."""
    helps, hurts = braked.interval[0] > plain.interval[1], braked.interval[1] < plain.interval[0]
    told = "helps" if helps else "hurts" if hurts else "makes no difference that shows"
    return Finding(claim, paper, f"{told}: {success(braked)} against {success(plain)}", f"{braked.rate - plain.rate:+.2f}",
                   "agrees" if helps else "differs")  # fmt: skip


def figure_4() -> Reproduction:
    """Drifting cost: exponential cooling, Gumbel noise and the adaptive pause, α = 0.95, k_safe = 0.5."""
    steps = np.arange(STEPS)
    panels, findings = [], []
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
        findings.append(compared(f"pausing at α = 0.95, {letter} carried", "prevents collapse", plain, braked))
        findings.append(compared(f"pausing at α = 0.95, {letter} carried, k_safe = 2", "prevents collapse", plain,
                                 followed(0.95, 2.0, carry)))  # fmt: skip
        findings.append(
            Finding(f"exponential cooling at α = 0.95, {letter} carried", "fails", f"right in {success(plain)} of the runs",
                    "", "agrees" if plain.interval[1] < 0.5 else "differs")
        )  # fmt: skip
        faster = _reached(braked) < _reached(shaken)
        findings.append(
            Finding(f"steps to nine right rows of ten against Gumbel noise, {letter} carried", "1.60 times fewer",
                    f"{_steps(braked)} against {_steps(shaken)}", "", "agrees" if faster else "differs")
        )  # fmt: skip
    braked = followed(0.95, 0.5, "scaling")
    panels.append(
        Panel("temperature, u carried", "step", "median ε (unit of cost)",
              (Curve.of("exponential", steps, np.median(followed(0.95, None, "scaling").epsilon, axis=1)),
               Curve.of("adaptive, k = 0.5", steps, np.median(braked.epsilon, axis=1))), log_y=True),
    )  # fmt: skip
    findings += _table_1()
    return Reproduction(
        "transport-figure-4", "Annealing while the cost drifts", f"{SOURCE}, Figure 4 and Table 1, in a simulated version",
        tuple(panels), tuple(findings),
    )  # fmt: skip


def _reached(found: Tracking) -> float:
    """First step from which on nine of ten rows are right on the mean over the runs; infinite if none."""
    below = np.flatnonzero(found.right.mean(axis=1) < 0.9)
    first = below[-1] + 1 if len(below) else 0
    return float(first) if first < len(found.right) else np.inf


def _steps(found: Tracking) -> str:
    reached = _reached(found)
    return "never" if np.isinf(reached) else f"{reached:.0f}"


def _table_1() -> list[Finding]:
    why = "needs SPair-71k, a trained ResNet-50 and the paper's code"
    return [
        Finding("epochs to 90 % on SPair-71k", "> 100, 75 and 47", why, "", _MISSING),
        Finding("speedup over Gumbel-Sinkhorn", "1.60", f"{why}; 75/47 = {75 / 47:.3f} is consistent",
                f"{75 / 47 - 1.6:.1g}", _MISSING),
        Finding("overhead of a layer and of training", "0.51 % and 0.05 %", f"{why} and machine", "", _MISSING),
    ]  # fmt: skip


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
    findings = [
        compared(f"pausing under persistent noise, k_safe = {k:g}", "a large safety margin", plain, found)
        for k, found in runs.items() if k is not None
    ]  # fmt: skip
    locked = float(np.median(runs[0.5].epsilon[-1]))
    moving = float((runs[0.5].epsilon[-1] < runs[0.5].epsilon[-20]).mean())
    findings += [
        Finding("temperature is locked for good, k_safe = 0.5", "locked at ε ≈ 0.04", f"median {locked:.2g} at the end",
                f"{moving:.2f} of the runs still cool", "agrees" if moving < 0.5 else "differs"),
        Finding("collapse at step 980, pause at step 640", "a margin of 340 steps",
                f"needs FineWeb-Edu and the paper's network; 980 − 640 = {980 - 640} is consistent", "", _MISSING),
        Finding("loss, gradient norms and entropy on FineWeb-Edu", "collapse prevented",
                "needs FineWeb-Edu and the paper's network", "", _MISSING),
    ]  # fmt: skip
    return Reproduction(
        "transport-figure-5", "Annealing under persistent noise", f"{SOURCE}, Figure 5, in a simulated version", panels,
        tuple(findings),
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
    scaled, quadratic, _ = slopes
    largest, last = float(curves[-1].y.max()), float(curves[-1].y[-1])
    findings = (
        Finding("error of exponential cooling where u is carried (Corollary 3.3)", "grows like 1/ε", f"ε^{scaled:.2f}", "",
                "agrees" if scaled < -0.5 else "differs"),
        Finding("error of δ ∝ ε² where u is carried (Theorem 3.2)", "bounded", f"ε^{quadratic:.2f}", "",
                "agrees" if abs(quadratic) < 0.35 else "differs"),
        Finding("error of exponential cooling where g is carried (Corollary 3.3)", "grows like 1/ε: collapse is inevitable",
                f"at most {largest:.2g}, then falls to {last:.2g}", "",
                "differs" if last < 0.5 * largest < 0.05 else "agrees"),
    )  # fmt: skip
    panel = Panel("one sweep a step, α = 0.99", "temperature ε (unit of cost)", "error of the columns (mass)", tuple(curves),
                  log_x=True, log_y=True)  # fmt: skip
    return Reproduction("transport-theorem-3.2", "Speed limit of cooling", f"{SOURCE}, Theorem 3.2 and Corollary 3.3",
                        (panel,), findings)  # fmt: skip


def _thinned(epsilon: Array, points: int = 60) -> Sequence[int]:
    """Indices at about equal steps of ln ε."""
    wanted = np.geomspace(epsilon[0], epsilon[-1], points)
    return sorted({int(abs(epsilon - value).argmin()) for value in wanted})
