"""Period and amplitudes of a path of equations, by roots of what its integration interpolates, not off samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from analogflow.reference.motion import Path

__all__ = ["Cycle", "Turns", "cycle_of", "turns_of"]

Array = NDArray[np.float64]

_LOOKS = 16_384
"""Points of a path between which roots are looked for."""

_CLOSED = 1e-3
"""Distance of two returns, over the amplitude, beyond which a path does not repeat itself."""


_RIPPLE = 1e-4
"""Height of a turn, over the range, below which it is none; and of the range over the largest value, where a path rests."""

_MOST_TURNS, _SEEN_AGAIN = 16, 8
"""Turns of one period at most, and how many of them, besides four periods, must have come before."""


class Turns(NamedTuple):
    """Where a path turns in its later half.

    Parameters
    ----------
    maxima, minima : array
        Of the signal, in the order they came; both are its last value where it rests.
    size : float
        The largest magnitude of any state on the path, or of the signal there.
    last : float
        Where it ends.
    repeats : bool
        Whether maxima come again, or it rests: what it does not do, two integrations need not agree on.
    """

    maxima: Array
    minima: Array
    size: float
    last: float
    repeats: bool


class Cycle(NamedTuple):
    """What repeats itself.

    Parameters
    ----------
    period : float
        In τ.
    amplitude : mapping of name to array
        Half of the range of each state, flow units.
    """

    period: float
    amplitude: Mapping[str, Array]


def cycle_of(path: Path, state: str, level: float, returns: int) -> Cycle | None:
    """Period and amplitudes at the end of a path; None where it is not periodic.

    Parameters
    ----------
    path : Path
    state : str
        Its first element crosses the section upwards at `level`, flow units.
    returns : int
        Crossings in a period.
    """
    place = next(place for name, place, _ in path.places if name == state).start
    end = path.time
    crossings = np.array(_roots(lambda t: path.states_at(t)[:, place] - level, 0.0, end, rising=True))
    if len(crossings) <= returns:
        return None
    used = max((len(crossings) - 1) // returns // 2, 1)
    period = (crossings[-1] - crossings[-1 - used * returns]) / used
    begin = crossings[-1] - period
    amplitudes = np.array([_half_range(path, k, begin, crossings[-1]) for k in range(len(path.peaks))])
    points = path.states_at(crossings) / np.maximum(amplitudes, _CLOSED * amplitudes.max())
    if not abs(points[-1] - points[-1 - returns]).max() <= 2 * _CLOSED:
        return None
    return Cycle(float(period), {name: amplitudes[where] for name, where, _ in path.places})


def turns_of(path: Path, signal: str) -> Turns:
    """Extremes of the first element of a signal in the later half of a path, by bounded minimisation of its interpolant."""

    def value(times: Array) -> Array:
        return np.asarray(path.signals(path.states_at(times), times)[signal][:, 0], dtype=float)

    begin, end = 0.5 * path.time, path.time
    times = np.linspace(begin, end, _LOOKS)
    seen = value(times)
    size, last = max(float(abs(seen).max()), float(path.peaks.max())), seen[-1:]
    if np.ptp(seen[len(seen) // 2 :]) <= _RIPPLE * size:
        return Turns(last, last, size, float(seen[-1]), True)
    slopes = np.sign(np.diff(seen))
    places = 1 + np.flatnonzero(slopes[1:] * slopes[:-1] < 0)
    marked: list[int] = []
    for place in places.tolist():  # a turn counts once the path has left it by more than a ripple
        marked.append(place)
        while len(marked) > 2 and abs(seen[marked[-1]] - seen[marked[-2]]) <= _RIPPLE * np.ptp(seen):
            del marked[-2:]
    found: dict[bool, list[float]] = {True: [], False: []}
    for place in marked:
        up = bool(slopes[place - 1] > 0)
        sign = -1.0 if up else 1.0
        turn: Any = minimize_scalar(
            lambda t, sign=sign: sign * float(value(np.array([t]))[0]), bounds=(times[place - 1], times[place + 1]),
            method="bounded", options={"xatol": 1e-9},
        )  # fmt: skip
        found[up].append(sign * float(turn.fun))
    maxima, minima = np.array(found[True]), np.array(found[False])
    return Turns(maxima, minima, size, float(seen[-1]), _come_again(maxima, _CLOSED * float(np.ptp(seen))))


def _come_again(maxima: Array, near: float) -> bool:
    """Whether the last maxima are those of one to sixteen before, four periods and eight maxima long."""
    for period in range(1, _MOST_TURNS + 1):
        count = min(4 * period + _SEEN_AGAIN, len(maxima) - period)
        if count >= period and abs(maxima[-count:] - maxima[-count - period : -period]).max() <= near:
            return True
    return False


def _half_range(path: Path, k: int, begin: float, end: float) -> float:
    """Half of the range of a state: its rate is 0 at an extreme."""

    def rate(times: Array) -> Array:
        return np.array([path.field(t, y)[k] for t, y in zip(times.tolist(), path.states_at(times), strict=True)])

    turning = _roots(rate, begin, end, looks=_LOOKS // 16)
    values = [path.states_at(np.unique([begin, *turning, end]))[:, k]]
    # A state that jumps has an extreme on either side of the jump.
    values += [piece.y[k, at] for piece in path.pieces for at in (0, -1) if begin <= piece.t[at] <= end]
    return 0.5 * float(np.ptp(np.hstack(values)))


def _roots(f: Callable[[Array], Any], begin: float, end: float, *, rising: bool = False, looks: int = _LOOKS) -> list[float]:
    """Roots of `f` between two times, or only those at which it rises."""
    times = np.linspace(begin, end, looks)
    signs = np.sign(f(times))
    found = np.flatnonzero((signs[:-1] < 0) & (signs[1:] >= 0) if rising else signs[:-1] * signs[1:] < 0)
    solve: Any = brentq  # whose stubs ask for NumPy's own floats
    return [float(solve(lambda t: f(np.array([t]))[0], times[k], times[k + 1], xtol=1e-14, rtol=1e-14)) for k in found]
