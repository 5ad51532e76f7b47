"""What a run that swings is told by: period, amplitudes, harmonics, and the points where it comes back to a section.

A motion is periodic where its states, each time it crosses the section upwards, are those of some crossings before. The
section is the middle of what one signal reaches in the later half of the run. All is read off a cubic spline.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PPoly

__all__ = ["Oscillation", "extremes_in", "oscillation_in", "repeats", "spectrum_of"]

Array = NDArray[np.float64]

_LATE = 0.5
"""Share of a run after which is seen what its signals reach: until then it may still come near its cycle."""

_FEWEST, _MOST_RETURNS = 8, 16
"""Crossings of a motion that does not repeat itself, below which it is none, and those of one period at most."""

_CLOSED = 1e-3
"""Distance, over the amplitude, within which a state has come back, where states are known as closely."""

_FADES = 0.9
"""Ratio of the ranges in the last two quarters of a run below which it does not swing but settles."""

_FLAT = 1e-9
"""Amplitude, over the size of the signal, below which it does not swing."""

_INSTANT = 1e-11
"""Share of a run below which two points are those of one instant, at which a signal jumps."""

_HARMONICS, _SAMPLES = 8, 4096
"""Harmonics that are told, and points of a period they are computed from."""

_SHOWN = 64
"""Points of the section that are kept, the last ones."""

_WIGGLE = 1e-4
"""Difference of two extremes, over the range of the signal, below which they are none."""

_SEEN = 4
"""Points between two extremes below which a signal is not seen well enough to tell them."""

_TURNS, _MORE = 4, 8
"""Periods over which a sequence repeats itself, and further members of it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Oscillation:
    """A swinging motion.

    Parameters
    ----------
    signal : str
        Which crosses the section.
    level : float
        Where that is, flow units.
    period : float, optional
        In τ; None where the motion does not repeat itself.
    returns : int
        Crossings in a period; of a motion without one, 0.
    between : float
        Mean time between two crossings, in τ.
    amplitude, mean : mapping of name to array
        Half of the range of each signal, and its mean, over the last period, or of a motion without one over the later half.
    times : array, shape (n,)
        When the section was crossed upwards, in τ, the last ones.
    points : mapping of name to array, shape (n, size)
        Every signal there.
    harmonics : array, shape (8,)
        Amplitude of each of the first multiples of the frequency in `signal`, flow units; empty without a period.
    """

    signal: str
    level: float
    period: float | None
    returns: int
    between: float
    amplitude: Mapping[str, Array]
    mean: Mapping[str, Array]
    times: Array
    points: Mapping[str, Array]
    harmonics: Array

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and names."""
        return {
            "signal": self.signal,
            "periodic": self.period is not None,
            "period": self.period,
            "returns": self.returns,
            "between": self.between,
            "amplitude": {name: value.tolist() for name, value in self.amplitude.items()},
            "mean": {name: value.tolist() for name, value in self.mean.items()},
            "harmonics": self.harmonics.tolist(),
            "section": {
                "level": self.level,
                "times": self.times.tolist(),
                "points": {name: value.tolist() for name, value in self.points.items()},
            },
        }


def oscillation_in(
    times: Array, values: Mapping[str, Array], asked: Sequence[str], closed: float = 0.0
) -> Oscillation | None:
    """The oscillation of a path; None where it comes to rest, runs away, or does not come back to a section.

    Parameters
    ----------
    times : array, shape (k,)
        Ascending, in τ.
    values : mapping of name to array, shape (k, size)
    asked : sequence of str
        Signals whose first element may cross the section; the first that swings does.
    closed : float, optional
        To which states are known, over their size.
    """
    end = float(times[-1])
    distinct = np.concatenate([[True], np.diff(times) > 1e-12 * end])
    at, values = times[distinct], {name: value[distinct] for name, value in values.items()}
    if len(at) < 4 * _FEWEST or not all(np.isfinite(value).all() for value in values.values()):
        return None
    for signal in asked:
        x = values[signal][at >= _LATE * end, 0]
        if len(x) > 1 and np.ptp(x) > 2 * _FLAT * abs(x).max():
            return _crossing(at, values, signal, max(closed, _CLOSED))
    return None


def _fades(at: Array, signal: Array) -> bool:
    """Whether the range of a signal differs between the last two quarters of a run: it settles, or still grows."""
    third, last = (np.ptp(signal[(at >= a * at[-1]) & (at <= b * at[-1])]) for a, b in ((0.5, 0.75), (0.75, 1.0)))
    return bool(not _FADES * third <= last <= third / _FADES)


def _crossing(at: Array, values: Mapping[str, Array], signal: str, closed: float) -> Oscillation | None:
    curves = {name: _curve(at, value) for name, value in values.items()}
    single = _curve(at, values[signal][:, 0])
    level = 0.5 * float(sum(_reach(single, _LATE * at[-1], at[-1])))
    roots = single.solve(level, extrapolate=False)
    roots = roots[single(roots, 1) > 0]
    roots = roots[np.diff(roots, prepend=-np.inf) > _INSTANT * at[-1]]  # at a knot the two pieces have one each
    if len(roots) < 2:
        return None
    points = {name: curve(roots) for name, curve in curves.items()}
    slopes = single(roots, 1)[:, None]
    packed = np.hstack([*points.values(), slopes])  # one state alone is at the level each time, and comes in at a slope
    returns, period = 0, None
    for m in range(1, max(min(_MOST_RETURNS, len(roots) // 2), 1) + 1):
        last = (at >= roots[-1 - m]) & (at <= roots[-1])
        half = np.hstack([0.5 * np.ptp(value[last], axis=0) for value in values.values()])
        half = np.append(np.maximum(half, _CLOSED * half.max(initial=0.0)), abs(slopes[-m:]).max())
        if last.sum() > 1 and (abs(packed[-m:] - packed[-2 * m : -m][-m:]) <= closed * half).all():
            whole = (len(roots) - 1) // m  # periods; the later half of them is the nearest to the cycle
            used = max(whole // 2, 1)
            returns, period = m, float(roots[-1] - roots[-1 - used * m]) / used
            break
    if period is None and (len(roots) < _FEWEST or _fades(at, values[signal][:, 0])):
        return None
    begin = _LATE * at[-1] if period is None else roots[-1] - period
    finish = at[-1] if period is None else roots[-1]
    amplitude, mean = {}, {}
    for name, value in values.items():
        each = [_curve(at, column) for column in value.T]
        reach = np.array([_reach(curve, begin, finish) for curve in each])
        amplitude[name] = 0.5 * (reach[:, 1] - reach[:, 0])
        mean[name] = np.array([float(curve.integrate(begin, finish)) / (finish - begin) for curve in each])
    harmonics = np.zeros(0)
    if period is not None:
        x = single(begin + period * np.arange(_SAMPLES) / _SAMPLES)
        harmonics = 2 * abs(np.fft.rfft(x))[1 : _HARMONICS + 1] / _SAMPLES
    between = float(roots[-1] - roots[0]) / (len(roots) - 1)
    kept = {name: value[-_SHOWN:] for name, value in points.items()}
    return Oscillation(signal, level, period, returns, between, amplitude, mean, roots[-_SHOWN:], kept, harmonics)


def _curve(at: Array, values: Array) -> PPoly:
    """Cubic spline through points; where the signal jumps it ends, and begins anew."""
    jumps = np.flatnonzero(np.diff(at) < _INSTANT * at[-1])
    if not len(jumps):
        return CubicSpline(at, values)
    pieces = []
    for first, last in zip([0, *(jumps + 1)], [*jumps, len(at) - 1], strict=True):
        if last > first:
            pieces.append(CubicSpline(at[first : last + 1], values[first : last + 1]).c)
        if last < len(at) - 1:
            slope = (values[last + 1] - values[last]) / (at[last + 1] - at[last])
            pieces.append(np.stack([0 * slope, 0 * slope, slope, values[last]])[:, None])
    return PPoly(np.concatenate(pieces, axis=1), at)


def _reach(curve: PPoly, begin: float, end: float) -> tuple[float, float]:
    """Least and greatest value of a curve on a stretch."""
    turning = curve.derivative().roots(extrapolate=False)
    turning = turning[(turning > begin) & (turning < end)]
    found = curve(np.concatenate([[begin, end], turning, curve.x[(curve.x > begin) & (curve.x < end)]]))
    return float(found.min()), float(found.max())


def spectrum_of(times: Array, signal: Array) -> tuple[Array, Array]:
    """Frequencies, per τ, and amplitudes, flow units, in the later half of a signal of shape (k,), by a Hann window."""
    late = times >= _LATE * times[-1]
    even = np.linspace(times[late][0], times[-1], _SAMPLES)
    x = np.interp(even, times[late], signal[late])
    window = np.hanning(_SAMPLES)
    amplitude = 2 * abs(np.fft.rfft((x - x.mean()) * window)) / window.sum()
    return np.asarray(np.fft.rfftfreq(_SAMPLES, float(even[1] - even[0])), dtype=float), amplitude


def extremes_in(times: Array, signal: Array) -> tuple[Array, Array] | None:
    """Local maxima and minima of a signal in the later half of a run, in the order they came.

    Parameters
    ----------
    times : array, shape (k,)
        Ascending, in τ.
    signal : array, shape (k,)

    Returns
    -------
    tuple of two arrays, or None
        None where the points lie too far apart to tell.
    """
    distinct = np.concatenate([[True], np.diff(times) > 1e-12 * times[-1]])
    curve = CubicSpline(times[distinct], signal[distinct])
    begin = _LATE * float(times[-1])
    turning = curve.derivative().roots(extrapolate=False)
    at = turning[np.isfinite(turning) & (turning > begin) & (turning < times[-1])]
    values = curve(at)
    late = signal[times >= begin]
    kept = _without_wiggles(values, _WIGGLE * float(np.ptp(late)))
    if len(kept) < 2:
        up = curve(at[kept], 2) < 0
        return values[kept][up], values[kept][~up]
    points = np.searchsorted(times, at[kept])
    if np.diff(points).min() < _SEEN:
        return None
    first = int(values[kept[0]] < values[kept[1]])
    return values[kept][first::2], values[kept][1 - first :: 2]


def _without_wiggles(values: Array, least: float) -> NDArray[np.intp]:
    """Places of alternating extremes, of which neighbours differ by more than `least`."""
    kept = np.arange(len(values))
    while len(kept) > 1:
        steps = abs(np.diff(values[kept]))
        k = int(steps.argmin())
        if steps[k] > least:
            break
        kept = np.delete(kept, [k, k + 1] if 0 < k < len(steps) - 1 else [0] if k == 0 else [len(kept) - 1])
    return kept


def repeats(sequence: Array, closed: float) -> int:
    """After how many members a sequence is what it was, over several periods at its end; 0 where after none of 1 to 16.

    Parameters
    ----------
    sequence : array, shape (k,)
    closed : float
        Distance that counts as none.
    """
    for m in range(1, _MOST_RETURNS + 1):
        width = min(_TURNS * m + _MORE, len(sequence) - m)
        if width >= m and (abs(sequence[-width:] - sequence[-width - m : -m]) <= closed).all():
            return m
    return 0
