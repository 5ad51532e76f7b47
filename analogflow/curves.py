"""Curves that trade one thing for another: exact points with their intervals and slopes, and the same points by a circuit.

What is traded is the family's to say, as `Family.curve`; how a curve is shown is not known here.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Sequence
from typing import Any, Unpack

import numpy as np

from analogflow.checks import is_finite, is_whole
from analogflow.compiler import CircuitOptions
from analogflow.errors import BadInput
from analogflow.families import FAMILIES, as_problem, family_of
from analogflow.families.trade_off import TradeOff
from analogflow.notebook import shown
from analogflow.solution import Solution, solve, versions

__all__ = ["POINTS", "CircuitPoint", "CurveValue", "TradeOffCurve", "curve"]

POINTS = 16
"""Points of a curve, if no number is given."""

_MOST = 1000


class CurveOptions(CircuitOptions, total=False):
    """Options of `curve` that its circuits and their runs are made by."""

    form: str | None
    time_constants: float | None
    accuracy: float | None


@dataclasses.dataclass(frozen=True)
class CircuitPoint:
    """Where a circuit ended that was asked for a point of a curve.

    Parameters
    ----------
    at, value : float
        Where on the curve, and the value there, as the run shows them, nats.
    passed : bool
        Whether every check of its run passed.
    """

    at: float
    value: float
    passed: bool


@dataclasses.dataclass(frozen=True)
class CurveValue:
    """A point of a curve.

    Parameters
    ----------
    at : float
    lower, upper : float
        Interval that holds the value, nats.
    slope : float
        Nats per unit of `at`.
    circuit : CircuitPoint, optional
        The same by a circuit; None where none was asked for, or no problem has this point as its answer.
    """

    at: float
    lower: float
    upper: float
    slope: float
    circuit: CircuitPoint | None = None

    @property
    def gap(self) -> float:
        """Width of the interval, nats."""
        return self.upper - self.lower


@dataclasses.dataclass(frozen=True, eq=False)
class TradeOffCurve:
    """Points of a curve of a problem.

    Parameters
    ----------
    problem : object
    trade_off : TradeOff
        What is traded for what.
    which : int
        Which of several costs it is, from 0.
    points : tuple of CurveValue
        In ascending order of `at`.
    engine : str
        That the circuits ran in; empty where there were none.
    """

    problem: Any
    trade_off: TradeOff
    which: int
    points: tuple[CurveValue, ...]
    engine: str = ""

    @property
    def passed(self) -> bool:
        """Whether every circuit's run passed; True where there were none."""
        return all(point.circuit is None or point.circuit.passed for point in self.points)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Each point as names and numbers; nats and bits."""
        bit, value = math.log(2), self.trade_off.value.removesuffix("_nats")
        found = []
        for point in self.points:
            row: dict[str, Any] = {
                self.trade_off.at: point.at,
                f"{value}_nats": point.lower,
                f"{value}_bits": point.lower / bit,
                "slope_nats": point.slope,
                "gap_nats": point.gap,
            }
            if self.engine:
                ran = point.circuit
                row |= {
                    f"circuit_{self.trade_off.at}": ran and ran.at,
                    f"circuit_{value}_nats": ran and ran.value,
                    "circuit_passed": ran and ran.passed,
                }
            found.append(row)
        return found

    def to_dict(self) -> dict[str, Any]:
        """The curve in plain numbers and names."""
        return {
            "flow": family_of(self.problem).name,
            "problem": getattr(self.problem, "summary", "") or repr(self.problem),
            "traded": self.trade_off.says,
            "which": self.which + 1,
            "engine": self.engine or None,
            "points": self.rows,
            "versions": versions(),
        }

    def to_csv(self) -> str:
        """A line of names, and one for each point; what is not there is empty."""
        written = io.StringIO()
        table = csv.DictWriter(written, list(self.rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        return written.getvalue()

    def __repr__(self) -> str:
        ends = f"{self.points[0].at:g} to {self.points[-1].at:g}"
        what = f"{self.trade_off.value_says} against {self.trade_off.says}"
        return f"TradeOffCurve({what}, {len(self.points)} points from {ends})"

    _repr_html_ = shown("html")


def curve(
    problem: Any,
    *,
    points: int | Sequence[float] = POINTS,
    which: int = 0,
    engine: str | None = None,
    on_progress: Callable[[float], None] | None = None,
    **options: Unpack[CurveOptions],
) -> TradeOffCurve:
    """Capacity or information against mean cost, or rate against distortion, exactly, and perhaps by circuits.

    Parameters
    ----------
    problem : Channel with a cost, RateDistortion, Transport
        Its own limit, or its own slope β or temperature ε, does not matter; limits of other costs stay as they are.
    points : int or sequence of float
        How many, in even steps to where the curve stops to change; or where.
    which : int
        Of several costs the one that is traded, from 0.
    engine : str, optional
        Engine that also runs a circuit for each point; no circuit runs without one.
    on_progress : callable, optional
        ``on_progress(done)``, a share of 1.
    options
        Of the circuits, as for `solve`.

    Returns
    -------
    TradeOffCurve

    Raises
    ------
    BadInput
        The problem has no curve, a place lies outside of it, or there are options of circuits and no engine.
    SimulationFailed
        A point was not certified.
    """
    problem = as_problem(problem)
    traded = family_of(problem).curve
    if traded is None:
        known = ", ".join(name for name, family in FAMILIES.items() if family.curve is not None)
        raise BadInput(f"curve: problems of {family_of(problem).name} have no curve; there is one of: {known}.")
    given = [name for name, value in options.items() if value is not None]
    if engine is None and given:
        raise BadInput(f"curve: {given[0]} is of circuits, and none runs; give engine, such as 'block', too.")
    if not is_whole(which, 0):
        raise BadInput(f"curve: which is {which!r}; give a whole number from 0.")
    first, last = traded.ends(problem, int(which))
    places = _places(traded, first, last, points)
    share = 0.1 if engine else 1.0
    found = []
    for k, place in enumerate(places):
        told = traded.point(problem, place, int(which))
        circuit = None
        if on_progress:
            on_progress((k + share) / len(places))
        if engine and (posed := traded.posed(problem, told, int(which))) is not None:
            circuit = _circuit_point(traded, solve(posed, engine=engine, **options), int(which))
        found.append(CurveValue(float(told.at), float(told.lower), float(told.upper), float(told.slope), circuit))
        if on_progress:
            on_progress((k + 1) / len(places))
    return TradeOffCurve(problem, traded, int(which), tuple(found), engine or "")


def _circuit_point(traded: TradeOff, solution: Solution, which: int) -> CircuitPoint:
    at, value = traded.read(solution.run, which)
    return CircuitPoint(float(at), float(value), solution.passed)


def _places(traded: TradeOff, first: float, last: float, points: int | Sequence[float]) -> list[float]:
    if is_whole(points, 1, _MOST):
        if not last > first:
            raise BadInput(
                f"curve: the least {traded.says}, {first:g}, costs no {traded.value_says}, so there is nothing to trade."
            )
        return [float(place) for place in np.linspace(first, last, int(points) + 1)[1:]]
    if not isinstance(points, list | tuple | np.ndarray) or not 1 <= len(points) <= _MOST:
        raise BadInput(f"curve: points is {points!r}; give a whole number from 1 to {_MOST}, or so many numbers.")
    for place in points:
        if not is_finite(place) or not place > first:
            raise BadInput(f"curve: {place!r} is no {traded.says} of this curve; give numbers above {first:g}.")
    return sorted(float(place) for place in points)
