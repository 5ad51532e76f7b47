"""Where a network without noise comes to rest: followed from its start by an implicit integrator, finished by Newton's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from analogflow.errors import BadInput
from analogflow.problems import Hopfield
from analogflow.reference.hopfield.energy import metric, rates
from analogflow.reference.hopfield.gaussian import ROUNDING

__all__ = ["jacobian", "saturating_rest"]

Array = NDArray[np.float64]

_BEND = 0.77
"""Largest second derivative of tanh, 4/√27, rounded up."""

_SLOW, _LONGEST, _NEWTON = 1e-7, 2.0**16, 30


def jacobian(problem: Hopfield, state: Array) -> Array:
    """Derivative of the rates, shape (n + m, n + m)."""
    n, m = problem.U.shape
    blocks = metric(problem, state)
    return np.block([[-np.eye(n), problem.U @ blocks[n:, n:]], [problem.U.T @ blocks[:n, :n], -np.eye(m)]])


def saturating_rest(problem: Hopfield) -> tuple[Array, float]:
    """The rest that is reached from the problem's start, and a bound on its error.

    The bound is Kantorovich's: 2 |J⁻¹ rates|, where |J⁻¹| K |J⁻¹ rates| ≤ 1/2 with a Lipschitz constant K of J. At the edge
    of a second rest, where that does not hold, none is known, and the gap is infinite.

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
    return state, _bound(problem, state)


def _bound(problem: Hopfield, state: Array) -> float:
    """Distance within which the rates are sure to vanish once."""
    U, G, F = problem.U, np.diag(problem.gain_v), np.diag(problem.gain_h)
    back = np.linalg.inv(jacobian(problem, state))
    size = abs(U).sum(axis=1).max() + 1, abs(U).sum(axis=0).max() + 1
    rounding = problem.size * ROUNDING * (max(size) + float(abs(state).max()) + float(abs(problem.I).max()))
    left = float((abs(back) @ (abs(rates(problem, state)) + rounding)).max())
    # Where a unit is saturated its activation is straight: |tanh″ x| ≤ 8 e^{−2|x|}.
    bends = [
        gain**2 * np.minimum(_BEND, 8 * np.exp(-2 * np.maximum(gain * (abs(part) - 2 * left), 0)))
        for gain, part in ((G, state[: problem.visible]), (F, state[problem.visible :]))
    ]
    lipschitz = max(float((abs(U) @ bends[1]).max()), float((bends[0] @ abs(U)).max()))
    certain = abs(back).sum(axis=1).max() * lipschitz * left <= 0.5
    return 2 * left if certain else np.inf
