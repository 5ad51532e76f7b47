"""Mass to be moved from rows to columns at the least cost, smoothed by a temperature. It does not know how to solve it."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import numbers, positive, refusal
from analogflow.errors import AssumptionWarning, BadInput

__all__ = ["MASS_TOLERANCE", "SCHEDULES", "Schedule", "Transport"]

LARGEST_EXPONENT = 1e300
"""Of a cost over epsilon: what comes beyond is no number any more."""

_WANTED = "give a positive number"

MASS_TOLERANCE = 1e-9
"""Largest relative difference of the two marginals' sums that is accepted, and divided out."""

SCHEDULES = ("exponential", "quadratic", "adaptive")
"""Kinds of cooling."""

_SHOWN = 5
"""Rows or columns that a sentence names."""

Array = NDArray[np.float64]

Flags = NDArray[np.bool_]


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
        C_ij: cost of moving a unit of mass from row i to column j; infinite where that is forbidden.
    row : array, shape (n,), optional
        a_i: mass of each row, not negative; if not given, all have the same. Rows without mass are left out.
    column : array, shape (m,), optional
        b_j: mass each column takes, likewise; the sums of both agree within 1e-9.
    epsilon : float
        Temperature at which the plan is wanted, positive, in units of the cost.
    schedule : Schedule, mapping or str, optional
        How a circuit cools down to `epsilon`; a mapping has the keys of `Schedule`. Where only the kind is given, the start
        is the cost's range and the rate is 0.1 per τ there; k_safe is 0.5. If not given, the temperature is fixed.
    normalise : bool
        Whether both masses are divided by their sums.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message; or no plan avoids what is forbidden, or what is allowed falls into
        parts that share no mass.

    Warns
    -----
    AssumptionWarning
        Rows or columns are left out, or pairs count as forbidden because no plan can use them.

    Notes
    -----
    Attributes are those of the problem that is solved, without rows and columns that have no mass; `whole` gives a plan
    the shape of what was given.
    """

    cost: Array
    row: Array
    column: Array
    epsilon: float
    schedule: Schedule | None
    kept: tuple[Flags, Flags] = dataclasses.field(init=False, repr=False)

    @np.errstate(over="ignore", invalid="ignore")  # sums and spans may be infinite, which is refused
    def __init__(
        self,
        cost: ArrayLike,
        row: ArrayLike | None = None,
        column: ArrayLike | None = None,
        epsilon: float | None = None,
        schedule: Schedule | Mapping[str, Any] | str | None = None,
        *,
        normalise: bool = False,
    ) -> None:
        faults: list[str] = []
        C = _cost(cost, faults)
        shape = (None, None) if C is None else C.shape
        a, b = _marginal(row, "row", shape[0], faults), _marginal(column, "column", shape[1], faults)
        a, b = _uniform(a, row, b, shape[0]), _uniform(b, column, a, shape[1])
        balanced = a is None or b is None or abs(a.sum() - b.sum()) <= MASS_TOLERANCE * a.sum() < math.inf
        if a is not None and b is not None and normalise and max(a.sum(), b.sum()) < math.inf:
            a, b, balanced = a / a.sum(), b / b.sum(), True
        if a is not None and b is not None and not balanced:
            faults.append(
                f"row sums to {a.sum():.12g} and column to {b.sum():.12g}; both must carry the same mass within "
                f"{MASS_TOLERANCE:g}: multiply column by {a.sum() / b.sum():.12g}, "
                "or divide each by its sum (normalise=True)"
            )
        temperature = positive(epsilon, f"epsilon is {epsilon!r}; {_WANTED}", faults)
        if C is not None and a is not None and b is not None and not faults:
            C, a, b = self._cut(C, a, b, faults)
        span = math.nan if C is None else _span(C)
        if C is not None and temperature > 0 and not _dearest(C) <= min(LARGEST_EXPONENT * temperature, sys.float_info.max):
            faults.append(
                f"epsilon is {temperature:g} and the largest cost {_dearest(C):g}; "
                f"give costs up to {LARGEST_EXPONENT:g} epsilon"
            )
        cooling = _schedule(schedule, temperature, span, faults)
        if faults or C is None or a is None or b is None:
            said = refusal("Transport", faults)
            raise said if balanced else BadInput(str(said), words=["normalise=True"])
        b = b if abs(a.sum() - b.sum()) <= 4 * np.finfo(float).eps * a.sum() else b * (a.sum() / b.sum())
        for name, value in zip(
            ("cost", "row", "column", "epsilon", "schedule"), (C, a, b, temperature, cooling), strict=True
        ):
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    def _cut(self, C: Array, a: Array, b: Array, faults: list[str]) -> tuple[Array, Array, Array]:
        """What is left without rows, columns and pairs that no plan uses."""
        kept = a > 0, b > 0
        object.__setattr__(self, "kept", kept)
        gone = [f"{name} {_listed(~there)}" for name, there in zip(("row", "column"), kept, strict=True) if not there.all()]
        if gone:
            several = len(gone) > 1 or (~kept[0]).sum() + (~kept[1]).sum() > 1
            have, are = ("have", "are") if several else ("has", "is")
            _say(f"{' and '.join(gone)} {have} no mass and {are} left out; the plan is 0 there.")
        C, a, b = C[np.ix_(*kept)], a[kept[0]], b[kept[1]]
        if min(C.shape) < 2:
            faults.append(f"only {C.shape[0]} x {C.shape[1]} points have mass, so that only one plan fits the marginals")
        elif np.isinf(C).any():
            return self._without_forbidden(C, a, b, faults), a, b
        return C, a, b

    def _without_forbidden(self, C: Array, a: Array, b: Array, faults: list[str]) -> Array:
        from analogflow.problems.pairs import pairs_of

        rows, columns = (np.flatnonzero(kept) for kept in self.kept)
        found = pairs_of(np.isfinite(C), a, b)
        if found.stuck is not None:
            sources, targets = found.stuck
            taken = f"{b[targets].sum():.6g} ({_named('column', columns[targets])})" if len(targets) else "nothing"
            faults.append(
                f"no plan avoids the infinite costs: the mass of {_named('row', rows[sources])} is {a[sources].sum():.6g}, "
                f"and the columns it may go to take {taken}; allow more pairs, or move mass"
            )
            return C
        if len(np.unique(found.parts)) > 1:
            groups = [
                f"{_named('row', rows[found.parts == part])} with {_named('column', columns[found.column_parts == part])}"
                for part in dict.fromkeys(found.parts.tolist())
            ]
            faults.append(
                f"the infinite costs leave {len(groups)} parts that share no mass: {'; '.join(groups)}; solve each by itself"
            )
        unused = np.isfinite(C) & ~found.usable
        if unused.any() and not faults:
            i, j = np.argwhere(unused)[0]
            others = f" and {unused.sum() - 1} more" if unused.sum() > 1 else ""
            _say(f"no plan can use row {rows[i] + 1}, column {columns[j] + 1}{others}, which counts as forbidden.")
        return np.where(found.usable, C, np.inf)

    @property
    def allowed(self) -> Flags:
        """Whether a pair may have mass, shape (n, m)."""
        return np.isfinite(self.cost)

    @property
    def finite_cost(self) -> Array:
        """The cost, with 0 where it is infinite: what mass costs that is not there."""
        allowed = self.allowed
        return self.cost if allowed.all() else np.where(allowed, self.cost, 0.0)

    @property
    def dearest(self) -> float:
        """Largest size of a finite cost."""
        cost = self.finite_cost
        return float(max(cost.max(), -cost.min()))

    def whole(self, plan: Array) -> Array:
        """A plan, shape (n, m), in the shape of the cost as it was given, 0 where there is no mass."""
        full = np.zeros([len(kept) for kept in self.kept])
        full[np.ix_(*self.kept)] = plan
        return full

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
        """Largest minus smallest finite cost."""
        return _span(self.cost)

    def at(self, epsilon: float) -> Transport:
        """Same problem at another, fixed temperature, as if it had been given without what is left out."""
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


def _say(sentence: str) -> None:
    warnings.warn(f"Transport: {sentence}", AssumptionWarning, stacklevel=5)


def _listed(places: Array | Flags) -> str:
    numbers_of = [str(k + 1) for k in (np.flatnonzero(places) if places.dtype == bool else places)]
    return ", ".join(numbers_of[:_SHOWN]) + (f" and {len(numbers_of) - _SHOWN} more" if len(numbers_of) > _SHOWN else "")


def _named(what: str, places: Any) -> str:
    return f"{what}{'s' if len(places) > 1 else ''} {_listed(places)}"


def _span(C: Array) -> float:
    range_of_all = float(C.max() - C.min()) if C.size else math.nan
    if math.isfinite(range_of_all):
        return range_of_all
    finite = C[np.isfinite(C)]
    return float(np.ptp(finite)) if finite.size else math.nan


def _dearest(C: Array) -> float:
    """Largest size of what an exponent holds: of a cost, or of a difference of two."""
    finite = C[np.isfinite(C)]
    return float(max(abs(finite).max(), np.ptp(finite))) if finite.size else 0.0


def _uniform(masses: Array | None, given: Any, others: Array | None, length: int | None) -> Array | None:
    """`masses`, or where none were given the same for each, as much as the `others` have, or 1."""
    if given is not None or length is None:
        return masses
    return np.full(length, (1.0 if others is None else float(others.sum())) / length)


def _cost(values: ArrayLike, faults: list[str]) -> Array | None:
    wanted = "a matrix with a row for each source and a column for each target"
    cost = numbers(values, "cost", (2,), wanted, faults, infinite=True)
    if cost is not None and min(cost.shape) < 2:
        faults.append(
            f"cost has shape {cost.shape}, so that only one plan fits the marginals; give two rows and columns or more"
        )
        return None
    return cost


def _marginal(values: ArrayLike | None, name: str, length: int | None, faults: list[str]) -> Array | None:
    if values is None:
        return None
    known = "" if length is None else f" ({length})"
    masses = numbers(values, name, (1,), f"one mass for each {name} of the cost{known}", faults)
    if masses is None:
        return None
    if length is not None and len(masses) != length:
        faults.append(f"{name} has {len(masses)} masses; give one for each {name} of the cost ({length})")
        return None
    for k in np.flatnonzero(masses < 0)[:3]:
        faults.append(f"{name}: mass {k + 1} is {masses[k]:g}; masses must not be negative")
    if not masses.any():
        faults.append(f"{name} has no mass at all; give positive masses, or leave the key out and all have the same")
    return None if (masses < 0).any() or not masses.any() else masses


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
