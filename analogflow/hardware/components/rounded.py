"""What a choice of parts for a crossbar realises, and what every way of choosing them asks of its input."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import real_array
from analogflow.errors import BadInput
from analogflow.hardware.components.crossbar import biases

__all__ = ["Rounding", "checked", "levers", "positive", "rounding_of"]

Array = NDArray[np.float64]


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


def rounding_of(parts: NDArray, realised: Array, exact: Array, voltages: Array, sensitivity: Array) -> Rounding:
    """What `parts` with the weights `realised` do, against the exact weights; freezes the arrays."""
    scales = realised.sum(axis=1) / exact.sum(axis=1)
    bias = biases(exact, realised, voltages)
    arrays = (parts, realised, scales, bias, sensitivity @ bias)
    for array in arrays:
        array.setflags(write=False)
    return Rounding(*arrays)


def levers(exact: Array, voltages: Array) -> Array:
    """Voltages across the legs of a row at rest, nats, shape (k,): what a unit of each weight adds to its net current."""
    return voltages - exact @ voltages / exact.sum()


def checked(
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


def positive(number: float, what: str) -> float:
    """`number` as a float.

    Raises
    ------
    BadInput
        It is not positive and finite; `what` is its name in the sentence.
    """
    if not 0 < number < np.inf:
        raise BadInput(f"{what} must be a positive number, not {number!r}.")
    return float(number)
