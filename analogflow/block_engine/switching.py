"""Follows a graph that remembers: from event to event by a method of order 8, each found as a root.

Latches switch at once here, and not in the time that the state takes which stands for them elsewhere. What is delayed is
looked up in the past, so that no step is longer than the shortest delay, and none goes over a time when a jump comes back.
"""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine.integration import ErrorLimits, March
from analogflow.block_engine.methods import few_threads
from analogflow.block_engine.past import Past
from analogflow.block_engine.vector_field import VectorField
from analogflow.errors import SimulationFailed
from analogflow.run import Outcome, Run

__all__ = ["Trigger", "follow_events", "march_alone"]

Array = NDArray[np.float64]

_MOST_EVENTS = 10_000
"""Events of a run beyond which it is given up."""

_ZENO = 1e-6
"""Share of a run within which one event does not happen four times, unless it does so ever faster."""

_LOOKS = 8
"""Looks at what is watched in each step."""

_POINTS, _NEAR = 4000, 12
"""Evenly spaced points of a run that are kept, and points on either side of an event, each half as far from it."""

_MOST_STEPS = 20_000
"""Delays in a run beyond which it is given up, since each takes a step."""

_SEEN = 1e-9
"""Jump of what is delayed, over the size of the states, that is shown."""

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
    with np.errstate(all="ignore"):
        outcome = walk.walk(on_progress)
        values = field.observables(np.array(walk.states))
    detail = "" if outcome is Outcome.COMPLETED else f"That was at t = {walk.time:.4g} τ."
    return Run(np.array(walk.times), {name: np.array(value) for name, value in values.items()}, outcome, detail)


def march_alone(
    field: VectorField,
    save: Array,
    end: float,
    *,
    limits: ErrorLimits,
    on_progress: Callable[[float], None] | None = None,
) -> March:
    """What `march` gives of one sample, of a graph with delays and without noise, from its own start.

    Raises
    ------
    SimulationFailed
        A comparator switches without end.
    """
    walk = _Walk(field, (), end, limits, np.unique(np.concatenate([[0.0], save, [end]])))
    outcome = walk.walk(on_progress)
    at = np.minimum(np.searchsorted(walk.times, save), len(walk.times) - 1)
    states, one = np.array(walk.states), np.zeros(1, dtype=bool)
    return March(
        states[None, at], None, states[-1:], None, np.array([walk.time]), one, one | (outcome is Outcome.BLEW_UP),
        one | (outcome is Outcome.STUCK), 0,
    )  # fmt: skip


