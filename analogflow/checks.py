"""Checks of what people and other programs hand over: numbers are real, names are known; nothing is quietly made so.

It does not know what they mean; whoever calls says what is wanted.
"""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput

__all__ = [
    "LARGEST",
    "is_finite",
    "is_number",
    "is_positive",
    "is_whole",
    "near_names",
    "numbers",
    "positive",
    "proposal",
    "real_array",
    "refusal",
    "refuse_faults",
    "refuse_no_length",
    "refuse_not_positive",
    "refuse_unknown",
]

Array = NDArray[np.float64]

LARGEST = 1e100
"""Size up to which numbers of problems are taken: products of three of them are still numbers."""


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is one whole or real number of Python or NumPy; truth values and complex numbers are none."""
    return isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)


def is_finite(value: object) -> TypeGuard[float]:
    """Whether `value` is one number that a float can hold: neither infinite nor a whole number beyond its range."""
    return is_number(value) and abs(value) <= sys.float_info.max


def is_positive(value: object, *, finite: bool = True) -> TypeGuard[float]:
    """Whether `value` is one number above 0 that a float can hold, or infinite where `finite` is False."""
    return is_number(value) and (0 < value <= sys.float_info.max or (not finite and value == math.inf))


def is_whole(value: object, least: float = -math.inf, most: float = math.inf) -> TypeGuard[int]:
    """Whether `value` is one whole number of Python or NumPy from `least` to `most`; a float is none, whatever its value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(least <= value <= most)


def positive(value: object, fault: str, faults: list[str] | None = None, *, finite: bool = True) -> float:
    """`value` as a float, where it is a number above 0 as `is_positive` has it.

    Parameters
    ----------
    value : object
    fault : str
        What is said where it is none: a sentence without its full stop.
    faults : list of str, optional
        Is added to, and the number is NaN; raises if not given.
    finite : bool
        Whether an infinite one is refused.

    Raises
    ------
    BadInput
        It is none, and there is no list for the fault.
    """
    if is_positive(value, finite=finite):
        return float(value)
    if faults is None:
        raise BadInput(f"{fault}.")
    faults.append(fault)
    return math.nan


def refusal(what: str, faults: Sequence[str]) -> BadInput:
    """All `faults` of one object as one sentence about `what`."""
    return BadInput(f"{what}: {'; '.join(faults)}.")


def refuse_faults(what: str, faults: Sequence[str]) -> None:
    """Raise the `refusal` of `what` if there are any faults."""
    if faults:
        raise refusal(what, faults)


def refuse_not_positive(*, finite: bool = False, **limits: object) -> None:
    """Raise `BadInput` on the first of the named limits that is no number above 0; infinite ones pass unless `finite`."""
    for name, value in limits.items():
        if not is_positive(value, finite=finite):
            raise BadInput(f"{name} is {value!r}; give a number above 0.")


def refuse_no_length(**lengths: object) -> None:
    """Raise `BadInput` on the first of the named lengths in τ that is no finite number above 0; None is one not given."""
    for name, value in lengths.items():
        if value is not None and not is_positive(value):
            raise BadInput(f"{name}: {value!r} is not a positive number of time constants.")


def refuse_unknown(value: object, known: Iterable[str], what: str, of: str = "", *, there: str = "known are") -> None:
    """Raise `BadInput` if `value` is none of the `known` names of a `what`, with all of them in the sentence."""
    # What a file gives may be a list, which no mapping and no set can look up.
    names = list(known)
    if value not in names and not (isinstance(value, str) and value in known):  # a table says here why one is broken
        raise BadInput(f"{what} {value!r}{of and ' of '}{of} is not known; {there}: {', '.join(names)}.")


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
        # Of objects, NumPy's own complex numbers would lose their imaginary parts with a warning only.
        is_complex = array.dtype.kind == "c" or (array.dtype.kind == "O" and any(map(np.iscomplexobj, array.flat)))
        if array.dtype.kind in "fiubO" and not is_complex:
            return np.array(array, dtype=float)
    except (TypeError, ValueError, OverflowError):
        pass
    else:
        if is_complex:
            raise BadInput(f"{name} is complex; give {wanted}, without imaginary parts.")
    raise BadInput(f"{name} does not consist of numbers in rows of one length; give {wanted}.")


def _masked(values: object) -> bool:
    rows = values if isinstance(values, list | tuple) else (values,)
    return any(isinstance(row, np.ma.MaskedArray) and np.ma.is_masked(row) for row in rows)


def numbers(
    values: object,
    name: str,
    axes: tuple[int, ...],
    wanted: str,
    faults: list[str],
    *,
    largest: float = math.inf,
    infinite: bool = False,
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
    infinite : bool
        Whether entries may be +∞.
    """
    try:
        array = real_array(values, name, wanted)
    except BadInput as fault:
        faults.append(str(fault).rstrip("."))
        return None
    if array.ndim not in axes or array.size == 0:
        faults.append(f"{name} has shape {array.shape}; give {wanted}")
        return None
    numbered = np.isfinite(array) | (infinite & (array == math.inf))
    if not numbered.all():
        place = np.argwhere(~numbered)[0]
        where = {0: "", 1: f" in entry {place[-1] + 1 if len(place) else 1}"}.get(
            array.ndim, " in " + ", ".join(f"{axis} {k + 1}" for axis, k in zip(("row", "column"), place, strict=False))
        )
        allowed = "finite numbers, or inf" if infinite else "finite numbers"
        faults.append(f"{name} has {array[tuple(place)]}{where}; give {allowed}")
        return None
    if abs(array).max() > largest:
        faults.append(f"{name} has {abs(array).max():g} as largest size; give numbers up to {largest:g}")
        return None
    return array


def near_names(wrong: object, known: Iterable[str], most: int = 1, *, likeness: float = 0.0) -> list[str]:
    """Up to `most` of the `known` names that are most like a wrong one, best first.

    Parameters
    ----------
    wrong : object
        What was given; it may be no text at all.
    likeness : float
        From 0, which always finds one, to 1, which finds the name itself only.
    """
    return difflib.get_close_matches(str(wrong), list(known), most, likeness)


def proposal(wrong: object, known: Iterable[str], most: int = 1, *, else_known: str = "") -> str:
    """End of a sentence on a name that is not known: those that are like it, or all, in the words of `else_known`."""
    known = list(known)
    near = near_names(wrong, known, most, likeness=0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"known are: {else_known or ', '.join(known) or 'none'}."
