"""What is known of a contender after it ran: what it delivered, in how much work, time and energy, point by point.

A circuit's row tells, too, at which time constant it would be as fast as the best digital solver, or take as much energy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from analogflow.comparison.energy import Prices

__all__ = ["FORMULAS", "BreakEven", "Contender", "Point", "break_even"]

FORMULAS = (
    "a circuit that settles in s time constants is faster than t seconds where τ < t/s",
    "a circuit that draws P watts takes less than E joules where τ < E/(P s)",
)
"""Both conditions in words; P, s, t and E are in the rows."""


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
    kind : {"digital", "analog", "mixed"}
        Mixed is a circuit whose answer digital steps correct; it wins for neither side.
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


@dataclasses.dataclass(frozen=True)
class BreakEven:
    """One circuit against the best of the digital solvers, at the accuracy that both deliver.

    Parameters
    ----------
    circuit : str
    settling : float
        s, in τ.
    faster_solver, cheaper_solver : str
        The digital solvers of least time and of least energy.
    seconds, joules : float
        t and E of those.
    time_constant_for_time : float
        τ in seconds below which the circuit is faster.
    time_constant : float, optional
        That of its parts, seconds; None where it has no parts.
    time_constant_for_energy : float, optional
        τ below which its parts take less energy.
    chip_watts : float
        Power of the assumed chip.
    chip_time_constant_for_energy : float
        τ below which that chip takes less energy.
    chip_time_constant : float
        τ of the assumed chip.
    chip_seconds, chip_joules : float
        What it would take to settle, if it were as accurate.
    """

    circuit: str
    settling: float
    faster_solver: str
    seconds: float
    cheaper_solver: str
    joules: float
    time_constant_for_time: float
    time_constant: float | None
    time_constant_for_energy: float | None
    chip_watts: float
    chip_time_constant_for_energy: float
    chip_time_constant: float
    chip_seconds: float
    chip_joules: float

    @property
    def chip_is_faster(self) -> bool:
        """Whether the assumed chip would need less time than the fastest solver on this machine."""
        return self.chip_seconds < self.seconds

    @property
    def chip_is_cheaper(self) -> bool:
        """Whether it would need less energy than the operations of the cheapest solver."""
        return self.chip_joules < self.joules

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers under plain names."""
        return {
            **dataclasses.asdict(self),
            "chip_is_faster": self.chip_is_faster,
            "chip_is_cheaper": self.chip_is_cheaper,
        }


def break_even(contenders: Sequence[Contender], prices: Prices) -> tuple[BreakEven, ...]:
    """Every circuit that reached the accuracy after a time above 0, against the best solvers that did too."""
    timed = {c.name: c.value("time") for c in contenders if c.kind == "digital"}
    priced = {c.name: c.value("energy") for c in contenders if c.kind == "digital"}
    times = {name: value for name, value in timed.items() if value is not None}
    costs = {name: value for name, value in priced.items() if value is not None}
    if not times or not costs:
        return ()
    faster, cheaper = min(times, key=times.__getitem__), min(costs, key=costs.__getitem__)
    t, E, tau = times[faster], costs[cheaper], prices["chip_time_constant"]
    rows = []
    for circuit in contenders:
        at, chip = circuit.at, circuit.chip_watts
        if circuit.kind != "analog" or at is None or not at.time_constants or not chip:
            continue
        s = at.time_constants
        rows.append(
            BreakEven(
                circuit.name, s, faster, t, cheaper, E, t / s, circuit.time_constant,
                None if circuit.watts is None else E / (circuit.watts * s),
                chip, E / (chip * s), tau, tau * s, chip * tau * s,
            )
        )  # fmt: skip
    return tuple(rows)
