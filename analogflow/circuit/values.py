"""Values that can be bought or programmed: preferred numbers of the E series, and codes of a multiplying converter."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_positive, is_whole, near_names
from analogflow.digits import SAME
from analogflow.errors import BadInput

__all__ = [
    "SERIES",
    "Code",
    "check_bits",
    "check_series",
    "code",
    "largest_error",
    "nearest",
    "neighbours",
    "rounding_error",
]

Array = NDArray[np.float64]

_E12 = (100, 120, 150, 180, 220, 270, 330, 390, 470, 560, 680, 820)
_E24 = tuple(sorted((*_E12, 110, 130, 160, 200, 240, 300, 360, 430, 510, 620, 750, 910)))
# The rule gives 9.19 for the 186th value of E192; the standard has 9.20. It is the only exception.
_E192 = tuple(920 if i == 185 else round(100 * 10 ** (i / 192)) for i in range(192))

SERIES = {"E12": _E12, "E24": _E24, "E96": _E192[::2], "E192": _E192}
"""Preferred numbers of one decade by the series' name, in hundredths: 470 stands for 4.7, 47, 470 and so on (IEC 60063)."""

_SMALLEST, _LARGEST = 1e-20, 1e20
_MOST_BITS = 24
_MIDWAY = 1e-8
"""Steps of a converter below which a value is midway between two codes: the rounding of its quotient at 24 bits."""

# Up to 1e22 these floats are exact, so that a preferred value is the float its decimal literal is.
_TENS = np.array([float(f"1e{exponent}") for exponent in range(25)])


def check_series(name: str) -> str:
    """Return `name` if it is a series of `SERIES`.

    Raises
    ------
    BadInput
        It is not; the text lists those that are and names the nearest.
    """
    if isinstance(name, str) and name in SERIES:
        return name
    near = near_names(name.strip().upper(), SERIES, likeness=0.4) if isinstance(name, str) else []
    advice = f"did you mean {near[0]!r}?" if near else "give one of those."
    raise BadInput(f"there is no series {name!r} of preferred values; the series are {', '.join(SERIES)}; {advice}")


def largest_error(series: str) -> float:
    """Largest relative distance between a value and the nearest of `series`: √(largest step) − 1.

    0.118 for E12, 0.0742 for E24, 0.0149 for E96 and 0.0098 for E192. Even steps would leave 0.101, 0.049, 0.0121 and
    0.0060; rounding to two or three digits made some wider.

    Raises
    ------
    BadInput
        The series is not known.
    """
    decade = np.array(SERIES[check_series(series)], dtype=float)
    steps = np.append(decade[1:], 10 * decade[0]) / decade
    return math.sqrt(steps.max()) - 1


def rounding_error(series: str) -> float:
    """Relative error of a ratio of preferred values: values are spread evenly over the step between two neighbours.

    A leg of a crossbar that is off by a part in a hundred moves an exponent by a hundredth of a nat, and the answer
    by about as many nats or shares.
    """
    return math.log(10.0) / len(SERIES[series]) / math.sqrt(12.0)


def neighbours(value: ArrayLike, series: str) -> tuple[Array, Array]:
    """Preferred values on both sides of each value; one that is preferred, but for rounding, is its own on both sides.

    Parameters
    ----------
    value : array of any shape
        Positive numbers between 1e-20 and 1e20, in any unit and any decade.
    series : str
        A name in `SERIES`.

    Returns
    -------
    below, above : arrays of the same shape
        Largest preferred value ≤ `value`, smallest preferred value ≥ `value`, in its unit, where 1e-12 is no difference.

    Raises
    ------
    BadInput
        A value is not positive and finite, or the series is not known.
    """
    decade = np.array(SERIES[check_series(series)])
    values = _in_range(value)
    exponent = np.floor(np.log10(values)).astype(int)
    within = np.searchsorted(decade, values / _power(exponent) * 100, side="right") - 1
    index = exponent * len(decade) + within
    # The logarithm and the quotient are rounded: the comparison with the values themselves has the last word. A value that
    # is preferred but for its last bits is preferred, or its neighbours would be others on another processor.
    index += _preferred(decade, index + 1) <= values * (1 + SAME)
    index -= _preferred(decade, index) > values * (1 + SAME)
    below = _preferred(decade, index)
    above = np.where(below >= values * (1 - SAME), below, _preferred(decade, index + 1))
    return below[()], above[()]


