"""What is seen of a circuit at one point of a sweep: rest, period, amplitude and extremes, held against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import Circuit
from analogflow.errors import SimulationFailed
from analogflow.families import problem_of, reference_for
from analogflow.families.motion import motion_of, swing_of
from analogflow.judgement import judge
from analogflow.judgement.certificate import allowed_error
from analogflow.judgement.judging import batched
from analogflow.run import Run

__all__ = ["CERTIFICATES", "KEPT", "MOTIONS", "in_turns", "nothing_observed", "observed", "times_observed"]

Array = NDArray[np.float64]

MOTIONS = ("rest", "periodic", "irregular", "transient", "unresolved")
"""What a run does at its end; a transient still comes nearer to something, of unresolved ones too few points were kept."""

CERTIFICATES = ("passed", "failed", "irregular", "undecided", "not asked")
"""What a point was found to be against its reference. Of an irregular one the reference does not repeat itself, nor agree
with the run to its end: of chaos no two integrations do."""

KEPT = 64
"""Maxima and minima that are kept of a run, the last ones."""

_READ, _CLOSED = 1e-4, 1e-3
"""Accuracy to which extremes are read off points, over full scale; distance, over the range, of maxima that come again."""

_LASTS = 0.95
"""Ratio of how far maxima of one period lie apart, later and earlier, below which they have not come to stay."""

_TOLD, _ALIKE, _RECENT = 1e-5, 0.1, 8
"""Distance of points one period apart, over the amplitudes, from which a pattern in it is seen; part of it that points two
periods apart differ by at most where they come again in turns; and how many, twice, are looked at."""

_STEADY = 0.02
"""Relative change of that distance from which it still shrinks or grows: to what, nobody can tell."""

_STEP, _FEWEST, _MOST = 0.05, 2001, 20_001
"""Distance in τ of the points that are kept in the later half of a run, and their number."""


def times_observed(end: float) -> Array:
    """Times, in τ, at which the later half of a run until `end` is kept."""
    return np.linspace(0.5 * end, end, int(min(max(np.ceil(0.5 * end / _STEP) + 1, _FEWEST), _MOST)))


def nothing_observed(certificate: str = "") -> dict[str, Any]:
    """Row of a run that broke down, or of which nothing is seen."""
    return {
        "motion": "", "certificate": certificate, "period": np.nan, "returns": np.nan, "amplitude": np.nan,
        "error_extremes": np.nan, "maxima": np.full(KEPT, np.nan), "minima": np.full(KEPT, np.nan),
    }  # fmt: skip


def observed(circuit: Circuit, run: Run, *, held: bool) -> dict[str, Any]:
    """Row of one run that ended well, by name.

    ``motion`` is one of `MOTIONS`, ``certificate`` one of `CERTIFICATES`; ``period`` in τ, of so many ``returns`` to a
    section; ``amplitude``, ``maxima`` and ``minima`` are those of the answer's first element in the later half of the run,
    flow units; where it rests, both are its end. ``error_extremes`` is the largest distance of an extreme from the nearest
    one of the reference, or of one of these from the nearest of the run, and where the reference does not repeat itself of
    the ends, over the largest magnitude.

    Parameters
    ----------
    circuit : Circuit
    run : Run
        One sample.
    held : bool
        Whether it is held against the reference.
    """
    flow, limit = circuit.flow, allowed_error(circuit)
    if flow.end_time is None:
        return _rested(circuit, run, limit, held=held)
    from analogflow.families.oscillation import extremes_in, repeats

    signal = run.values[flow.shows][:, 0]
    found = swing_of(flow, run, limit)
    extremes = extremes_in(run.time, signal)
    late, quarter = (signal[run.time >= share * run.time[-1]] for share in (0.5, 0.75))
    row = nothing_observed()
    size = max(float(abs(value).max()) for value in (signal, *flow.states.values()))
    if np.ptp(quarter) <= _READ * size:
        row["motion"], extremes = "rest", (signal[-1:], signal[-1:])
    elif extremes is None:
        row["motion"] = "unresolved"
    elif found is None:
        row["motion"] = "transient"
    else:
        again = repeats(extremes[0], max(_CLOSED, limit) * float(np.ptp(late))) if found.period is not None else 0
        row["motion"] = "transient" if _draws_near(extremes[0], again) else "periodic" if again else "irregular"
        if row["motion"] == "periodic" and found.period is not None:
            largest = max(float(value.max()) for value in found.amplitude.values())
            sizes = {name: np.maximum(value, _CLOSED * largest) for name, value in found.amplitude.items()}
            points = np.hstack([value / sizes[name] for name, value in found.points.items()])
            turns = in_turns(points, found.returns, max(_TOLD, limit))
            row["motion"] = "periodic" if turns else "transient"
            if turns:
                row |= {"period": turns * found.period, "returns": float(turns * found.returns)}
    row["amplitude"] = 0.0 if row["motion"] == "rest" else 0.5 * float(np.ptp(late))
    for name, values in zip(("maxima", "minima"), extremes or (), strict=False):
        row[name][: min(len(values), KEPT)] = values[-KEPT:]
    if not held:
        return {**row, "certificate": "not asked"}
    if circuit.noisy or extremes is None:
        return {**row, "certificate": "undecided"}
    return row | _held(circuit, run, extremes, max(limit, _READ))


def in_turns(points: Array, returns: int, seen: float) -> int:
    """How many of what seem to be periods, taken in turns, are one, as just beyond a doubling: 1, 2, 4, ….

    Parameters
    ----------
    points : array, shape (k, size)
        Where it crossed its section, over the amplitudes.
    returns : int
        Crossings of what seems to be a period.
    seen : float
        Distance below which nothing is told.

    Returns
    -------
    int
        0 where it takes turns that grow or shrink, so that it may be either in the end.
    """
    times, width = 1, 2 * _RECENT * returns
    while len(points) >= width + 2 * times * returns:
        step = times * returns
        once = abs(points[step:] - points[:-step]).max(axis=1)[-width:]
        twice = abs(points[2 * step :] - points[: -2 * step]).max(axis=1)[-width:]
        if once.max() <= seen or not twice.max() <= _ALIKE * once.min():
            break
        early, late = once[: width // 2].mean(), once[width // 2 :].mean()
        if abs(late - early) > _STEADY * late:
            return 0
        times *= 2
    return times


def _draws_near(maxima: Array, period: int) -> bool:
    """Whether maxima of an even period still draw near to half of it, or away: as slow as that is a doubling nearby."""
    if not period or period % 2:
        return False
    apart = abs(maxima[period // 2 :] - maxima[: -period // 2])
    early, late = (float(part.mean()) for part in (apart[: len(apart) // 2], apart[len(apart) // 2 :]))
    return not _LASTS * early <= late <= early / _LASTS


def _held(circuit: Circuit, run: Run, extremes: tuple[Array, Array], limit: float) -> dict[str, Any]:
    """Certificate of a motion, and how far its extremes are off."""
    from analogflow.reference.cycles import turns_of

    flow = circuit.flow
    try:
        reference = reference_for(problem_of(flow), float(run.time[-1]))
    except SimulationFailed:
        return {"certificate": "undecided"}
    path = getattr(reference, "path", None)
    if path is None:
        return {"certificate": "undecided"}
    turns = turns_of(path, flow.shows)
    size = turns.size or 1.0
    off = max(_apart(*pair) for pair in zip(extremes, (turns.maxima, turns.minima), strict=True)) / size
    if not turns.repeats:
        off = max(off, abs(float(run.values[flow.shows][-1, 0]) - turns.last) / size)
        return {"certificate": "passed", "error_extremes": off} if off <= limit else {"certificate": "irregular"}
    if not reference.gap <= limit * size:
        return {"certificate": "undecided"}
    motion = motion_of(flow, reference, run, limit)
    errors = [] if motion is None or motion.exact is None else [motion.errors["period"], motion.errors["amplitude"]]
    passed = all(error <= limit for error in (off, *errors))
    return {"certificate": "passed" if passed else "failed", "error_extremes": off}


def _apart(one: Array, other: Array) -> float:
    """Largest distance of a value of one set from the nearest of the other, both ways; infinite where one is empty."""
    if not len(one) or not len(other):
        return 0.0 if len(one) == len(other) else np.inf
    distances = abs(one[:, None] - other)
    return float(max(distances.min(axis=0).max(), distances.min(axis=1).max()))


def _rested(circuit: Circuit, run: Run, limit: float, *, held: bool) -> dict[str, Any]:
    """Row of a run that was to come to rest: its end, and whether that passes all that is asked of it."""
    row, end = nothing_observed(), float(run.final[circuit.flow.shows][0])
    row |= {"motion": "rest" if run.outcome.ok else "transient", "amplitude": 0.0}
    row["maxima"][0] = row["minima"][0] = end
    if not held:
        return {**row, "certificate": "not asked"}
    whole = batched(run)
    try:
        judged = judge(problem_of(circuit.flow), whole.final, limit=limit, paths={n: v[None] for n, v in run.values.items()},
                       times=run.time, end=float(run.time[-1]))  # fmt: skip
    except SimulationFailed:
        return {**row, "certificate": "undecided"}
    return {**row, "certificate": "passed" if bool(judged.passed[0]) and run.outcome.ok else "failed"}
