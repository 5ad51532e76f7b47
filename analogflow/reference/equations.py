"""The path of a system of equations to a given time, by a Runge-Kutta method and by one that shares nothing with it."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.errors import SimulationFailed
from analogflow.problems import Equations
from analogflow.reference.memories import path_of_memories
from analogflow.reference.motion import Path

__all__ = ["EquationsReference", "equations_reference", "path_end", "path_to"]

Array = NDArray[np.float64]

_MOST_CALLS = 600_000
"""Evaluations after which an integration is given up: twice what 40 τ of Robertson's reactions take."""

_CALLS_OF_A_KNOT = 400
"""Further evaluations for each knot, where every method begins anew."""

_LOOKS, _LOOKS_ONE_BY_ONE = 65_536, 2_048
"""Points between the steps at which the rates are looked at: of scalar states together, else one after another."""

_NEAR = 1e-3
"""Part of the distance between two looks on either side over which a path's own rate is taken."""

_PASSED_OVER, _UNSEEN, _SHARE = 1e-7, 1e-10, 0.05
"""How far the rates may lead away from a path, over the size of a state: along a stretch, and within a look where it begins;
and of what the state moves within that look."""

_SAME = 1e-9
"""Change of an end, over the size of the states, below which further stops have found nothing."""

_MOST_STOPS, _FEWEST_LOOKS = 200, 3
"""Stops beyond which an integration is given up, and looks at a stretch below which others may have been missed."""

_AGREED = 8e-8
"""Gap beside a method of several steps, over the size of the path, beyond which an implicit one is asked: what is certain
is known to 1e-7."""

_AWAY = 1e6
"""Size of a state, over that at the start, from which on a solution that can not be followed runs away."""


@dataclasses.dataclass(frozen=True, eq=False)
class EquationsReference:
    """States, observables and conserved quantities at one time.

    Parameters
    ----------
    values : mapping of name to array
        By DOP853.
    gap : float
        Largest disagreement of the two methods over all states; twice that, where one is as exact as the other.
    time : float
        In τ.
    path : Path
        The states all the way.
    """

    values: Mapping[str, Array]
    gap: float
    time: float
    path: Path


def equations_reference(problem: Equations, time: float) -> EquationsReference:
    """State of `problem`, without its noise, at `time` in τ.

    Raises
    ------
    SimulationFailed
        An integration stopped before that time: the solution runs away, or the equations are not defined there.
    """

    def rates(at: Mapping[str, Array], t: Any = 0.0) -> dict[str, Array]:
        values = problem.quantities(at, t)
        return {name: expression.evaluate(values) for name, expression in problem.equations.items()}

    def read(at: Mapping[str, Array], t: float) -> dict[str, Array]:
        quantities = problem.quantities(at, t)
        return {
            name: np.asarray(expression.evaluate(quantities), dtype=float)
            for name, expression in [*problem.observables.items(), *problem.conserved.items()]
        }

    if problem.memory or problem.events:
        path = path_of_memories(problem, time)
        return EquationsReference({**path.end, **dict(path.read(path.end, time) if path.read else {})}, path.gap, time, path)
    path = path_to(rates, problem.states, time, problem.knots, read)
    return EquationsReference({**path.end, **read(path.end, time)}, path.gap, time, path)


def path_end(
    rates: Callable[..., Mapping[str, Array]],
    states: Mapping[str, Array],
    time: float,
    knots: Sequence[float] | None = None,
) -> tuple[dict[str, Array], float]:
    """States at `time` under `rates`, and how far they may be off, as `path_to` finds them."""
    path = path_to(rates, states, time, knots)
    return dict(path.end), path.gap


