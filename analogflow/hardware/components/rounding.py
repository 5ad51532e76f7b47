"""Resistors for the weights of a crossbar: each rounded by itself, or a row at a time so that its errors cancel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analogflow.circuit.values import nearest, neighbours
from analogflow.hardware.components.rounded import Rounding, checked, levers, positive, rounding_of
from analogflow.hardware.components.search import combine, scale_grid

__all__ = ["round_independently", "round_jointly"]


def round_independently(
    weights: ArrayLike,
    resistance: float,
    series: str,
    voltages: ArrayLike | None = None,
    sensitivity: ArrayLike | None = None,
    *,
    largest_ratio: float = 1e4,
) -> Rounding:
    """Resistors R/W_ik, each replaced by the nearest of a series.

    Parameters
    ----------
    weights : array, shape (n, k)
        W ≥ 0; where it is 0 there is no leg.
    resistance : float
        R, the resistance of the weight 1, ohm.
    series : str
        A name in `values.SERIES`.
    voltages : array, shape (k,), optional
        See `crossbar.Crossbar`; needed for the biases.
    sensitivity : array, shape (n, n), optional
        See `crossbar.Crossbar`; needed for the shift.
    largest_ratio : float
        Largest ratio of two resistances in a row. 1e4 spans 1 kΩ to 10 MΩ.

    Returns
    -------
    Rounding

    Raises
    ------
    BadInput
        A row spans more than `largest_ratio`, shapes do not fit, or a number is not allowed.
    """
    W, V, S = checked(weights, voltages, sensitivity, largest_ratio)
    resistances = np.full(W.shape, np.inf)
    resistances[W > 0] = nearest(_ohms(resistance) / W[W > 0], series)
    return rounding_of(resistances, resistance / resistances, W, V, S)


def round_jointly(
    weights: ArrayLike,
    resistance: float,
    series: str,
    voltages: ArrayLike,
    sensitivity: ArrayLike | None = None,
    *,
    scale_range: float = 0.1,
    tolerance: float = 1e-7,
    largest_ratio: float = 1e4,
) -> Rounding:
    """Resistors of a series chosen together, so that the net current of each row is the exact one at the answer.

    A row may be scaled, which moves nothing but its rate, and each leg may take the value below or above R/(scale · W_ik).
    Among all these the row with the smallest bias is taken. Rows at rest that have no bias leave the answer where it is
    exactly, not only to first order.

    Parameters
    ----------
    weights, resistance, series, voltages, sensitivity, largest_ratio
        See `round_independently`.
    scale_range : float
        r: scales of a row from 1/(1 + r) to 1 + r. A row's rate changes by no more than that and one step of the series.
    tolerance : float
        Nats below which biases count as equal; of such rows the one with the smallest errors of the legs is taken.

    Returns
    -------
    Rounding

    Raises
    ------
    BadInput
        A row spans more than `largest_ratio`, shapes do not fit, or a number is not allowed.

    Notes
    -----
    About 300 scales are tried; at each, all choices of up to 16 legs are covered (see `search.combine`).

    Worst and median |dz| over the 50 random channels of the tests (n = m = 3, 4, 5), the rounded circuit solved exactly:

    ======  ==============  ==============  ================
    series  independently   jointly         worst, less by
    ======  ==============  ==============  ================
    E12     0.16, 0.019     0.018, 4e-4     9
    E24     0.13, 0.0079    0.0033, 1.6e-4  41
    E96     0.030, 0.0016   0.0013, 1e-5    23
    E192    0.0095, 9e-4    3.3e-5, 2e-6    280
    ======  ==============  ==============  ================

    Over a dozen such sets the worst was less by a factor of 8 or more for E24 and E96, of 2.5 or more for E12. Tolerances
    of the parts come on top: at ±0.1 % the medians of E96 are 0.002 and 2e-4, at ±1 % they are 0.003 and 0.0016. Away from
    the answer the legs' errors do not cancel: a run on its way differs by up to a step of the series. A row of two or
    three legs has few combinations; a larger `scale_range` gives it more.
    """
    W, V, S = checked(weights, voltages, sensitivity, largest_ratio)
    R, r = _ohms(resistance), positive(scale_range, "scale_range")
    grid = scale_grid(1 / (1 + r), 1 + r)
    resistances = np.full(W.shape, np.inf)
    for row, exact in enumerate(W):
        legs = np.flatnonzero(exact)
        below, above = neighbours(R / (grid[:, None] * exact[legs]), series)
        index, upper = combine(exact[legs], levers(exact, V)[legs], grid, R / above, R / below, tolerance)
        resistances[row, legs] = np.where(upper, below[index], above[index])
    return rounding_of(resistances, R / resistances, W, V, S)


def _ohms(resistance: float) -> float:
    return positive(resistance, "the resistance of the weight 1")
