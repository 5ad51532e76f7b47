r"""Leading eigenvectors of a symmetric matrix, by Oja's flow, and one after another by Sanger's.

.. math:: \dot x_j = B x_j - \sum_{i \le j} x_i\,(x_i^T B x_j), \qquad B = (M + s I)/(2 s), \quad s \ge \|M\|

What is asked, the flow, the exact answer by LAPACK, and the bound that an answer's own residual proves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_whole, numbers, refuse_faults, refuse_unknown
from analogflow.families.ends import Held, RunEnds, asked
from analogflow.families.family import Family
from analogflow.families.path import PathEnd, path_errors, path_held
from analogflow.flows import Flow
from analogflow.flows.invariants import Sphere

__all__ = ["EIGENVECTORS", "Eigenvectors"]

Array = NDArray[np.float64]

FORMS = ("sanger",)

_APART = 1e-6
"""Distance of two eigenvalues, over the norm, below which their eigenvectors count as free to turn into each other."""

_SKEW = 1e-12
"""Departure from symmetry, over the norm, that is taken for rounding and averaged out."""


@dataclasses.dataclass(frozen=True, eq=False)
class Eigenvectors:
    """The eigenvectors of the largest eigenvalues of a symmetric matrix.

    Parameters
    ----------
    matrix : array, shape (n, n)
        Symmetric, n ≥ 2.
    count : int
        How many eigenvectors k, from the largest eigenvalue on; these and the next must be apart by 1e-6 of the norm.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    matrix: Array
    count: int

    def __init__(self, matrix: ArrayLike, count: int = 1) -> None:
        faults: list[str] = []
        M = numbers(matrix, "matrix", (2,), "a symmetric matrix", faults, largest=1e100)
        size = 0 if M is None else len(M)
        if M is not None and (M.shape[0] != M.shape[1] or size < 2):
            faults.append(f"matrix has shape {M.shape}; give as many rows as columns, two at least")
        elif M is not None:
            norm = float(abs(M).max())
            off = abs(M - M.T)
            if off.max() > _SKEW * norm:
                i, j = np.unravel_index(int(off.argmax()), M.shape)
                faults.append(
                    f"matrix has {M[i, j]:g} in row {i + 1}, column {j + 1} and {M[j, i]:g} in row {j + 1}, column {i + 1}; "
                    "give a symmetric one, such as (M + M.T)/2 or M.T @ M"
                )
            elif not is_whole(count, 1, size):
                faults.append(f"count is {count!r}; give a whole number from 1 to {size}")
            else:
                M = (M + M.T) / 2
                _refuse_near(_descending(M), count, faults)
        refuse_faults("Eigenvectors", faults)
        assert M is not None
        M.setflags(write=False)
        object.__setattr__(self, "matrix", M)
        object.__setattr__(self, "count", int(count))

    @property
    def bound(self) -> float:
        """s: largest sum of sizes in a row, which no eigenvalue exceeds."""
        return float(abs(self.matrix).sum(axis=1).max()) or 1.0

    @property
    def start(self) -> Array:
        """Where the flow begins, shape (k, n): directions without any relation to one another, of length 1."""
        golden = (np.sqrt(5) - 1) / 2
        places = np.arange(1, self.count * len(self.matrix) + 1).reshape(self.count, -1)
        drawn = 0.25 + np.mod(places * golden, 1.0) * np.where(places % 3 == 0, -1.0, 1.0)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    def __repr__(self) -> str:
        return f"Eigenvectors({self.count} of a {len(self.matrix)} x {len(self.matrix)} matrix)"


def _descending(matrix: Array) -> Array:
    """All eigenvalues, the largest first."""
    return np.asarray(np.linalg.eigvalsh(matrix)[::-1], dtype=np.float64)


def _refuse_near(values: Array, count: int, faults: list[str]) -> None:
    norm = float(abs(values).max())
    for k in range(min(count, len(values) - 1)):
        if not values[k] - values[k + 1] > _APART * norm:
            remedy = f"take a count of {k}" if k else "take a matrix that tells them apart"
            faults.append(
                f"eigenvalues {k + 1} and {k + 2}, {values[k]:.9g} and {values[k + 1]:.9g}, are too near to each other, so "
                f"that their eigenvectors are not fixed; {remedy}"
            )
            return


def sanger(x: Any, B: Array, M: Array, later: Array) -> Any:
    """ẋ_j = B x_j − Σ_{i≤j} x_i (x_iᵀ B x_j); for one vector Oja's flow, which is Rayleigh's quotient's on the sphere."""
    image = x @ B
    if len(later) == 1:
        return image - x * (image * x).sum()
    return image - ((image @ x.T) * later) @ x


def values(x: Any, B: Array, M: Array, later: Array) -> Any:
    """x_jᵀ M x_j, shape (k,)."""
    return (x * (x @ M)).sum(axis=1) if len(later) > 1 else (x * (x @ M)).sum().reshape(1)


def flow(problem: Eigenvectors, form: str = "sanger") -> Flow:
    """Flow whose state x, shape (k, n), settles at the eigenvectors, signs as at the start; observable "values".

    B has eigenvalues between 0 and 1, so that the sphere attracts; a shift of M changes nothing on it.

    Raises
    ------
    BadInput
        There is no such form.

    References
    ----------
    E. Oja, A simplified neuron model as a principal component analyzer, J. Math. Biol. 15 (1982) 267. T. D. Sanger, Optimal
    unsupervised learning in a single-layer linear feedforward neural network, Neural Networks 2 (1989) 459.
    """
    refuse_unknown(form, FORMS, "form", "the eigenvectors flow")
    M, s, k = problem.matrix, problem.bound, problem.count
    start = problem.start
    return Flow(
        sanger,
        states={"x": start if k > 1 else start[0]},
        keeps=(Sphere("x", len(M)),) if k == 1 else (),
        constants={"B": (M + s * np.eye(len(M))) / (2 * s), "M": M, "later": np.tril(np.ones((k, k)))},
        observables={"values": values},
        size=1.0,
        scale=1.0,
        equations="dx_j/dt = B x_j - sum_(i<=j) x_i (x_i^T B x_j), B = (M + s I)/(2 s)",
        problem=problem,
    )