class _Walk:
    """A path under way."""

    def __init__(
        self, field: VectorField, triggers: Sequence[Trigger], end: float, limits: ErrorLimits, save: Array | None
    ) -> None:
        self.field, self.end, self.limits, self.save = field, end, limits, save
        self.triggers = [*_of_latches(field), *triggers]
        self.held = [part for part, _, _ in (*field.latches, *field.delays)]
        self.latches = len(field.latches)
        self.past = Past(field.delays, field.breaks[field.breaks < end].tolist(), end)
        if end > _MOST_STEPS * self.past.shortest:
            raise SimulationFailed(
                f"the delay of {self.past.shortest:g} τ is less than {end:g} τ by {_MOST_STEPS}, which is too short to be "
                "followed: what differs by so little may be written without it; or give a shorter end time."
            )
        self.before: Array | None = None
        self.time, self.y = 0.0, field.graph.initial()
        self.times, self.states = [0.0], [self.y]
        self.happened: list[list[float]] = [[] for _ in self.triggers]
        self.since, self.last = end / _LOOKS, 0.0
        self.just: list[int] = []

    def rates(self, time: float, y: Array) -> Array:
        rates = self.field(time, self.past.filled(time, y))
        for part in self.held:
            rates[part] = 0.0
        return rates

    def beyond(self, time: float, y: Array) -> Array:
        y = self.past.filled(time, y) if self.triggers else y
        return np.array([each.beyond(y) for each in self.triggers])

    def walk(self, on_progress: Callable[[float], None] | None) -> Outcome:
        """Go to the end, or until it goes no further."""
        outcome = Outcome.COMPLETED
        with few_threads(self.field.size), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            while self.time < self.end and outcome is Outcome.COMPLETED:
                outcome = self.piece(self.past.next_break(self.time))
                if on_progress is not None:
                    on_progress(self.time)
        return outcome

    def solver(self, begin: float, y: Array, until: float) -> Any:
        return scipy.integrate.DOP853(
            self.rates, begin, y, until, rtol=self.limits.relative, atol=self.limits.absolute, max_step=self.past.shortest
        )

    def piece(self, stop: float) -> Outcome:
        """Go on to the next event, or to `stop`."""
        begin = self.time
        self.past.span = (begin, stop)
        before, spacing = self.beyond(begin, self.y), self.end / _POINTS
        if self.before is not None and len(carried := np.flatnonzero((self.before < 0) & (before >= 0))):
            # What is delayed has jumped, and something that is watched with it.
            self._happen(int(carried[0]), self.y, begin)
            return Outcome.COMPLETED
        self._jumped(begin)
        before[self.just] = 0.0
        solver = self.solver(begin, self.y, stop)
        # What starts anew may soon be where it was: no step is longer than the time since the last event, or what is passed.
        quiet = self.since
        while solver.status == "running":
            solver.max_step = min(max(0.25 * quiet, solver.t - begin, 1e-12 * self.end), self.past.shortest)
            start, old = solver.t, solver.y.copy()
            solver.step()
            if not abs(solver.y).max() < self.limits.runaway:
                self.time = solver.t
                return Outcome.BLEW_UP
            if solver.status == "failed":
                self.time = solver.t
                return Outcome.STUCK
            path = solver.dense_output()
            looks = np.linspace(start, solver.t, _LOOKS + 1)[1:] if self.triggers else ()
            near = begin + spacing * 0.5 ** np.arange(_NEAR)
            grid = np.arange(np.floor(start / spacing) + 1, np.floor(solver.t / spacing) + 1) * spacing
            kept = np.unique([*grid, *near[(near > start) & (near < solver.t)], solver.t])
            low = start
            for high in looks:
                after = self.beyond(high, path(high))
                crossed = np.flatnonzero((before < 0) & (after >= 0))
                if len(crossed):
                    filled = functools.partial(self._filled, path)
                    roots = [_root(self.triggers[k].beyond, filled, low, high) for k in crossed]
                    first = int(np.argmin(roots))
                    at = max(roots[first], start + 1e-15 * self.end)
                    self._keep(path, [*kept, *(at - spacing * 0.5 ** np.arange(_NEAR))], at)
                    self.past.learn(at, path, self.field.signals)
                    self._happen(int(crossed[first]), self._exact(start, old, at), at)
                    return Outcome.COMPLETED
                before, low = after, high
            self._keep(path, kept[:-1], solver.t)
            self.past.learn(solver.t, path, self.field.signals)
            self._point(solver.t, solver.y.copy())
        self.time, self.y, self.since, self.just = solver.t, solver.y, max(self.since, solver.t - begin), []
        self.before = before if self.field.delays else None
        return Outcome.COMPLETED

    def _filled(self, path: Callable[[float], Array], time: float) -> Array:
        return self.past.filled(time, path(time))

    def _jumped(self, time: float) -> None:
        """Keep a second point where what is delayed jumps."""
        if self.field.delays and self.save is None:
            y = self.past.filled(time, self.y)
            if abs(y - self.states[-1]).max() > _SEEN * max(abs(y).max(), self.limits.absolute):
                self.times.append(time + _APART * self.end)
                self.states.append(y)

    def _exact(self, start: float, y: Array, at: float) -> Array:
        """States at a time within a step, by steps that end there."""
        solver = self.solver(start, y, at)
        while solver.status == "running":
            solver.step()
        return solver.y

    def _keep(self, path: Callable[[float], Array], times: Any, until: float) -> None:
        if self.save is not None:
            for time in self.save[(self.save > self.times[-1]) & (self.save <= until)].tolist():
                self.times.append(time)
                self.states.append(self._filled(path, time))
            return
        least = _CLOSEST * self.end
        for time in sorted(times):
            if self.times[-1] + least < time < until - least:
                self.times.append(float(time))
                self.states.append(self._filled(path, float(time)))

    def _point(self, time: float, y: Array) -> None:
        """Keep a point that is asked for, or every one."""
        if time > self.times[-1] and (self.save is None or time == self.end):
            self.times.append(time)
            self.states.append(self.past.filled(time, y))

    def _happen(self, which: int, y: Array, at: float) -> None:
        """The event, and all that it brings about in the same instant."""
        self._point(at, y)
        y, moved, turned, self.just, self.before = self.past.filled(at, y), False, [which], [], None
        while turned:  # a latch sees those before it alone, so that this comes to an end
            k = turned[0]
            self._count(k, at)
            before, trigger = y, self.triggers[k]
            y, moved = trigger.then(y), moved or trigger.jumps
            # What leaves alone what it watches is at its root but for rounding, and would happen again.
            self.just += [k] if trigger.beyond(y) == trigger.beyond(before) else []
            # Of what a jump carries along, latches switch at once; an event happens where what it watches crosses 0 itself.
            turned = [j for j in range(self.latches) if self.triggers[j].beyond(y) > 0]
        if moved and self.save is None:
            self.times.append(at + _APART * self.end)
            self.states.append(y)
        self.past.jumped(at)
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
