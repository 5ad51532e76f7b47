"""At which time constant a circuit would be as fast as the best digital solver, or take as much energy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from analogflow.comparison.contender import Contender
from analogflow.comparison.energy import Prices

__all__ = ["FORMULAS", "BreakEven", "break_even"]

FORMULAS = (
    "a circuit that settles in s time constants is faster than t seconds where τ < t/s",
    "a circuit that draws P watts takes less than E joules where τ < E/(P s)",
)
"""Both conditions in words; P, s, t and E are in the rows."""


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
