"""Which pairs of rows and columns a transport plan can use, where some are forbidden. It knows no costs."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import bmat, csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components

__all__ = ["Pairs", "pairs_of"]

Array = NDArray[np.float64]

Flags = NDArray[np.bool_]

_NOTHING = 1e-9
"""Mass, of the whole, that is taken for none: as far as the sums of two marginals may differ."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """What is possible.

    Parameters
    ----------
    usable : array of bool, shape (n, m)
        Pairs that have mass in some plan; none where there is no plan.
    parts : array of int, shape (n,)
        Which part each row is of; rows of two parts share no column.
    column_parts : array of int, shape (m,)
    stuck : tuple of two arrays of int
        Where there is no plan: rows that have more mass than all the columns take which they may go to, and those columns.
    """

    usable: Flags
    parts: NDArray[np.intp]
    column_parts: NDArray[np.intp]
    stuck: tuple[NDArray[np.intp], NDArray[np.intp]] | None


def pairs_of(allowed: Flags, row: Array, column: Array) -> Pairs:
    """Pairs that some plan uses, among those that are `allowed`, shape (n, m), for marginals of one sum.

    Notes
    -----
    The largest flow from rows to columns is a linear programme. What it leaves tells the rest: a pair without mass can have
    some where its row and its column lie on one cycle of what can be raised and lowered, and where not all mass flows, what
    is reached from a row with mass left is a cut (L. R. Ford and D. R. Fulkerson, Flows in Networks, 1962).
    """
    n, m = allowed.shape
    i, j = np.nonzero(allowed)
    each = np.arange(len(i))
    sums = csr_matrix((np.ones(2 * len(i)), (np.concatenate([i, n + j]), np.concatenate([each, each]))), (n + m, len(i)))
    limits = np.concatenate([row / row.sum(), column / column.sum()])
    tolerances = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    solved = linprog(-np.ones(len(i)), A_ub=sums, b_ub=limits, bounds=(0, None), method="highs", options=tolerances)
    moved = np.zeros(allowed.shape)
    moved[i, j] = solved.x
    flowing = moved > _NOTHING
    residual = csr_matrix(bmat([[csr_matrix((n, n)), csr_matrix(allowed)], [csr_matrix(flowing.T), csr_matrix((m, m))]]))
    left = limits[:n] - moved.sum(axis=1)
    if left.sum() > _NOTHING:
        reached = breadth_first_order(residual, int(left.argmax()), return_predecessors=False)
        none = np.zeros_like(allowed)
        stuck = np.sort(reached[reached < n]), np.sort(reached[reached >= n] - n)
        return Pairs(none, np.zeros(n, np.intp), np.zeros(m, np.intp), stuck)
    _, labels = connected_components(residual, directed=True, connection="strong")
    parts, column_parts = labels[:n].astype(np.intp), labels[n:].astype(np.intp)
    return Pairs(allowed & (parts[:, None] == column_parts), parts, column_parts, None)
