"""When a run rests, when it has run away, and which errors its steps may make, in the units of its circuit's graph."""

from __future__ import annotations

import numpy as np

from analogflow.block_engine import RUNAWAY, ErrorLimits, VectorField
from analogflow.circuit import Circuit
from analogflow.flows import Flow

__all__ = ["bend_of", "farthest", "limits_of", "resting_size", "runaway_of"]


_SMALL_BESIDE = 1e-3
"""Part of the largest full scale that every other one is at least."""

_AHEAD = 1e-4
"""How far along the path second derivatives are taken, over its size."""


def bend_of(circuit: Circuit) -> float:
    """`Circuit.bend` of one of perfect ideal blocks whose flow is followed to an end, along its orbit; 0 of any other.

    On a path y″ is the derivative of the rates along themselves, and y‴ its difference from place to place.
    """
    flow, orbit = circuit.flow, circuit.orbit
    followed = flow.path_matters and flow.end_time is not None and circuit.nominal and not circuit.noisy
    if not followed or orbit is None or circuit.parts is not None or circuit.units.scales:
        return 0.0
    field = VectorField(circuit.graph)
    moving = np.array([label != flow.clock for label, part in field.slices.items() for _ in range(part.stop - part.start)])
    scale = abs(orbit).max(axis=0)
    scale = np.maximum(scale, _SMALL_BESIDE * scale[moving].max(initial=0.0))
    bends = []
    with np.errstate(all="ignore"):
        for y in orbit:
            rate = field(0.0, y)
            step = _AHEAD * float(abs(y).max()) / max(float(abs(rate).max()), 1e-300)
            corner = flow.clock and (abs(field.breaks - y[field.slices[flow.clock]]) <= 2 * step).any()
            if corner or not 0 < step < 1:
                continue
            ahead, behind = (field.directional(at, field(0.0, at)) for at in (y + step * rate, y - step * rate))
            bends.append(abs(ahead - behind) / (2 * step * scale))
        found = float(np.max(np.mean(bends, axis=0)[moving], initial=0.0)) if bends and moving.any() else 0.0
    return found if np.isfinite(found) else 0.0


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
