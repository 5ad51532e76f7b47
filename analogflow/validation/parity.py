"""Two engines that share no arithmetic on one realisation of noise and imperfections, and the distance of their paths."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from analogflow.circuit import Circuit
from analogflow.errors import SimulationFailed
from analogflow.netlister import netlist
from analogflow.run import Outcome
from analogflow.simulators import simulate
from analogflow.simulators.block import follow
from analogflow.validation.agreement import of_full_scale

__all__ = ["Parity", "parity"]

_GRACE = 1.0
"""τ: two paths that run away part exponentially fast just before."""


@dataclasses.dataclass(frozen=True, eq=False)
class Parity:
    """Difference of two engines along one path; of a path that runs away, up to 1 τ before it does.

    Parameters
    ----------
    differences : mapping of name to float
        Largest difference of each state and observable over all points of ngspice's path, relative to full scale.
    full_scale : mapping of name to float
        Largest magnitude of each signal on the path, and at least 1 flow unit.
    points : int
        Points of ngspice's path.
    outcomes : tuple of Outcome
        Of ngspice and of the block engine.
    """

    differences: Mapping[str, float]
    full_scale: Mapping[str, float]
    points: int
    outcomes: tuple[Outcome, Outcome]

    @property
    def worst(self) -> float:
        """Largest of the differences; infinite unless both engines ended alike."""
        return max(self.differences.values()) if self.outcomes[0] is self.outcomes[1] else float("inf")

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value:.2g}" for name, value in self.differences.items())
        return f"{parts} of full scale over {self.points} points"


def parity(
    circuit: Circuit, *, time_constants: float = 50.0, largest_step: float | None = None, step_accuracy: float = 1e-9
) -> Parity:
    """Run `circuit`, with its noise and imperfections, in ngspice and in the block engine, and compare the paths.

    Parameters
    ----------
    circuit : Circuit
    time_constants, largest_step : float
        Length of the run and ngspice's largest step, both in τ.
    step_accuracy : float
        Relative error that the block engine may make per step.

    Raises
    ------
    SimulationFailed, MissingProgram
        ngspice broke down or is missing, or the path runs away within 1 τ.
    """
    spice = simulate(netlist(circuit, time_constants=time_constants, largest_step=largest_step), engine="ngspice")
    times = spice.time
    if spice.outcome is Outcome.BLEW_UP:
        times = np.append(times, times[-1] + _GRACE)  # the block engine has as much time to run away as well
    block = follow(circuit, times, step_accuracy=step_accuracy)
    end = min(spice.time[-1], block.time[-1])
    if Outcome.BLEW_UP in (spice.outcome, block.outcome):
        end -= _GRACE
    shared = int(np.searchsorted(spice.time, end, side="right"))
    if not shared:
        raise SimulationFailed(f"the path runs away at t = {end + _GRACE:.3g} τ, before there is anything to compare.")
    full_scale = {name: max(1.0, float(abs(value[:shared]).max())) for name, value in block.values.items()}
    differences = {name: of_full_scale(v[:shared], spice.values[name][:shared]) for name, v in block.values.items()}
    return Parity(differences, full_scale, shared, (spice.outcome, block.outcome))
