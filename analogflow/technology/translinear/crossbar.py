"""Rows of conductances into virtual grounds: their weights, and what a bias of a row does to the answer.

It does not choose parts; `analogflow.circuit.rounding` does.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import real_array
from analogflow.errors import BadInput

__all__ = ["ResistiveCrossbar", "capacity_crossbar", "optimum_sensitivity"]

Array = NDArray[np.float64]

_CONDITION = 1e12
"""Of the bordered matrix; above it, rounding errors decide which of several optimal distributions is meant."""
_NO_WEIGHT = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class ResistiveCrossbar:
    """Rows of legs into virtual grounds at a common voltage: n rows, k legs.

    Attributes
    ----------
    weights : array, shape (n, k)
        Conductances in units of 1/R, 0 where there is no leg.
    voltages : array, shape (k,)
        Voltages that drive the legs once the circuit has settled, nats (units of k_B T/q), all from one origin, which
        may be any: a row's net current is that of the differences from its virtual ground.
    sensitivity : array, shape (n, n)
        Shift of the answer for each nat of bias on each row; its rows and columns sum to 0.
    """

    weights: Array
    voltages: Array
    sensitivity: Array


def capacity_crossbar(transition: ArrayLike, distribution: ArrayLike, entropy_ratio: float = 8.0) -> ResistiveCrossbar:
    r"""Crossbar of the log-domain circuit that computes the capacity of a channel with n inputs and m outputs.

    .. math:: RC\, \dot u_i = -\sum_j p_{ij} V_j - g_i V_A - (g_0 - g_i) V_B + (1 + g_0)\, v, \qquad
              g_i = (H_i - \min H) / \ln N

    with V_j = ln q_j, q = Pᵀz, V_A = 0 and V_B = −ln N in nats. All rows have the conductance 1 + g_0, g_0 = max g, so v
    and everything the V share is common to them.

    Parameters
    ----------
    transition : array, shape (n, m)
        P, positive or zero, rows that sum to 1.
    distribution : array, shape (n,)
        Optimal input distribution z*, exactly 0 for inputs that are not used.
    entropy_ratio : float
        N > 1, the ratio of the two currents whose logarithms are V_A and V_B.

    Returns
    -------
    ResistiveCrossbar
        With k = m + 2 legs: m outputs, then A and B. Conductances below 1e-12 are 0.

    Raises
    ------
    BadInput
        The shapes do not fit, N is not above 1, an output is never used, or several distributions are optimal.
    """
    P, z = _channel(transition, distribution)
    if not 1 < entropy_ratio < math.inf:
        raise BadInput(f"the ratio of the entropy currents must be above 1, not {entropy_ratio!r}; 8 is usual.")
    entropies = -np.sum(P * np.log(np.where(P > 0, P, 1)), axis=1)
    g = (entropies - entropies.min()) / math.log(entropy_ratio)
    g[g < _NO_WEIGHT] = 0
    rest = g.max() - g
    rest[rest < _NO_WEIGHT] = 0
    voltages = np.append(np.log(P.T @ z), [0, -math.log(entropy_ratio)])
    return ResistiveCrossbar(_frozen(np.column_stack([P, g, rest])), _frozen(voltages), optimum_sensitivity(P, z))


def optimum_sensitivity(transition: ArrayLike, distribution: ArrayLike) -> Array:
    r"""Shift S of the capacity's optimum for each nat of bias: dz = S b where w_i becomes w_i + b_i.

    .. math:: S = \left[\begin{pmatrix} M & 1 \\ 1^\top & 0 \end{pmatrix}^{-1}\right]_{n \times n}, \qquad
              M = P\, \mathrm{diag}(1/q)\, P^\top, \quad q = P^\top z^*

    over the inputs with z* > 0; rows and columns of the others are 0, which holds while the bias does not wake them.

    Parameters
    ----------
    transition : array, shape (n, m)
        P, rows that sum to 1.
    distribution : array, shape (n,)
        z*, exactly 0 for inputs that are not used.

    Returns
    -------
    array, shape (n, n)

    Raises
    ------
    BadInput
        The shapes do not fit, an output is never used, or several distributions are optimal.
    """
    P, z = _channel(transition, distribution)
    used = np.flatnonzero(z)
    M = (P[used] / (P.T @ z)) @ P[used].T
    bordered = np.block([[M, np.ones((len(used), 1))], [np.ones((1, len(used))), np.zeros((1, 1))]])
    condition = np.linalg.cond(bordered)
    if not condition < _CONDITION:
        raise BadInput(
            f"the rows of the {len(used)} inputs in use are dependent (condition {condition:.1g}), so more than one "
            f"distribution is optimal and none has a sensitivity; remove an input."
        )
    sensitivity = np.zeros((len(z), len(z)))
    sensitivity[np.ix_(used, used)] = np.linalg.inv(bordered)[:-1, :-1]
    return _frozen(sensitivity)


def _channel(transition: ArrayLike, distribution: ArrayLike) -> tuple[Array, Array]:
    P, z = real_array(transition, "transition"), real_array(distribution, "distribution")
    if P.ndim != 2 or z.shape != P.shape[:1]:
        raise BadInput(f"a channel {P.shape} and a distribution {z.shape} do not fit; give shapes (n, m) and (n,).")
    if not (np.all(P >= 0) and np.all(z >= 0) and np.allclose([*P.sum(axis=1), z.sum()], 1, rtol=0, atol=1e-9)):
        raise BadInput("the channel's rows and the distribution must be non-negative numbers that sum to 1; rescale them.")
    if not np.all(P.T @ z > 0):
        output = int(np.argmin(P.T @ z))
        raise BadInput(f"no input in use reaches output {output}, so its logarithm has no value; remove it.")
    return P, z


def _frozen(array: Array) -> Array:
    array.setflags(write=False)
    return array
