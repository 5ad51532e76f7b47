"""Attention on a digital machine: the paper's two algorithms, the Euler method they discretise, and control of the error."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from analogflow.checks import is_positive
from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import Attention

__all__ = ["AdaptiveRun", "AttentionRun", "attention_adaptive", "attention_rate", "attention_steps"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class AttentionRun:
    """What a run of layers delivered.

    Parameters
    ----------
    tokens : array, shape (n, d), read-only
        After the last step; rows of length 1.
    time : float
        Number of steps times their length, in units of τ.
    steps : int
    order : str
        "simultaneous" or "in place".
    """

    tokens: Array
    time: float
    steps: int
    order: str


def attention_steps(problem: Attention, step: float = 0.01, *, order: str = "simultaneous") -> AttentionRun:
    r"""Euler steps to the problem's time, each followed by dividing every token by its length.

    .. math:: x_i \leftarrow (x_i + h\, P_{x_i} V m_i) / \lVert x_i + h\, P_{x_i} V m_i \rVert

    Parameters
    ----------
    problem : Attention
        Where its β is infinite, m_i = Bᵀx_i/‖Bᵀx_i‖ (the paper's Algorithm 2).
    step : float
        Largest step h in τ; it is shortened so that a whole number of steps ends at the problem's time.
    order : {"simultaneous", "in place"}
        Whether all tokens move at once, as in equation (1), or each sees those before it already moved, as in Algorithm 1
        as printed. The second depends on the order in which tokens are listed.

    Raises
    ------
    BadInput
        The step is not positive, or the order not known.

    References
    ----------
    Alcalde, Bungert, Riedl and Roith 2026: Algorithms 1 and 2, with the step 0.01.
    """
    if not is_positive(step):
        raise BadInput(f"step {step!r} is not a positive number of time constants.")
    if order not in ("simultaneous", "in place"):
        raise BadInput(f"order {order!r} is not known; take 'simultaneous' or 'in place'.")
    steps = max(1, math.ceil(problem.time / step - 1e-9))
    h, x = problem.time / steps, problem.tokens.copy()
    for _ in range(steps):
        if order == "simultaneous":
            x = _moved(problem, x, x, h)
        else:
            for i in range(len(x)):
                x[i] = _moved(problem, x[i : i + 1], x, h, i)[0]
    x.setflags(write=False)
    return AttentionRun(x, problem.time, steps, order)


def attention_rate(problem: Attention, x: Array, seen: Array, first: int = 0) -> Array:
    """P_x V m of the tokens `x`, shape (k, d), that attend to the tokens `seen`, shape (n, d).

    `first` is the place of the first of them among all, which a mask asks for.
    """
    drive: Array | None = None
    for scored, values in problem.pairs:
        part = _mean(problem, x, seen, first, scored) @ values.T
        drive = part if drive is None else drive + part
    assert drive is not None
    if (mlp := problem.mlp) is not None:
        hidden = x @ mlp.W1.T + mlp.b1
        drive = drive + (np.tanh(hidden) if mlp.activation == "tanh" else hidden.clip(0)) @ mlp.W2.T + mlp.b2
    return drive - (x * drive).sum(axis=1, keepdims=True) * x


def _mean(problem: Attention, x: Array, seen: Array, first: int, B: Array) -> Array:
    query = x @ B
    if math.isinf(problem.beta):
        return query / np.linalg.norm(query, axis=1, keepdims=True)
    scores = problem.beta * (query @ seen.T)
    if problem.seen is not None:
        scores = np.where(problem.seen[first : first + len(x)], scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (weights @ seen) / weights.sum(axis=1, keepdims=True)


def _moved(problem: Attention, x: Array, seen: Array, h: float, first: int = 0) -> Array:
    """The tokens `x` one step on, attending to `seen`."""
    moved = x + h * attention_rate(problem, x, seen, first)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


@dataclasses.dataclass(frozen=True, eq=False)
class AdaptiveRun:
    """Tokens at the problem's time, shape (n, d), rows of length 1, and the evaluations of the rate that they took."""

    tokens: Array
    evaluations: int


def attention_adaptive(problem: Attention, tolerance: float = 1e-6) -> AdaptiveRun:
    """Integrate to the problem's time with DOP853; tokens are divided by their length at the end.

    Parameters
    ----------
    problem : Attention
    tolerance : float
        Error allowed per step, relative, and a hundredth of it absolute.

    Raises
    ------
    BadInput
        The tolerance is not from 1e-13 to 0.1.
    SimulationFailed
        The integrator gave up.

    References
    ----------
    E. Hairer, S. P. Nørsett and G. Wanner, Solving Ordinary Differential Equations I, 2nd ed. (1993), section II.5.
    """
    if not 1e-13 <= tolerance <= 0.1:
        raise BadInput(f"tolerance is {tolerance!r}; give a number from 1e-13 to 0.1.")
    shape = problem.tokens.shape

    def rate(_: float, y: Array) -> NDArray[np.float64]:
        x = y.reshape(shape)
        return attention_rate(problem, x, x).ravel()

    run = solve_ivp(
        rate, (0.0, problem.time), problem.tokens.ravel(), method="DOP853", rtol=tolerance, atol=1e-2 * tolerance
    )
    if not run.success:
        raise SimulationFailed(f"DOP853 did not reach the end of {problem!r}: {run.message}.")
    x = run.y[:, -1].reshape(shape)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    x.setflags(write=False)
    return AdaptiveRun(x, int(run.nfev))