def path_to(
    rates: Callable[..., Mapping[str, Array]],
    states: Mapping[str, Array],
    time: float,
    knots: Sequence[float] | None = None,
    read: Callable[[Mapping[str, Array], float], Mapping[str, Array]] | None = None,
) -> Path:
    """Path until `time` under `rates`, by DOP853 at a relative tolerance of 1e-12, and how far its end may be off.

    A second method tells: LSODA, of several steps, at 1e-12; where it fails or disagrees, as it may where the rates are
    stiff, Radau at 1e-10, which is implicit and takes ten times as long. Absolute tolerances are a hundredth of these, times
    the size of the states at the start; where they start at 0, of what they move in one τ, or 1 at most. A method that
    chooses its steps by their errors passes over what is narrower than a step. So the rates are looked at between the steps
    too, and all methods stop wherever these lead away from the path; where they still disagree, the implicit one stops where
    the explicit one took its steps, too. Where `knots` are given, the rates are those of time as
    well, ``rates(states, t)``, and no method takes a step over one of them: there the rates may have a corner.
    Two methods part on a chaotic path, whatever their accuracy: it is told until when they agree, and no third is asked.
    ``read(states, t)`` gives what else is to be read along the path.

    Raises
    ------
    SimulationFailed
        An integration stopped before that time, would have taken minutes to reach it, or passes over more changes of the
        rates than it may stop at.
    """
    ends = itertools.accumulate(value.size for value in states.values())
    places = [
        (name, slice(end - value.size, end), value.shape) for (name, value), end in zip(states.items(), ends, strict=True)
    ]

    def unpacked(y: Array) -> dict[str, Array]:
        return {name: y[place] if len(shape) == 1 else y[place].reshape(shape) for name, place, shape in places}

    start = np.concatenate([value.ravel() for value in states.values()])
    led = (lambda at, t: rates(at)) if knots is None else rates
    corners = [float(knot) for knot in knots or () if 0 < knot < time]
    most_calls = _MOST_CALLS + _CALLS_OF_A_KNOT * len(corners)
    calls = [0]
    reached: list[Any] = [0.0, np.zeros(1)]  # the last time at which the rates were finite, and the states there

    def field(t: float, y: Array) -> Array:
        calls[0] += 1
        if calls[0] > most_calls:
            raise SimulationFailed(
                f"the reference integration evaluated the equations {most_calls} times by t = {t:.4g} of {time:g} τ and "
                "was stopped: they switch to and fro there, or change much faster than the time asked for; take a smooth "
                "function such as tanh in place of a jump, or a shorter end time."
            )
        together = np.concatenate(_in_order(led, unpacked(y), t), axis=None)
        if math.isfinite(together.sum()) or np.isfinite(together).all():
            reached[:] = t, y.copy()
        return together

    with np.errstate(all="ignore"):
        size = float(abs(start).max()) or min(float(abs(field(0.0, start)).max()), 1.0)
    size = size if 0 < size < np.inf else 1.0

    def followed(method: str, tolerance: float, stops: list[float]) -> tuple[Array, list[Any]]:
        calls[0] = 0
        end, pieces = start, []
        for begin, until in itertools.pairwise([0.0, *sorted({*corners, *stops}), time]):
            with np.errstate(all="ignore"):
                run = scipy.integrate.solve_ivp(
                    field, (begin, until), end, method=method, rtol=tolerance, atol=1e-2 * tolerance * size,
                    dense_output=method == "DOP853",
                )  # fmt: skip
            if not run.success or not np.isfinite(run.y[:, -1]).all():
                away = "runs away" if abs(reached[1]).max() > _AWAY * size else "runs away or stops being a real number"
                raise SimulationFailed(
                    f"the solution {away} near t = {reached[0]:.4g} τ, where the reference integration by {method} stopped: "
                    f"give an end time before it in place of {time:g} τ, or mend the equations."
                )
            end = run.y[:, -1]
            pieces.append(run)
        return end, pieces

    stops: list[float] = []
    explicit, pieces = followed("DOP853", 1e-12, stops)
    while found := [at for piece in pieces for at in _passed_over(piece, led, states, time, size)]:
        stops = sorted({*stops, *(at for at, _ in found)})
        before = explicit
        explicit, pieces = followed("DOP853", 1e-12, stops)
        if (abs(explicit - before) <= _SAME * np.maximum(abs(before), size)).all():
            break
        if len(stops) > _MOST_STOPS or min(looks for _, looks in found) < _FEWEST_LOOKS:
            raise SimulationFailed(
                f"the rates change near t = {stops[0]:.4g} τ, and perhaps elsewhere, within so little time that the "
                "reference integration may pass over it: make such pulses wider, or give a shorter end time in place of "
                f"{time:g} τ."
            )
    path = max(float(abs(start).max()), float(abs(explicit).max()))
    found = Path(unpacked(explicit), np.inf, time, tuple(pieces), lambda t, y: np.concatenate(
        _in_order(led, unpacked(y), t), axis=None), places, tuple(corners), read)  # fmt: skip
    with contextlib.suppress(SimulationFailed), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what LSODA could not do
        several, others = followed("LSODA", 1e-12, stops)
        # Both may be off by as much as they are apart, where Radau at 1e-10 is off by far more than DOP853.
        if (gap := 2 * float(abs(explicit - several).max())) <= _AGREED * path:
            return dataclasses.replace(found, gap=gap)
        if found.growth.chaotic:
            known = found.agrees_until(others, 0.5 * _AGREED)
            return dataclasses.replace(found, gap=gap, known=known, measured=found.growth)
    implicit, _ = followed("Radau", 1e-10, stops)
    if abs(explicit - implicit).max() > _PASSED_OVER * max(size, float(abs(explicit).max())):
        # The implicit method takes longer steps, and may be the one that passed over what the explicit one saw.
        taken = np.concatenate([piece.t[1:-1] for piece in pieces])
        implicit, _ = followed("Radau", 1e-10, sorted({*stops, *taken[:: len(taken) // _MOST_STOPS + 1].tolist()}))
    return dataclasses.replace(found, gap=float(abs(explicit - implicit).max()))


def _passed_over(
    run: Any,
    rates: Callable[[Mapping[str, Array], Any], Mapping[str, Array]],
    states: Mapping[str, Array],
    time: float,
    size: float,
) -> list[tuple[float, int]]:
    """Where the rates lead away from a path: the worst time of each stretch of it, and how many looks fell on it."""
    cuts = np.cumsum([value.size for value in states.values()])[:-1]

    def one_by_one(path: Array, times: Array) -> Array:
        each = (
            [part.reshape(value.shape) for value, part in zip(states.values(), np.split(y, cuts), strict=True)]
            for y in path.T
        )
        led = [
            np.concatenate([rate.ravel() for rate in _in_order(rates, dict(zip(states, y, strict=True)), t)])
            for y, t in zip(each, times.tolist(), strict=True)
        ]
        return np.array(led).T

    def together(path: Array, times: Array) -> Array:
        return np.array(_in_order(rates, dict(zip(states, path, strict=True)), times))

    if all(value.size == 1 for value in states.values()):
        some, when = run.y[:, which := [0, len(run.t) // 2, -1]], run.t[which]
        try:
            # A function may take no more than one state at once, or sum over what it takes.
            if np.array_equal(together(some, when), one_by_one(some, when), equal_nan=True):
                return _astray(run, together, time / _LOOKS, size)
        except (ValueError, TypeError, IndexError):
            pass
    return _astray(run, one_by_one, time / _LOOKS_ONE_BY_ONE, size)


@np.errstate(all="ignore")
def _astray(run: Any, led: Callable[[Array, Array], Array], spacing: float, size: float) -> list[tuple[float, int]]:
    """The same for rates of many states, shape (states, k), at looks that lie `spacing` apart between a path's steps."""
    wide = np.flatnonzero(np.diff(run.t) > 2 * spacing)
    if not len(wide):
        return []
    edges = [np.linspace(run.t[i], run.t[i + 1], math.ceil((run.t[i + 1] - run.t[i]) / spacing) + 1) for i in wide]
    middles = np.concatenate([(edge[1:] + edge[:-1]) / 2 for edge in edges])
    lengths = np.concatenate([np.diff(edge) for edge in edges])
    # At once: what a step interpolates costs more to begin than to compute.
    path, ahead, behind = np.split(
        run.sol(np.concatenate([middles, middles + _NEAR * lengths, middles - _NEAR * lengths])), 3, axis=1
    )
    moved = (ahead - behind) / (2 * _NEAR)
    away = (abs(led(path, middles) * lengths - moved) - _SHARE * abs(moved)) / np.maximum(abs(path), size)
    away = np.where(np.isfinite(away), away, 0.0).max(axis=0)
    astray = np.flatnonzero(away > _UNSEEN)
    stretches = np.split(astray, np.flatnonzero(np.diff(astray) > 1) + 1) if len(astray) else []
    return [(float(middles[at[np.argmax(away[at])]]), len(at)) for at in stretches if away[at].sum() > _PASSED_OVER]


def _in_order(
    rates: Callable[[Mapping[str, Array], Any], Mapping[str, Array]], at: Mapping[str, Array], t: Any
) -> list[Array]:
    found, made = rates(at, t), []
    # Asked a hundred thousand times: most rates have the shape of their states, and to look costs less than to broadcast.
    for name, value in at.items():
        rate = np.asarray(found[name], dtype=float)
        made.append(rate if rate.shape == value.shape else np.broadcast_to(rate, value.shape))
    return made
