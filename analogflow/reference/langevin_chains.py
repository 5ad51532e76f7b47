"""A Boltzmann law that nothing integrates, by long chains: an interval for each number, not a bound.

Independent ladders of chains, each from a wide Gaussian to the law, exchange their states, so that barriers are crossed
where they are low; within a rung they move by Hamiltonian proposals with a Metropolis test. Ladders begin apart, and how far
their averages are apart is the standard error.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from analogflow.problems import Langevin
from analogflow.problems.landscape import landscape
from analogflow.reference.langevin_lattice import Quick, precision_at
from analogflow.reference.lattice import dominating

__all__ = ["Sampled", "sampled"]

Array = NDArray[np.float64]

_LADDERS, _RUNGS = 64, 17
"""Independent ladders, and rungs of each: from the Gaussian alone, in powers, to the law."""

_LEAST = 1e-4
"""Part of the law in the second rung."""

_FORGOTTEN, _KEPT, _MOST_KEPT = 150, 300, 600
"""Sweeps that are left out, sweeps of the first round, and sweeps after which no other round begins; each is as long as all
before."""

_LEAPS, _WANTED = 6, 0.75
"""Steps of a proposal, and the share of proposals that should be accepted."""

_ACCURATE = 0.02
"""Standard error, in widths of the law, at which no further round is made."""

_INFLATED = 1.5
"""Widths of the Gaussian over those of the wells together."""

_GROUPS = 8
"""Groups of ladders that each say what the free energy is."""

_HALVINGS = 40
"""Of the range of a free energy's difference."""

_SAMPLE = 200


@dataclasses.dataclass(frozen=True, eq=False)
class Sampled:
    """Moments and free energy with their standard errors.

    Parameters
    ----------
    mean, mean_error : array, shape (n,)
    covariance, covariance_error : array, shape (n, n)
    free_energy, free_error : float
    mixing : float
        R̂ of A. Gelman and D. Rubin (1992), of halves of the ladders' last rungs, the largest of all variables and of the
        energy: near 1 where chains that began apart have become alike.
    sample : array, shape (k, n)
    """

    mean: Array
    mean_error: Array
    covariance: Array
    covariance_error: Array
    free_energy: float
    free_error: float
    mixing: float
    sample: Array


def sampled(problem: Langevin, *, seed: int = 0) -> Sampled:
    """Law of `problem` by chains; equal seeds give equal numbers."""
    with np.errstate(all="ignore"):
        return _Ladders(problem, seed).sampled()


