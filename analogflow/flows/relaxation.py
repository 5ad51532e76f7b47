"""How fast a Langevin motion relaxes: within the wells of its energy, and from well to well over the passes between them.

Rates are those of the motion linearised at wells and passes (H. A. Kramers 1940, J. S. Langer 1969): good to a factor where
barriers are high, and no more than a first guess where they are not. How long a run must be is then seen from the run.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.problems import Langevin
from analogflow.problems.landscape import MOST_SEARCHED, Barrier, descended, hessian_at, landscape

__all__ = ["TimeScales", "time_scales_of"]

Array = NDArray[np.float64]

_RARE = 1e-3
"""Share of the law that a well holds which is left out: no chain begins there."""

_FAINT = 1e-4
"""Share of the variance of a variable that a slow change of wells has which nobody would see."""

_POINTS, _STARTS = 64, 63
"""Points about a well at which rates are looked at, and starts of chains."""

_WIDE = 2.0
"""Widths of a well by which starts are spread: chains begin farther apart than the law is wide."""

_LOWER = 1e-6
"""How much lower than all wells, in T, something is that is none."""

_CORNER, _BENT = (1e-3, 1e-9), 10.0
"""Distances from a well, in its widths, at which curvatures are compared, and the ratio from which on they have no limit."""


@dataclasses.dataclass(frozen=True, eq=False)
class TimeScales:
    """Time scales of a motion, and where its chains should begin.

    Parameters
    ----------
    fastest : float
        Rate per τ of the fastest relaxation, on average over the law about its wells.
    slowest : float
        Rate per τ of the slowest relaxation within a well.
    crossing : float
        Time in τ in which what wells hold relaxes, by Kramers' rates; 0 where there is one well, and where there are so many
        variables that not all wells are known: chains then tell themselves whether they have mixed.
    weights : array, shape (wells,)
        Shares of the law in the wells of the landscape, each taken for a Gaussian.
    stays : array, shape (wells,)
        Mean time in τ that the motion stays in each, by Kramers' rates; infinite where it never leaves.
    scalings : array, shape (wells, n, n)
        A point less the well's place, times this, is in widths of the well.
    starts : tuple of tuple of float
        In the wells in turn, spread about them.
    """

    fastest: float
    slowest: float
    crossing: float
    weights: Array
    stays: Array
    scalings: Array
    starts: tuple[tuple[float, ...], ...]


@functools.lru_cache(maxsize=16)
def time_scales_of(problem: Langevin) -> TimeScales:
    """Time scales of the motion of `problem` at its temperature, which is above 0.

    Raises
    ------
    BadInput
        The energy is not smooth at its minimum, so that its motion has no fastest relaxation.
    """
    land, T = landscape(problem), problem.temperature
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        _refuse_a_lower_corner(problem)
        wells = [_Well(problem, well.position, well.hessian) for well in land.wells]
        heights = np.array([well.energy for well in land.wells])
        volumes = np.array([well.log_volume for well in wells])
        logs = -(heights - heights.min()) / T + volumes
        weights = np.exp(logs - logs.max())
        weights /= weights.sum()
        held = np.flatnonzero(weights >= _RARE)
        for k in held:
            _refuse_a_corner(problem, wells[k])
        crossing, stays = _crossing(problem, wells, heights, weights)
        fastest = slowest = 0.0
        for k in held:
            points = wells[k].spread(rng.normal(size=(_POINTS, problem.size)))
            speeds = abs(np.linalg.eigvals(problem.mobility_at(points) @ hessian_at(problem, points)))
            top = speeds.max(axis=1)
            top = top[np.isfinite(top) & (problem.energy_at(points) - heights[k] <= (4 + problem.size) * T)]
            fastest += float(weights[k] / weights[held].sum() * top.mean()) if len(top) else 0.0
            slowest = min(slowest or np.inf, wells[k].slowest)
    fastest = fastest if np.isfinite(fastest) and fastest > 0 else max(well.fastest for well in wells)
    starts = []
    for j in range(_STARTS):
        point = _spread_start(problem, wells[held[j % len(held)]], rng)
        starts.append(tuple(point.tolist()))
    scalings = np.stack([well.axes / well.widths for well in wells])
    return TimeScales(max(fastest, slowest), slowest, crossing, weights, stays, scalings, tuple(starts))


def _refuse_a_lower_corner(problem: Langevin) -> None:
    """Refuse an energy that is lower where it has a corner or a pole than in all of its wells."""
    steps = np.eye(problem.size)[: problem.size if problem.size <= MOST_SEARCHED else 4]
    random = np.random.default_rng(0).normal(size=(2 * len(steps), problem.size))
    ends = descended(problem, problem.start + np.concatenate([0 * steps[:1], steps, -steps, random]))
    energy = problem.energy_at(ends)
    energy = np.where(np.isnan(energy), np.inf, energy)
    wells, T = landscape(problem).wells, problem.temperature
    if not wells or energy.min() < wells[0].energy - _LOWER * T - 1e-12 * abs(wells[0].energy):
        raise _not_smooth(problem, ends[energy.argmin()])


def _refuse_a_corner(problem: Langevin, well: _Well) -> None:
    """Refuse a well whose curvature grows without a limit toward its floor."""
    away = well.axes.T * well.widths[:, None]
    bends = []
    for part in _CORNER:
        curvatures = hessian_at(problem, well.position + part * np.concatenate([away, -away]))
        scaled = np.einsum("ai,kij,aj->ka", away, curvatures, away)
        bends.append(float(abs(scaled).max()))
    if not (np.isfinite(bends).all() and bends[1] <= _BENT * max(bends[0], problem.temperature)):
        raise _not_smooth(problem, well.position)


def _not_smooth(problem: Langevin, place: Array) -> BadInput:
    near = ", ".join(f"{name} = {x + 0.0:.3g}" for name, x in zip(problem.variables, place.round(6), strict=True))
    return BadInput(
        f"Langevin: the energy is not smooth at its minimum near {near}, where it has a corner or falls without end, "
        "so that no step is short enough for its motion; make it round, such as sqrt(u + 0.01) for sqrt(u), "
        "(u + 0.01)**0.75 for u**0.75, and log(u + 0.01) for log(u)."
    )


class _Well:
    """A well by the widths at which the energy has risen by T/2 along its axes, which of a square are those of its law."""

    def __init__(self, problem: Langevin, position: Array, hessian: Array) -> None:
        values, self.axes = np.linalg.eigh(hessian)
        T = problem.temperature
        floor = problem.energy_at(position)
        guess = np.sqrt(T / np.maximum(values, 1e-300))
        steps = 2.0 ** np.arange(-60, 61)
        widths = []
        for k in range(problem.size):
            sides = [problem.energy_at(position + sign * steps[:, None] * self.axes[:, k]) - floor for sign in (1.0, -1.0)]
            reached = []
            for rise in sides:
                above = np.flatnonzero(~(rise < 0.5 * T))
                if not len(above) or above[0] == 0:
                    continue
                j = above[0]
                low, high = max(float(rise[j - 1]), 1e-300), float(rise[j])
                share = np.log(0.5 * T / low) / np.log(high / low) if np.isfinite(high) and high > low else 0.5
                reached.append(steps[j - 1] * 2.0 ** float(np.clip(share, 0, 1)))
            widths.append(float(np.sqrt(np.mean(np.square(reached)))) if reached else float(guess[k]))
        self.position, self.widths = position, np.array(widths)
        curvature = (self.axes * (T / self.widths**2)) @ self.axes.T
        speeds = abs(np.linalg.eigvals(problem.mobility_at(position) @ curvature))
        self.slowest, self.fastest = float(speeds.min()), float(speeds.max())
        self.log_volume = float(np.log(self.widths).sum())

    def spread(self, normal: Array) -> Array:
        """Points about the well, of normal numbers, shape (..., n)."""
        return self.position + (normal * self.widths) @ self.axes.T


def _spread_start(problem: Langevin, well: _Well, rng: np.random.Generator) -> Array:
    """A point about a well, farther out than its law is, but where the energy is no higher than the law ever goes."""
    normal = _WIDE * rng.normal(size=problem.size)
    floor, T = float(problem.energy_at(well.position)), problem.temperature
    for _ in range(20):
        point = well.spread(normal)
        if problem.energy_at(point) - floor <= (4 + 2 * problem.size) * T:
            return point
        normal = 0.7 * normal
    return well.position


def _crossing(problem: Langevin, wells: list[_Well], heights: Array, weights: Array) -> tuple[float, Array]:
    """Time in which the shares of the wells relax, and mean stay in each.

    The time is that of the slowest mode of the hopping that a variable shows.
    """
    count = len(wells)
    if count == 1 or problem.size > MOST_SEARCHED:
        return 0.0, np.full(count, np.inf)
    hop = np.zeros((count, count))  # √(k_ij k_ji), which is symmetric
    logs = np.log(np.maximum(weights, 1e-300))
    for way in landscape(problem).barriers:
        i, j = way.wells
        flux = _log_flux(problem, way, wells[i], heights[i], logs[i])
        hop[i, j] += np.exp(flux - 0.5 * (logs[i] + logs[j]))
        hop[j, i] = hop[i, j]
        for a in (i, j):
            hop[a, a] -= np.exp(flux - logs[a])
    rates, modes = np.linalg.eigh(hop)
    places = np.stack([well.position for well in wells])
    inner = np.array([np.diag((well.axes * well.widths**2) @ well.axes.T) for well in wells])
    whole = (weights @ places**2 - (weights @ places) ** 2) + weights @ inner
    shown = ((modes * np.sqrt(weights)[:, None]).T @ places) ** 2 / whole
    seen = (shown.max(axis=1) > _FAINT) & (rates < rates.max())
    slow = -rates[seen]
    stays = 1 / np.maximum(-np.diag(hop), 1e-300)
    return (float(1 / max(slow.min(), 1e-300)) if len(slow) else 0.0), stays


def _log_flux(problem: Langevin, way: Barrier, well: _Well, height: float, log_weight: float) -> float:
    """Logarithm of the share of all walkers that go over a pass in one direction in one τ."""
    T = problem.temperature
    mobility = problem.mobility_at(way.position)
    if way.saddle:
        rate = -float(np.linalg.eigvals(mobility @ way.hessian).real.min())
        curvature = float(np.linalg.slogdet(way.hessian)[1])
        inner = problem.size * np.log(T) - 2 * well.log_volume
        prefactor = np.log(max(rate, 1e-300) / (2 * np.pi)) + 0.5 * (inner - curvature)
    else:
        prefactor = np.log(well.slowest / (2 * np.pi))
    return float(log_weight + prefactor - (way.energy - height) / T)
