"""The path of equations that switch and jump, piece by piece: each ends where something that is watched crosses 0.

Comparators with hysteresis switch at once here, and states are set anew at an instant. Two methods find the instants each by
themselves, so that how far they are apart is a part of how far the end may be off.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from analogflow.errors import SimulationFailed
from analogflow.problems import Equations
from analogflow.problems.memory import DIRECTIONS
from analogflow.reference.motion import Parting, Path

__all__ = ["path_of_events"]

Array = NDArray[np.float64]

_CHUNKS, _LOOKS = 64, 24
"""Pieces of a path at least, and looks at what is watched in each."""

_NEAREST = 1e-9
"""Share of a path's time below which what runs away is not followed more closely."""

_MOST, _ZENO = 10_000, 1e-6
"""Events of a path beyond which it is given up; share of a path in which no event happens four times."""

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
    sets: Callable[[dict[str, Any], dict[str, Array], dict[str, Array]], None]
    switches: bool


def path_of_events(problem: Equations, time: float) -> Path:
    """Path of `problem`, which has events or comparators with hysteresis, until `time` in τ.

    Raises
    ------
    SimulationFailed
        It runs away before, or events follow each other without end.
    """
    size = max((float(abs(value).max()) for value in problem.states.values()), default=0.0)
    size = size or min(max(float(abs(rate).max()) for rate in problem.rates(problem.states).values()), 1.0) or 1.0
    walked = _Walk(problem, time, "DOP853", 1e-12, size)
    other = _Walk(problem, time, "LSODA", 1e-12, size)
    gap = 2 * float(abs(walked.y - other.y).max())
    largest = max(size, *(float(abs(piece.y).max()) for piece in walked.pieces))
    if gap > _AGREED * largest:
        gap = float(abs(walked.y - _Walk(problem, time, "Radau", 1e-10, size).y).max())
    edges = [float(piece.t[-1]) for piece in walked.pieces[:-1]]

    def outputs(t: float) -> Mapping[str, Array]:
        return walked.outputs[bisect.bisect_left(edges, t)]

    def read(at: Mapping[str, Array], t: float) -> dict[str, Array]:
        values = problem.quantities({**at, **outputs(t)}, t)
        return {
            name: np.asarray(expression.evaluate(values), dtype=float)
            for name, expression in [*problem.observables.items(), *problem.conserved.items()]
        }

    end = walked.unpacked(walked.y)
    return Path(
        end, gap, time, tuple(walked.pieces), lambda t, y: walked.rates(t, y, outputs(t)), walked.places, tuple(edges), read,
        Parting(0.0, time),
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
        self.now = dict(problem.outputs)
        self.just: list[int] = []
        self.pieces: list[_Piece] = []
        self.outputs: list[Mapping[str, Array]] = []
        self.watched = [*map(_of_comparator, problem.memory.values()), *_of_events(problem)]
        self.happened: dict[int, list[float]] = {k: [] for k in range(len(self.watched))}
        with np.errstate(all="ignore"):
            self._walk()

    def unpacked(self, y: Array) -> dict[str, Array]:
        return {name: y[place].reshape(shape) for name, place, shape in self.places}

    def rates(self, t: float, y: Array, outputs: Mapping[str, Array]) -> Array:
        states = self.unpacked(y)
        values = self.problem.quantities({**states, **outputs}, t)
        rates = (np.asarray(self.problem.equations[name].evaluate(values), dtype=float) for name in states)
        return np.concatenate([
            np.broadcast_to(rate, state.shape).ravel() for rate, state in zip(rates, states.values(), strict=True)
        ])  # fmt: skip

    def beyond(self, t: float, y: Array) -> Array:
        """How far each thing that may happen is beyond the point where it does."""
        values = self.problem.quantities({**self.unpacked(y), **self.now}, t)
        return np.array([each.beyond(values, self.now) for each in self.watched])

    def _walk(self) -> None:
        t, longest, last = 0.0, self.end / _CHUNKS, None
        chunk, before = longest, self.beyond(0.0, self.y)
        knots = [knot for knot in self.problem.knots or () if 0 < knot < self.end]
        while t < self.end:
            until = min([t + chunk, self.end, *(knot for knot in knots if knot > t)])
            until = self.end if self.end - until < 1e-12 * self.end else until
            try:
                led = self._led(t, self.y, until)
            except SimulationFailed:
                if until - t <= _NEAREST * self.end:
                    raise
                chunk = 0.5 * (until - t)  # it may run away behind an event that comes first, as a neuron's spike does
                continue
            for low, high in itertools.pairwise(np.linspace(t, until, _LOOKS + 1).tolist()):
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
        now = self.now
        follow: Any = solve_ivp  # whose stubs take the tolerances for other options
        found = follow(
            lambda t, y: self.rates(t, y, now), (t, until), y, method=self.method, dense_output=True, **self.tolerances
        )
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

        solve: Any = brentq  # whose stubs ask for NumPy's own floats
        return high if f(low) >= 0 or f(high) < 0 else float(solve(f, low, high, xtol=1e-15, rtol=1e-15))

    def _add(self, begin: float, until: float, led: Any) -> None:
        inside = led.t[(led.t > begin) & (led.t < until)]
        times = np.concatenate([[begin], inside, [until]])
        states = np.concatenate([led.sol(times[:-1]), led.y[:, -1:]], axis=1)
        self.pieces.append(_Piece(times, states, led.sol))
        self.outputs.append(dict(self.now))

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
            values = self.problem.quantities({**states, **self.now}, at)
            self.watched[which].sets(values, states, outputs)
            self.y, self.now = np.concatenate([value.ravel() for value in states.values()]), outputs
            beyond = self.beyond(at, self.y)
            # Where it leaves alone what it watches, that is at its root but for rounding, and would be passed again.
            self.just += [which] if beyond[which] == reached else []
            turned = [k for k, each in enumerate(self.watched) if each.switches and beyond[k] > 0]

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

    def sets(values: dict[str, Any], states: dict[str, Array], outputs: dict[str, Array]) -> None:
        outputs[each.name] = 1.0 - outputs[each.name]

    return _Watched(f"the comparator {each.signal.where.split(',')[0]}", beyond, sets, switches=True)


def _of_events(problem: Equations) -> list[_Watched]:
    def of(event: Any, sign: int) -> _Watched:
        def beyond(values: Mapping[str, Any], outputs: Mapping[str, Array]) -> float:
            return sign * float(np.ravel(event.when.evaluate(values))[0])

        def sets(values: dict[str, Any], states: dict[str, Array], outputs: dict[str, Array]) -> None:
            for name, becomes in event.then.items():
                given = np.asarray(becomes.evaluate(values), dtype=float)
                states[name] = np.array(np.broadcast_to(given, states[name].shape))

        return _Watched(event.name, beyond, sets, switches=False)

    return [of(event, sign) for event in problem.events for sign in DIRECTIONS[event.direction]]
