"""Where a system of equations is at a given time, by an explicit and by an implicit Runge-Kutta method."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from analogflow.errors import SimulationFailed
from analogflow.problems import Equations

__all__ = ["EquationsReference", "equations_reference", "path_end"]

Array = NDArray[np.float64]

_MOST_CALLS = 600_000
"""Evaluations after which an integration is given up: twice what 40 τ of Robertson's reactions take."""

_LOOKS, _ALONE_LOOKS = 65_536, 2_048
"""Points between the steps where the rates are looked at: of scalar states together, else one after another."""

_PASSED_OVER, _SHARE = 1e-6, 0.05
"""How far rates may lead away from a path between two looks: of the states' size, and of what they move there."""

_MOST_STOPS = 200

_AWAY = 1e6
"""Size of a state, over that at the start, from which on a solution that can not be followed runs away."""


@dataclasses.dataclass(frozen=True, eq=False)
class EquationsReference:
    """States, observables and conserved quantities at one time.

    Parameters
    ----------
    values : mapping of name to array
        By the explicit method.
    gap : float
        Largest disagreement of the two methods over all states.
    time : float
        In τ.
    """

    values: Mapping[str, Array]
    gap: float
    time: float


def equations_reference(problem: Equations, time: float) -> EquationsReference:
    """State of `problem`, without its noise, at `time` in τ.

    Raises
    ------
    SimulationFailed
        An integration stopped before that time: the solution runs away, or the equations are not defined there.
    """

    def rates(at: Mapping[str, Array]) -> dict[str, Array]:
        values = problem.quantities(at)
        return {name: np.asarray(expression.evaluate(values)) for name, expression in problem.equations.items()}

    states, gap = path_end(rates, problem.states, time)
    quantities = problem.quantities(states)
    read = {
        name: np.asarray(expression.evaluate(quantities), dtype=float)
        for name, expression in [*problem.observables.items(), *problem.conserved.items()]
    }
    return EquationsReference({**states, **read}, gap, time)


def path_end(
    rates: Callable[[Mapping[str, Array]], Mapping[str, Array]], states: Mapping[str, Array], time: float
) -> tuple[dict[str, Array], float]:
    """States at `time` under `rates`, by DOP853 at a relative tolerance of 1e-12, and how far Radau at 1e-10 ends from them.

    Absolute tolerances are a hundredth of these, times the size of the states at the start; where they start at 0, of what
    they move in one τ, or 1 at most. A method that chooses its steps by their errors passes over what is narrower than a
    step. So the rates are looked at between the steps too, and both methods stop wherever these lead away from the path.

    Raises
    ------
    SimulationFailed
        An integration stopped before that time, would have taken minutes to reach it, or passes over changes of the rates
        however often it stops.
    """

    def unpacked(y: Array) -> dict[str, Array]:
        parts = np.split(y, np.cumsum([value.size for value in states.values()])[:-1])
        return {name: part.reshape(value.shape) for (name, value), part in zip(states.items(), parts, strict=True)}

    start = np.concatenate([value.ravel() for value in states.values()])
    calls = [0]
    reached = [0.0, 0.0]  # the last time at which the rates were finite, and the largest state there

    def field(t: float, y: Array) -> Array:
        calls[0] += 1
        if calls[0] > _MOST_CALLS:
            raise SimulationFailed(
                f"the reference integration evaluated the equations {_MOST_CALLS} times by t = {t:.4g} of {time:g} τ and "
                "was stopped: they switch to and fro there, or change much faster than the time asked for; take a smooth "
                "function such as tanh in place of a jump, or a shorter end time."
            )
        with np.errstate(all="ignore"):
            together = np.concatenate([rate.ravel() for rate in _in_order(rates, unpacked(y))])
        if np.isfinite(together).all():
            reached[:] = t, float(abs(y).max())
        return together

    size = float(abs(start).max()) or min(float(abs(field(0.0, start)).max()), 1.0)
    size = size if 0 < size < np.inf else 1.0

    def followed(method: str, tolerance: float, stops: list[float]) -> tuple[Array, list[Any]]:
        calls[0] = 0
        end, pieces = start, []
        for begin, until in itertools.pairwise([0.0, *stops, time]):
            with np.errstate(all="ignore"):
                run = solve_ivp(
                    field, (begin, until), end, method=method, rtol=tolerance, atol=1e-2 * tolerance * size,
                    dense_output=method == "DOP853",
                )  # fmt: skip
            if not run.success or not np.isfinite(run.y[:, -1]).all():
                away = "runs away" if reached[1] > _AWAY * size else "runs away or stops being a real number"
                raise SimulationFailed(
                    f"the solution {away} near t = {reached[0]:.4g} τ, where the reference integration by {method} stopped: "
                    f"give an end time before it in place of {time:g} τ, or mend the equations."
                )
            end = run.y[:, -1]
            pieces.append(run)
        return end, pieces

    stops: list[float] = []
    while True:
        explicit, pieces = followed("DOP853", 1e-12, stops)
        found = [at for piece in pieces for at in _passed_over(piece, rates, states, time, size)]
        if not found:
            break
        stops = sorted({*stops, *found})
        if len(stops) > _MOST_STOPS:
            raise SimulationFailed(
                f"the rates change within less than the steps of the reference integration more than {_MOST_STOPS} times, "
                f"first near t = {stops[0]:.4g} τ: make such pulses wider, or give a shorter end time in place of "
                f"{time:g} τ."
            )
    implicit, _ = followed("Radau", 1e-10, stops)
    return unpacked(explicit), float(abs(explicit - implicit).max())


