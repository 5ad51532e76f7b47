"""How values come back into flow units, whichever engine computed them, with all observables of the flow; and go there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import complete
from analogflow.circuit import Circuit
from analogflow.circuit.circuit import Reading

__all__ = ["completed", "in_flow_units", "in_graph_units", "readings_of", "unscaled"]

Array = NDArray[np.float64]


def in_flow_units(circuit: Circuit, values: Mapping[str, Array]) -> dict[str, Array]:
    """Signals of the circuit's graph in flow units, and the observables that the circuit does not build."""
    if not circuit.units.scales and circuit.derived_from is None:
        return dict(values)
    return completed(circuit, unscaled(circuit, values))


def unscaled(circuit: Circuit, values: Mapping[str, Array]) -> dict[str, Array]:
    """Signals of the circuit's graph divided by their scales."""
    return {name: np.array(value / circuit.units.scales.get(name, 1.0)) for name, value in values.items()}


def in_graph_units(circuit: Circuit, values: Mapping[str, Array]) -> dict[str, Array]:
    """Signals in flow units as the circuit's graph has them: times their scales."""
    return {name: np.asarray(value * circuit.units.scales.get(name, 1.0)) for name, value in values.items()}


def readings_of(readings: Mapping[str, Reading], vectors: Mapping[str, Array]) -> dict[str, Array]:
    """Signals in flow units from raw voltages and currents."""
    return {
        name: reading.apply(np.stack([vectors[vector] for vector in reading.vectors], axis=-1))
        for name, reading in readings.items()
    }


def completed(circuit: Circuit, values: Mapping[str, Array]) -> dict[str, Array]:
    """Signals in flow units, and the observables that the circuit does not build, computed from them."""
    return dict(values) if circuit.derived_from is None else complete(circuit.derived_from, values)
