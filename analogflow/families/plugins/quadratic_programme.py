r"""Strictly convex quadratic programmes within bounds, by the projected flow.

.. math:: \min_{l \le x \le u} \tfrac12 x^T Q x + c^T x, \qquad
          \dot x = \Pi\bigl(x - (Q x + c)/s\bigr) - x, \quad s \ge \|Q\|

What is asked, the flow, the exact answer by an active set, and the bound that an answer's own residual proves.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cholesky, solve_triangular

from analogflow.checks import numbers, refuse_faults, refuse_unknown
from analogflow.errors import SimulationFailed
from analogflow.families.ends import Held, RunEnds, asked, below_zero
from analogflow.families.family import Family
from analogflow.families.path import PathEnd, path_errors, path_held
from analogflow.flows import Flow

__all__ = ["QUADRATIC_PROGRAMME", "QuadraticProgramme"]

Array = NDArray[np.float64]

FORMS = ("projected",)

_WORST = 1e8
"""Condition number of Q from which the answer counts as not fixed."""

_SKEW = 1e-12
"""Departure from symmetry, over the norm, that is taken for rounding and averaged out."""

_CHANGES = 1000
"""Changes of the active set after which the reference gives up."""


@dataclasses.dataclass(frozen=True, eq=False)
class QuadraticProgramme:
    """The least of ½ xᵀQ x + cᵀx among all x with l ≤ x ≤ u.

    Parameters
    ----------
    Q : array, shape (n, n)
        Symmetric and positive definite, with a condition number below 1e8.
    c : array, shape (n,)
    lower, upper : array, shape (n,), or number, optional
        l and u; an infinite one, or none, is no bound.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    Q: Array
    c: Array
    lower: Array
    upper: Array

    def __init__(
        self, Q: ArrayLike, c: ArrayLike, lower: ArrayLike | None = None, upper: ArrayLike | None = None
    ) -> None:  # fmt: skip
        faults: list[str] = []
        matrix = numbers(Q, "Q", (2,), "a symmetric positive definite matrix", faults, largest=1e100)
        linear = numbers(c, "c", (1,), "one number for each unknown", faults, largest=1e100)
        if matrix is not None and matrix.shape[0] != matrix.shape[1]:
            faults.append(f"Q has shape {matrix.shape}; give as many rows as columns")
        elif matrix is not None:
            norm = float(abs(matrix).max())
            if abs(matrix - matrix.T).max() > _SKEW * norm:
                faults.append("Q is not symmetric; give (Q + Q.T)/2, which has the same values of ½ xᵀQ x")
            else:
                matrix = (matrix + matrix.T) / 2
                least, most = np.linalg.eigvalsh(matrix)[[0, -1]]
                if not least * _WORST > most:
                    faults.append(
                        f"Q has eigenvalues from {least:.3g} to {most:.3g}, so that the programme has no or many answers; "
                        f"give a positive definite one (a ratio below {_WORST:g} is needed), such as Q + 1e-3*I"
                    )
            if linear is not None and len(linear) != len(matrix):
                faults.append(f"c has {len(linear)} entries and Q {len(matrix)} rows; give one for each unknown")
        size = 0 if matrix is None else len(matrix)
        low, high = _limits(lower, "lower", -math.inf, size, faults), _limits(upper, "upper", math.inf, size, faults)
        if low is not None and high is not None:
            for k in np.flatnonzero(~(low < high))[:3]:
                faults.append(f"lower bound {k + 1} is {low[k]:g}, and the upper one {high[k]:g}; leave a way between both")
        refuse_faults("QuadraticProgramme", faults)
        for name, value in (("Q", matrix), ("c", linear), ("lower", low), ("upper", high)):
            assert value is not None
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def bound(self) -> float:
        """s: largest sum of sizes in a row of Q, which no eigenvalue exceeds."""
        return float(abs(self.Q).sum(axis=1).max())

    @property
    def start(self) -> Array:
        """The point within the bounds that is nearest to 0."""
        return np.clip(np.zeros(len(self.c)), self.lower, self.upper)

    def __repr__(self) -> str:
        bounds = int(np.isfinite(self.lower).sum() + np.isfinite(self.upper).sum())
        return f"QuadraticProgramme({len(self.c)} unknowns, {bounds} bounds)"


