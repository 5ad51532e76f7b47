"""Period and amplitudes of a path of equations, by roots of what its integration interpolates, not off samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from analogflow.reference.motion import Path

__all__ = ["Cycle", "cycle_of"]

Array = NDArray[np.float64]

_LOOKS = 16_384
"""Points of a path between which roots are looked for."""

_CLOSED = 1e-3
"""Distance of two returns, over the amplitude, beyond which a path does not repeat itself."""


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
