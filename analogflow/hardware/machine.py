"""A machine as a configuration leaves it: integrators with a start and rates, in machine units and multiples of 1/k0."""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings
from collections.abc import Callable, Mapping

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.digits import significant
from analogflow.errors import SimulationFailed

__all__ = ["Machine", "decade", "final", "in_legs", "path", "rounded"]

Array = NDArray[np.float64]

_FAR = 10.0
"""Machine units at which a state has left the machine."""

_LOOKS, _PROGRESS = 20_000, 1e-3
"""Evaluations after which a path must have gone on by this share of its length: one along which something that decides
switches to and fro never ends."""

_LEG, _LEG_DIGITS = 16, 7
"""Points of a leg, and significant digits of the state that the next one starts from."""


@dataclasses.dataclass(frozen=True, eq=False)
class Machine:
    """Rates and signals of integrators and what is between them, read off a configuration.

    Parameters
    ----------
    initial : array, shape (integrators,)
        Machine units.
    rates : callable
        Outputs of the integrators in, their rates out, both of shape (integrators,); machine units per 1/k0.
    signals : callable
        Outputs of the integrators in, every signal that must not pass a machine unit out, by where it is.
    """

    initial: Array
    rates: Callable[[Array], Array]
    signals: Callable[[Array], Mapping[str, float]]


def final(machine: Machine, duration: float) -> Array:
    """Outputs after `duration`, in units of 1/k0; NaN where they leave the machine."""
    return path(machine.rates, machine.initial, np.array([0.0, duration]))[-1]


def path(
    rates: Callable[[Array], Array], initial: Array, times: Array, *, accuracy: float = 1e-11, far: float = _FAR
) -> Array:
    """Path of ẏ = rates(y) at `times`, shape (points, size), of states of size 1; NaN from where one is `far`.

    Raises
    ------
    SimulationFailed
        It does not go on: something that decides switches to and fro.
    """
    first, last = float(times[0]), float(times[-1])
    looks, seen = itertools.count(1), first

    def looked(time: float, y: Array) -> Array:
        nonlocal seen
        if next(looks) % _LOOKS == 0:
            if time - seen < _PROGRESS * (last - first):
                raise SimulationFailed(
                    f"what decides switches to and fro {time / last:.0%} of the way, and it does not go on"
                )
            seen = time
        return rates(y)

    def leaving(time: float, y: Array) -> float:
        return min(far, 1e300) - float(abs(y).max())

    leaving.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    found = np.full((len(times), len(initial)), np.nan)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = scipy.integrate.solve_ivp(
            looked, (first, last), initial,
            method="LSODA", rtol=accuracy, atol=1e-2 * accuracy, t_eval=times, events=leaving,
        )  # fmt: skip
    if np.size(run.y):
        found[: run.y.shape[1]] = run.y.T
    return found


def in_legs(
    rates: Callable[[Array], Array], initial: Array, times: Array, *, accuracy: float = 1e-7, far: float = _FAR
) -> Array:
    """A motion of ẏ = rates(y) at evenly spaced `times`, in legs from a rounded state each; NaN from where it is `far`.

    Rounding pushes it as little as what it is integrated with, and makes it the same on every processor, even where the flow
    is chaotic, whose paths part from each other by their last bits.
    """
    found = np.full((len(times), len(initial)), np.nan)
    y = initial
    for first in range(0, len(times) - 1, _LEG):
        leg = path(rates, y, times[first : first + _LEG + 1] - times[first], accuracy=accuracy, far=far)
        found[first : first + len(leg)] = leg
        if not np.isfinite(leg[-1]).all():
            break
        y = np.array([significant(value, _LEG_DIGITS) for value in leg[-1]])
    return found


def rounded(value: float, bits: int | None, full_scale: float = 1.0) -> float:
    """`value` on the grid of a converter of so many bits, sign included, over ±`full_scale`; as it is if None."""
    if bits is None:
        return value
    step = full_scale * 2.0 ** (1 - bits)
    return round(value / step) * step


def decade(coefficient: float, step: float = 10.0) -> float:
    """Full scale of the range a coefficient is set in: 1, 10, 100, ..., or the powers of another `step` between ranges."""
    return step ** max(0, math.ceil(math.log(max(abs(coefficient), 1.0), step) - 1e-12))
