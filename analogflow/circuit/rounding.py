"""Parts for the weights of a crossbar: each rounded by itself, or a row at a time so that its errors cancel."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import positive, real_array
from analogflow.circuit.values import check_bits, code, nearest, neighbours
from analogflow.errors import BadInput

__all__ = [
    "Rounding",
    "biases",
    "round_codes",
    "round_codes_independently",
    "round_independently",
    "round_jointly",
]

Array = NDArray[np.float64]

_FREE_LEGS = 16
"""Legs that are decided by search; 2^16 combinations of E24 reach 1e-6 nat, and two sorted halves of 2^8 cover them all."""

_SCALES = 301

_QUANTUM = 1e-3
"""Part of the tolerance in whole numbers of which biases are counted, so that sums of them are exact and ties are ties."""

_DECIMALS = 9
"""Of a distance, below which two are the same."""

_SAME = 1e-8
"""Steps of a converter by which a value may miss a code and still be it: rounding, which differs between processors."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rounding:
    """Parts chosen for a crossbar and what they realise: n rows, k legs.

    Attributes
    ----------
    parts : array, shape (n, k)
        Resistances in ohm, infinite where there is no leg; or codes of converters, integers.
    weights : array, shape (n, k)
        Realised weights, in the unit of those asked for.
    scales : array, shape (n,)
        Sum of a row's realised weights over that of the exact ones: its rate, relative.
    biases : array, shape (n,)
        Nats added to the drive of each row, to first order; NaN where no voltages were given.
    shift : array, shape (n,)
        Predicted shift of the answer, to first order: sensitivity @ biases; NaN where one of them was not given.
    """

    parts: NDArray[np.float64] | NDArray[np.int64]
    weights: Array
    scales: Array
    biases: Array
    shift: Array


def biases(exact: Array, realised: Array, voltages: Array) -> Array:
    r"""What realised weights add to each row's drive, nats, shape (n,), to first order in their errors.

    .. math:: b_i = -\frac{1}{t_i} \sum_k G_{ik} (V_k - v_i), \qquad
              v_i = \frac{\sum_k W_{ik} V_k}{\sum_k W_{ik}}, \quad t_i = \frac{\sum_k G_{ik}}{\sum_k W_{ik}}

    for exact weights W and realised ones G, both of shape (n, k), and voltages V, shape (k,), in nats. The sign is that of
    an inverting integrator. A factor common to a row of G has no effect: it changes the rate of the row only. A row that
    is not at rest (its input is not used) is compared with itself, so that what is left is its bias too.
    """
    total = exact.sum(axis=1)
    grounds = exact @ voltages / total
    return -np.sum(realised * (voltages - grounds[:, None]), axis=1) * total / realised.sum(axis=1)


@functools.lru_cache(maxsize=_FREE_LEGS)
def _choices(legs: int) -> Array:
    """All choices between two values for each of `legs` legs, as 0 and 1, shape (2^legs, legs)."""
    return (np.arange(2**legs)[:, None] >> np.arange(legs) & 1).astype(float)


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
        See `ResistiveCrossbar`; needed for the biases.
    sensitivity : array, shape (n, n), optional
        See `ResistiveCrossbar`; needed for the shift.
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
    W, V, S = _checked(weights, voltages, sensitivity, largest_ratio)
    resistances = np.full(W.shape, np.inf)
    resistances[W > 0] = nearest(_ohms(resistance) / W[W > 0], series)
    return _rounding_of(resistances, resistance / resistances, W, V, S)


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
    About 300 scales are tried; at each, all choices of up to 16 legs are covered (see `_combine`).

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
    W, V, S = _checked(weights, voltages, sensitivity, largest_ratio)
    R, r = _ohms(resistance), positive(scale_range, f"scale_range must be a positive number, not {scale_range!r}")
    grid = _scale_grid(1 / (1 + r), 1 + r)
    resistances = np.full(W.shape, np.inf)
    for row, exact in enumerate(W):
        legs = np.flatnonzero(exact)
        below, above = neighbours(R / (grid[:, None] * exact[legs]), series)
        index, upper = _combine(exact[legs], _levers(exact, V)[legs], grid, R / above, R / below, tolerance)
        resistances[row, legs] = np.where(upper, below[index], above[index])
    return _rounding_of(resistances, R / resistances, W, V, S)


