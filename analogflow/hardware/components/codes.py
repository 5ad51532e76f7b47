"""Codes of multiplying converters for the weights of a crossbar: each by itself, or a row at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analogflow.circuit.values import check_bits, code
from analogflow.hardware.components.rounded import Rounding, checked, levers, positive, rounding_of
from analogflow.hardware.components.search import combine, scale_grid

__all__ = ["round_codes", "round_codes_independently"]

_SAME = 1e-8
"""Steps of a converter by which a value may miss a code and still be it: rounding, which differs between processors."""


def round_codes_independently(
    weights: ArrayLike,
    bits: int,
    full_scale: float = 1.0,
    voltages: ArrayLike | None = None,
    sensitivity: ArrayLike | None = None,
) -> Rounding:
    """Codes of converters (see `values.code`), each the nearest to its weight; parameters as for `round_codes`."""
    W, V, S = checked(weights, voltages, sensitivity, 2.0 ** check_bits(bits))
    codes, realised = code(W, bits, full_scale)
    return rounding_of(codes, realised, W, V, S)


def round_codes(
    weights: ArrayLike,
    bits: int,
    full_scale: float,
    voltages: ArrayLike,
    sensitivity: ArrayLike | None = None,
    *,
    scale_range: float = 0.1,
    tolerance: float = 1e-7,
) -> Rounding:
    """Codes of converters chosen together, as `round_jointly` chooses resistors.

    Parameters
    ----------
    weights : array, shape (n, k)
        From 0 to `full_scale`, in its unit.
    bits, full_scale
        See `values.code`. Scales that would exceed the largest code are left out.
    voltages, sensitivity, scale_range, tolerance
        See `round_jointly`.

    Returns
    -------
    Rounding

    Raises
    ------
    BadInput
        A row spans more than 2^bits, a weight exceeds the full scale, shapes do not fit, or a number is not allowed.

    Notes
    -----
    Worst |dz| over the channels of `round_jointly`: 2.0e-3 independently and 3e-6 jointly with 12 bits, 6e-5 and 8e-7 with
    16, where `tolerance` is the limit.
    """
    levels = 2 ** check_bits(bits)
    W, V, S = checked(weights, voltages, sensitivity, float(levels))
    code(W, bits, full_scale)
    step = full_scale / levels
    r = positive(scale_range, "scale_range")
    codes = np.zeros(W.shape, dtype=np.int64)
    for row, exact in enumerate(W):
        legs = np.flatnonzero(exact)
        grid = scale_grid(1 / (1 + r), min(1 + r, (levels - 1) * step / exact.max()))
        wanted = grid[:, None] * exact[legs] / step
        # A leg is never dropped: its code is at least 1.
        below, above = np.maximum(np.floor(wanted + _SAME), 1), np.clip(np.ceil(wanted - _SAME), 1, levels - 1)
        index, upper = combine(exact[legs], levers(exact, V)[legs], grid, step * below, step * above, tolerance)
        codes[row, legs] = np.where(upper, above[index], below[index])
    return rounding_of(codes, step * codes, W, V, S)