def proven(problem: Eigenvectors, x: Array, exact: Array) -> Array:
    """Largest distance of each x_j from its eigenvector that its residual proves, shape (samples,); x is (samples, k, n).

    Notes
    -----
    With ρ = xᵀMx/xᵀx and r = Mx/|x| − ρ x/|x| the angle to the eigenvector is at most arcsin(|r|/δ), δ being the distance
    of ρ from all other eigenvalues, if |r| < δ (C. Davis and W. M. Kahan, SIAM J. Numer. Anal. 7 (1970) 1). `exact` are all
    eigenvalues, descending; the bound does not use eigenvectors. What x has too much length is added.
    """
    M = problem.matrix
    length = np.linalg.norm(x, axis=2)
    unit = x / np.where(length > 0, length, 1.0)[:, :, None]
    image = unit @ M
    quotient = (unit * image).sum(axis=2)
    away = np.linalg.norm(image - quotient[:, :, None] * unit, axis=2) + 8 * np.finfo(float).eps * problem.bound
    others = abs(quotient[:, :, None] - exact)
    others[:, np.arange(problem.count), np.arange(problem.count)] = np.inf
    ratio = away / others.min(axis=2)
    # One that is nearer to another eigenvalue than to its own proves nothing of its own.
    own = abs(quotient - exact[: problem.count]) <= away
    angle = np.where((ratio < 1) & own, np.arcsin(np.minimum(ratio, 1.0)), np.inf)
    return (2 * np.sin(np.minimum(angle, np.pi) / 2) + abs(length - 1) + np.where(np.isfinite(angle), 0.0, np.inf)).max(
        axis=1
    )


def reference(problem: Eigenvectors, time: float) -> PathEnd:
    """Eigenvectors by LAPACK, with the signs that the flow's start decides, and how far their residuals let them be off.

    Notes
    -----
    The sign of x_j along its eigenvector never changes on the way where all before it have settled. For the first it is that
    of its start; for those after it the reference takes that of the start without the part along the first ones.

    References
    ----------
    E. Anderson et al., LAPACK Users' Guide (1999): syevd, through NumPy.
    """
    found, vectors = np.linalg.eigh(problem.matrix)
    exact, rows = found[::-1].copy(), vectors.T[::-1][: problem.count].copy()
    signs = np.sign((rows * problem.start).sum(axis=1))
    rows *= np.where(signs == 0, 1.0, signs)[:, None]
    gap = float(proven(problem, rows[None], exact)[0])
    x = rows if problem.count > 1 else rows[0]
    return PathEnd({"x": x, "values": exact[: problem.count]}, gap * max(1.0, float(abs(exact).max())))


def _vectors(problem: Eigenvectors, values: Array) -> Array:
    return values.reshape(len(values), problem.count, -1)


def _aligned(problem: Eigenvectors, found: PathEnd, ends: RunEnds) -> RunEnds:
    """Ends whose vectors have the reference's signs: x and −x are one eigenvector."""
    x, exact = _vectors(problem, ends.finals["x"]), np.reshape(found.values["x"], (1, problem.count, -1))
    signs = np.where((x * exact).sum(axis=2, keepdims=True) < 0, -1.0, 1.0)
    return ends._replace(finals={**ends.finals, "x": (signs * x).reshape(ends.finals["x"].shape)})


def _errors(problem: Eigenvectors, found: PathEnd, ends: RunEnds) -> dict[str, Array]:
    exact = _descending(problem.matrix)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        bound = proven(problem, _vectors(problem, ends.finals["x"]), exact)
    return {**path_errors(EIGENVECTORS, problem, found, _aligned(problem, found, ends)), "certified": bound}


def _held(problem: Eigenvectors, found: PathEnd, errors: Mapping[str, Array], ends: RunEnds, limit: float) -> list[Held]:
    exact = _descending(problem.matrix)
    nearest = float(-np.diff(exact)[: problem.count].max(initial=-np.inf))
    looseness = max(1.0, 2 * problem.bound / nearest) * np.sqrt(len(exact))
    return [
        *path_held(EIGENVECTORS, problem, found, errors, ends, limit),
        *asked(errors, limit * looseness, ("certified", "residuals prove the eigenvectors", "")),
    ]


def _slowest(problem: Eigenvectors, found: PathEnd) -> float:
    """Of the gaps of B: (λ_j − λ_{j+1})/2s."""
    exact = _descending(problem.matrix)
    return float((exact[:-1] - exact[1:])[: problem.count].min() / (2 * problem.bound))


EIGENVECTORS = Family(
    name="eigenvectors",
    problem=Eigenvectors,
    noun="a symmetric matrix",
    keys=("matrix", "count"),
    needed={"matrix": "the symmetric matrix"},
    example={"matrix": [[2.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 1.0]], "count": 2},
    flow=flow,
    forms=FORMS,
    reference=reference,
    errors=_errors,
    held=_held,
    primary="x",
    labels={
        "x": "largest error of an element of an eigenvector, of full scale",
        "values": "largest error of an eigenvalue, of full scale",
        "certified": "largest distance of an eigenvector that residuals prove",
    },
    ended="settled",
    slowest=_slowest,
    listed=("values",),
)
"""The family of leading eigenvectors."""
