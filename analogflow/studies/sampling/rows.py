"""The results of samples as arrays: measures of their ends, settling times, and the means of runs with noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.families import problem_of
from analogflow.flows import Flow
from analogflow.judgement import judge
from analogflow.judgement.certificate import ends_well
from analogflow.run import Outcome
from analogflow.solution import SETTLING_BAND

__all__ = ["LATE", "Rows", "blank_rows", "ended_badly", "joined", "rows_of", "settling_times"]

Array = NDArray[np.float64]

Rows = dict[str, NDArray[Any]]
"""Arrays by name, the first axis the samples."""

LATE = 0.75
"""Fraction of a run with noise from which on its answer is averaged."""

_BROKEN = (Outcome.BLEW_UP, Outcome.STUCK, Outcome.FAILED)
_SHOWN = {"capacity_nats": "reading"}


def ended_badly(outcomes: NDArray[Any], reasons: NDArray[Any]) -> NDArray[np.bool_]:
    """Which samples failed, by their texts: they did not end as they were asked to, and that is a fault.

    It is none where the state still creeps and the answer is proved as it stands: there is no reason then.
    """
    outcomes, proved = outcomes.astype(str), reasons.astype(str) == ""
    good = np.isin(outcomes, ["", *(outcome.name for outcome in Outcome if outcome.ok)])
    return ~good & ~(proved & np.isin(outcomes, [outcome.name for outcome in Outcome if outcome.creeps]))


def settling_times(times: Array, path: Array, final: Array, sizes: float | Array = 1.0) -> Array:
    """Time in τ from which each sample stays within the band of its last value, between saved times by their logarithm."""
    away = abs(path - final[:, None]).max(axis=2)
    band = np.broadcast_to(SETTLING_BAND * np.asarray(sizes), len(path))
    outside = away > band[:, None]
    last = np.where(outside.any(axis=1), outside.shape[1] - 1 - outside[:, ::-1].argmax(axis=1), -1)
    after = np.minimum(last + 1, len(times) - 1)
    rows = np.arange(len(path))
    high, low = away[rows, last], np.maximum(away[rows, after], 1e-3 * band)
    with np.errstate(all="ignore"):
        share = np.clip(np.log(high / band) / np.log(high / low), 0, 1)
    return np.where(last < 0, 0.0, times[last] + np.where(after > last, share, 0.0) * (times[after] - times[last]))


def blank_rows(outcomes: Sequence[Outcome], reasons: Sequence[str]) -> Rows:
    """Rows of samples of which nothing else is known."""
    nothing = np.full(len(outcomes), np.nan)
    return {
        "outcome": np.array([outcome.name for outcome in outcomes]),
        "reason": np.array(reasons),
        "verdict": np.array([""] * len(outcomes)),
        "end": nothing,
        "settling_time": nothing,
        "error": nothing,
        "error_time_average": nothing,
    }


def rows_of(
    flow: Flow,
    finals: Mapping[str, Array],
    paths: Mapping[str, Array],
    times: Array,
    end: float,
    outcomes: Sequence[Outcome],
    reasons: Sequence[str],
    ends: Array,
    settled: Array,
    *,
    noisy: bool,
    limit: float,
) -> Rows:
    """Rows of some samples that ran.

    Parameters
    ----------
    flow : Flow
    finals, paths, times
        Signals at the ends and on the way, as `judge` takes them.
    end : float
        Time asked for, in τ.
    outcomes, reasons : sequences of length samples
    ends, settled : array, shape (samples,)
        Times reached and settling times, in τ.
    noisy : bool
        Whether the answer fluctuates, so that its mean over the last quarter says more than its last value.
    limit : float
        Largest error that one run is let pass: an answer that still creeps and is within it loses its reason.
    """
    ok, broken = np.array([o.ok for o in outcomes]), np.array([o in _BROKEN for o in outcomes])
    reached = end if flow.end_time or noisy else float(ends.max())
    problem = problem_of(flow)
    judged = judge(problem, finals, limit=limit, paths=paths, times=times, end=reached)
    if any(outcome.creeps for outcome in outcomes):
        minded = [not (o.creeps and ends_well(problem, o, bool(p))) for o, p in zip(outcomes, judged.passed, strict=True)]
        reasons = [reason if minds else "" for reason, minds in zip(reasons, minded, strict=True)]
    rows = blank_rows(outcomes, reasons)
    first = judged.family.primary
    rows |= {f"error_{_SHOWN.get(name, name)}": value for name, value in judged.errors.items() if name != first}
    rows["error"] = judged.error
    if noisy and flow.averaging is None and flow.end_time is None:
        rows["error_time_average"] = judge(problem, _averages(flow, paths, times), paths=paths, times=times, end=end).error
    rows["answer"] = np.array(finals[flow.shows])
    for name, values in rows.items():
        if name == "answer" or name.startswith("error"):
            rows[name] = np.where(broken[:, None] if values.ndim == 2 else broken, np.nan, values)
    return {**rows, "end": ends, "settling_time": np.where(ok, settled, np.nan)}


def _averages(flow: Flow, paths: Mapping[str, Array], times: Array) -> dict[str, Array]:
    """Means over the last quarter of the run, shape (samples, size).

    A state of which a part is free, as the common mode of logarithms, is no answer, and its mean is that of none: where the
    answer is an observable of it, it is left out.
    """
    late = times >= LATE * times[-1]
    span = times[late]
    free = {kept.state for kept in flow.keeps if (kept.comparable(np.ones(flow.states[kept.state].size)) != 1).any()}
    wanted = {name: values for name, values in paths.items() if name not in free or name in (flow.answer, *flow.rests)}
    if len(span) < 2:
        return {name: values[:, -1] for name, values in wanted.items()}
    return {name: np.trapezoid(values[:, late], span, axis=1) / (span[-1] - span[0]) for name, values in wanted.items()}


def joined(parts: Sequence[Rows]) -> Rows:
    """All rows, one after another; NaN where a part lacks a measure because its run broke down."""
    names = dict.fromkeys(name for part in parts for name in part)
    count = [len(part["outcome"]) for part in parts]
    return {
        name: np.concatenate([part.get(name, np.full(n, np.nan)) for part, n in zip(parts, count, strict=True)])
        for name in sorted(names)
    }
