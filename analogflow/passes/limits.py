"""When a run rests, when it has run away, and which errors its steps may make, in the units of its circuit's graph."""

from __future__ import annotations

from analogflow.block_engine import RUNAWAY, ErrorLimits
from analogflow.circuit import Circuit
from analogflow.flows import Flow

__all__ = ["farthest", "limits_of", "resting_size", "runaway_of"]


def resting_size(circuit: Circuit) -> float | None:
    """Size, in flow units, that the speed of what has to rest is relative to; None if that is what its path shows.

    Parts have a range of their own; ideal elements carry whatever size the flow has.
    """
    return 1.0 if circuit.parts else circuit.flow.size


def farthest(flow: Flow) -> float:
    """Size, in flow units, beyond which a state of `flow` has run away."""
    return RUNAWAY * flow.reach


def runaway_of(circuit: Circuit) -> float:
    """Size, in units of the circuit's graph, beyond which a state has run away, whichever engine runs it.

    Parts and scaled signals have a range of their own; what else is as large as the flow has it.
    """
    return RUNAWAY if circuit.parts or circuit.units.scales else farthest(circuit.flow)


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
    smallest = absolute * circuit.flow.state_scale * unit
    return ErrorLimits(relative, smallest, settled, resting_size(circuit), runaway_of(circuit), unit)
