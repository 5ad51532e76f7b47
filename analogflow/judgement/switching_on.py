"""A circuit of parts that is switched on, beside the same one whose supplies are up and whose integrators are charged."""

from __future__ import annotations

import dataclasses

import numpy as np

from analogflow.circuit import Circuit
from analogflow.circuit.start_up import StartUp
from analogflow.compiler import charged
from analogflow.judgement.certificate import allowed_error
from analogflow.run import Run, run_plan
from analogflow.simulators import deck_for, simulate

__all__ = ["SwitchedOn", "beside_held_start"]

_FINEST = 1e-3
"""Distance of two answers, over their size, within which they are one."""


@dataclasses.dataclass(frozen=True, eq=False)
class SwitchedOn:
    """What came of a start-up.

    Parameters
    ----------
    start_up : StartUp
    release : float
        Seconds from the moment the supplies begin to rise until the flow begins.
    distance : float
        Of the answer from that of a start with charged integrators, over its size.
    limit : float
        Distance within which the two are one.
    """

    start_up: StartUp
    release: float
    distance: float
    limit: float

    @property
    def same(self) -> bool:
        """Whether the answer is that of the held start."""
        return self.distance <= self.limit

    def to_dict(self) -> dict[str, object]:
        """Plain numbers, by name."""
        return {
            "release_seconds": self.release,
            "distance": self.distance,
            "limit": self.limit,
            "same": self.same,
        }


def beside_held_start(
    circuit: Circuit, run: Run, *, engine: str | None, time_constants: float | None, accuracy: float | None
) -> SwitchedOn:
    """Run the same circuit, with its deviations and its noise, from charged integrators, and compare the answers.

    Parameters
    ----------
    circuit : Circuit
        As it is switched on.
    run : Run
        Of that circuit, by `engine`, which was given `time_constants`.
    engine, time_constants, accuracy
        As for `solve`.

    Raises
    ------
    MissingProgram, SimulationFailed
        The engine is not installed, or broke down.
    """
    how, flow = circuit.conditions.start_up, circuit.flow
    assert how is not None  # whoever asks has switched it on
    held = charged(circuit)
    plan = run_plan(held, time_constants)
    deck = deck_for(held, engine, time_constants=plan.end, largest_step=plan.largest_step)
    ends = [each.final[flow.answer][None] for each in (run, simulate(deck, engine=engine, resting_speed=plan.resting_speed))]
    distance = float(flow.apart(*ends)[0]) if np.isfinite(ends).all() else float("inf")
    return SwitchedOn(how, circuit.release, distance, max(_FINEST, allowed_error(circuit, accuracy)))
