"""Where a system of equations is at a given time, by an explicit and by an implicit Runge-Kutta method."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from analogflow.errors import SimulationFailed
from analogflow.problems import Equations

__all__ = ["EquationsReference", "equations_reference", "path_end"]

Array = NDArray[np.float64]

_MOST_CALLS = 600_000
"""Evaluations after which an integration is given up: twice what 40 τ of Robertson's reactions take."""

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
    states, gap = path_end(problem.rates, problem.states, time)
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
    they move in one τ, or 1 at most.

    Raises
    ------
    SimulationFailed
        An integration stopped before that time, or would have taken minutes to reach it.
    """

    def unpacked(y: Array) -> dict[str, Array]:
        parts = np.split(y, np.cumsum([value.size for value in states.values()])[:-1])
        return {name: part.reshape(value.shape) for (name, value), part in zip(states.items(), parts, strict=True)}

    start, ends = np.concatenate([value.ravel() for value in states.values()]), []
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
            rate = rates(unpacked(y))
        together = np.concatenate([np.ravel(rate[name]) for name in states])
        if np.isfinite(together).all():
            reached[:] = t, float(abs(y).max())
        return together

    size = float(abs(start).max()) or min(float(abs(field(0.0, start)).max()), 1.0)
    size = size if 0 < size < np.inf else 1.0
    for method, tolerance in (("DOP853", 1e-12), ("Radau", 1e-10)):
        calls[0] = 0
        with np.errstate(all="ignore"):
            run = solve_ivp(
                field, (0.0, time), start, method=method, rtol=tolerance, atol=1e-2 * tolerance * size, t_eval=[time]
            )
        if not run.success or not np.size(run.y) or not np.isfinite(run.y).all():
            away = "runs away" if reached[1] > _AWAY * size else "runs away or stops being a real number"
            raise SimulationFailed(
                f"the solution {away} near t = {reached[0]:.4g} τ, where the reference integration by {method} stopped: "
                f"give an end time before it in place of {time:g} τ, or mend the equations."
            )
        ends.append(run.y[:, -1])
    return unpacked(ends[0]), float(abs(ends[0] - ends[1]).max())
