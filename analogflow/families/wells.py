"""What the chains of a law tell of the wells of its energy: which well held which, how often, and for how long."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.families.averages import average, halves
from analogflow.families.stationary import Law
from analogflow.flows.relaxation import time_scales_of
from analogflow.problems import Langevin
from analogflow.problems.landscape import MOST_SEARCHED, descended, landscape

__all__ = ["WellHeld", "stuck_in", "wells_held", "wells_of"]

Array = NDArray[np.float64]
Numbers = NDArray[np.intp]

_HELD, _HIGH = 1e-3, 1.0
"""Share of the law below which a well is left out, and height in T that a barrier has between two wells that are told."""

_LOOKS = 12
"""Points of each chain at which it is asked which well holds it."""

_LOOKED_AT = 4096
"""Points of all chains together that go down to their wells."""

_CORE = 1.0
"""Widths about a well within which a point is surely in it."""

_BETWEEN = 0.5826
"""By how much wider a core is for points at a distance in time, in standard deviations of the motion over it."""

_TOLD = 6
"""Chains, and wells, that are told by number."""


@dataclasses.dataclass(frozen=True)
class WellHeld:
    """What the chains tell of one well.

    Parameters
    ----------
    at : mapping of variable to float
        Where its floor is.
    occupancy, occupancy_error : float
        Share of the time, and its standard error.
    left : int
        How often chains went from it to another.
    stay, stay_error : float
        Mean time in τ from the first arrival in a well to that in another, and its standard error, with what it may be off
        by since chains are seen at points only; NaN where none left.
    expected_stay : float
        The same by Kramers' rates, to a factor.
    exact, exact_gap : float
        Occupancy of a law of one variable by quadrature, and how far that may be off; NaN of more variables.
    """

    at: dict[str, float]
    occupancy: float
    occupancy_error: float
    left: int
    stay: float
    stay_error: float
    expected_stay: float
    exact: float
    exact_gap: float


def wells_of(problem: Langevin, points: Array) -> Numbers:
    """Number of the well of the landscape in which points, shape (k, n), come to rest if they only go down."""
    places = np.stack([well.position for well in landscape(problem).wells])
    if len(places) == 1:
        return np.zeros(len(points), dtype=np.intp)
    ends = descended(problem, points)
    return np.asarray(((ends[:, None] - places) ** 2).sum(axis=2).argmin(axis=1), dtype=np.intp)


def stuck_in(problem: Langevin, law: Law) -> str:
    """Which wells held which chains, how long a crossing takes and what to do, as the end of a sentence."""
    land, scales = landscape(problem), time_scales_of(problem)
    chains, points, n = law.paths.shape
    looks = np.linspace(0, points - 1, _LOOKS).astype(int)
    found = wells_of(problem, law.paths[:, looks].reshape(-1, n)).reshape(chains, _LOOKS)
    stayed = (found == found[:, :1]).all(axis=1)
    if len(land.wells) == 1 or not stayed.any():
        return ""
    parts = []
    which = np.unique(found[stayed, 0])
    for well in which[:_TOLD]:
        numbers = np.flatnonzero(stayed & (found[:, 0] == well)) + 1
        parts.append(f"{_listed(numbers)} stayed in the well at {_place(problem, land.wells[well].position)}")
    more = f", others in {len(which) - _TOLD} further wells" if len(which) > _TOLD else ""
    if scales.crossing > 0:
        took = (
            f"what wells hold evens out in about {scales.crossing:.2g} τ (Kramers), and each chain lasted {law.length:.4g} τ"
        )
    else:
        took = f"each chain lasted {law.length:.4g} τ"
    longer = f"chains of {300 * scales.crossing:.1e} τ" if 0 < scales.crossing < 1e12 else "no run is long enough; take"
    way = f"{longer} or a higher temperature would tell" if 0 < scales.crossing < 1e12 else f"{longer} a higher temperature"
    return f"{'; '.join(parts)}{more}; {took}: {way}"


def _listed(numbers: Numbers) -> str:
    said = ", ".join(map(str, numbers[:_TOLD].tolist()))
    return f"chain{'s' if len(numbers) > 1 else ''} {said}{' and others' if len(numbers) > _TOLD else ''}"


def _place(problem: Langevin, position: Sequence[float] | Array) -> str:
    return ", ".join(f"{name} = {value:.3g}" for name, value in zip(problem.variables, position, strict=True))


def wells_held(problem: Langevin, law: Law) -> tuple[WellHeld, ...]:
    """Occupancy of each well that holds some of the law, and how long chains stay; nothing of one, or of many variables."""
    land, scales = landscape(problem), time_scales_of(problem)
    held = np.flatnonzero(scales.weights >= _HELD)
    heights = [land.wells[well].energy for well in held]
    ways = [
        way.energy - max(land.wells[k].energy for k in way.wells) for way in land.barriers if set(way.wells) <= set(held)
    ]
    if problem.size > MOST_SEARCHED or len(heights) < 2 or min(ways, default=np.inf) < _HIGH * problem.temperature:
        return ()
    chains, points, n = law.paths.shape
    few = max(2, min(points, _LOOKED_AT // chains)) // 2 * 2
    looks = np.linspace(0, points - 1, few).astype(int)
    found = wells_of(problem, law.paths[:, looks].reshape(-1, n)).reshape(chains, few)
    inside = (found[:, :, None] == held).astype(float)
    shares = average(halves(inside) if chains > 1 else inside)
    times, exits = _visits(problem, law, held)
    # How much stays hang on how far the points are apart: with every other one left out they are off by more.
    fewer = dataclasses.replace(law, paths=law.paths[:, ::2])
    with np.errstate(all="ignore"):
        rough = np.divide(*(sums.sum(axis=0) for sums in _visits(problem, fewer, held)))
    exact, gaps = _exact_shares(problem)
    told = []
    for k, well in enumerate(held):
        left = int(exits[:, k].sum())
        stay = float(times[:, k].sum() / left) if left else float("nan")
        error = float(np.sqrt(((times[:, k] - stay * exits[:, k]) ** 2).sum()) / left) if left else float("nan")
        if chains == 1 and left:
            error = stay / np.sqrt(left)
        error = float(np.hypot(error, stay - rough[k]))
        at = dict(zip(problem.variables, land.wells[well].position.tolist(), strict=True))
        told.append(
            WellHeld(at, float(shares.mean[k]), float(shares.error[k]), left, stay, error, float(scales.stays[well]),
                     float(exact[well]), float(gaps[well]))
        )  # fmt: skip
    return tuple(told)


def _exact_shares(problem: Langevin) -> tuple[Array, Array]:
    """Share of the law in each well of the landscape, and its gap, of one variable; NaN of more."""
    from analogflow.reference.langevin import shares_between  # which only wells need

    land = landscape(problem)
    places = np.array([well.position[0] for well in land.wells])
    edges = sorted(float(way.position[0]) for way in land.barriers)
    if problem.size > 1 or len(edges) != len(places) - 1:
        return np.full(len(places), np.nan), np.full(len(places), np.nan)
    order = np.argsort(places)
    shares, gaps = shares_between(problem, edges)
    back = np.argsort(order)
    return shares[back], gaps[back]


def _visits(problem: Langevin, law: Law, held: Numbers) -> tuple[Array, Array]:
    """Time that each chain spent after arriving in the core of each well, and how often it went on to another.

    Shapes (chains, wells). Between cores a chain is still in the well that it was in last, so that a return over the top
    of a pass is no change. Short visits to a core fall between the points of a chain; as if it were wider by 0.5826 of how
    far the motion goes between two points, as many are met (M. Broadie, P. Glasserman and S. Kou, Mathematical Finance 7
    (1997) 325: minus ζ(1/2) over √(2π)).
    """
    land, scales = landscape(problem), time_scales_of(problem)
    chains, points, n = law.paths.shape
    nearest, inside = np.zeros((chains, points), dtype=np.intp), np.full((chains, points), np.inf)
    step = law.length / max(points - 1, 1)
    for k, well in enumerate(held):
        place, scaling = land.wells[well].position, scales.scalings[well]
        mobility = scaling.T @ problem.mobility_at(place) @ scaling
        wider = _BETWEEN * np.sqrt(2 * problem.temperature * step * np.trace(mobility) / n)
        far = np.sqrt((((law.paths - place) @ scaling) ** 2).sum(axis=2)) - wider
        nearest, inside = np.where(far < inside, k, nearest), np.minimum(far, inside)
    core = np.where(inside <= _CORE * np.sqrt(n), nearest, -1)
    last = np.maximum.accumulate(np.where(core >= 0, np.arange(points), -1), axis=1)
    state = np.where(last >= 0, np.take_along_axis(core, np.maximum(last, 0), axis=1), -1)
    times = np.stack([(state == k).sum(axis=1) * step for k in range(len(held))], axis=1)
    moved = (state[:, 1:] != state[:, :-1]) & (state[:, :-1] >= 0)
    exits = np.stack([(moved & (state[:, :-1] == k)).sum(axis=1) for k in range(len(held))], axis=1)
    return times, exits.astype(float)
