"""Mass to be moved from rows to columns at the least cost, smoothed by a temperature. It does not know how to solve it."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import numbers, positive, refusal

__all__ = ["MASS_TOLERANCE", "SCHEDULES", "Schedule", "Transport"]

LARGEST_EXPONENT = 1e300
"""Of a cost over epsilon: what comes beyond is no number any more."""

_WANTED = "give a positive number"

MASS_TOLERANCE = 1e-9
"""Largest relative difference of the two marginals' sums that is accepted, and divided out."""

SCHEDULES = ("exponential", "quadratic", "adaptive")
"""Kinds of cooling."""

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Schedule:
    r"""How the temperature ε(t) falls from `start` to the problem's own, ε∞.

    .. math:: \dot\epsilon = -r(\epsilon - \epsilon_\infty) \quad\text{or}\quad
              \dot\epsilon = -r\,\epsilon(\epsilon - \epsilon_\infty)

    Parameters
    ----------
    kind : {"exponential", "quadratic", "adaptive"}
        The first equation, the second, or the first with a brake: it holds while ‖dP/dt‖_F > k_safe ε.
    start : float
        ε(0), above the problem's temperature, in units of the cost.
    rate : float
        r, per τ; for "quadratic" per τ and unit of cost. Positive.
    k_safe : float, optional
        Largest speed of the plan in units of ε, mass per τ and unit of cost; for "adaptive" alone.

    References
    ----------
    Y. Liu, Avoiding Premature Collapse, arXiv:2601.23039 (2026): section 3.2 and equation (3).
    """

    kind: str
    start: float
    rate: float
    k_safe: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Transport:
    r"""Entropy-regularised optimal transport between two discrete measures.

    .. math:: \min_P \sum_{ij} P_{ij} C_{ij} + \epsilon \sum_{ij} P_{ij} \ln P_{ij}, \quad
              \sum_j P_{ij} = a_i, \quad \sum_i P_{ij} = b_j

    Parameters
    ----------
    cost : array, shape (n, m)
        C_ij: cost of moving a unit of mass from row i to column j.
    row : array, shape (n,)
        a_i: mass of each row, positive.
    column : array, shape (m,)
        b_j: mass each column takes, positive; the sums of both agree within 1e-9.
    epsilon : float
        Temperature at which the plan is wanted, positive, in units of the cost.
    schedule : Schedule, mapping or str, optional
        How a circuit cools down to `epsilon`; a mapping has the keys of `Schedule`. Where only the kind is given, the start
        is the cost's range and the rate is 0.1 per τ there; k_safe is 0.5. If not given, the temperature is fixed.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    cost: Array
    row: Array
    column: Array
    epsilon: float
    schedule: Schedule | None = None

    @np.errstate(over="ignore", invalid="ignore")  # sums and spans may be infinite, which is refused
    def __init__(
        self,
        cost: ArrayLike,
        row: ArrayLike,
        column: ArrayLike,
        epsilon: float,
        schedule: Schedule | Mapping[str, Any] | str | None = None,
    ) -> None:
        faults: list[str] = []
        C = _cost(cost, faults)
        shape = (None, None) if C is None else C.shape
        a, b = _marginal(row, "row", shape[0], faults), _marginal(column, "column", shape[1], faults)
        if a is not None and b is not None and not abs(a.sum() - b.sum()) <= MASS_TOLERANCE * a.sum() < math.inf:
            faults.append(
                f"row sums to {a.sum():.12g} and column to {b.sum():.12g}; both must carry the same mass within "
                f"{MASS_TOLERANCE:g}: divide each by its sum"
            )
        temperature = positive(epsilon, f"epsilon is {epsilon!r}; {_WANTED}", faults)
        span = math.nan if C is None else float(np.ptp(C))
        if (
            C is not None
            and temperature > 0
            and not max(abs(C).max(), span) <= min(LARGEST_EXPONENT * temperature, sys.float_info.max)
        ):
            faults.append(
                f"epsilon is {temperature:g} and the largest cost {abs(C).max():g}; "
                f"give costs up to {LARGEST_EXPONENT:g} epsilon"
            )
        cooling = _schedule(schedule, temperature, span, faults)
        if faults or C is None or a is None or b is None:
            raise refusal("Transport", faults)
        b = b if abs(a.sum() - b.sum()) <= 4 * np.finfo(float).eps * a.sum() else b * (a.sum() / b.sum())
        for name, value in zip(
            ("cost", "row", "column", "epsilon", "schedule"), (C, a, b, temperature, cooling), strict=True
        ):
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def rows(self) -> int:
        """Number n of rows."""
        return self.cost.shape[0]

    @property
    def columns(self) -> int:
        """Number m of columns."""
        return self.cost.shape[1]

    @property
    def mass(self) -> float:
        """Total mass moved."""
        return float(self.row.sum())

    @property
    def span(self) -> float:
        """Largest minus smallest cost."""
        return float(np.ptp(self.cost))

    def at(self, epsilon: float) -> Transport:
        """Same problem at another, fixed temperature."""
        return Transport(self.cost, self.row, self.column, epsilon)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the problem: equal problems have equal fingerprints on every machine."""
        digest = hashlib.sha256(repr((self.cost.shape, self.epsilon, self.schedule)).encode())
        for array in (self.cost, self.row, self.column):
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        cooling = "" if self.schedule is None else f", {self.schedule.kind} cooling from {self.schedule.start:g}"
        return f"Transport({self.rows} x {self.columns}, epsilon {self.epsilon:g}{cooling}, fingerprint {self.fingerprint})"


