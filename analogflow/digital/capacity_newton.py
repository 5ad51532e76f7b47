"""Newton's steps for the capacity of a channel from any distribution, such as a circuit's answer, each with its gap."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from analogflow.digital.capacity import CapacityRun
from analogflow.errors import BadInput
from analogflow.problems import Channel

__all__ = ["newton_refined"]

Array = NDArray[np.float64]

_SMALLEST = float(np.finfo(float).tiny)
_KEPT = 0.99
"""Part of the way to where a probability is 0 that a step takes at most."""

_ENOUGH = 0.7
"""Part of the gap that a step may leave before one of Blahut and Arimoto is tried beside it."""

_RETURNING = 1e-3
"""Probability that an input comes back with."""

_DROPPED = 1e-4
"""Probability below which an input that a step would make negative is left out."""


def newton_refined(channel: Channel, start: ArrayLike | None = None, *, steps: int = 8) -> list[CapacityRun]:
    r"""Distributions after 0, 1, …, `steps` steps of Newton's method from `start`, each with its certified gap.

    .. math:: \begin{pmatrix} M & 1 \\ 1^\top & 0 \end{pmatrix} \begin{pmatrix} \Delta z \\ \lambda \end{pmatrix} =
              \begin{pmatrix} D \\ 0 \end{pmatrix}, \quad M = P\,\mathrm{diag}(1/q)\,P^\top, \quad D_i = D(p_i \| q)

    on the inputs in use. Where that closes little of the gap, a step of Blahut and Arimoto is tried beside it: near an
    answer the digits double, from afar it may creep.

    Parameters
    ----------
    channel : Channel, n inputs
        Without a cost.
    start : array, shape (n,), optional
        What is negative counts as 0, the rest is divided by its sum; the channel's own start if not given.
    steps : int

    Returns
    -------
    list of CapacityRun

    Raises
    ------
    BadInput
        The channel has a cost, or the start is no distribution over its inputs.
    """
    channel.refuse_cost("newton_refined")
    problem = channel.reduced()
    P, h = problem.transition, xlogy(problem.transition, problem.transition).sum(axis=1)
    z = np.array(problem.start() if start is None else np.asarray(start, dtype=float)[channel.available], dtype=float)
    z = np.maximum(z, 0.0)
    if z.shape != (len(P),) or not np.isfinite(z).all() or not z.sum() > 0:
        raise BadInput(
            f"start is no distribution over the {channel.inputs} inputs of the channel; give one number for each."
        )
    z /= z.sum()
    found = [_certified(channel, z, _divergences(P, h, z), 0)]
    for k in range(1, steps + 1):
        D = _divergences(P, h, z)
        # An input that pays more than the others comes back.
        used = (z > 0) | (z @ D < D)
        moved = _stepped(P, z, D, used)
        if moved is None or _gap(P, h, moved) > _ENOUGH * float(D.max() - z @ D):
            grown = np.where(z > 0, z, np.where(used, _RETURNING, 0.0)) * np.exp(D - D.max())
            tried = [grown / grown.sum(), *([] if moved is None else [moved])]
            moved = max(tried, key=lambda each: float(each @ _divergences(P, h, each)))
        z = moved
        found.append(_certified(channel, z, _divergences(P, h, z), k))
    return found


def _stepped(P: Array, z: Array, D: Array, used: NDArray[np.bool_]) -> Array | None:
    """One step on the inputs in use; None where it would leave none."""
    while used.any():
        rows = P[used]
        M = (rows / np.maximum(z @ P, _SMALLEST)) @ rows.T
        bordered = np.block([[M, np.ones((len(rows), 1))], [np.ones((1, len(rows))), np.zeros((1, 1))]])
        # Of several steps, where rows are dependent, the shortest.
        moves = np.linalg.lstsq(bordered, np.append(D[used], 0.0), rcond=None)[0][:-1]
        out = np.zeros_like(z, dtype=bool)
        out[np.flatnonzero(used)[(z[used] + moves < 0) & (z[used] < _DROPPED)]] = True
        if out.any():
            used = used & ~out
            z = np.where(out, 0.0, z) / z[~out].sum()
            continue
        falls = moves < 0
        most = float(np.min(_KEPT * z[used][falls] / -moves[falls], initial=1.0))
        end = z.copy()
        end[used] += most * moves
        end = np.maximum(end, 0.0)
        return end / end.sum()
    return None


def _gap(P: Array, h: Array, z: Array) -> float:
    D = _divergences(P, h, z)
    return float(D.max() - z @ D)


def _divergences(P: Array, h: Array, z: Array) -> Array:
    return h - P @ np.log(np.maximum(z @ P, _SMALLEST))


def _certified(channel: Channel, z: Array, D: Array, steps: int) -> CapacityRun:
    information = float(z @ D)
    distribution = np.zeros(channel.inputs)
    distribution[channel.available] = z
    distribution.setflags(write=False)
    gap = max(float(D.max()) - information, 0.0)
    return CapacityRun(information, distribution, gap, steps, gap <= 1e-12)
