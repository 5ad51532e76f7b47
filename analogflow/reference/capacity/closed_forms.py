"""Channels whose capacity is a formula, and the noiseless channel, whose flow has an explicit solution."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, xlog1py, xlogy

from analogflow.checks import is_whole
from analogflow.errors import BadInput

__all__ = [
    "ClosedForm",
    "binary_erasure_capacity",
    "binary_symmetric_capacity",
    "noiseless_capacity",
    "noiseless_distance",
    "noiseless_solution",
    "z_channel_capacity",
]


class ClosedForm(NamedTuple):
    """Capacity in nats and an optimal input distribution, shape (n,)."""

    capacity_nats: float
    input_distribution: NDArray[np.float64]


def binary_symmetric_capacity(flip: float) -> ClosedForm:
    """C = ln 2 − h(p) for a bit that flips with probability p = `flip`, without cancellation near p = ½.

    Raises
    ------
    BadInput
        `flip` is not a probability.
    """
    x = 1 - 2 * _probability(flip, "flip")
    return ClosedForm(float(0.5 * (xlog1py(1 + x, x) + xlog1py(1 - x, -x))), np.full(2, 0.5))


def binary_erasure_capacity(erasure: float) -> ClosedForm:
    """C = (1 − e) ln 2 for a bit that is erased with probability e = `erasure`.

    Raises
    ------
    BadInput
        `erasure` is not a probability.
    """
    return ClosedForm((1 - _probability(erasure, "erasure")) * math.log(2), np.full(2, 0.5))


def z_channel_capacity(flip: float) -> ClosedForm:
    r"""Capacity of the Z-channel, where 0 arrives as 0 and 1 arrives as 0 with probability p = `flip`.

    .. math:: C = \ln(1 + (1-p) p^{p/(1-p)}), \qquad z_1 = \frac{1}{(1-p) + p^{-p/(1-p)}}

    At p = 1, where every distribution is optimal, z_1 is the limit 1/e.

    Raises
    ------
    BadInput
        `flip` is not a probability.
    """
    p = _probability(flip, "flip")
    exponent = -1.0 if p == 1 else float(xlogy(p, p)) / (1 - p)
    one = 1 / ((1 - p) + math.exp(-exponent))
    return ClosedForm(math.log1p((1 - p) * math.exp(exponent)), np.array([1 - one, one]))


def noiseless_capacity(symbols: int) -> ClosedForm:
    """C = ln n for n = `symbols` inputs that each arrive as themselves.

    Raises
    ------
    BadInput
        `symbols` is not a whole number of at least 2.
    """
    if not is_whole(symbols, 2):
        raise BadInput(f"symbols is {symbols!r}; give a whole number of at least 2.")
    return ClosedForm(math.log(symbols), np.full(int(symbols), 1 / symbols))


def noiseless_solution(start: ArrayLike, time: ArrayLike) -> NDArray[np.float64]:
    r"""Where the capacity flow of the noiseless channel is at given times.

    .. math:: z(t) = \operatorname{softmax}(e^{-t} \ln y)

    Parameters
    ----------
    start : array, shape (n,)
        Starting distribution y, all entries positive.
    time : array of any shape
        Times in units of τ.

    Returns
    -------
    array, shape (*time.shape, n)

    Raises
    ------
    BadInput
        An entry of `start` is not positive.

    References
    ----------
    Beretta and Pelillo, Entropy 27(4):362, 2025, proof of theorem 7.
    """
    decay = np.exp(-np.asarray(time, dtype=float))
    return np.exp(log_softmax(decay[..., None] * _logarithms(start), axis=-1))


def noiseless_distance(start: ArrayLike, time: ArrayLike) -> NDArray[np.float64]:
    r"""Asymptote of the Euclidean distance of that flow from the uniform distribution b as t grows.

    .. math:: \|z(t) - b\| \sim e^{-t} \sqrt{\mathrm{MSQ}(\ln y_1, \dots, \ln y_n) / n}

    MSQ is the mean squared deviation from the mean.

    Parameters
    ----------
    start : array, shape (n,)
        Starting distribution y, all entries positive.
    time : array of any shape
        Times in units of τ.

    Raises
    ------
    BadInput
        An entry of `start` is not positive.

    References
    ----------
    Beretta and Pelillo, Entropy 27(4):362, 2025, theorem 7.
    """
    logarithms = _logarithms(start)
    return np.exp(-np.asarray(time, dtype=float)) * math.sqrt(logarithms.var() / logarithms.size)


def _logarithms(start: ArrayLike) -> NDArray[np.float64]:
    y = np.asarray(start, dtype=float)
    if y.ndim != 1 or y.size < 2 or not (np.isfinite(y).all() and (y > 0).all()):
        raise BadInput(f"start is {y.tolist()!r}; give at least two positive numbers, since an input at 0 stays there.")
    return np.log(y / y.sum())


def _probability(value: float, name: str) -> float:
    if not 0 <= value <= 1:
        raise BadInput(f"{name} is {value!r}; give a probability between 0 and 1.")
    return float(value)
