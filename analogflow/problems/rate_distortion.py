"""A source, a distortion and a slope: which reproduction distribution is optimal? It does not know how to solve it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import numbers, positive, refusal
from analogflow.errors import AssumptionWarning, BadInput

__all__ = ["SUM_TOLERANCE", "RateDistortion"]

SUM_TOLERANCE = 1e-6
"""Largest departure of the source's sum from 1 that is accepted, and divided out."""

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class RateDistortion:
    r"""The point of the rate-distortion curve R(D) at which its slope is −β.

    .. math:: \min_q \Phi(q), \quad \Phi(q) = -\sum_x p_x \ln \sum_y q_y e^{-\beta d(x,y)}, \qquad \min \Phi = R + \beta D

    Parameters
    ----------
    source : array, shape (n,)
        Probabilities p_x of the source symbols, not negative, sum 1 within 1e-6. Symbols that do not occur are left out.
    distortion : array, shape (n, m)
        d(x, y) of source symbol x and reproduction symbol y, not negative; infinite where y may never stand for x.
    beta : float
        Nats per unit of distortion, positive.
    normalise : bool
        Whether the source is divided by its sum.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.

    Warns
    -----
    AssumptionWarning
        Symbols are left out.
    """

    source: Array
    distortion: Array
    beta: float

    @np.errstate(over="ignore")  # a sum may be infinite, which is not 1
    def __init__(self, source: ArrayLike, distortion: ArrayLike, beta: float, *, normalise: bool = False) -> None:
        faults: list[str] = []
        summed = False
        p = numbers(source, "source", (1,), "one probability for each source symbol", faults)
        wanted = "a row for each source symbol, a column for each reproduction"
        d = numbers(distortion, "distortion", (2,), wanted, faults, infinite=True)
        if p is not None:
            p = p / p.sum() if normalise and 0 < p.sum() < math.inf and (p >= 0).all() else p
            if (p < 0).any():
                faults.append("source: no probability may be negative")
            elif abs(p.sum() - 1) > SUM_TOLERANCE:
                summed = True
                faults.append(f"source sums to {p.sum():.9g}, not to 1; divide it by its sum (normalise=True)")
            elif abs(p.sum() - 1) > 4 * np.finfo(float).eps:  # one that is right to rounding stays as it was written
                p = p / p.sum()
        if d is not None and (d < 0).any():
            i, j = np.argwhere(d < 0)[0]
            faults.append(f"distortion is {d[i, j]:g} in row {i + 1}, column {j + 1}; it must not be negative")
        if p is not None and d is not None and len(p) != len(d):
            faults.append(f"distortion has {len(d)} rows and source has {len(p)} symbols; give one row for each")
        elif p is not None and d is not None and not faults:
            p, d = _occurring(p, d, faults)
        slope = positive(beta, f"beta is {beta!r}; give a positive number of nats per unit of distortion", faults)
        if faults or p is None or d is None:
            said = refusal("RateDistortion", faults)
            raise BadInput(str(said), words=["normalise=True"]) if summed else said
        for name, value in (("source", p), ("distortion", d), ("beta", slope)):
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def symbols(self) -> int:
        """Number n of source symbols."""
        return self.distortion.shape[0]

    @property
    def reproductions(self) -> int:
        """Number m of reproduction symbols."""
        return self.distortion.shape[1]

    @functools.cached_property
    def least(self) -> Array:
        """Smallest distortion of each source symbol, shape (n,)."""
        return self.distortion.min(axis=1)

    @functools.cached_property
    def finite_distortion(self) -> Array:
        """d(x, y), with 0 where it is infinite: what a pair costs that never occurs."""
        return np.where(np.isfinite(self.distortion), self.distortion, 0.0)

    @property
    def gibbs(self) -> Array:
        """e^{−β(d − min_y d)}, shape (n, m): every row has a largest entry of 1, so that none underflows whole."""
        with np.errstate(over="ignore"):  # e^−∞ is 0
            return np.exp(-self.beta * (self.distortion - self.least[:, None]))

    @property
    def offset(self) -> float:
        """β Σ_x p_x min_y d(x, y): what Φ of the scaled rows lacks, nats."""
        return float(self.beta * self.source @ self.least)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the problem: equal problems have equal fingerprints on every machine."""
        digest = hashlib.sha256(repr((self.distortion.shape, self.beta)).encode())
        for array in (self.source, self.distortion):
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        return (
            f"RateDistortion({self.symbols} symbols, {self.reproductions} reproductions, beta {self.beta:g}, "
            f"fingerprint {self.fingerprint})"
        )


def _occurring(p: Array, d: Array, faults: list[str]) -> tuple[Array, Array]:
    """Source and distortion without symbols that never occur."""
    gone = np.flatnonzero(p == 0)
    if len(gone):
        which = ", ".join(str(x + 1) for x in gone)
        several = f"symbols {which} have" if len(gone) > 1 else f"symbol {which} has"
        are = "are" if len(gone) > 1 else "is"
        warnings.warn(f"RateDistortion: {several} probability 0 and {are} left out.", AssumptionWarning, stacklevel=4)
    hopeless = np.flatnonzero((p > 0) & np.isinf(d).all(axis=1))
    if len(hopeless):
        faults.append(
            f"distortion is infinite in all of row {hopeless[0] + 1}; allow a reproduction for each symbol that occurs"
        )
    return p[p > 0], d[p > 0]
