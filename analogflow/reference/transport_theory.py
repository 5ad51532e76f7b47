"""How the optimal plan moves with the cost and the temperature, and how fast Sinkhorn's iteration finds it.

Derivatives come from what defines the plan; singular values, rates and conditions from the iteration's linearisation, which
is that of the semi-dual flow too. The constants of the paper's appendix are measured over an ensemble of costs.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr
from scipy.sparse.linalg import LinearOperator, eigsh

from analogflow.contents import whole_file
from analogflow.errors import BadInput
from analogflow.problems import Transport
from analogflow.reference.transport import TransportReference, transport_reference

__all__ = [
    "COLUMNS",
    "ConstantsRow",
    "PlanDerivatives",
    "Spectrum",
    "constants_table",
    "sinkhorn_jacobian",
    "sinkhorn_spectrum",
    "write_constants",
]

Array = NDArray[np.float64]

_WRITTEN_OUT = 4096
"""Entries of a plan beyond which its derivative by the cost, a matrix of their square, is not written out."""

_DENSE = 400
"""Entries of a plan up to which its norm is taken from all eigenvalues."""


_LOST = 1e-13
"""Relative weight below which a direction of the additive model is rounding; what it could move is its square, 1e-26."""

_STEP = 1e-3
"""Step of the difference that gives the second derivative, as a part of ε."""


class PlanDerivatives:
    r"""Derivatives of the optimal plan of a problem.

    From ln P_ij = (f_i + g_j − C_ij)/ε and constant marginals,

    .. math:: dP_{ij} = \frac{P_{ij}}{\epsilon} (\dot f_i + \dot g_j - dC_{ij} - \ln P_{ij}\, d\epsilon),

    where ḟ and ġ keep all sums of rows and columns of dP at 0: they fit dC_ij + ln P_ij dε by an additive model, with
    weights P_ij.

    Parameters
    ----------
    problem : Transport, n rows, m columns
    reference : TransportReference, optional
        Its solution; found if not given.

    Notes
    -----
    The model is fitted by orthogonalisation and not by the paper's normal equations, whose condition is the square: those
    of a plan that is nearly a permutation are singular to rounding, and their solution is noise that grows as ε → 0 where
    the derivatives vanish. Takes n m² operations and n·m² numbers.

    References
    ----------
    Y. Liu, Avoiding Premature Collapse, arXiv:2601.23039 (2026), equations (11) to (16) and (21).
    """

    def __init__(self, problem: Transport, reference: TransportReference | None = None) -> None:
        self.problem = problem
        found = transport_reference(problem) if reference is None else reference
        self.plan = found.plan
        # ln P from the exponents, where an entry itself may have vanished.
        exponents = (found.potential - problem.cost) / problem.epsilon
        top = exponents.max(axis=1, keepdims=True)
        spread = top + np.log(np.exp(exponents - top).sum(axis=1, keepdims=True))
        self._log_plan = exponents - spread + np.log(problem.row)[:, None]
        self._weights = np.sqrt(self.plan)
        # Weighted indicators of all columns but one, their row means taken out; one is implied by the others.
        columns = np.eye(problem.columns)[None, :, :-1] - (self.plan / problem.row[:, None])[:, None, :-1]
        weighted = (self._weights[:, :, None] * columns).reshape(self.plan.size, -1)
        factors: Any = qr(weighted, mode="economic", pivoting=True)
        strength = abs(np.diagonal(factors[1]))
        self._basis: Array = factors[0][:, strength > _LOST * strength[:1]]

    def with_cost(self, direction: ArrayLike) -> Array:
        """dP/dC in a direction dC, both of shape (n, m): mass per unit of cost.

        Raises
        ------
        BadInput
            The direction has another shape or is not finite.
        """
        change = np.asarray(direction, dtype=float)
        if change.shape != self.plan.shape or not np.isfinite(change).all():
            raise BadInput(
                f"direction has shape {change.shape}; give one finite number for each of {self.plan.shape} costs."
            )
        return self._moved(change)

    def with_epsilon(self) -> Array:
        """dP/dε, shape (n, m): mass per unit of temperature."""
        return self._moved(self._log_plan)

    def matrix(self) -> Array:
        """dP/dC as a symmetric matrix, shape (n·m, n·m), plan and cost flattened row after row; it is negative semidefinite.

        Raises
        ------
        BadInput
            The plan has more than 4096 entries.
        """
        size = self.plan.size
        if size > _WRITTEN_OUT:
            raise BadInput(
                f"the derivative of a plan of {size} entries is not written out beyond {_WRITTEN_OUT}; "
                "ask for it in a direction, or for its norm."
            )
        return np.stack([self._moved(unit.reshape(self.plan.shape)).ravel() for unit in np.eye(size)], axis=1)

    def norm(self) -> tuple[float, Array]:
        """Operator norm of dP/dC, and a direction, shape (n, m) and of norm 1, in which the plan moves most."""
        size = self.plan.size
        if size <= _DENSE:
            values, vectors = np.linalg.eigh(-self.matrix())
        else:
            parts: dict[str, Any] = {"shape": (size, size), "dtype": np.dtype(float)}
            parts["matvec"] = lambda x: -self._moved(x.reshape(self.plan.shape)).ravel()
            start = 1 + np.cos(np.arange(size, dtype=float) ** 2)
            values, vectors = eigsh(LinearOperator(**parts), k=1, v0=start)
        return float(values[-1]), vectors[:, -1].reshape(self.plan.shape)

    def _moved(self, change: Array) -> Array:
        """P/ε ∘ (ḟ ⊕ ġ − change) with the ḟ and ġ that leave no trace in the marginals."""
        mean = (self.plan * change).sum(axis=1, keepdims=True) / self.problem.row[:, None]
        left = (self._weights * (change - mean)).ravel()
        # Once more takes out what rounding leaves of the first.
        for _ in range(2):
            left = left - self._basis @ (self._basis.T @ left)
        return -self._weights * left.reshape(self.plan.shape) / self.problem.epsilon


@dataclasses.dataclass(frozen=True, eq=False)
class Spectrum:
    """Spectrum of Sinkhorn's iteration at a plan.

    Parameters
    ----------
    correlations : array, shape (min(n, m),), read-only
        Singular values σ of P_ij/√(r_i c_j), descending; the first is 1 and belongs to the common mode.
    gap : float
        1 − σ₂²: one sweep shrinks the slowest error by σ₂², and the flow of potentials does so at this rate per τ.
    condition : float
        √(max r/min r): condition number of the Jacobian's eigenvectors that are orthonormal for the weights r, for which the
        Jacobian D_r⁻¹ P D_c⁻¹ Pᵀ is self-adjoint.
    """

    correlations: Array
    gap: float
    condition: float

    @property
    def radius(self) -> float:
        """Spectral radius σ₂² of the Jacobian without its common mode."""
        return float(self.correlations[1] ** 2)


def sinkhorn_jacobian(plan: ArrayLike) -> Array:
    """Derivative of one sweep of the row potentials, D_r⁻¹ P D_c⁻¹ Pᵀ, shape (n, n); its eigenvalues are the σ_k².

    Raises
    ------
    BadInput
        The plan is not a matrix of non-negative numbers with mass in every row and column.
    """
    P, r, c = _sums(plan)
    return (P / r[:, None]) @ (P / c).T


def sinkhorn_spectrum(plan: ArrayLike) -> Spectrum:
    """Spectrum of Sinkhorn's iteration at `plan`, shape (n, m).

    Raises
    ------
    BadInput
        The plan is not a matrix of non-negative numbers with mass in every row and column.

    References
    ----------
    Y. Liu, Avoiding Premature Collapse, arXiv:2601.23039 (2026), sections 2.3 and A.2, corrected: the Jacobian is
    self-adjoint in l²(r), so that no error grows in that norm, nor in the Euclidean one by more than √(max r/min r); and
    1 − σ₂² is of order ε only while ε is large beside what plans near the cheapest cost more than it. Below, it falls
    exponentially in 1/ε where that plan is unique and a permutation (two by two: like exp(−|D|/2ε)), and tends to a
    constant where cheapest plans tie and hang together.
    """
    P, r, c = _sums(plan)
    correlations = np.asarray(np.linalg.svd(P / np.sqrt(np.outer(r, c)), compute_uv=False), dtype=np.float64)
    correlations.setflags(write=False)
    return Spectrum(correlations, float(1 - correlations[1] ** 2), float(np.sqrt(r.max() / r.min())))


def _sums(plan: ArrayLike) -> tuple[Array, Array, Array]:
    P = np.asarray(plan, dtype=float)
    sound = P.ndim == 2 and min(P.shape) > 1 and bool(np.isfinite(P).all() and (P >= 0).all())
    if not sound or not (P.sum(axis=1) > 0).all() or not (P.sum(axis=0) > 0).all():
        raise BadInput(
            f"plan, of shape {P.shape}, is not a matrix of non-negative numbers with mass in every row and column."
        )
    return P, P.sum(axis=1), P.sum(axis=0)


@dataclasses.dataclass(frozen=True)
class ConstantsRow:
    """Constants at one temperature: means over the ensemble, and for the radius the standard deviation too.

    The paper names the columns and does not define all of them; this is how they are read here.

    Parameters
    ----------
    eps : float
        Temperature ε, in units of the cost.
    op_norm : float
        Operator norm of dP/dC (Lemma A.7), mass per unit of cost.
    C0_est : float
        ε times that: the constant of the lower bound ‖dP/dC‖ ≥ c₀/ε, if there is one.
    dS_de_norm : float
        ‖dP/dε‖_F (Lemma A.10), mass per unit of cost.
    K1_est : float
        ε times that: the constant of ‖dP/dε‖ = Θ(1/ε), if it holds.
    K2_est : float
        ε² times ‖D²P[Δ, Δ]‖_F, with Δ the direction of norm 1 in which the plan moves most (Lemma A.9).
    rho_mean, rho_std : float
        Spectral radius σ₂² of Sinkhorn's Jacobian without its common mode.
    """

    eps: float
    op_norm: float
    C0_est: float
    dS_de_norm: float
    K1_est: float
    K2_est: float
    rho_mean: float
    rho_std: float


COLUMNS: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(ConstantsRow))
"""Names of the table's columns, as in section A.9 of the paper."""


