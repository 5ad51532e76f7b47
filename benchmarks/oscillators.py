"""Period and amplitude of oscillators, in the block engine and in op-amps, against shooting at their cycles by SciPy.

python benchmarks/oscillators.py             print the table
python benchmarks/oscillators.py --write     write it into docs/motions.md
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import root
from tables import Section, machine, report, table

import analogflow as af

__all__ = ["OSCILLATORS", "shot"]

DOCUMENT = Path(__file__).parents[1] / "docs" / "motions.md"

Array = NDArray[np.float64]
Field = Callable[[float, Array], Array]

OSCILLATORS: dict[str, tuple[af.Equations, Field]] = {
    "Van der Pol, μ = 1": (
        af.Equations({"x": 0.5, "v": 0.0}, {"x": "v", "v": "(1 - x ** 2) * v - x"}, time=40.0, name="van der Pol"),
        lambda t, y: np.array([y[1], (1 - y[0] ** 2) * y[1] - y[0]]),
    ),
    "FitzHugh–Nagumo, I = 0.5": (
        af.Equations(
            {"v": -1.0, "w": 1.0}, {"v": "v - v ** 3 / 3 - w + 0.5", "w": "0.08 * (v + 0.7 - 0.8 * w)"}, time=160.0,
            name="FitzHugh-Nagumo",
        ),
        lambda t, y: np.array([y[0] - y[0] ** 3 / 3 - y[1] + 0.5, 0.08 * (y[0] + 0.7 - 0.8 * y[1])]),
    ),
    "Brusselator, A = 1, B = 3": (
        af.Equations(
            {"x": 1.0, "y": 1.0}, {"x": "1 + x ** 2 * y - 4 * x", "y": "3 * x - x ** 2 * y"}, time=50.0, name="Brusselator"
        ),
        lambda t, y: np.array([1 + y[0] ** 2 * y[1] - 4 * y[0], 3 * y[0] - y[0] ** 2 * y[1]]),
    ),
    "Rayleigh, μ = 1": (
        af.Equations({"x": 0.5, "v": 0.0}, {"x": "v", "v": "(1 - v ** 2 / 3) * v - x"}, time=40.0, name="Rayleigh"),
        lambda t, y: np.array([y[1], (1 - y[1] ** 2 / 3) * y[1] - y[0]]),
    ),
    "Stuart–Landau, ω = 2": (
        af.Equations(
            {"x": 0.5, "y": 0.0},
            {"x": "x - 2 * y - x * (x ** 2 + y ** 2)", "y": "2 * x + y - y * (x ** 2 + y ** 2)"},
            time=20.0, name="Stuart-Landau",
        ),
        lambda t, y: np.array([y[0] - 2 * y[1], 2 * y[0] + y[1]]) - (y[0] ** 2 + y[1] ** 2) * np.array(y),
    ),
    "Lotka–Volterra": (
        af.Equations(
            {"prey": 1.2, "predator": 0.6},
            {"prey": "prey * (0.8 - predator)", "predator": "predator * (0.9 * prey - 0.5)"},
            time=40.0, name="Lotka-Volterra",
        ),
        lambda t, y: np.array([y[0] * (0.8 - y[1]), y[1] * (0.9 * y[0] - 0.5)]),
    ),
}  # fmt: skip
"""Each as a flow, and its rates as SciPy takes them, which are written anew."""

NEUTRAL = {"Lotka–Volterra": {"level": "0.9 * prey - 0.5 * log(prey) + predator - 0.8 * log(predator)"}}
"""Flows with an orbit through every point, which delays drive outwards turn by turn, and what they conserve."""


def shot(field: Field, start: Array, settle: float, level: float, *, conserves: bool = False) -> tuple[float, Array]:
    """Period and amplitudes of the cycle through `level` of the first state, by DOP853 and events.

    Parameters
    ----------
    field : callable
    start : array, shape (2,)
    settle : float
        Time after which the path is near its cycle.
    level : float
    conserves : bool
        Whether every orbit is closed: then it is that of the start; else the cycle is shot at.
    """
    how = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-13}

    def rising(t: float, y: Array) -> float:
        return float(y[0]) - level

    rising.direction = 1.0  # pyright: ignore[reportFunctionMemberAccess]
    run = solve_ivp(field, (0, settle), start, events=rising, **how)
    times, points = run.t_events[0], run.y_events[0]
    period, other = float(times[-1] - times[-2]), float(points[-1][1])
    if not conserves:

        def missed(guess: Array) -> Array:
            end = solve_ivp(field, (0, guess[1]), [level, guess[0]], **how).y[:, -1]
            return end - np.array([level, guess[0]])

        other, period = root(missed, [other, period], tol=1e-12).x.tolist()

    def turns_x(t: float, y: Array) -> float:
        return float(field(t, y)[0])

    def turns_y(t: float, y: Array) -> float:
        return float(field(t, y)[1])

    cycle = solve_ivp(field, (0, 1.01 * period), [level, other], events=[turns_x, turns_y], **how)
    return float(period), np.array([0.5 * np.ptp(cycle.y_events[k][:, k]) for k in (0, 1)])


def said(name: str) -> af.Equations:
    """A flow that says what it conserves."""
    problem = OSCILLATORS[name][0]
    return af.Equations(
        {state: value.tolist() for state, value in problem.states.items()},
        {state: str(rate) for state, rate in problem.equations.items()},
        time=problem.time, name=problem.name, conserved=NEUTRAL[name],
    )  # fmt: skip


def _oscillators() -> Section:
    rows = []
    for name, (problem, field) in OSCILLATORS.items():
        start = np.array([value[0] for value in problem.states.values()])
        block = af.solve(problem, engine="block").certificate.motion
        assert block is not None
        closed = name in NEUTRAL
        period, amplitude = shot(field, start, float(problem.time or 0.0), block.found.level, conserves=closed)
        runs = {name: af.solve(problem, technology="opamp").certificate.motion}
        if closed:
            runs[f"{name}, what it conserves is said"] = af.solve(said(name), technology="opamp").certificate.motion
        for label, motion in runs.items():
            cells = [label, f"{period:.6f}", f"{amplitude[0]:.6f}"]
            for each in (block, motion):
                if each is None or each.found.period is None:
                    cells += ["does not repeat itself", ""]
                    continue
                found = np.array([each.found.amplitude[state][0] for state in problem.states])
                cells += [f"{abs(each.found.period / period - 1):.1e}", f"{abs(found / amplitude - 1).max():.1e}"]
            rows.append(tuple(cells))
            print(cells, flush=True)
    head = ("oscillator", "period (τ)", "amplitude", "block: period", "amplitudes", "op-amps: period", "amplitudes")
    return (table(head, rows), machine("analogflow", "scipy"))


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"oscillators": _oscillators})