@np.errstate(all="ignore")
def _passed_over(
    run: Any,
    rates: Callable[[Mapping[str, Array]], Mapping[str, Array]],
    states: Mapping[str, Array],
    time: float,
    size: float,
) -> list[float]:
    """Times at which the rates lead away from a path, the worst of each stretch of it."""
    alone = any(value.size > 1 for value in states.values())
    spacing = time / (_ALONE_LOOKS if alone else _LOOKS)
    wide = np.flatnonzero(np.diff(run.t) > 2 * spacing)
    counts = np.maximum(np.round(np.diff(run.t)[wide] / spacing), 2).astype(int)
    if not len(wide):
        return []
    edges = [np.linspace(run.t[i], run.t[i + 1], n + 1) for i, n in zip(wide, counts, strict=True)]
    lengths = np.concatenate([np.diff(edge) for edge in edges])
    moved = np.concatenate([np.diff(run.sol(edge)) for edge in edges], axis=1)
    middles = np.concatenate([(edge[1:] + edge[:-1]) / 2 for edge in edges])
    on_path = run.sol(middles)
    shapes = {name: value.shape for name, value in states.items()}
    if alone:
        cuts = np.cumsum([value.size for value in states.values()])[:-1]
        looks = (
            {name: part.reshape(shapes[name]) for name, part in zip(shapes, np.split(y, cuts), strict=True)}
            for y in on_path.T
        )
        led = np.array([np.concatenate([rate.ravel() for rate in _in_order(rates, at)]) for at in looks]).T
    else:
        try:
            together = _in_order(rates, dict(zip(shapes, on_path, strict=True)))
            led = np.array(together)
        except (ValueError, TypeError, IndexError):  # of a function that takes no more than one state at once
            return []
    away = abs(led * lengths - moved) - _SHARE * abs(moved)
    away = np.where(np.isfinite(away), away, 0.0).max(axis=0)
    astray = away > _PASSED_OVER * size
    if not astray.any():
        return []
    stretches = np.split(np.flatnonzero(astray), np.flatnonzero(np.diff(np.flatnonzero(astray)) > 1) + 1)
    return [float(middles[stretch[np.argmax(away[stretch])]]) for stretch in stretches]


def _in_order(rates: Callable[[Mapping[str, Array]], Mapping[str, Array]], at: Mapping[str, Array]) -> list[Array]:
    found = rates(at)
    return [np.broadcast_to(np.asarray(found[name], dtype=float), value.shape) for name, value in at.items()]
