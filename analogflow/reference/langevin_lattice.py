"""Integrals of e^{−E/T} over four to six variables, by sums over a lattice that is shaped by the wells and their curvatures.

Wells are searched for, not proven to be all: what is known of the error is the difference of two lattices, of other spacing
and origin, and how what lies beyond the rim goes on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analogflow.problems import Langevin
from analogflow.problems.landscape import hessian_at, landscape
from analogflow.reference.langevin_integrals import Integrals
from analogflow.reference.lattice import Sums, dominating, refined, summed

__all__ = ["MOST_ON_A_LATTICE", "Quick", "energy_at", "lattice_integrals", "precision_at", "widths_of"]

Array = NDArray[np.float64]

MOST_ON_A_LATTICE = 6
"""Variables at most that are summed over together."""

_POINTS, _PILOT = 45_000_000, 4_000_000
"""Points at most: of all sums, and of the first one, that only looks around."""

_COARSE = 1.6
"""Spacing of the first one, in the least widths of the wells."""

_CONVERGED = 1e-4
"""Error of the integrals, over their size, up to which the sums are believed to converge."""

_DEEP = 34.0
"""Wells that lie by more T higher than the lowest hold nothing."""


def lattice_integrals(problem: Langevin) -> Integrals | None:
    """Integrals of the law of `problem` with bounds on their errors; None where the points do not suffice."""
    with np.errstate(all="ignore"):
        return _integrals(problem)


def _integrals(problem: Langevin) -> Integrals | None:
    T, n = problem.temperature, problem.size
    wells = landscape(problem).wells
    if not wells:
        return None
    least, origin = wells[0].energy, wells[0].position
    deep = [well for well in wells if well.energy - least < _DEEP * T]
    seeds = np.stack([well.position for well in deep])
    precision = dominating(np.stack([precision_at(problem, well.position) for well in deep]))

    def exponent(x: Array) -> Array:
        return (least - energy_at(problem, x)) / T

    def away(x: Array) -> Array:
        return (x - origin[:, None]).T

    basis = np.asarray(_COARSE * np.linalg.cholesky(np.linalg.inv(precision)), dtype=float)
    pilot = _looked_around(exponent, away, seeds, basis)
    if pilot is None:
        return None
    # What the lattice must resolve is how fast the density changes where it is: its Fisher information.
    slopes = problem.gradient_at(pilot.sample) / T
    spread = slopes.T @ slopes / max(1, len(slopes))
    precision = dominating(np.stack([precision, spread]))
    found, errors = refined(exponent, away, np.concatenate([seeds, pilot.sample]), precision, most=_POINTS)
    if not (found.complete and (errors <= _CONVERGED * found.sizes).all()):
        return None
    shift = np.exp(found.top)
    order = found.values * shift, errors * shift
    return Integrals(origin, least, *order, found.low, found.high, found.sample[:: max(1, len(found.sample) // (50 * n))])


def _looked_around(
    exponent: Callable[[Array], Array], away: Callable[[Array], Array], seeds: Array, basis: Array
) -> Sums | None:
    """A coarse sum with its sample."""
    first = summed(exponent, away, seeds, basis, seeds[0], most=_PILOT)
    if not first.complete:
        return None
    return summed(exponent, away, seeds, basis, seeds[0], most=_PILOT, expected=first)


def energy_at(problem: Langevin, x: Array) -> Array:
    """E at columns of coordinates, shape (n, points); powers are products, which take a tenth of the time."""
    values = {name: column.view(Quick) for name, column in zip(problem.variables, np.ascontiguousarray(x), strict=True)}
    return np.broadcast_to(np.asarray(problem.energy.evaluate(values), dtype=float), x.shape[1:])


class Quick(np.ndarray):
    """Numbers whose whole powers are products."""

    def __pow__(self, power: float) -> np.ndarray:  # type: ignore[override]
        if not (isinstance(power, int) and power > 2):
            return np.ndarray.__pow__(self, power)
        found, square, left = None, self, power
        while left:
            if left & 1:
                found = square if found is None else found * square
            left >>= 1
            square = square * square if left else square
        assert found is not None
        return found


def precision_at(problem: Langevin, well: Array) -> Array:
    """Inverse squares of the widths of a well along its curvatures, shape (n, n)."""
    hessian = hessian_at(problem, well)
    _, vectors = np.linalg.eigh(np.where(np.isfinite(hessian), hessian, 0.0))
    widths = widths_of(problem, well, vectors)
    return (vectors / widths**2) @ vectors.T


def widths_of(problem: Langevin, well: Array, directions: Array) -> Array:
    """How far from a well E rises by T/2 along columns of directions, on the steeper side; where it never does, 2^40."""
    steps = 2.0 ** np.arange(-200, 40, 0.25)
    base = float(problem.energy_at(well))
    found = np.empty(directions.shape[1])
    for k, direction in enumerate(directions.T):
        rise = np.maximum(*(problem.energy_at(well + sign * steps[:, None] * direction) - base for sign in (1, -1)))
        over = np.flatnonzero(~(rise < 0.5 * problem.temperature))
        found[k] = steps[over[0]] if len(over) else steps[-1]
    return found