def round_codes_independently(
    weights: ArrayLike,
    bits: int,
    full_scale: float = 1.0,
    voltages: ArrayLike | None = None,
    sensitivity: ArrayLike | None = None,
) -> Rounding:
    """Codes of converters (see `values.code`), each the nearest to its weight; parameters as for `round_codes`."""
    W, V, S = _checked(weights, voltages, sensitivity, 2.0 ** check_bits(bits))
    codes, realised = code(W, bits, full_scale)
    return _rounding_of(codes, realised, W, V, S)


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
    W, V, S = _checked(weights, voltages, sensitivity, float(levels))
    code(W, bits, full_scale)
    step = full_scale / levels
    r = positive(scale_range, f"scale_range must be a positive number, not {scale_range!r}")
    codes = np.zeros(W.shape, dtype=np.int64)
    for row, exact in enumerate(W):
        legs = np.flatnonzero(exact)
        grid = _scale_grid(1 / (1 + r), min(1 + r, (levels - 1) * step / exact.max()))
        wanted = grid[:, None] * exact[legs] / step
        # A leg is never dropped: its code is at least 1.
        below, above = np.maximum(np.floor(wanted + _SAME), 1), np.clip(np.ceil(wanted - _SAME), 1, levels - 1)
        index, upper = _combine(exact[legs], _levers(exact, V)[legs], grid, step * below, step * above, tolerance)
        codes[row, legs] = np.where(upper, above[index], below[index])
    return _rounding_of(codes, step * codes, W, V, S)


def _checked(
    weights: ArrayLike, voltages: ArrayLike | None, sensitivity: ArrayLike | None, largest_ratio: float
) -> tuple[Array, Array, Array]:
    """Weights, voltages and sensitivity as arrays; the last two are NaN where not given.

    Raises
    ------
    BadInput
        They are not finite, do not fit each other, or a row spans more than `largest_ratio`: the text names the row.
    """
    W = real_array(weights, "weights")
    if W.ndim != 2 or not W.size or not np.all((W >= 0) & np.isfinite(W)) or not np.all(W.any(axis=1)):
        raise BadInput(
            f"weights of shape {W.shape} are no crossbar; give an (n, k) array of finite numbers of at least 0, with a "
            f"positive one in each row."
        )
    n, k = W.shape
    for name, given in (("voltages", voltages), ("sensitivity", sensitivity)):
        if given is not None and not np.all(np.isfinite(np.asarray(given, dtype=float))):
            raise BadInput(f"the {name} of a crossbar must be finite; leave out outputs that are never used.")
    V = np.full(k, np.nan) if voltages is None else np.array(voltages, dtype=float)
    S = np.full((n, n), np.nan) if sensitivity is None else np.array(sensitivity, dtype=float)
    if V.shape != (k,) or S.shape != (n, n):
        raise BadInput(
            f"voltages of shape {V.shape} and a sensitivity of shape {S.shape} do not fit weights of shape {W.shape}; give "
            f"({k},) and ({n}, {n})."
        )
    ratios = W.max(axis=1) / np.where(W > 0, W, np.inf).min(axis=1)
    worst = int(np.argmax(ratios))
    if not ratios[worst] <= largest_ratio:
        raise BadInput(
            f"row {worst} needs parts in a ratio of {ratios[worst]:.4g}, and {largest_ratio:.4g} is allowed; allow more, or "
            f"add the same weight to the small legs of all rows."
        )
    return W, V, S


def _rounding_of(parts: NDArray, realised: Array, exact: Array, voltages: Array, sensitivity: Array) -> Rounding:
    """What `parts` with the weights `realised` do, against the exact weights; freezes the arrays."""
    scales = realised.sum(axis=1) / exact.sum(axis=1)
    bias = biases(exact, realised, voltages)
    arrays = (parts, realised, scales, bias, sensitivity @ bias)
    for array in arrays:
        array.setflags(write=False)
    return Rounding(*arrays)


def _levers(exact: Array, voltages: Array) -> Array:
    """Voltages across the legs of a row at rest, nats, shape (k,): what a unit of each weight adds to its net current."""
    return voltages - exact @ voltages / exact.sum()


