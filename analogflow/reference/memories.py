"""The path of equations that remember, piece by piece: each ends where something that is watched crosses 0.

Comparators with hysteresis switch at once here, and states are set anew at an instant. Two methods find the instants each by
themselves, so that how far they are apart is a part of how far the end may be off.

Delays are the method of steps (Bellen and Zennaro 2003, chapter 3): no piece is longer than the shortest delay, so that what
is delayed is computed from states on pieces before, which their method interpolates. A jump at the start, of an input or by
an event comes back after each delay, a derivative higher each time, and no piece goes over one of these times.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.errors import SimulationFailed
from analogflow.problems import Equations
from analogflow.problems.equations import Quantities
from analogflow.problems.memory import DIRECTIONS
from analogflow.reference.motion import Parting, Path

__all__ = ["path_of_memories"]

Array = NDArray[np.float64]

_CHUNKS, _LOOKS = 64, 24
"""Pieces of a path at least, and looks at what is watched in each."""

_NEAREST = 1e-9
"""Share of a path's time below which what runs away is not followed more closely."""

_MOST, _ZENO = 10_000, 1e-6
"""Events of a path beyond which it is given up; share of a path in which no event happens four times."""

_MOST_PIECES = 20_000
"""Delays in a path beyond which it is given up: each piece takes a millisecond or more."""

_COMES_BACK, _MOST_BREAKS = 10, 400
"""Delays, one after another, after which a jump is in a derivative that no method sees; and most of such times."""

_BESIDE = 1e-13
"""Share of a path by which what is delayed is looked up within a piece: to its ends jumps come but for rounding."""

