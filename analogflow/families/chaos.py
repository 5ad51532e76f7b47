"""Runs of chaotic flows: how long a path can be followed at all, and whether a run left it for no other reason.

Two paths of a chaotic flow part, e-fold every 1/λ, whatever computes them. An error that every run makes, such as that of a
step, has then grown to any limit after a time. A run is excused where it left its path for that reason alone: on every
stretch of a length of 1/λ, followed anew from where the run itself was, it agrees with the equations to the limit; and it
stayed on its path for as long as the measured growth of its errors says.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analogflow.families.ends import Held, RunEnds
from analogflow.flows import Flow, comparable

if TYPE_CHECKING:
    from analogflow.reference.motion import Path

__all__ = ["followed_while_told"]

Array = NDArray[np.float64]

_LOOKS = 4001
"""Times at which a run is held against its path."""

_LONGEST = 1.5
"""Length of a stretch, in those it should have, beyond which too few points of a run were saved to tell."""

_SCATTER = 0.5
"""Share of the time that the mean growth says, for which a path must be followed: growth differs from place to place."""


class _Followed(NamedTuple):
    """How long a run follows a path, and how well it follows the equations.

    Parameters
    ----------
    until : float
        Time in τ until which all signals stay within the limit.
    astray : float
        Largest error at the end of a stretch, over full scale; the first that is beyond the limit.
    signal : str
        In which; empty where too few points were saved to tell.
    told : float
        Time in τ by which errors of that size have grown to the limit.
    explained : bool
        Whether chaos alone is why it goes no farther.
    """

    until: float
    astray: float
    signal: str
    told: float
    explained: bool


def followed_while_told(
    flow: Flow, path: Path, scales: Mapping[str, Array], ends: RunEnds, held: Sequence[Held]
) -> list[Held]:
    """What is asked of runs, `held`, that reference and states agree: of a chaotic flow no longer than that can be told.

    Parameters
    ----------
    flow : Flow
    path : Path
        The reference's.
    scales : mapping of name to array, shape (samples,)
        Full scales of what is compared.
    ends : RunEnds
        Ends of runs without a path are held as they are.
    held : sequence of Held
        That the reference is certain, and that the states agree with it.
    """
    certain, agree = held
    names = {name for name, _, _ in path.places}
    times = ends.times
    if times is None or len(times) < 3 or not names <= ends.paths.keys() or not (growth := path.growth).chaotic:
        return [certain, agree]
    failed = ~(certain.passed & agree.passed)
    found = {
        int(s): _followed(
            flow, path, {name: scale[s] for name, scale in scales.items()},
            {name: values[s] for name, values in ends.paths.items()}, times, growth.exponent, agree.limit,
        )
        for s in np.flatnonzero(failed)
    }  # fmt: skip
    errors, unsure = agree.errors.copy(), certain.errors.copy()
    units = np.array(np.broadcast_to(agree.unit, errors.shape), dtype=object)
    until, known = np.full(errors.shape, np.nan), np.full(errors.shape, np.nan)
    told = np.full(errors.shape, "", dtype=object)
    rate = f"paths beside each other part e-fold every {1 / growth.exponent:.3g} τ"
    for s, each in found.items():
        stretch = f"on each stretch of {1 / growth.exponent:.3g} τ, followed anew from the run's own states"
        if not each.explained:
            told[s] = (
                f"{rate}, but that does not explain it: {stretch}, the equations are followed to {each.astray:.3g} of full "
                f"scale in {each.signal} only"
                if each.signal
                else f"{rate}, and too few points of the run were saved to tell whether that explains it"
            )
            continue
        errors[s], until[s] = each.astray, each.until
        units[s] = f"of full scale in {each.signal} {stretch}"
        told[s] = rate
        if not certain.passed[s]:
            unsure[s], known[s] = 0.0, path.known
    return [
        dataclasses.replace(certain, errors=unsure, until=known),
        dataclasses.replace(agree, errors=errors, unit=units.astype(str), until=until, told=told.astype(str)),
    ]


def _followed(
    flow: Flow, path: Path, scales: Mapping[str, float], values: Mapping[str, Array], times: Array, rate: float, limit: float
) -> _Followed:
    """How one run, its signals of shape (k, size), follows `path` and its equations, whose errors grow at `rate` per τ."""
    looks = np.unique(np.linspace(0, len(times) - 1, min(_LOOKS, len(times))).astype(int))
    at = times[looks]
    away, _ = _apart(flow, scales, {name: value[looks] for name, value in values.items()},
                     path.signals(path.states_at(at), at))  # fmt: skip
    outside = ~((away <= limit) & (at <= path.known))
    until = float(at[max(int(np.argmax(outside)) - 1, 0)]) if outside.any() else float(at[-1])
    count = math.ceil(rate * times[-1])
    edges = np.unique(np.searchsorted(times, np.linspace(0.0, times[-1], count + 1)).clip(0, len(times) - 1))
    if np.diff(times[edges]).max() * rate > _LONGEST:
        return _Followed(until, math.nan, "", 0.0, False)
    error, where = 0.0, ""
    for a, b in itertools.pairwise(edges):
        start = path.packed({name: value[a : a + 1] for name, value in values.items()})[0]
        led = path.stretch(start, float(times[a]), float(times[b]))[None]
        astray, names = _apart(flow, scales, {name: value[b : b + 1] for name, value in values.items()},
                               path.signals(led, times[b : b + 1]))  # fmt: skip
        if not astray[0] <= error:
            error, where = float(astray[0]), str(names[0])
        if not error <= limit:  # one is enough
            break
    told = (1 + math.log(limit / error)) / rate if 0 < error <= limit else 0.0
    explained = error <= limit and until >= _SCATTER * min(told, path.known)
    return _Followed(until, error, where, told, explained)


def _apart(
    flow: Flow, scales: Mapping[str, float], found: Mapping[str, Array], exact: Mapping[str, Array]
) -> tuple[Array, NDArray[np.str_]]:
    """Largest distance of signals, shape (k, size) each, over their full scales, shape (k,), and of which it is."""
    names = np.array([name for name in scales if name in found and name in exact])
    away = {}
    for name in names:
        counted = comparable(flow.keeps, name)
        away[name] = abs(counted(found[name]) - counted(exact[name])).max(axis=-1)
    each = np.array([away[name] / scales[name] for name in names])
    return each.max(axis=0), names[np.argmax(np.nan_to_num(each, nan=np.inf), axis=0)]
