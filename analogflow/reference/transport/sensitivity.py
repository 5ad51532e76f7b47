"""How the optimal plan moves with the cost and with the temperature, by differentiating what defines it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr
from scipy.sparse.linalg import LinearOperator, eigsh

from analogflow.errors import BadInput
from analogflow.problems import Transport
from analogflow.reference.transport.solution import TransportReference, transport_reference

__all__ = ["PlanDerivatives"]

Array = NDArray[np.float64]

_WRITTEN_OUT = 4096
"""Entries of a plan beyond which its derivative by the cost, a matrix of their square, is not written out."""

_DENSE = 400
"""Entries of a plan up to which its norm is taken from all eigenvalues."""


_LOST = 1e-13
"""Relative weight below which a direction of the additive model is rounding; what it could move is its square, 1e-26."""


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