class _Ladders:
    def __init__(self, problem: Langevin, seed: int) -> None:
        self.problem, self.n, self.T = problem, problem.size, problem.temperature
        self.random = np.random.default_rng(seed)
        wells = landscape(problem).wells
        self.places = np.stack([well.position for well in wells]) if wells else problem.start[None]
        precisions = np.stack([precision_at(problem, place) for place in self.places])
        own = np.linalg.inv(precisions)
        near = own.mean(axis=0)
        self.centre = self.places.mean(axis=0)
        away = self.places - self.centre
        self.wide = _INFLATED**2 * (near + away.T @ away / len(away))
        self.gaussian = np.linalg.inv(self.wide)
        self.parts = np.concatenate([[0.0], np.geomspace(_LEAST, 1.0, _RUNGS - 1)])
        fine = dominating(precisions)
        metrics = [(1 - part) * self.gaussian + part * fine for part in self.parts]
        # Momenta of covariance M for a metric M: velocities are M⁻¹ p = R Rᵀ p.
        self.roots = np.stack([np.linalg.cholesky(np.linalg.inv(metric)) for metric in metrics])
        self.steps = np.full(_RUNGS, 0.8 / self.n**0.25)
        shape = (_RUNGS, _LADDERS)
        which = self.random.integers(len(self.places), size=shape)
        chosen, roots = self.places[which], np.linalg.cholesky(own)
        # As wide as the well itself: of starts spread as wide as another one none would be in a narrow well.
        spread = np.einsum("rlij,rlj->rli", roots[which], self.random.normal(size=(*shape, self.n)))
        self.x = chosen + 1.5 * spread
        bad = ~np.isfinite(self._energy(self.x))
        self.x[bad] = chosen[bad]

    def _energy(self, x: Array) -> Array:
        energy = self.problem.energy_at(x) / self.T
        return np.where(np.isnan(energy), np.inf, energy)

    def _quadratic(self, x: Array) -> Array:
        away = x - self.centre
        return 0.5 * np.einsum("...i,ij,...j->...", away, self.gaussian, away)

    def _slope(self, x: Array) -> Array:
        part = self.parts[:, None, None]
        values = {name: x[..., k].view(Quick) for k, name in enumerate(self.problem.variables)}
        rows = [
            np.broadcast_to(np.asarray(row.evaluate(values), dtype=float), x.shape[:-1]) for row in self.problem.gradient
        ]
        slope = np.stack(rows, axis=-1) / self.T
        law = np.where(part > 0, part * np.where(np.isfinite(slope), slope, 0.0), 0.0)
        return (1 - part) * ((x - self.centre) @ self.gaussian) + law

    def _height(self, energy: Array, quadratic: Array) -> Array:
        part = self.parts[:, None]
        return (1 - part) * quadratic + np.where(part > 0, part * energy, 0.0)

    def _sweep(self, tuning: bool) -> tuple[Array, Array]:
        """One proposal for each chain and one exchange of neighbours; E/T and the Gaussian's exponent after it."""
        x, shape = self.x, (_RUNGS, _LADDERS)
        energy, quadratic = self._energy(x), self._quadratic(x)
        # In coordinates z = R⁻¹ x momenta have unit covariance.
        momenta = self.random.normal(size=(*shape, self.n))
        step = (self.steps[:, None] * self.random.uniform(0.7, 1.3, size=shape))[..., None]
        before = self._height(energy, quadratic) + 0.5 * (momenta**2).sum(axis=-1)
        moved, p = x, momenta
        slope = self._slope(moved) @ self.roots
        for _ in range(_LEAPS):
            p = p - 0.5 * step * slope
            moved = moved + (step * p) @ np.swapaxes(self.roots, 1, 2)
            slope = self._slope(moved) @ self.roots
            p = p - 0.5 * step * slope
        new, other = self._energy(moved), self._quadratic(moved)
        after = self._height(new, other) + 0.5 * (p**2).sum(axis=-1)
        chance = np.exp(np.minimum(before - after, 0.0))
        chance = np.where(np.isfinite(chance), chance, 0.0)
        taken = self.random.random(shape) < chance
        self.x = np.where(taken[..., None], moved, x)
        energy, quadratic = np.where(taken, new, energy), np.where(taken, other, quadratic)
        if tuning:
            self.steps *= np.exp(0.1 * (chance.mean(axis=1) - _WANTED))
        for first in (0, 1):
            low = np.arange(first, _RUNGS - 1, 2)
            gain = (self.parts[low + 1] - self.parts[low])[:, None] * (
                (energy[low + 1] - quadratic[low + 1]) - (energy[low] - quadratic[low])
            )
            swap = np.log(self.random.random(gain.shape)) < gain
            for array in (self.x, energy, quadratic):
                chosen = swap if array.ndim == 2 else swap[..., None]
                array[low], array[low + 1] = (
                    np.where(chosen, array[low + 1], array[low]),
                    np.where(chosen, array[low], array[low + 1]),
                )
        return energy, quadratic

    def sampled(self) -> Sampled:
        for _ in range(_FORGOTTEN):
            self._sweep(True)
        places: list[Array] = []
        works: list[Array] = []
        heights: list[Array] = []
        while True:
            for _ in range(max(_KEPT, len(places))):
                energy, quadratic = self._sweep(False)
                places.append(self.x[-1].copy())
                works.append(energy - quadratic)
                heights.append(energy[-1])
            found = self._judged(np.stack(places), np.stack(heights), np.stack(works))
            widths = np.sqrt(np.diag(found.covariance))
            off = max(
                float((found.mean_error / widths).max()),
                float((found.covariance_error / np.outer(widths, widths)).max()),
            )
            if off <= _ACCURATE or len(places) >= _MOST_KEPT:
                return found

    def _judged(self, x: Array, heights: Array, works: Array) -> Sampled:
        """Averages of sweeps, shape (sweeps, ladders, n); each ladder is one independent value."""
        each = x.mean(axis=0)
        mean = each.mean(axis=0)
        centred = x - mean
        squares = np.einsum("sli,slj->lij", centred, centred) / len(x)
        root = np.sqrt(_LADDERS - 1)
        covariance = squares.mean(axis=0)
        logs = np.array([_between(works[:, :, group::_GROUPS], self.parts) for group in range(_GROUPS)])
        base = 0.5 * (self.n * np.log(2 * np.pi) + np.linalg.slogdet(self.wide)[1])
        log_z = float(base + _between(works, self.parts))
        mixing = max(_mixing(heights), *(_mixing(x[:, :, k]) for k in range(self.n)))
        picked = self.random.integers(len(x) * _LADDERS, size=_SAMPLE)
        return Sampled(
            mean,
            each.std(axis=0) / root,
            covariance,
            squares.std(axis=0) / root,
            -self.T * log_z,
            self.T * float(logs.std()) / np.sqrt(_GROUPS - 1),
            mixing,
            x.reshape(-1, self.n)[picked],
        )


def _mixing(values: Array) -> float:
    """R̂ of series, shape (sweeps, chains), each cut in halves."""
    half = len(values) // 2
    parts = np.concatenate([values[:half], values[half : 2 * half]], axis=1)
    within = float(parts.var(axis=0, ddof=1).mean())
    between = float(parts.mean(axis=0).var(ddof=1))
    return float(np.sqrt((half - 1) / half + between / within)) if within > 0 else np.inf


def _between(works: Array, parts: Array) -> float:
    """Ln of the law's integral over the Gaussian's: C. H. Bennett's ratio (1976) from rung to rung, summed."""
    total = 0.0
    for k, step in enumerate(np.diff(parts)):
        forward, backward = step * works[:, k].ravel(), step * works[:, k + 1].ravel()
        low, high = float(min(forward.min(), backward.min())), float(max(forward.max(), backward.max()))
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            # The number of values is equal: ⟨f(w − c)⟩ forward is ⟨f(c − w)⟩ backward at c = −ln ratio.
            gap = _fermi(forward - middle).mean() - _fermi(middle - backward).mean()
            low, high = (middle, high) if gap < 0 else (low, middle)
        total -= 0.5 * (low + high)
    return total


def _fermi(x: Array) -> Array:
    return 1 / (1 + np.exp(np.clip(x, -700, 700)))
