"""Checks of numbers that people and other programs hand over: what is not real is refused, never quietly made so.

It does not know what the numbers mean; whoever calls says what is wanted.
"""

from __future__ import annotations

import math
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput

__all__ = ["LARGEST", "is_number", "numbers", "real_array"]

Array = NDArray[np.float64]

LARGEST = 1e100
"""Size up to which numbers of problems are taken: products of three of them are still numbers."""


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is one whole or real number of Python or NumPy; truth values and complex numbers are none."""
    return isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)


def real_array(values: object, name: str, wanted: str = "real numbers") -> Array:
    """New array of floats with the numbers in `values`.

    Parameters
    ----------
    values : array_like
        Whole or real numbers, truth values, or objects with a value as a float, in rows of one length.
    name, wanted : str
        First and last words of the sentence of a refusal.

    Raises
    ------
    BadInput
        `values` is complex, has masked entries, or holds something else than numbers.
    """
    if _masked(values):
        raise BadInput(f"{name} has masked entries; give {wanted}, and fill or leave out what is masked.")
    try:
        array = np.asarray(values)
        if array.dtype.kind in "fiubO":
            return np.array(array, dtype=float)
    except (TypeError, ValueError, OverflowError):
        pass
    else:
        if array.dtype.kind == "c":
            raise BadInput(f"{name} is complex; give {wanted}, without imaginary parts.")
    raise BadInput(f"{name} does not consist of numbers in rows of one length; give {wanted}.")


def _masked(values: object) -> bool:
    rows = values if isinstance(values, list | tuple) else (values,)
    return any(isinstance(row, np.ma.MaskedArray) and np.ma.is_masked(row) for row in rows)


def numbers(
    values: object, name: str, axes: tuple[int, ...], wanted: str, faults: list[str], *, largest: float = math.inf
) -> Array | None:
    """Array of finite numbers with one of the numbers of `axes`; None and a fault, "`name` … give `wanted`", if it is none.

    Parameters
    ----------
    values : array_like
    name, wanted : str
    axes : tuple of int
        Dimensions it may have; an array without entries is a fault.
    faults : list of str
        Is added to.
    largest : float
        Largest size of an entry.
    """
    try:
        array = real_array(values, name, wanted)
    except BadInput as fault:
        faults.append(str(fault).rstrip("."))
        return None
    if array.ndim not in axes or array.size == 0:
        faults.append(f"{name} has shape {array.shape}; give {wanted}")
        return None
    if not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(array))[0]
        where = {0: "", 1: f" in entry {place[-1] + 1 if len(place) else 1}"}.get(
            array.ndim, " in " + ", ".join(f"{axis} {k + 1}" for axis, k in zip(("row", "column"), place, strict=False))
        )
        faults.append(f"{name} has {array[tuple(place)]}{where}; give finite numbers")
        return None
    if abs(array).max() > largest:
        faults.append(f"{name} has {abs(array).max():g} as largest size; give numbers up to {largest:g}")
        return None
    return array