def constants_table(problems: Sequence[Transport], epsilons: Sequence[float]) -> tuple[ConstantsRow, ...]:
    """Constants of an ensemble of problems at several temperatures, in the order given.

    Raises
    ------
    BadInput
        There is no problem or no temperature, or one is not positive.

    References
    ----------
    Y. Liu, Avoiding Premature Collapse, arXiv:2601.23039 (2026), sections A.7 and A.9. Its claims that C0 and K1 tend to
    constants as ε → 0 do not hold for a fixed cost whose optimal plan is a unique permutation: both then vanish.
    """
    if not problems or not len(epsilons):
        raise BadInput("constants table: give at least one problem and one temperature.")
    rows = []
    for epsilon in epsilons:
        found = np.array([_constants(problem.at(epsilon)) for problem in problems])
        norm, by_epsilon, second, radius = found.mean(axis=0)
        rows.append(
            ConstantsRow(
                float(epsilon),
                float(norm),
                float(epsilon * norm),
                float(by_epsilon),
                float(epsilon * by_epsilon),
                float(epsilon**2 * second),
                float(radius),
                float(found[:, 3].std()),
            )
        )
    return tuple(rows)


def write_constants(rows: Sequence[ConstantsRow], path: str | Path, *, force: bool = False) -> Path:
    """Write the table as CSV, at once or not at all, with the paper's column names.

    Raises
    ------
    BadInput
        The file exists and `force` is false, or it can not be written.
    """
    path = Path(path)
    if os.path.lexists(path) and not force:
        raise BadInput(f"{str(path)!r} exists already; give force=True to replace it, or another name.")
    lines = [",".join(COLUMNS), *(",".join(map(repr, dataclasses.astuple(row))) for row in rows)]
    with whole_file(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    return path


def _constants(problem: Transport) -> tuple[float, float, float, float]:
    """‖dP/dC‖, ‖dP/dε‖_F, ‖D²P[Δ, Δ]‖_F and σ₂²."""
    reference = transport_reference(problem)
    derivatives = PlanDerivatives(problem, reference)
    norm, direction = derivatives.norm()
    step = _STEP * problem.epsilon
    beside = [
        PlanDerivatives(Transport(problem.cost + way * direction, problem.row, problem.column, problem.epsilon))
        for way in (step, -step)
    ]
    second = (beside[0].with_cost(direction) - beside[1].with_cost(direction)) / (2 * step)
    radius = sinkhorn_spectrum(reference.plan).radius
    return norm, float(np.linalg.norm(derivatives.with_epsilon())), float(np.linalg.norm(second)), radius
