"""Smaller problems of the same kind: what is asked when a flow does not fit, to say which size would."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from analogflow.problems import Attention, Channel, Hopfield, RateDistortion, Transport

__all__ = ["size", "smaller"]


@functools.singledispatch
def smaller(problem: Any, count: int) -> tuple[Any, str] | None:
    """Leading part of `problem` of size `count`, and its name; None where there is no such thing."""
    return None


@smaller.register
def _(problem: Channel, count: int) -> tuple[Any, str] | None:
    part = problem.transition[:count, : max(2, min(count, problem.transition.shape[1]))]
    cost = None if problem.cost is None else problem.cost[:count]
    name = f"a channel of {part.shape[0]} inputs and {part.shape[1]} outputs"
    return Channel(_filled(part), cost=cost, cost_limit=problem.cost_limit), name


@smaller.register
def _(problem: RateDistortion, count: int) -> tuple[Any, str] | None:
    distortion = problem.distortion[:count, :count]
    source = np.asarray(problem.source)[: len(distortion)]
    part = RateDistortion(source / source.sum(), distortion, problem.beta)
    return part, f"a source of {distortion.shape[0]} symbols and {distortion.shape[1]} reproductions"


@smaller.register
def _(problem: Hopfield, count: int) -> tuple[Any, str] | None:
    U = problem.U[:count, :count]
    n, m = U.shape
    gains = problem.gain_v[:n, :n], problem.gain_h[:m, :m]
    part = Hopfield(U, problem.I[:n], *gains, problem.activation, problem.temperature)
    return part, f"a network of {n} visible and {m} hidden states"


@smaller.register
def _(problem: Transport, count: int) -> tuple[Any, str] | None:
    cost = problem.cost[:count, :count]
    row, column = problem.row[: cost.shape[0]], problem.column[: cost.shape[1]]
    part = Transport(cost, row / row.sum(), column / column.sum(), problem.epsilon, problem.schedule)
    return part, f"a transport of {cost.shape[0]} rows and {cost.shape[1]} columns"


@smaller.register
def _(problem: Attention, count: int) -> tuple[Any, str] | None:
    part = Attention(problem.tokens[:count], problem.B, problem.V, problem.beta, problem.time)
    return part, f"{count} tokens of {problem.dimension} dimensions"


def size(problem: Any) -> int:
    """Number that `smaller` reduces; 0 for a problem it does not know."""
    match problem:
        case Channel():
            return problem.transition.shape[0]
        case RateDistortion():
            return max(problem.distortion.shape)
        case Hopfield():
            return max(problem.U.shape)
        case Transport():
            return max(problem.cost.shape)
        case Attention():
            return len(problem.tokens)
    return 0


def _filled(part: np.ndarray) -> np.ndarray:
    """Rows divided by their sums; a part that lost all its weight gets some everywhere, for it is only counted."""
    part = part + 1e-3
    return part / part.sum(axis=1, keepdims=True)