def _limits(given: Any, name: str, none: float, size: int, faults: list[str]) -> Array | None:
    values = np.full(size, none) if given is None else given
    if isinstance(values, list):
        values = [none if value is None else value for value in values]
    sign = -1.0 if none < 0 else 1.0
    try:
        array = sign * np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        faults.append(f"{name} does not consist of numbers; give one for each unknown, inf where there is none")
        return None
    bounds = numbers(array, name, (0, 1), "one bound for each unknown, inf where there is none", faults, infinite=True)
    if bounds is None:
        return None
    if bounds.ndim and size and len(bounds) != size:
        faults.append(f"{name} has {len(bounds)} entries; give one for each of {size} unknowns, inf where there is none")
        return None
    return np.array(np.broadcast_to(sign * bounds, (size,)))


def _within(z: Any, lower: Array, upper: Array) -> Any:
    """z, each element held between its bounds; those that have none pass, so that no circuit plays infinities."""
    if isinstance(z, np.ndarray):
        return np.clip(z, lower, upper)
    below, above = np.flatnonzero(np.isfinite(lower)), np.flatnonzero(np.isfinite(upper))
    unit = np.eye(len(lower))
    held = z
    if len(below):
        held = held + unit[:, below] @ np.maximum(lower[below] - z[below], 0.0)
    if len(above):
        held = held - unit[:, above] @ np.maximum(z[above] - upper[above], 0.0)
    return held


def projected(x: Any, Q: Array, c: Array, lower: Array, upper: Array, s: float) -> Any:
    """ẋ = Π(x − (Q x + c)/s) − x."""
    return _within(x - (Q @ x + c) / s, lower, upper) - x


def objective(x: Any, Q: Array, c: Array, **_: Any) -> Any:
    """½ xᵀQ x + cᵀx, shape (1,)."""
    return (x * (0.5 * (Q @ x) + c)).sum().reshape(1)


def flow(problem: QuadraticProgramme, form: str = "projected") -> Flow:
    """Flow whose state x settles at the answer from wherever it starts; observable "objective".

    Raises
    ------
    BadInput
        There is no such form.

    References
    ----------
    T. L. Friesz et al., Day-to-day dynamic network disequilibria and idealized traveler information systems, Oper. Res. 42
    (1994) 1120; Y. Xia and J. Wang, On the stability of globally projected dynamical systems, J. Optim. Theory Appl. 106
    (2000) 129.
    """
    refuse_unknown(form, FORMS, "form", "the quadratic-programme flow")
    size = float(max(abs(problem.start).max(), abs(problem.c).max() / problem.bound))
    return Flow(
        projected,
        states={"x": problem.start},
        constants={"Q": problem.Q, "c": problem.c, "lower": problem.lower, "upper": problem.upper, "s": problem.bound},
        observables={"objective": objective},
        size=size or None,
        scale=size or None,
        # x -> P(x - (Q x + c)/s) shrinks distances by 1 - mu/s, so that an error d of it moves its fixed point by d s/mu.
        sensitivity=max(1.0, problem.bound / float(np.linalg.eigvalsh(problem.Q)[0])),
        equations="dx/dt = P(x - (Q x + c)/s) - x, P holds each x_k between its bounds",
        problem=problem,
    )


def proven(problem: QuadraticProgramme, x: Array) -> Array:
    """Distance of each x, shape (samples, n), from the answer that its own residual proves, shape (samples,); with rounding.

    Notes
    -----
    With e = x − Π(x − ∇f(x)/s), μ the least and L the largest eigenvalue of Q: |x − x*| ≤ (s + L) |e|/μ (J.-S. Pang, A
    posteriori error bounds for the linearly-constrained variational inequality problem, Math. Oper. Res. 12 (1987) 474).
    """
    Q, s = problem.Q, problem.bound
    least, most = np.linalg.eigvalsh(Q)[[0, -1]]
    step = x - (x @ Q + problem.c) / s
    left = np.linalg.norm(x - np.clip(step, problem.lower, problem.upper), axis=1)
    rounding = 4 * len(Q) * np.finfo(float).eps * (np.linalg.norm(x, axis=1) + np.linalg.norm(problem.c) / s)
    return (s + most) * (left + rounding) / least


def reference(problem: QuadraticProgramme, time: float) -> PathEnd:
    """The answer by an active set, and how far its own residual lets it be off.

    Raises
    ------
    SimulationFailed
        No active set was found.

    Notes
    -----
    Unknowns are freed and held one by one, each time with the free ones at their optimum, as P. B. Stark and R. L. Parker,
    Bounded-variable least-squares: an algorithm and applications, Comput. Stat. 10 (1995) 129, do for least squares.
    """
    x = _by_active_set(problem)
    value = float(x @ (0.5 * problem.Q @ x + problem.c))
    off = float(proven(problem, x[None])[0])
    # f(x) − f(x*) ≤ ∇f(x)·(x − x*) for a convex f.
    slack = float(np.linalg.norm(problem.Q @ x + problem.c) * off)
    return PathEnd({"x": x, "objective": np.array([value])}, max(off, slack))


