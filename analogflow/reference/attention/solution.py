"""The reference for attention: where the tokens are at a time, and how far two independent integrations disagree."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_positive, real_array
from analogflow.errors import BadInput
from analogflow.problems import Attention
from analogflow.reference.attention.integration import by_extrapolation, by_runge_kutta

__all__ = ["AttentionReference", "attention_certificate", "attention_reference"]


@dataclasses.dataclass(frozen=True, eq=False)
class AttentionReference:
    """Tokens at a time, with the evidence that they are right.

    Parameters
    ----------
    tokens : array, shape (n, d), read-only
        Rows of length 1.
    time : float
        In units of τ.
    gap : float
        Largest difference of a coordinate between two integrations that share neither method nor coordinates.
    evaluations : tuple of int
        Evaluations of the equation each of them took.
    """

    tokens: NDArray[np.float64]
    time: float
    gap: float
    evaluations: tuple[int, int]


def attention_reference(problem: Attention, *, time: float | None = None) -> AttentionReference:
    """Tokens of `problem` at its time, integrated twice.

    Parameters
    ----------
    problem : Attention, n tokens, d dimensions
        Where its β is infinite, the zero-temperature equation is integrated.
    time : float, optional
        In units of τ; the problem's own if not given.

    Returns
    -------
    AttentionReference
        The gap is data: where tokens part exponentially fast, it grows with them, and no integrator can help that.

    Raises
    ------
    BadInput
        `time` is not positive.
    SimulationFailed
        An integration broke down.

    Notes
    -----
    One integration is a Runge-Kutta method of order 8 on the sphere, the other extrapolates midpoint steps to order 16 in
    homogeneous coordinates ẏ = ‖y‖Vm, where no projection occurs.
    """
    time = problem.time if time is None else time
    if not is_positive(time):
        raise BadInput(f"time {time!r} is not a positive number of time constants.")
    tokens, first = by_runge_kutta(problem, time)
    others, second = by_extrapolation(problem, time)
    tokens.setflags(write=False)
    return AttentionReference(tokens, float(time), float(abs(tokens - others).max()), (first, second))


def attention_certificate(problem: Attention, tokens: ArrayLike, *, time: float | None = None) -> float:
    """Largest difference of a coordinate of `tokens`, shape (n, d), from either integration at `time` (the problem's own).

    Raises
    ------
    BadInput
        `tokens` do not fit the problem or `time` is not positive.
    """
    found = real_array(tokens, "tokens")
    if found.shape != problem.tokens.shape:
        raise BadInput(f"tokens have shape {found.shape}; the problem's have {problem.tokens.shape}.")
    reference = attention_reference(problem, time=time)
    return float(abs(found - reference.tokens).max()) + reference.gap