def nearest(value: ArrayLike, series: str) -> Array:
    """Preferred value nearest to each value in ratio; the border between two is their geometric mean, and the lower one's.

    Parameters
    ----------
    value : array of any shape
        Positive numbers between 1e-20 and 1e20, in any unit and any decade.
    series : str
        A name in `SERIES`.

    Returns
    -------
    array of the same shape
        In the unit of `value`, at most `largest_error` away.

    Raises
    ------
    BadInput
        A value is not positive and finite, or the series is not known.
    """
    below, above = neighbours(value, series)
    values = np.asarray(value, dtype=float)
    return np.where(values / below <= above / values * (1 + SAME), below, above)[()]


class Code(NamedTuple):
    """Codes of a converter (integers) and the values they realise, both of the shape that was asked for."""

    codes: NDArray[np.int64]
    values: Array


def code(value: ArrayLike, bits: int, full_scale: float = 1.0) -> Code:
    """Code of a multiplying converter whose output is full_scale · code / 2^bits, code = 0, …, 2^bits − 1.

    Parameters
    ----------
    value : array of any shape
        Between 0 and `full_scale`, in its unit. The sign of a coefficient is made elsewhere.
    bits : int
        1 to 24.
    full_scale : float
        Value the code 2^bits would have.

    Returns
    -------
    Code
        At most half a step away, midway the lower one. The last half step below `full_scale` has no code; it gets the
        largest, which is at most a step away.

    Raises
    ------
    BadInput
        A value outside the range, or a number of bits or a full scale that is not allowed.
    """
    levels = 2 ** check_bits(bits)
    if not is_positive(full_scale):
        raise BadInput(f"the full scale {full_scale!r} of a converter must be a positive number.")
    values = np.asarray(value, dtype=float)
    if not np.all((values >= 0) & (values <= full_scale)):
        wrong = values[~((values >= 0) & (values <= full_scale))].flat[0]
        raise BadInput(
            f"a converter with full scale {full_scale:g} has no code for {wrong:g}; give values from 0 to {full_scale:g}, "
            f"or raise the full scale."
        )
    steps = values / full_scale * levels
    codes = np.clip(np.ceil(steps - 0.5 - _MIDWAY), 0, levels - 1).astype(np.int64)
    return Code(codes[()], (full_scale * codes / levels)[()])


def check_bits(bits: int) -> int:
    """Return `bits` if it is a whole number from 1 to 24.

    Raises
    ------
    BadInput
        It is not.
    """
    if not is_whole(bits, 1, _MOST_BITS):
        raise BadInput(f"a converter has a whole number of bits from 1 to {_MOST_BITS}, not {bits!r}.")
    return int(bits)


def _in_range(value: ArrayLike) -> Array:
    values = np.asarray(value, dtype=float)
    allowed = (values >= _SMALLEST) & (values <= _LARGEST)
    if not allowed.all():
        raise BadInput(
            f"there is no preferred value near {values[~allowed].flat[0]:g}; give positive numbers between {_SMALLEST:g} "
            f"and {_LARGEST:g}."
        )
    return values


def _power(exponent: NDArray[np.int_]) -> Array:
    return np.where(exponent >= 0, _TENS[np.maximum(exponent, 0)], 1 / _TENS[np.maximum(-exponent, 0)])


def _preferred(decade: NDArray[np.int_], index: NDArray[np.int_]) -> Array:
    """Preferred value number `index`, counted through all decades from 1.00 = number 0."""
    exponent, within = np.divmod(index, len(decade))
    exponent = exponent - 2
    up, down = _TENS[np.maximum(exponent, 0)], _TENS[np.maximum(-exponent, 0)]
    return np.where(exponent >= 0, decade[within] * up, decade[within] / down)
