r"""Linear equations and least squares: A x = b, by a flow down the gradient of ‖A x − b‖², each unknown in its own unit.

.. math:: \dot x = N^{-2} A^T (b - A x)/s^2, \qquad s \ge \sigma_{max}(A N^{-1})

N has the lengths of the columns of A, so that the rates are those of columns of length 1.

What is asked, the flow, the exact answer by LAPACK, and the bound that an answer's own residual proves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import numbers, refuse_faults, refuse_unknown
from analogflow.families.ends import Held, RunEnds, asked, largest
from analogflow.families.family import Family
from analogflow.families.path import PathEnd, path_errors, path_held
from analogflow.flows import Flow

__all__ = ["LINEAR_SYSTEM", "LinearSystem"]

Array = NDArray[np.float64]

FORMS = ("gradient", "direct")

_WORST = 1e8
"""Condition number from which a system counts as one that does not fix its answer."""


@dataclasses.dataclass(frozen=True, eq=False)
class LinearSystem:
    """A x = b, or where there are more equations than unknowns, the x of the least squares ‖A x − b‖².

    Parameters
    ----------
    A : array, shape (m, n)
        m ≥ n, of full rank: a condition number below 1e8 once its columns are of one length.
    b : array, shape (m,)

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    A: Array
    b: Array

    def __init__(self, A: ArrayLike, b: ArrayLike) -> None:
        faults: list[str] = []
        matrix = numbers(A, "A", (2,), "a matrix with a row for each equation", faults, largest=1e100)
        right = numbers(b, "b", (1,), "one number for each equation", faults, largest=1e100)
        if matrix is not None and right is not None and len(matrix) != len(right):
            faults.append(f"A has {len(matrix)} rows and b has {len(right)} entries; give one for each equation")
        if matrix is not None and matrix.shape[0] < matrix.shape[1]:
            faults.append(
                f"A has {matrix.shape[0]} equations for {matrix.shape[1]} unknowns, so that many x solve it; add some"
            )
        elif matrix is not None:
            lengths = np.linalg.norm(matrix, axis=0)
            singular = np.linalg.svd(matrix / np.where(lengths > 0, lengths, 1.0), compute_uv=False)
            if not singular[-1] * _WORST > singular[0]:
                faults.append(
                    f"A has singular values from {singular[0]:.3g} to {singular[-1]:.3g} when its columns are brought to "
                    "length 1, so that x is not fixed by it; leave out unknowns that others make up for (a ratio below "
                    f"{_WORST:g} is needed)"
                )
        refuse_faults("LinearSystem", faults)
        for name, value in (("A", matrix), ("b", right)):
            assert value is not None
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def lengths(self) -> Array:
        """Of the columns of A, shape (n,)."""
        return np.asarray(np.linalg.norm(self.A, axis=0), dtype=np.float64)

    @property
    def even(self) -> Array:
        """A with columns of length 1, whose condition is at most √n times the least that factors of columns can bring about.

        A. van der Sluis, Condition numbers and equilibration of matrices, Numer. Math. 14 (1969) 14.
        """
        return self.A / self.lengths

    @property
    def singular_values(self) -> Array:
        """Of A with columns of length 1, descending, shape (n,)."""
        return np.asarray(np.linalg.svd(self.even, compute_uv=False), dtype=np.float64)

    @property
    def definite(self) -> bool:
        """Whether A is symmetric and positive definite."""
        square = self.A.shape[0] == self.A.shape[1] and np.array_equal(self.A, self.A.T)
        return bool(square and np.linalg.eigvalsh(self.A)[0] > 0)

    def __repr__(self) -> str:
        return f"LinearSystem({self.A.shape[0]} equations, {self.A.shape[1]} unknowns)"


def _bound(A: Array) -> float:
    """Of the largest singular value, from above: the smaller of what sums of rows and columns, and of squares, allow."""
    by_sums = np.sqrt(abs(A).sum(axis=0).max() * abs(A).sum(axis=1).max())
    return float(min(by_sums, np.sqrt((A * A).sum())))


def gradient(x: Array, A: Array, b: Array, s: float) -> Array:
    """ẋ = N⁻²Aᵀ(b − A x)/s²: rates (σ_k/s)² of A N⁻¹."""
    return ((A / (A * A).sum(axis=0)).T / s) @ ((b - A @ x) / s)


def direct(x: Array, A: Array, b: Array, s: float) -> Array:
    """ẋ = (b − A x)/s: rates λ_k/s, one crossbar."""
    return (b - A @ x) / s


