"""Noise of the parts of a circuit as the block engine plays it: the sources of the netlist, referred to its integrators."""

from __future__ import annotations

import weakref
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import Drive, VectorField, complete
from analogflow.blocks import Constant, Crossbar, NoiseSource, Sum
from analogflow.blocks.block import frozen
from analogflow.circuit import Circuit
from analogflow.graph import BlockGraph, GraphBuilder
from analogflow.passes import ReferredNoise, refer_noise
from analogflow.simulators.flow_units import unscaled

__all__ = ["PlayedParts"]

Array = NDArray[np.float64]

_FOUND: weakref.WeakKeyDictionary[Circuit, ReferredNoise] = weakref.WeakKeyDictionary()


class PlayedParts:
    """A circuit's graph with a source at each integrator, which plays what all parts together do there.

    Parameters
    ----------
    circuit : Circuit
        With noise of its parts.
    end : float
        Length of the run in τ.

    Attributes
    ----------
    field : VectorField
    drive : Drive
        Of σ, where there is any, and of the parts beside it.

    Raises
    ------
    BadInput, SimulationFailed
        As `refer_noise` does.
    """

    def __init__(self, circuit: Circuit, end: float) -> None:
        if circuit not in _FOUND:
            _FOUND[circuit] = refer_noise(circuit)
        referred = _FOUND[circuit]
        self.circuit = circuit
        graph, added = _with_sources(circuit, referred)
        self.field, volts = VectorField(graph), referred.volts(circuit, end)
        played = {}
        for label, gains in referred.rates.items():
            values = volts @ gains.T * _per_rate(circuit, label)[:, 0]
            first = self.field.sources[added[label]].start
            played |= {first + k: values[None, :, k] for k in range(values.shape[1])}
        self.drive = Drive(self.field, circuit.noise, [circuit.sample], end, played=played)
        self._beside = {name: volts @ gains.T for name, gains in referred.readings.items()}

    def shown(self, values: Mapping[str, Array], times: Array) -> dict[str, Array]:
        """What is read in flow units, of the graph's signals: with what parts add to it beyond the integrators."""
        found = unscaled(self.circuit, values)
        at = times / self.drive.step
        for name, knots in self._beside.items():
            if name in found:
                first = np.minimum(at.astype(int), len(knots) - 2)
                found[name] = found[name] + knots[first] + (at - first)[:, None] * (knots[first + 1] - knots[first])
        whole = self.circuit.derived_from
        if whole is None and not self.circuit.units.scales:
            whole = self.circuit.graph
        read = {name: value for name, value in found.items() if name in self._beside}
        return found if whole is None else {**found, **complete(whole, read)}


def _per_rate(circuit: Circuit, label: str) -> Array:
    """Units of the graph at the input of each integrator of a state for a flow unit per τ, shape (size, 1)."""
    block = circuit.graph.integrator(circuit.graph.states[label])
    return np.broadcast_to(circuit.units.scales.get(label, 1.0) / block.gain, (block.size,))[:, None]


def _with_sources(circuit: Circuit, referred: ReferredNoise) -> tuple[BlockGraph, dict[str, str]]:
    """The graph, moving about its rest as the circuit does, and the source at the integrators of each state."""
    graph, builder, rates, added = circuit.graph, GraphBuilder.extending(circuit.graph), {}, {}
    sizes = {label: graph.block(node).size for label, node in graph.states.items()}
    ends = dict(zip(sizes, np.cumsum(list(sizes.values())).tolist(), strict=True))
    taken = max((b.first + b.size for n in graph if isinstance(b := graph.block(n), NoiseSource)), default=0)
    for label, node in graph.states.items():
        size, rows = sizes[label], slice(ends[label] - sizes[label], ends[label])
        noise = NoiseSource(size=size, density=frozen(np.zeros(size)), first=taken)
        taken += size
        added[label] = builder.insert(graph, node, (), noise)
        bent = referred.bent[rows] * _per_rate(circuit, label)
        shift = Constant(size=size, values=frozen(-bent @ referred.rest))
        terms = [graph.rate(label), added[label], builder.insert(graph, node, (), shift)]
        for other, origin in graph.states.items():
            columns = slice(ends[other] - sizes[other], ends[other])
            weight = bent[:, columns] / np.asarray(circuit.units.scales.get(other, 1.0))
            if weight.any():
                crossbar = Crossbar(size=size, weight=frozen(weight), rows=1)
                terms.append(builder.insert(graph, node, (origin,), crossbar))
        rates[label] = builder.signal(
            builder.insert(graph, node, tuple(terms), Sum(size=size, coefficients=(1.0,) * len(terms)))
        )
    shown = {name: builder.signal(node, graph.shapes[name]) for name, node in graph.observables.items()}
    return builder.finish(rates, shown), added