def _scale_grid(smallest: float, largest: float) -> Array:
    """Scales of a row to try, dimensionless, shape (s,): evenly spaced in ratio, the nearest to 1 first."""
    grid = np.append(np.geomspace(smallest, largest, _SCALES), np.clip(1.0, smallest, largest))
    return grid[np.argsort(abs(np.log(grid)), kind="stable")]


def _combine(
    exact: Array, lever: Array, scales: Array, low: Array, high: Array, tolerance: float
) -> tuple[int, NDArray[np.bool_]]:
    """Choice of one scale and of `low` or `high` for each leg with the smallest |weights @ lever| / scale.

    Parameters
    ----------
    exact : array, shape (k,)
        Exact weights of a row at scale 1.
    lever : array, shape (k,)
        What a unit of weight adds to the row's net current, nats; ``exact @ lever`` is 0.
    scales : array, shape (s,)
        Scales of the row, those to prefer first.
    low, high : arrays, shape (s, k)
        The two realisable weights beside ``scale * exact``, for each scale.
    tolerance : float
        Nats below which two combinations are equally good; then the one nearer to the exact weights is taken, its
        distance being the sum of squares in units of ``high - low``. Of combinations equal in that too the first is taken:
        that of the scale preferred.

    Returns
    -------
    index : int
        Of the scale.
    upper : array of bool, shape (k,)
        Whether a leg takes ``high[index]``.

    Notes
    -----
    Up to 16 legs every combination is covered, by meeting in the middle: sums of one half of the legs are sorted and each
    sum of the other half looks up its opposite. Of more legs, 16 of small and large effect are decided so and the rest
    take the nearer value.
    """
    found, best, seen = (0, np.zeros(len(exact), dtype=bool)), (np.inf, np.inf), set()
    for index, scale in enumerate(scales):
        key = low[index].tobytes() + high[index].tobytes()
        if key in seen:
            continue
        seen.add(key)
        score, upper = _combine_at(scale * exact, lever / scale, low[index], high[index], tolerance)
        if score < best:
            found, best = (index, upper), score
    return found


def _combine_at(
    wanted: Array, lever: Array, low: Array, high: Array, tolerance: float
) -> tuple[tuple[float, float], NDArray[np.bool_]]:
    step = high - low
    position = np.divide(wanted - low, step, out=np.zeros_like(step), where=step > 0)
    upper = position > 0.5 + 10.0**-_DECIMALS
    # Whole numbers: their sums do not depend on the order in which a processor adds.
    quantum = _QUANTUM * tolerance
    moves = np.round(step * lever / quantum)
    free = np.flatnonzero(moves)
    if len(free) > _FREE_LEGS:
        ranked = free[np.argsort(abs(moves[free]), kind="stable")]
        free = ranked[np.linspace(0, len(ranked) - 1, _FREE_LEGS).astype(int)]
    upper[free] = False
    rest = np.round(math.fsum(np.where(upper, high, low) * lever) / quantum)
    fixed_distance = np.square(upper - position).sum()
    # Distance of the upper choice less that of the lower: (1 − p)² − p².
    farther = 1 - 2 * position
    left, right = free[::2], free[1::2]
    left_bits, right_bits = _choices(len(left)), _choices(len(right))
    left_sums, right_sums = left_bits @ moves[left], right_bits @ moves[right]
    order = np.argsort(right_sums, kind="stable")
    place = np.searchsorted(right_sums[order], -rest - left_sums)
    partners = order[np.clip(np.stack([place - 1, place]), 0, len(order) - 1)]
    bias = np.maximum(abs(rest + left_sums + right_sums[partners]), 1 / _QUANTUM)
    distance = fixed_distance + left_bits @ farther[left] + (right_bits @ farther[right])[partners]
    distance = np.round(distance, _DECIMALS)
    side, row = np.unravel_index(np.lexsort((distance.ravel(), bias.ravel()))[0], bias.shape)
    upper[left] = left_bits[row] > 0
    upper[right] = right_bits[partners[side, row]] > 0
    return (quantum * float(bias[side, row]), float(distance[side, row])), upper


def _ohms(resistance: float) -> float:
    return positive(resistance, f"the resistance of the weight 1 must be a positive number, not {resistance!r}")