def _cost(values: ArrayLike, faults: list[str]) -> Array | None:
    cost = numbers(values, "cost", (2,), "a matrix with a row for each source and a column for each target", faults)
    if cost is not None and min(cost.shape) < 2:
        faults.append(
            f"cost has shape {cost.shape}, so that only one plan fits the marginals; give two rows and columns or more"
        )
        return None
    return cost


def _marginal(values: ArrayLike, name: str, length: int | None, faults: list[str]) -> Array | None:
    known = "" if length is None else f" ({length})"
    masses = numbers(values, name, (1,), f"one mass for each {name} of the cost{known}", faults)
    if masses is None:
        return None
    if length is not None and len(masses) != length:
        faults.append(f"{name} has {len(masses)} masses; give one for each {name} of the cost ({length})")
        return None
    for k in np.flatnonzero(masses <= 0)[:3]:
        faults.append(f"{name}: mass {k + 1} is {masses[k]:g}; masses must be positive: leave out a {name} without mass")
    return None if (masses <= 0).any() else masses


def _schedule(given: Any, epsilon: float, span: float, faults: list[str]) -> Schedule | None:
    if given is None:
        return None
    keys = {"kind": given} if isinstance(given, str) else given
    keys = dataclasses.asdict(keys) if isinstance(keys, Schedule) else keys
    if not isinstance(keys, Mapping):
        faults.append(f"schedule is {given!r}; give one of {', '.join(SCHEDULES)}, or its kind, start, rate and k_safe")
        return None
    allowed = [field.name for field in dataclasses.fields(Schedule)]
    unknown = [key for key in keys if key not in allowed]
    if unknown:
        faults.append(f"schedule has an unknown key {unknown[0]!r}; its keys are {', '.join(allowed)}")
    kind = keys.get("kind")
    if kind not in SCHEDULES:
        faults.append(f"schedule is of kind {kind!r}; known are {', '.join(SCHEDULES)}")
        return None
    k_safe: Any = keys.get("k_safe")
    if kind != "adaptive" and k_safe is not None:
        faults.append(f"schedule has a k_safe, but its kind {kind!r} has no brake; take the kind 'adaptive' or leave it out")
    start, rate = keys.get("start"), keys.get("rate")
    warm = start is None and span > epsilon
    start = span if warm else positive(start, f"schedule.start is {start!r}; {_WANTED}", faults)
    slow = 0.1 / start if kind == "quadratic" else 0.1
    rate = slow if rate is None else positive(rate, f"schedule.rate is {rate!r}; {_WANTED}", faults)
    if start <= epsilon:
        faults.append(f"schedule.start is {start:g}, not above epsilon, {epsilon:g}; it cools down, so start higher")
    if kind == "adaptive":
        k_safe = 0.5 if k_safe is None else positive(k_safe, f"schedule.k_safe is {k_safe!r}; {_WANTED}", faults)
    return Schedule(kind, start, rate, k_safe)