def _by_active_set(problem: QuadraticProgramme) -> Array:
    Q, c, lower, upper = problem.Q, problem.c, problem.lower, problem.upper
    x = problem.start.copy()
    free = (lower < x) & (x < upper)
    scale = float(abs(c).max() + abs(Q @ x).max()) or 1.0
    for _ in range(_CHANGES):
        while free.any():
            target = x.copy()
            factor = cholesky(Q[np.ix_(free, free)], lower=True)
            right = -c[free] - Q[np.ix_(free, ~free)] @ x[~free]
            target[free] = solve_triangular(factor.T, solve_triangular(factor, right, lower=True), lower=False)
            outside = free & ((target < lower) | (target > upper))
            if not outside.any():
                x = target
                break
            move = target - x
            limits = np.where(move < 0, lower, upper)
            ways = np.where(outside, (limits - x) / np.where(outside, move, 1.0), np.inf)
            first = int(ways.argmin())
            x = x + max(float(ways[first]), 0.0) * np.where(free, move, 0.0)
            x[first] = limits[first]
            free[first] = False
        gradient = Q @ x + c
        # At a lower bound the gradient must not be negative, at an upper one not positive.
        wrong = np.where(free, 0.0, np.where(x <= lower, -gradient, gradient))
        worst = int(wrong.argmax())
        if wrong[worst] <= 64 * np.finfo(float).eps * scale:
            return x
        free[worst] = True
    raise SimulationFailed(
        f"the reference of {problem!r} found no active set in {_CHANGES} changes; scale the unknowns alike."
    )


def _errors(problem: QuadraticProgramme, found: PathEnd, ends: RunEnds) -> dict[str, Array]:
    x = ends.finals["x"]
    scale = np.maximum(abs(x).max(axis=1), abs(found.values["x"]).max())
    with np.errstate(invalid="ignore", over="ignore"):
        bound = proven(problem, x) / np.where(scale > 0, scale, 1.0)
    return {**path_errors(QUADRATIC_PROGRAMME, problem, found, ends), "certified": bound}


def _held(
    problem: QuadraticProgramme, found: PathEnd, errors: Mapping[str, Array], ends: RunEnds, limit: float
) -> list[Held]:
    # An answer that is right to the limit leaves a residual of it, which proves (s + L)/μ times as much, and √n.
    looseness = 2 * problem.bound / np.linalg.eigvalsh(problem.Q)[0] * np.sqrt(len(problem.c))
    x, scale = ends.finals["x"], max(float(abs(found.values["x"]).max()), np.finfo(float).tiny)
    return [
        *path_held(QUADRATIC_PROGRAMME, problem, found, errors, ends, limit),
        Held(
            "no bound is broken", below_zero(np.concatenate([x - problem.lower, problem.upper - x], axis=1)) / scale, limit
        ),
        *asked(errors, limit * looseness, ("certified", "the residual proves the answer", "of full scale")),
    ]


def _slowest(problem: QuadraticProgramme, found: PathEnd) -> float:
    """Of the unknowns that are free at the answer: the least eigenvalue of their part of Q, over s; of those held: 1."""
    x = np.asarray(found.values["x"])
    free = (problem.lower < x) & (x < problem.upper)
    return float(np.linalg.eigvalsh(problem.Q[np.ix_(free, free)])[0] / problem.bound) if free.any() else 1.0


QUADRATIC_PROGRAMME = Family(
    name="quadratic-programme",
    problem=QuadraticProgramme,
    noun="a quadratic programme",
    keys=("Q", "c", "lower", "upper"),
    needed={"Q": "the symmetric positive definite matrix", "c": "the linear part"},
    example={"Q": [[2.0, 0.5], [0.5, 2.0]], "c": [-2.0, -5.0], "lower": [0.0, 0.0], "upper": [1.0, 2.0]},
    flow=flow,
    forms=FORMS,
    reference=reference,
    errors=_errors,
    held=_held,
    primary="x",
    labels={
        "x": "largest error of an unknown, of full scale",
        "objective": "error of the objective, of full scale",
        "certified": "distance from the answer that the residual proves",
    },
    ended="settled",
    slowest=_slowest,
    listed=("x",),
)
"""The family of quadratic programmes with bounds."""
