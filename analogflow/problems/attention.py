"""Tokens on a sphere that attend to each other: where are they after a given time? It does not know how to solve it."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import LARGEST, is_positive, numbers, refusal

__all__ = ["NORM_TOLERANCE", "Attention"]

NORM_TOLERANCE = 1e-6
"""Largest departure of a token's length from 1 that is accepted, and divided out."""

LONGEST = 3e3
"""Time, in units of what V takes to turn a token, up to which a run is followed."""

_SYMMETRY = 1e-9

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Attention:
    r"""Self-attention of n tokens on the unit sphere of ℝᵈ, followed for a given time.

    .. math:: \dot x_i = P_{x_i} V m_i, \quad m_i = \sum_j \operatorname{softmax}_j(\beta\, x_i^\top B x_j)\, x_j,
              \quad P_x y = y - (x^\top y)\, x

    Parameters
    ----------
    tokens : array, shape (n, d)
        Row i is where token i starts; each row has length 1 within 1e-6. d is 2 or more.
    B : array, shape (d, d)
        Product QᵀK of the query and key matrices.
    V : array, shape (d, d)
        Value matrix.
    beta : float
        Inverse temperature, positive; infinity stands for the zero-temperature equation m_i = Bᵀx_i/‖Bᵀx_i‖, which needs
        an invertible B.
    time : float
        End of the run, positive, in units of τ; times the norm of V, or 1 if that is less, at most 3,000.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.

    References
    ----------
    A. Alcalde, L. Bungert, K. Riedl and T. Roith, Quantifying Concentration Phenomena of Mean-Field Transformers in the
    Low-Temperature Regime, arXiv:2605.10931 (2026): equations (1) and (3).
    """

    tokens: Array
    B: Array
    V: Array
    beta: float
    time: float = 1.0

    def __init__(self, tokens: ArrayLike, B: ArrayLike, V: ArrayLike, beta: float, time: float = 1.0) -> None:
        faults: list[str] = []
        x = numbers(tokens, "tokens", (2,), "one row of coordinates for each token", faults, largest=LARGEST)
        if x is not None:
            x = _on_sphere(x, faults)
        dimension = None if x is None else x.shape[1]
        matrices = [_square(value, name, dimension, faults) for value, name in ((B, "B"), (V, "V"))]
        scalars = [_positive(beta, "beta", faults, infinite=True), _positive(time, "time", faults, infinite=False)]
        if not faults and math.isinf(scalars[0]) and matrices[0] is not None and np.linalg.cond(matrices[0]) > 1e12:
            faults.append("B is singular, so that the zero-temperature equation is not defined; give an invertible B")
        if not faults and x is not None and matrices[0] is not None and matrices[1] is not None:
            faults += _beyond(matrices[0], matrices[1], *scalars)
        if faults or x is None:
            raise refusal("Attention", faults)
        for name, value in zip(("tokens", "B", "V", "beta", "time"), (x, *matrices, *scalars), strict=True):
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def count(self) -> int:
        """Number n of tokens."""
        return self.tokens.shape[0]

    @property
    def dimension(self) -> int:
        """Number d of coordinates of a token."""
        return self.tokens.shape[1]

    @property
    def attraction(self) -> Array:
        """The matrix VBᵀ, shape (d, d), on whose dominant eigenspace cold tokens gather."""
        return self.V @ self.B.T

    @property
    def symmetric(self) -> bool:
        """Whether VBᵀ is symmetric to 1e-9 of its size, as the results on concentration assume."""
        matrix = self.attraction
        return bool(abs(matrix - matrix.T).max() <= _SYMMETRY * max(abs(matrix).max(), np.finfo(float).tiny))

    def at_zero_temperature(self) -> Attention:
        """Same problem with β = ∞.

        Raises
        ------
        BadInput
            B is singular.
        """
        return dataclasses.replace(self, beta=math.inf)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the problem: equal problems have equal fingerprints on every machine."""
        digest = hashlib.sha256(repr((self.tokens.shape, self.beta, self.time)).encode())
        for array in (self.tokens, self.B, self.V):
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        return (
            f"Attention({self.count} tokens, {self.dimension} dimensions, beta {self.beta:g}, time {self.time:g}, "
            f"fingerprint {self.fingerprint})"
        )


def _beyond(B: Array, V: Array, beta: float, time: float) -> list[str]:
    """What no engine could follow: scores that are no numbers any more, and times far beyond V's own."""
    faults = []
    size = float(np.linalg.norm(V, 2))
    if not math.isinf(beta) and beta > LARGEST**3 / max(abs(B).max(), 1.0):
        faults.append(f"beta is {beta:g}: its products with B are no numbers any more; give inf for zero temperature")
    if time * max(size, 1.0) > LONGEST:
        faults.append(
            f"time is {time:g} and V has the norm {size:.4g}: their product may be {LONGEST:g} at most, by which tokens "
            "have gathered or turn for ever; give a shorter time, or divide V by its norm"
        )
    return faults


def _on_sphere(tokens: Array, faults: list[str]) -> Array:
    if tokens.shape[1] < 2:
        faults.append("tokens have 1 coordinate, so that none can move; give two or more")
        return tokens
    lengths = np.sqrt((tokens**2).sum(axis=1, keepdims=True))
    for i in np.flatnonzero(abs(lengths[:, 0] - 1) > NORM_TOLERANCE)[:3]:
        faults.append(
            f"tokens: row {i + 1} has length {lengths[i, 0]:.9g}; each must have length 1 within {NORM_TOLERANCE:g}: "
            "divide it by its length"
        )
    if faults:
        return tokens
    # A row that is right to rounding stays as the user wrote it; others are brought to the sphere.
    return np.where(abs(lengths - 1) <= 4 * np.finfo(float).eps, tokens, tokens / lengths)


def _square(values: ArrayLike, name: str, dimension: int | None, faults: list[str]) -> Array | None:
    wanted = "one row and one column for each coordinate of a token" + ("" if dimension is None else f" ({dimension})")
    matrix = numbers(values, name, (2,), wanted, faults, largest=LARGEST)
    if matrix is not None and dimension is not None and matrix.shape != (dimension, dimension):
        faults.append(f"{name} has shape {matrix.shape} where tokens have {dimension} coordinates; give {wanted}")
    return matrix


def _positive(value: Any, name: str, faults: list[str], *, infinite: bool) -> float:
    if not is_positive(value, finite=not infinite):
        use = "a positive inverse temperature" if infinite else "a positive, finite number of time constants"
        faults.append(f"{name} is {value!r}; give {use}")
        return math.nan
    return float(value)