def flow(problem: LinearSystem, form: str = "gradient") -> Flow:
    """Flow whose state x settles at the answer; "direct" is for a symmetric positive definite A alone.

    Raises
    ------
    BadInput
        `form` is not one of these, or does not fit the matrix.
    """
    refuse_unknown(form, FORMS, "form", "the linear-system flow")
    if form == "direct" and not problem.definite:
        refuse_faults("linear-system", ["the form 'direct' needs a symmetric positive definite A; take 'gradient'"])
    size = float(np.sqrt((problem.b**2).sum()) / np.linalg.svd(problem.A, compute_uv=False)[0])
    return Flow(
        gradient if form == "gradient" else direct,
        states={"x": np.zeros(problem.A.shape[1])},
        constants={"A": problem.A, "b": problem.b, "s": _bound(problem.even if form == "gradient" else problem.A)},
        observables={"residual": lambda x, A, b, s: b - A @ x},
        size=size or None,
        scale=size or None,
        equations="dx/dt = N^-2 A^T (b - A x)/s^2, N the lengths of columns of A"
        if form == "gradient"
        else "dx/dt = (b - A x)/s",
        problem=problem,
    )


def proven(problem: LinearSystem, x: Array) -> Array:
    """Largest error of an element of each x, shape (samples, n), that its residual proves; with rounding.

    With y = N x and B = A N⁻¹: y − y* = (BᵀB)⁻¹ Bᵀ(A x − b), of a square A also B⁻¹(A x − b). The norm of the right side
    over σ², or σ, of B bounds the error of y, and that over the shortest column the error of x.
    """
    A, b, sigma, lengths = problem.A, problem.b, problem.singular_values, problem.lengths
    left = x @ A.T - b
    rounding = 4 * len(b) * np.finfo(float).eps * (sigma[0] * np.linalg.norm(x * lengths, axis=1) + np.linalg.norm(b))
    if A.shape[0] == A.shape[1]:
        return (np.linalg.norm(left, axis=1) + rounding) / sigma[-1] / lengths.min()
    return (np.linalg.norm(left @ problem.even, axis=1) + sigma[0] * rounding) / sigma[-1] ** 2 / lengths.min()


def reference(problem: LinearSystem, time: float) -> PathEnd:
    """The answer by LAPACK, and how far its own residual lets it be off.

    References
    ----------
    E. Anderson et al., LAPACK Users' Guide (1999): gesv and gelsd, through NumPy.
    """
    A, b = problem.A, problem.b
    x = np.linalg.solve(A, b) if A.shape[0] == A.shape[1] else np.linalg.lstsq(A, b, rcond=None)[0]
    x = np.asarray(x, dtype=np.float64)
    return PathEnd({"x": x}, float(proven(problem, x[None])[0]))


def _errors(problem: LinearSystem, found: PathEnd, ends: RunEnds) -> dict[str, Array]:
    scale = np.maximum(largest(ends.finals["x"]), abs(found.values["x"]).max(initial=0.0))
    with np.errstate(invalid="ignore", over="ignore"):
        bound = proven(problem, ends.finals["x"]) / np.where(scale > 0, scale, 1.0)
    return {**path_errors(LINEAR_SYSTEM, problem, found, ends), "certified": bound}


def _held(problem: LinearSystem, found: PathEnd, errors: Mapping[str, Array], ends: RunEnds, limit: float) -> list[Held]:
    # An answer that is right to the limit in each unknown leaves that times the lengths as a residual, which proves more.
    sigma, (m, n) = problem.singular_values, problem.A.shape
    longest = np.linalg.norm(problem.lengths) / problem.lengths.min()
    looseness = float(longest * (sigma[0] / sigma[-1]) ** (1 if m == n else 2))
    return [
        *path_held(LINEAR_SYSTEM, problem, found, errors, ends, limit),
        *asked(errors, limit * looseness, ("certified", "the residual proves the answer", "of full scale")),
    ]


LINEAR_SYSTEM = Family(
    name="linear-system",
    problem=LinearSystem,
    noun="a system of linear equations",
    keys=("A", "b"),
    needed={"A": "the matrix, a row for each equation", "b": "the right-hand side"},
    example={"A": [[3.0, 1.0], [1.0, 2.0]], "b": [9.0, 8.0]},
    flow=flow,
    forms=FORMS,
    reference=reference,
    errors=_errors,
    held=_held,
    primary="x",
    labels={"x": "largest error of an unknown, of full scale", "certified": "largest error that the residual proves"},
    ended="settled",
    slowest=lambda problem, _: float((problem.singular_values[-1] / _bound(problem.even)) ** 2),
    listed=("x",),
)
"""The family of linear equations."""
