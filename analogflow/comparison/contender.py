"""What is known of a contender after it ran: what it delivered, in how much work, time and energy, point by point."""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["Contender", "Point"]


@dataclasses.dataclass(frozen=True)
class Point:
    """An error and what it took to get there; None where something can not be counted.

    Parameters
    ----------
    error : float
        In the judge's unit.
    setting : float, optional
        Of the solver's knob; None on the path of a circuit.
    iterations : int, optional
    operations : float, optional
        Multiply-adds, with functions counted as many of them.
    time_constants : float, optional
        τ that a circuit has run.
    seconds : float, optional
        Measured on this machine for a digital solver, time of the circuit for a circuit.
    joules : float, optional
        Of the operations for a digital solver, static power times time for a circuit.
    """

    error: float
    setting: float | None = None
    iterations: int | None = None
    operations: float | None = None
    time_constants: float | None = None
    seconds: float | None = None
    joules: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Contender:
    """One row of a comparison.

    Parameters
    ----------
    name : str
        A solver's, or technology and form of a circuit, such as "opamp:logdomain".
    kind : {"digital", "analog"}
    method : str
    delivered : float
        Smallest error that it reached, or for a circuit the one it ended at; infinite if it gave no answer.
    bits : float
        Effective bits of that.
    points : tuple of Point
        Work and time against error.
    at : Point, optional
        The least time in which the accuracy was reached; None if it was not.
    components : int, optional
        Parts or elements of a circuit.
    watts : float, optional
        Static power of a circuit of parts.
    time_constant : float, optional
        τ of a circuit of parts, seconds.
    chip_watts : float, optional
        Power of the same flow on a chip with the assumed branches.
    processor_joules : float, optional
        Assumed power of a processor times the measured time.
    batch : int
        Problems that it solves at once: its time is a share of theirs, a throughput and no delay.
    note : str
        Why it did not take part, or what else must be known.
    """

    name: str
    kind: str
    method: str
    delivered: float
    bits: float
    points: tuple[Point, ...] = ()
    at: Point | None = None
    components: int | None = None
    watts: float | None = None
    time_constant: float | None = None
    chip_watts: float | None = None
    processor_joules: float | None = None
    batch: int = 1
    note: str = ""

    @property
    def reached(self) -> bool:
        """Whether it delivered the accuracy that was asked for."""
        return self.at is not None

    def value(self, measure: str) -> float | None:
        """Time (s), energy (J) or operations at which the accuracy was reached; None if it was not or can not be said.

        What solves many problems at once has no time for one.
        """
        if self.at is None or (measure == "time" and self.batch > 1):
            return None
        return {"time": self.at.seconds, "energy": self.at.joules, "operations": self.at.operations}[measure]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers under plain names."""
        row = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in ("points", "at")
        }
        return {
            **row,
            "reached": self.reached,
            "at": None if self.at is None else dataclasses.asdict(self.at),
            "points": [dataclasses.asdict(point) for point in self.points],
        }
