"""The reference for attention: where the tokens are at a time, and how far two independent integrations disagree.

The two share nothing but the problem: other coordinates, another method, another softmax. Neither knows the other's
answer; their disagreement is what certifies both.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from analogflow.checks import is_positive, real_array
from analogflow.errors import BadInput, SimulationFailed
from analogflow.problems import Attention
from analogflow.problems.heads import Perceptron

__all__ = [
    "AttentionReference",
    "attention_certificate",
    "attention_reference",
    "by_extrapolation",
    "by_runge_kutta",
    "velocity",
]

Array = NDArray[np.float64]

_PIECE = 4.0
"""τ after which a Runge-Kutta run is brought back to the sphere."""

_MANY = 250
"""Coordinates from which the tolerance falls with their number."""

_LOST_BESIDE = 1e-124
"""A rate below 1e-140 is lost beside this: the solver squares its errors, and those of smaller rates are 0 over 0."""

_MILD = 30.0
"""Score up to which exponentials are taken as they are."""

_COLUMNS = 7
"""Midpoint sequences of 2, 4, … 14 steps that are extrapolated to an order of 14."""

_TOGETHER = 64
"""Tokens up to which all sequences are evaluated at once: of more of them the scores would leave the cache."""

_AIM = 3e-14
"""Error allowed in one extrapolated step, per coordinate, of the column before the last: what is kept is far better."""

_LEAST_STEP = 1e-6
"""Step, as part of the time, that is not shortened."""

_KINKED_RTOL, _KINKED_ATOL, _KINKED_AIM, _KINKED_STEP = 3e-14, 3e-16, 1e-14, 1e-9
"""The same where rectified units have kinks, at which errors are of second order and estimates of them too small."""


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

    tokens: Array
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
    One integration is a Runge-Kutta method of order 8 on the sphere, the other extrapolates midpoint steps to order 14 in
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


def velocity(problem: Attention, tokens: Array, *, mild: bool = False) -> Array:
    """ẋ of every token, shape (n, d), at `tokens` on the sphere: equation (1), or (3) where β is infinite.

    `mild` says that no score is large, so that exponentials need not be taken relative to the largest.
    """
    drive = _driven(problem, tokens, mild, _mean)
    if problem.mlp is not None:
        mlp = problem.mlp
        units = tokens @ mlp.W1.T + mlp.b1
        drive = drive + (np.tanh(units) if mlp.activation == "tanh" else np.maximum(units, 0)) @ mlp.W2.T + mlp.b2
    return drive - np.vecdot(tokens, drive)[:, None] * tokens


def by_runge_kutta(problem: Attention, time: float) -> tuple[Array, int]:
    """Tokens at `time` by DOP853 at a relative tolerance of 1e-12 or less, and the number of evaluations.

    The field is that of the tokens brought to the sphere, so an error in length moves nothing; every four τ it is
    projected away. The solver measures errors by their root mean square, and one coordinate among many may be far off.
    """
    shape, mild = problem.tokens.shape, _mild(problem)
    many = min(1.0, math.sqrt(_MANY / problem.tokens.size))
    rtol, atol = (max(_KINKED_RTOL * many, 2.3e-14), _KINKED_ATOL) if _kinked(problem) else (1e-12 * many, 1e-14 * many)

    def field(_: float, y: Array) -> Array:
        rate = velocity(problem, _normalised(y.reshape(shape)), mild=mild).ravel()
        return (rate + _LOST_BESIDE) - _LOST_BESIDE

    x, evaluations, pieces = problem.tokens, 0, max(1, math.ceil(time / _PIECE))
    for _ in range(pieces):
        run = solve_ivp(field, (0, time / pieces), x.ravel(), method="DOP853", rtol=rtol, atol=atol)
        if not run.success:
            raise SimulationFailed(f"the reference integration of {problem!r} stopped: {run.message.rstrip('.')}.")
        x = _normalised(run.y[:, -1].reshape(shape))
        evaluations += int(run.nfev)
    return x, evaluations


def by_extrapolation(problem: Attention, time: float) -> tuple[Array, int]:
    r"""Tokens at `time` by extrapolated midpoint steps in homogeneous coordinates, and the number of evaluations.

    .. math:: \dot y_i = \lVert y_i \rVert\, V m_i, \qquad x_i = y_i / \lVert y_i \rVert

    The equation has no projection: dividing by the length is what puts the tokens on the sphere.

    References
    ----------
    E. Hairer, S. P. Nørsett and G. Wanner, Solving Ordinary Differential Equations I, 2nd ed. (1993), section II.9.
    """
    mild, kinked = _mild(problem), _kinked(problem)
    aim, least = (_KINKED_AIM, _KINKED_STEP) if kinked else (_AIM, _LEAST_STEP)

    def field(y: Array) -> Array:
        if y.ndim == 3 and y.shape[1] > _TOGETHER:
            return np.stack([field(one) for one in y])
        lengths = np.sqrt(np.vecdot(y, y))[..., None]
        x = y / lengths
        drive = _driven(problem, x, mild, _weighted_mean)
        return lengths * drive if problem.mlp is None else lengths * drive + _homogeneous(problem.mlp, y, lengths)

    x, reached, evaluations = problem.tokens, 0.0, 0
    step = min(time, 0.25)
    while reached < time:
        step = min(step, time - reached)
        moved, error = _extrapolated(field, x, step, 2 if kinked else 1)
        evaluations += _COLUMNS * (_COLUMNS + 1) + 1
        # The estimate is of the column before the last, whose order is 12; what is kept is better.
        scale = (aim / max(error, 1e-18)) ** (1 / (2 * _COLUMNS - 1))
        if error <= aim or step < least * time:
            reached = reached + step if step < time - reached else time
            x = _normalised(moved)
        step *= min(2.0, max(0.2, 0.9 * scale))
    return x, evaluations


def _extrapolated(field: Callable[[Array], Array], y: Array, step: float, asked: int) -> tuple[Array, float]:
    """One step of Gragg's method: midpoint sequences whose error is even in the step, extrapolated to step 0.

    The error is the largest difference from the `asked` columns before the last: at a kink one alone may agree by chance.

    The sequences go on abreast, the longest first, so that `field` is asked for all of them at once.
    """
    columns = np.arange(_COLUMNS, 0, -1)
    h = step / (2.0 * columns)[:, None, None]
    before, ends = np.broadcast_to(y, (_COLUMNS, *y.shape)), []
    now = before + h * field(y)
    for taken in range(1, 2 * _COLUMNS + 1):
        rate = field(now)
        if taken % 2 == 0:
            # Differences from the start are extrapolated, so that rounding is relative to the step's own length.
            ends.append(0.5 * (before[-1] + now[-1] + h[-1] * rate[-1]) - y)
            before, now, rate, h = before[:-1], now[:-1], rate[:-1], h[:-1]
        before, now = now, before + 2 * h * rate
    table: list[Array] = []
    for column, end in enumerate(ends, start=1):
        row = [end]
        for k, previous in enumerate(table, start=1):
            ratio = (column / (column - k)) ** 2
            row.append(row[-1] + (row[-1] - previous) / (ratio - 1))
        table = row
    return y + table[-1], max(float(abs(table[-1] - before).max()) for before in table[-1 - asked : -1])


def _normalised(x: Array) -> Array:
    return x / np.sqrt(np.vecdot(x, x))[:, None]


def _mild(problem: Attention) -> bool:
    """Whether no two tokens on the sphere have a score |β xᵀBy| that its exponential would suffer from."""
    return problem.beta * max(float(np.linalg.norm(scores)) for scores, _ in problem.pairs) <= _MILD


def _kinked(problem: Attention) -> bool:
    return problem.mlp is not None and problem.mlp.activation == "relu"


def _driven(problem: Attention, x: Array, mild: bool, mean: Callable[..., Array]) -> Array:
    """Sum over the heads of V m, shape (..., n, d)."""
    (scores, values), *others = problem.pairs
    drive = mean(problem, x, mild, scores) @ values.T
    for scores, values in others:
        drive = drive + mean(problem, x, mild, scores) @ values.T
    return drive


def _homogeneous(mlp: Perceptron, y: Array, lengths: Array) -> Array:
    """‖y‖ (W2 σ(W1 x + b1) + b2) with x = y/‖y‖, of y itself where σ allows it."""
    units = y @ mlp.W1.T + lengths * mlp.b1
    if mlp.activation == "relu":
        hidden = np.where(units > 0, units, 0.0)
    else:
        # tanh z = 1 − 2/(e^{2z} + 1), of the size alone, which is exact at both ends.
        size = abs(units) / lengths
        hidden = lengths * np.copysign(-np.expm1(-2 * size) / (1 + np.exp(-2 * size)), units)
    return hidden @ mlp.W2.T + lengths * mlp.b2


def _mean(problem: Attention, x: Array, mild: bool, B: Array) -> Array:
    """m_i of equation (1), by weights whose sum is 1; or of equation (3)."""
    query = x @ B
    if math.isinf(problem.beta):
        return query / np.linalg.norm(query, axis=1, keepdims=True)
    scores = problem.beta * query @ x.T
    if problem.seen is not None:
        scores[~problem.seen] = -np.inf
    if not mild:
        scores -= scores.max(axis=1)[:, None]
    weights = np.exp(scores, out=scores)
    weights /= weights.sum(axis=1)[:, None]
    return weights @ x


def _weighted_mean(problem: Attention, x: Array, mild: bool, B: Array) -> Array:
    """The same mean, shape (..., n, d), from B xⱼ instead of Bᵀxᵢ, by weights that are not normalised."""
    if math.isinf(problem.beta):
        # Bᵀx/‖Bᵀx‖ with the length from the quadratic form xᵀ(BBᵀ)x.
        return x @ B / np.sqrt(np.vecdot(x @ (B @ B.T), x))[..., None]
    keys = problem.beta * (x @ B.T)
    scores = x @ keys.swapaxes(-1, -2)
    if not mild:
        scores -= (scores if problem.seen is None else np.where(problem.seen, scores, -np.inf)).max(axis=-1, keepdims=True)
    if problem.seen is not None:
        # What is not seen may be far above the largest that is, where its exponential would be no number.
        np.minimum(scores, _MILD, out=scores)
    weights = np.exp(scores, out=scores)
    if problem.seen is not None:
        weights *= problem.seen
    return (weights @ x) / weights.sum(axis=-1)[..., None]
