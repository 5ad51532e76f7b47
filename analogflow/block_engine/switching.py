"""Follows a graph whose states switch or jump: from event to event by a method of order 8, each found as a root.

Latches switch at once here, and not in the time that the state takes which stands for them elsewhere.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine.integration import ErrorLimits
from analogflow.block_engine.methods import few_threads
from analogflow.block_engine.vector_field import VectorField
from analogflow.errors import SimulationFailed
from analogflow.run import Outcome, Run

__all__ = ["Trigger", "follow_events"]

Array = NDArray[np.float64]

_MOST_EVENTS = 10_000
"""Events of a run beyond which it is given up."""

_ZENO = 1e-6
"""Share of a run within which one event does not happen four times, unless it does so ever faster."""

_LOOKS = 8
"""Looks at what is watched in each step."""

_POINTS, _NEAR = 4000, 12
"""Evenly spaced points of a run that are kept, and points on either side of an event, each half as far from it."""

_APART, _CLOSEST = 4e-12, 5e-8
"""Share of a run between the two points of a jump, and between any others that are interpolated: to their errors."""


@dataclasses.dataclass(frozen=True, eq=False)
class Trigger:
    """An event of packed states.

    Parameters
    ----------
    name : str
    beyond : callable
        ``beyond(y)``: a number that is negative before it and rises through 0 where it happens.
    then : callable
        ``then(y)``: the states afterwards.
    jumps : bool
        Whether any state that is no latch changes.
    """

    name: str
    beyond: Callable[[Array], float]
    then: Callable[[Array], Array]
    jumps: bool = True


def follow_events(
    field: VectorField,
    triggers: Sequence[Trigger],
    end: float,
    *,
    limits: ErrorLimits,
    save: Array | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Run:
    """Follow states from their start to `end`, in τ, in the units of the graph.

    Points are kept at ascending times `save`, the first 0, or if there are none given so densely that a spline shows the
    path, with two of them at every jump.

    Raises
    ------
    SimulationFailed
        Events follow each other without end.
    """
    walk = _Walk(field, triggers, end, limits, save)
    outcome, detail = Outcome.COMPLETED, ""
    with few_threads(field.size), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for stop in [*field.breaks[field.breaks < end].tolist(), end]:
            while walk.time < stop and outcome is Outcome.COMPLETED:
                outcome = walk.piece(stop)
                if on_progress is not None:
                    on_progress(walk.time)
        if outcome is not Outcome.COMPLETED:
            detail = f"That was at t = {walk.time:.4g} τ."
        values = field.observables(np.array(walk.states))
    return Run(np.array(walk.times), {name: np.array(value) for name, value in values.items()}, outcome, detail)


class _Walk:
    """A path under way."""

    def __init__(
        self, field: VectorField, triggers: Sequence[Trigger], end: float, limits: ErrorLimits, save: Array | None
    ) -> None:
        self.field, self.end, self.limits, self.save = field, end, limits, save
        self.triggers = [*_of_latches(field), *triggers]
        self.held = [part for part, _, _ in field.latches]
        self.time, self.y = 0.0, field.graph.initial()
        self.times, self.states = [0.0], [self.y]
        self.happened: list[list[float]] = [[] for _ in self.triggers]
        self.since, self.last = end / _LOOKS, 0.0
        self.just: list[int] = []

    def rates(self, time: float, y: Array) -> Array:
        rates = self.field(time, y)
        for part in self.held:
            rates[part] = 0.0
        return rates

    def beyond(self, y: Array) -> Array:
        return np.array([each.beyond(y) for each in self.triggers])

    def piece(self, stop: float) -> Outcome:
        """Go on to the next event, or to `stop`."""
        begin = self.time
        solver = scipy.integrate.DOP853(
            self.rates, self.time, self.y, stop, rtol=self.limits.relative, atol=self.limits.absolute
        )
        before, spacing = self.beyond(self.y), self.end / _POINTS
        before[self.just] = 0.0
        # What starts anew may soon be where it was: no step is longer than the time since the last event, or what is passed.
        quiet = self.since
        while solver.status == "running":
            solver.max_step = max(0.25 * quiet, solver.t - begin, 1e-12 * self.end)
            start, old = solver.t, solver.y.copy()
            solver.step()
            if not abs(solver.y).max() < self.limits.runaway:
                self.time = solver.t
                return Outcome.BLEW_UP
            if solver.status == "failed":
                self.time = solver.t
                return Outcome.STUCK
            path = solver.dense_output()
            looks = np.linspace(start, solver.t, _LOOKS + 1)[1:]
            near = begin + spacing * 0.5 ** np.arange(_NEAR)
            grid = np.arange(np.floor(start / spacing) + 1, np.floor(solver.t / spacing) + 1) * spacing
            kept = np.unique([*grid, *near[(near > start) & (near < solver.t)], solver.t])
            low = start
            for high in looks:
                after = self.beyond(path(high))
                crossed = np.flatnonzero((before < 0) & (after >= 0))
                if len(crossed):
                    roots = [_root(self.triggers[k].beyond, path, low, high) for k in crossed]
                    first = int(np.argmin(roots))
                    at = max(roots[first], start + 1e-15 * self.end)
                    self._keep(path, [*kept, *(at - spacing * 0.5 ** np.arange(_NEAR))], at)
                    self._happen(int(crossed[first]), self._exact(start, old, at), at)
                    return Outcome.COMPLETED
                before, low = after, high
            self._keep(path, kept[:-1], solver.t)
            self._point(solver.t, solver.y.copy())
        self.time, self.y, self.since, self.just = solver.t, solver.y, max(self.since, solver.t - begin), []
        return Outcome.COMPLETED

    def _exact(self, start: float, y: Array, at: float) -> Array:
        """States at a time within a step, by steps that end there."""
        solver = scipy.integrate.DOP853(self.rates, start, y, at, rtol=self.limits.relative, atol=self.limits.absolute)
        while solver.status == "running":
            solver.step()
        return solver.y

    def _keep(self, path: Callable[[float], Array], times: Any, until: float) -> None:
        if self.save is not None:
            for time in self.save[(self.save > self.times[-1]) & (self.save <= until)].tolist():
                self.times.append(time)
                self.states.append(path(time))
            return
        least = _CLOSEST * self.end
        for time in sorted(times):
            if self.times[-1] + least < time < until - least:
                self.times.append(float(time))
                self.states.append(path(time))

    def _point(self, time: float, y: Array) -> None:
        """Keep a point that is asked for, or every one."""
        if time > self.times[-1] and (self.save is None or time == self.end):
            self.times.append(time)
            self.states.append(y)

    def _happen(self, which: int, y: Array, at: float) -> None:
        """The event, and all that it brings about in the same instant."""
        self._point(at, y)
        moved, turned, self.just = False, [which], []
        while turned:  # a latch sees those before it alone, so that this comes to an end
            k = turned[0]
            self._count(k, at)
            before, trigger = y, self.triggers[k]
            y, moved = trigger.then(y), moved or trigger.jumps
            # What leaves alone what it watches is at its root but for rounding, and would happen again.
            self.just += [k] if trigger.beyond(y) == trigger.beyond(before) else []
            # Of what a jump carries along, latches switch at once; an event happens where what it watches crosses 0 itself.
            turned = [j for j in range(len(self.held)) if self.triggers[j].beyond(y) > 0]
        if moved and self.save is None:
            self.times.append(at + _APART * self.end)
            self.states.append(y)
        self.since, self.last = at - self.last, at
        self.time, self.y = at, y

    def _count(self, k: int, at: float) -> None:
        self.happened[k].append(at)
        if sum(map(len, self.happened)) > _MOST_EVENTS:
            raise SimulationFailed(
                f"more than {_MOST_EVENTS} events happened by t = {at:.6g} τ of {self.end:g} τ; give a shorter end time."
            )
        latest = self.happened[k][-4:]
        if len(latest) == 4 and at - latest[0] < _ZENO * self.end:
            raise SimulationFailed(
                f"{self.triggers[k].name!r} happens ever faster, {len(self.happened[k])} times by t = {at:.6g} τ, and would "
                f"without end (Zeno): end before t = {at:.4g} τ, or write what holds it there, such as a stiff spring and a "
                "damper in place of a floor that throws back, or thresholds that are apart."
            )


def _of_latches(field: VectorField) -> list[Trigger]:
    def of(part: slice, origin: str, block: Any) -> Trigger:
        def beyond(y: Array) -> float:
            return float(np.ravel(block.beyond(field.signals(y)[origin], y[part]))[0])

        def then(y: Array) -> Array:
            switched = y.copy()
            switched[part] = 1.0 - np.round(y[part])
            return switched

        return Trigger(f"the comparator {block.label}", beyond, then, jumps=False)

    return [of(*each) for each in field.latches]


def _root(beyond: Callable[[Array], float], path: Callable[[float], Array], low: float, high: float) -> float:
    def f(t: float) -> float:
        return beyond(path(t))

    solve: Any = scipy.optimize.brentq  # whose stubs ask for NumPy's own floats
    return high if f(low) >= 0 else float(solve(f, low, high, xtol=1e-15, rtol=1e-15))
