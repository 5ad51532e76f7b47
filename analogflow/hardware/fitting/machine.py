"""A machine as a configuration leaves it: integrators with a start and rates, in machine units and multiples of 1/k0."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

__all__ = ["Machine", "final", "rounded"]

Array = NDArray[np.float64]

_FAR = 1e3
"""Machine units at which a state has left the machine."""


@dataclasses.dataclass(frozen=True, eq=False)
class Machine:
    """Rates of integrators, read off a configuration.

    Parameters
    ----------
    initial : array, shape (integrators,)
        Machine units.
    rates : callable
        Outputs of the integrators in, their rates out, both of shape (integrators,); machine units per 1/k0.
    """

    initial: Array
    rates: Callable[[Array], Array]


def final(machine: Machine, duration: float) -> Array:
    """Outputs after `duration`, in units of 1/k0; NaN where they leave the machine."""

    def leaving(time: float, y: Array) -> float:
        return _FAR - float(abs(y).max())

    leaving.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = solve_ivp(
            lambda time, y: machine.rates(y), (0.0, duration), machine.initial,
            method="LSODA", rtol=1e-9, atol=1e-11, events=leaving,
        )  # fmt: skip
    return run.y[:, -1] if run.status == 0 else np.full(machine.initial.shape, np.nan)


def rounded(value: float, bits: int | None, full_scale: float = 1.0) -> float:
    """`value` on the grid of a converter of so many bits, sign included, over ±`full_scale`; as it is if None."""
    if bits is None:
        return value
    step = full_scale * 2.0 ** (1 - bits)
    return round(value / step) * step
