"""Where a network without noise comes to rest: followed from its start by an implicit integrator, finished by Newton's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from analogflow.errors import BadInput
from analogflow.problems import Hopfield
from analogflow.reference.hopfield.energy import metric, rates

__all__ = ["jacobian", "saturating_rest"]

Array = NDArray[np.float64]

_SLOW, _LONGEST, _NEWTON = 1e-7, 2.0**16, 30


def jacobian(problem: Hopfield, state: Array) -> Array:
    """Derivative of the rates, shape (n + m, n + m)."""
    n, m = problem.U.shape
    blocks = metric(problem, state)
    return np.block([[-np.eye(n), problem.U @ blocks[n:, n:]], [problem.U.T @ blocks[:n, :n], -np.eye(m)]])


def saturating_rest(problem: Hopfield) -> tuple[Array, float]:
    """The rest that is reached from the problem's start, and a bound on its error to first order, |J⁻¹ rates|.

    Raises
    ------
    BadInput
        None is reached in 65536 τ: the network is at the edge of having two.
    """
    state, length, passed = np.array(problem.start), 16.0, 0.0
    while abs(rates(problem, state)).max() > _SLOW:
        if passed > _LONGEST:
            raise BadInput(f"Hopfield: no rest is reached in {passed:g} τ; scale U by a few percent.")
        state = solve_ivp(lambda _, y: rates(problem, y), (0, length), state, method="LSODA", rtol=1e-10, atol=1e-12).y[
            :, -1
        ]
        passed, length = passed + length, 2 * length
    gap = np.inf
    for _ in range(_NEWTON):
        step = np.linalg.solve(jacobian(problem, state), -rates(problem, state))
        size = float(abs(step).max())
        if size >= gap:
            break
        state, gap = state + step, size
    return state, gap
