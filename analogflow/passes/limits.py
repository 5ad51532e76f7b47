"""When a run of a circuit rests and which errors its steps may make, in the units of its graph, for every engine alike."""

from __future__ import annotations

from analogflow.block_engine import RUNAWAY, ErrorLimits
from analogflow.circuit import Circuit

__all__ = ["limits_of", "resting_size"]


def resting_size(circuit: Circuit) -> float | None:
    """Size, in flow units, that the speed of what has to rest is relative to; None if that is what its path shows.

    Parts have a range of their own; ideal elements carry whatever size the flow has.
    """
    return 1.0 if circuit.parts else circuit.flow.size


def limits_of(circuit: Circuit, relative: float, absolute: float, settled: float = 0.0) -> ErrorLimits:
    """Limits of a run of `circuit`: errors per step, the absolute one for states of size 1, and the speed at rest.

    Parameters
    ----------
    circuit : Circuit
    relative, absolute : float
    settled : float
        Flow units per τ; 0 runs to the end. Where signals are scaled, that of the smallest scale counts for all.
    """
    scales = circuit.units.scales
    unit = min(float(abs(scales[name]).min()) if name in scales else 1.0 for name in circuit.flow.rests)
    runaway = RUNAWAY * (1.0 if scales else circuit.flow.reach)
    return ErrorLimits(relative, absolute * circuit.flow.state_scale * unit, settled, resting_size(circuit), runaway, unit)