_AGREED = 1e-7
"""Gap beside LSODA, over the size of the path, beyond which an implicit method is asked."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Piece:
    """What `Path` asks of a piece: its points, its states there, and what interpolates them."""

    t: Array
    y: Array
    sol: Callable[[Any], Array]


@dataclasses.dataclass(frozen=True, eq=False)
class _Watched:
    """Something that may happen: it does where ``beyond(quantities, outputs)`` rises through 0."""

    name: str
    beyond: Callable[[Mapping[str, Any], Mapping[str, Array]], float]
    sets: Callable[[Mapping[str, Any], dict[str, Array], dict[str, Array]], None]
    switches: bool


def path_of_memories(problem: Equations, time: float) -> Path:
    """Path of `problem`, which has events, comparators with hysteresis or delays, until `time` in τ.

    Raises
    ------
    SimulationFailed
        It runs away before, events follow each other without end, or a delay is too short a part of it.
    """
    size = max((float(abs(value).max()) for value in problem.states.values()), default=0.0)
    size = size or min(max(float(abs(rate).max()) for rate in problem.rates(problem.states).values()), 1.0) or 1.0
    walked = _Walk(problem, time, "DOP853", 1e-12, size)
    other = _Walk(problem, time, "LSODA", 1e-12, size)
    gap = 2 * float(abs(walked.y - other.y).max())
    largest = max(size, *(float(abs(piece.y).max()) for piece in walked.pieces))
    if gap > _AGREED * largest:
        gap = float(abs(walked.y - _Walk(problem, time, "Radau", 1e-10, size).y).max())

    def read(at: Mapping[str, Array], t: float) -> dict[str, Array]:
        values = walked.then(at, t)
        return {
            name: np.asarray(expression.evaluate(values), dtype=float)
            for name, expression in [*problem.observables.items(), *problem.conserved.items()]
        }

    end = walked.unpacked(walked.y)
    return Path(
        end, gap, time, tuple(walked.pieces), lambda t, y: walked.rates(y, walked.then(walked.unpacked(y), t)),
        walked.places, tuple(walked.edges[:-1]), read, Parting(0.0, time),
    )  # fmt: skip


class _Walk:
    """A path by one method."""

    def __init__(self, problem: Equations, time: float, method: str, tolerance: float, size: float) -> None:
        self.problem, self.end, self.method = problem, time, method
        self.tolerances = {"rtol": tolerance, "atol": 1e-2 * tolerance * size}
        ends = itertools.accumulate(value.size for value in problem.states.values())
        self.places = [
            (name, slice(end - value.size, end), value.shape)
            for (name, value), end in zip(problem.states.items(), ends, strict=True)
        ]
        self.y = np.concatenate([value.ravel() for value in problem.states.values()])
        self.now = {name: problem.outputs[name] for name in problem.comparators}
        self.just: list[int] = []
        self.pieces: list[_Piece] = []
        self.outputs: list[Mapping[str, Array]] = []
        self.edges: list[float] = []
        self.watched = [*map(_of_comparator, problem.comparators.values()), *_of_events(problem)]
        self.delays = sorted({each.delay for each in problem.delays.values()})
        if self.delays and time > _MOST_PIECES * self.delays[0]:
            raise SimulationFailed(
                f"the delay of {self.delays[0]:g} τ is less than {time:g} τ by {_MOST_PIECES}, which is too short to be "
                "followed: what differs by so little may be written without it; or give a shorter end time."
            )
        self.breaks: list[float] = []
        self.span = (0.0, np.inf)
        self.happened: dict[int, list[float]] = {k: [] for k in range(len(self.watched))}
        with np.errstate(all="ignore"):
            self._walk()

    def unpacked(self, y: Array) -> dict[str, Array]:
        return {name: y[place].reshape(shape) for name, place, shape in self.places}

    def rates(self, y: Array, values: Mapping[str, Any]) -> Array:
        """Rates at states `y`, where quantities are `values`."""
        found = []
        for name, place, shape in self.places:
            rate = np.asarray(self.problem.equations[name].evaluate(values), dtype=float)
            found.append(np.broadcast_to(rate, shape).ravel() if rate.shape != (y[place].size,) else rate)
        return np.concatenate(found)

    def values(self, t: float, y: Array) -> Quantities:
        """Quantities at states `y` within the piece under way."""
        begin, until = self.span
        beside = min(_BESIDE * self.end, 0.25 * (until - begin))
        inside = min(max(t, begin + beside), until - beside)
        return Quantities(self.problem, {**self.unpacked(y), **self.now}, t, lambda each: self._delayed(each, inside))

    def then(self, states: Mapping[str, Array], t: float) -> Quantities:
        """Quantities at states that are those of the finished path at a time."""
        outputs = self.outputs[self._piece(t)]
        return Quantities(self.problem, {**states, **outputs}, t, lambda each: self._delayed(each, t))

    def _piece(self, t: float) -> int:
        return min(bisect.bisect_left(self.edges, t), len(self.edges) - 1)

    def _delayed(self, each: Any, t: float) -> Array:
        """What a delay puts out at `t`: its signal where the path was."""
        start, ago = self.problem.outputs[each.name], t - each.delay
        if ago <= 0:
            return start
        y = self.pieces[self._piece(ago)].sol(ago)
        value = np.asarray(each.signal.evaluate(self.then(self.unpacked(y), ago)), dtype=float)
        return value.reshape(start.shape) if value.shape != start.shape else value

    def _come_back(self, at: float) -> None:
        """Remember when a jump at a time comes back."""
        new = [at]
        for _ in range(_COMES_BACK if self.delays else 0):
            new = self._apart(time + delay for time in new for delay in self.delays if time + delay < self.end)
            if len(self.breaks) + len(new) > _MOST_BREAKS:
                break
            self.breaks = self._apart([*self.breaks, *new])

    def _apart(self, times: Iterable[float]) -> list[float]:
        """Times in their order, of those that are alike but for rounding the first."""
        found: list[float] = []
        for time in sorted(times):
            if not found or time - found[-1] > _BESIDE * self.end:
                found.append(time)
        return found

    def beyond(self, t: float, y: Array) -> Array:
        """How far each thing that may happen is beyond the point where it does."""
        values = self.values(t, y)
        return np.array([each.beyond(values, self.now) for each in self.watched])

    def _walk(self) -> None:
        t, longest, last = 0.0, min([self.end / _CHUNKS, *self.delays]), None
        chunk, before = longest, self.beyond(0.0, self.y)
        self.breaks = [knot for knot in self.problem.knots or () if 0 < knot < self.end]
        for knot in [0.0, *self.breaks]:
            self._come_back(knot)
        while t < self.end:
            until = min([t + chunk, self.end, *self.breaks[bisect.bisect_right(self.breaks, t) :][:1]])
            until = self.end if self.end - until < 1e-12 * self.end else until
            self.span = (t, until)
            try:
                led = self._led(t, self.y, until)
            except SimulationFailed:
                if until - t <= _NEAREST * self.end:
                    raise
                chunk = 0.5 * (until - t)  # it may run away behind an event that comes first, as a neuron's spike does
                continue
            looks = np.linspace(t, until, _LOOKS + 1).tolist() if self.watched else []
            # What is delayed may jump at the very beginning, and carry something over its threshold.
            for low, high in itertools.pairwise([t, *looks] if self.delays else looks):
                after = self.beyond(high, led.sol(high) if high < until else led.y[:, -1])
                crossed = [k for k in range(len(after)) if before[k] < 0 <= after[k]]
                if crossed:
                    roots = [self._root(led.sol, k, low, high) for k in crossed]
                    at = min(roots)
                    self._happen(t, at, crossed[roots.index(at)], led)
                    # A state may be back within less than the time since the last event, where events come ever faster.
                    chunk = min(longest, 0.25 * (at - last)) if last is not None else min(longest, 0.25 * at)
                    chunk, t, last = max(chunk, 1e-12 * self.end), at, at
                    before = self.beyond(t, self.y)
                    before[self.just] = 0.0
                    break
                before = after
            else:
                self._add(t, until, led)
                self.y, t, chunk = led.y[:, -1], until, min(longest, 2 * chunk)

    def _led(self, t: float, y: Array, until: float) -> Any:
        follow: Any = scipy.integrate.solve_ivp  # whose stubs take the tolerances for other options
        found = follow(
            lambda t, y: self.rates(y, self.values(t, y)), (t, until), y, method=self.method, dense_output=True,
            **self.tolerances,
        )  # fmt: skip
        if not found.success or not np.isfinite(found.y[:, -1]).all():
            raise SimulationFailed(
                f"the solution runs away or stops being a real number near t = {found.t[-1]:.4g} τ, where the reference "
                f"integration by {self.method} stopped: give an end time before it in place of {self.end:g} τ, or mend the "
                "equations."
            )
        return found

    def _root(self, path: Callable[[float], Array], k: int, low: float, high: float) -> float:
        def f(t: float) -> float:
            return float(self.beyond(t, path(t))[k])

        solve: Any = scipy.optimize.brentq  # whose stubs ask for NumPy's own floats
        return high if f(low) >= 0 or f(high) < 0 else float(solve(f, low, high, xtol=1e-15, rtol=1e-15))

    def _add(self, begin: float, until: float, led: Any) -> None:
        inside = led.t[(led.t > begin) & (led.t < until)]
        times = np.concatenate([[begin], inside, [until]])
        states = np.concatenate([led.sol(times[:-1]), led.y[:, -1:]], axis=1)
        self.pieces.append(_Piece(times, states, led.sol))
        self.outputs.append(dict(self.now))
        self.edges.append(float(until))

    def _happen(self, begin: float, at: float, which: int, led: Any) -> None:
        """What happens at an instant, and which comparators that switches in turn."""
        if at > begin:
            led = self._led(begin, self.y, at)
            self._add(begin, at, led)
            self.y = led.y[:, -1]
        turned, self.just = [which], []
        while turned:  # a comparator sees those before it alone, so that this comes to an end
            which = turned[0]
            self._count(which, at)
            reached = self.beyond(at, self.y)[which]
            states, outputs = self.unpacked(self.y.copy()), dict(self.now)
            self.watched[which].sets(self.values(at, self.y), states, outputs)
            self.y, self.now = np.concatenate([value.ravel() for value in states.values()]), outputs
            beyond = self.beyond(at, self.y)
            # Where it leaves alone what it watches, that is at its root but for rounding, and would be passed again.
            self.just += [which] if beyond[which] == reached else []
            turned = [k for k, each in enumerate(self.watched) if each.switches and beyond[k] > 0]
        self.span = (at, np.inf)
        self._come_back(at)

    def _count(self, which: int, at: float) -> None:
        name, times = self.watched[which].name, self.happened[which]
        times.append(at)
        if sum(map(len, self.happened.values())) > _MOST:
            raise SimulationFailed(f"more than {_MOST} events happen by t = {at:.6g} τ; give a time before it as the end.")
        if len(times) > 3 and at - times[-4] < _ZENO * self.end:
            raise SimulationFailed(
                f"{name!r} happens ever faster, {len(times)} times by t = {at:.6g} τ, and would without end (Zeno): give a "
                f"time before {at:.4g} τ as the end, or write what holds it there, such as a stiff spring and a damper in "
                "place of a floor that throws back, or thresholds that are apart."
            )


def _of_comparator(each: Any) -> _Watched:
    def beyond(values: Mapping[str, Any], outputs: Mapping[str, Array]) -> float:
        signal = float(np.ravel(each.signal.evaluate(values))[0])
        return signal - each.high if outputs[each.name][0] == 0.0 else each.low - signal

    def sets(values: Mapping[str, Any], states: dict[str, Array], outputs: dict[str, Array]) -> None:
        outputs[each.name] = 1.0 - outputs[each.name]

    return _Watched(f"the comparator {each.signal.where.split(',')[0]}", beyond, sets, switches=True)


def _of_events(problem: Equations) -> list[_Watched]:
    def of(event: Any, sign: int) -> _Watched:
        def beyond(values: Mapping[str, Any], outputs: Mapping[str, Array]) -> float:
            return sign * float(np.ravel(event.when.evaluate(values))[0])

        def sets(values: Mapping[str, Any], states: dict[str, Array], outputs: dict[str, Array]) -> None:
            for name, becomes in event.then.items():
                given = np.asarray(becomes.evaluate(values), dtype=float)
                states[name] = np.array(np.broadcast_to(given, states[name].shape))

        return _Watched(event.name, beyond, sets, switches=False)

    return [of(event, sign) for event in problem.events for sign in DIRECTIONS[event.direction]]
