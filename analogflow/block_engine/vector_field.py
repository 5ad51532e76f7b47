"""A block graph as a vector field: topology is worked out once, then any number of states is evaluated at once."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks import Clock, Constant, Delay, Integrator, Latch, NoiseSource, Scaled, Waveform
from analogflow.graph import BlockGraph

if TYPE_CHECKING:
    from analogflow.block_engine.compiled import Operations

__all__ = ["VectorField", "complete"]

Array = NDArray[np.float64]


class VectorField:
    """Right-hand side ẏ = f(y, n) of a block graph, its observables and its Jacobian.

    States are packed into one vector on the last axis, in the order of ``graph.states``, noises n in the order of
    `streams`; leading axes are samples. A graph whose blocks hold a value for each sample wants states of that many.

    Parameters
    ----------
    graph : BlockGraph

    Attributes
    ----------
    size : int
        Number of scalar states.
    streams : array of int, shape (sources,)
        Number of the noise stream that each scalar source plays.
    density : array, shape (sources,)
        Intensity of each scalar source, flow units per √τ.
    breaks : array, shape (k,)
        Ascending times, in τ, at which waveforms have a knot: no step goes over one.
    operations : Operations, optional
        What `compiled_program` made of it, once it was asked.
    """

    operations: Operations | None = None

    def __init__(self, graph: BlockGraph) -> None:
        self.graph = graph
        self.size = graph.size
        self.slices: dict[str, slice] = {}
        self.integrators: list[tuple[slice, str, Integrator]] = []
        start = 0
        for label, node in graph.states.items():
            stop = start + graph.block(node).size
            self.slices[label] = slice(start, stop)
            self.integrators.append((slice(start, stop), graph.rate(label), graph.integrator(node)))
            start = stop
        self.constants: dict[str, Array] = {}
        self.program: list[tuple[str, tuple[str, ...]]] = []
        self.sources: dict[str, slice] = {}
        streams: list[int] = []
        density: list[float] = []
        for node in graph.order():
            block = graph.block(node)
            inputs = graph.inputs(node)
            if isinstance(block, Integrator):
                continue
            if isinstance(block, Constant):
                self.constants[node] = block.values
            elif isinstance(block, NoiseSource):
                self.sources[node] = slice(len(streams), len(streams) + block.size)
                streams += range(block.first, block.first + block.size)
                density += block.density.tolist()
            elif all(origin in self.constants for origin in inputs):
                self.constants[node] = block.relation(*(self.constants[origin] for origin in inputs))
            else:
                self.program.append((node, inputs))
        self.streams = np.array(streams, dtype=np.intp)
        self.density = np.array(density, dtype=float)
        self.breaks = _breaks(graph)
        self._relations = [(node, graph.block(node).relation, inputs) for node, inputs in self.program]

    @classmethod
    def of(cls, graph: BlockGraph | VectorField) -> VectorField:
        """The field of a graph, which may have been worked out already."""
        return graph if isinstance(graph, VectorField) else cls(graph)

    def __call__(self, time: float, y: Array, noise: Array | None = None) -> Array:
        """Rates, shape (..., size), at states `y`, shape (..., size), and noises, shape (..., sources); 0 if not given.

        `time` is not used: the field is autonomous.
        """
        return self.rates(y, self.signals(y, noise))

    def rates(self, y: Array, values: Mapping[str, Array]) -> Array:
        """Rates at states `y` whose signals are `values`."""
        rates = np.empty_like(y)
        for part, origin, block in self.integrators:
            rates[..., part] = block.rate(values[origin], y[..., part])
        return rates

    def signals(self, y: Array, noise: Array | None = None, *, known: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """Value of every node, shape (..., size of the node), at states `y`; nodes `known` otherwise are not computed."""
        values = dict(self.constants)
        for label, part in self.slices.items():
            values[self.graph.states[label]] = y[..., part]
        for node, part in self.sources.items():
            values[node] = np.zeros(part.stop - part.start) if noise is None else noise[..., part]
        for node, relation, inputs in self._relations:
            if known is None or node not in known:
                values[node] = relation(*[values[origin] for origin in inputs])
            else:
                values[node] = known[node]
        return values

    def observables(self, y: Array, noise: Array | None = None) -> dict[str, Array]:
        """States and observables by name, each of shape (..., its size); parts of cells are left out."""
        named: Mapping[str, str] = {**self.visible_states, **self.graph.observables}
        states = {self.graph.states[label]: y[..., part] for label, part in self.slices.items()}
        values = states if self.shows_states_alone else self.signals(y, noise)
        return {name: np.broadcast_to(values[node], (*y.shape[:-1], values[node].shape[-1])) for name, node in named.items()}

    @functools.cached_property
    def shows_states_alone(self) -> bool:
        """Whether every observable is a state, so that to read one takes no block."""
        return set(self.graph.observables.values()) <= set(self.graph.states.values())

    @property
    def visible_states(self) -> dict[str, str]:
        """State to node, without the states that are parts of cells."""
        return {label: node for label, node in self.graph.states.items() if not self.graph.integrator(node).hidden}

    @property
    def latches(self) -> list[tuple[slice, str, Latch]]:
        """Place, driving node and block of each latch."""
        return [(part, origin, block) for part, origin, block in self.integrators if isinstance(block, Latch)]

    @property
    def delays(self) -> list[tuple[slice, str, Delay]]:
        """Place, driving node and block of each delay."""
        return [(part, origin, block) for part, origin, block in self.integrators if isinstance(block, Delay)]

    def fastest_leak(self) -> float:
        """Largest rate, per τ, at which an integrator forgets by itself."""
        return max(float(abs(block.leak).max()) for _, _, block in self.integrators)

    @property
    def width(self) -> int:
        """Number of scalar signals, which is what evaluating one sample takes in memory."""
        return sum(self.graph.block(node).size for node in self.graph)

    def jacobian(self, y: Array, noise: Array | None = None) -> Array:
        """Derivative of the rates, shape (..., size, size), from the blocks' own derivatives by the chain rule."""
        values = self.signals(y, noise)
        return self._rates_tangent(values, y, self.tangents(values))

    def directional(self, y: Array, direction: Array) -> Array:
        """Derivative of the rates along `direction`, shape (size,), at one state `y`, without the Jacobian."""
        values = self.signals(y)
        seeds = {self.graph.states[label]: direction[part, None] for label, part in self.slices.items()}
        rates = self._rates_tangent(values, y, self._propagated(values, seeds), damped=False)[..., 0]
        for part, origin, block in self.integrators:
            rates[part] -= block.slopes(values[origin], y[part])[1] * direction[part]
        return rates

    def noise_jacobian(self, y: Array, noise: Array | None = None) -> Array:
        """Derivative of the rates with respect to each scalar source, shape (..., size, sources)."""
        values = self.signals(y, noise)
        return self._rates_tangent(values, y, self.noise_tangents(values), damped=False)

    def tangents(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Derivative of every node that depends on the state, shape (..., size of the node, size), at signals `values`."""
        identity = np.eye(self.size)
        return self._propagated(values, {self.graph.states[label]: identity[part] for label, part in self.slices.items()})

    def noise_tangents(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Derivative of every node that depends on a source, shape (..., size of the node, sources), at signals `values`."""
        identity = np.eye(len(self.streams))
        return self._propagated(values, {node: identity[part] for node, part in self.sources.items()})

    def clock_tangents(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Derivative by time of every node that depends on it alone, shape (..., size of the node, 1), per τ."""
        graph = self.graph
        found = self._propagated(values, {graph.states[graph.clock]: np.ones((1, 1))}) if graph.clock else {}
        return {node: tangent for node, tangent in found.items() if node in graph.timed}

    def _propagated(self, values: Mapping[str, Array], tangents: dict[str, Array]) -> dict[str, Array]:
        for node, inputs in self.program:
            block = self.graph.block(node)
            if not any(origin in tangents for origin in inputs):
                continue
            partials = block.derivative(*(values[origin] for origin in inputs))
            moving = [
                partial.apply(tangents[origin])
                for origin, partial in zip(inputs, partials, strict=True)
                if origin in tangents
            ]
            tangents[node] = sum(moving[1:], moving[0])
        return tangents

    def _rates_tangent(
        self, values: Mapping[str, Array], y: Array, tangents: Mapping[str, Array], *, damped: bool = True
    ) -> Array:
        columns = next((tangent.shape[-1] for tangent in tangents.values()), self.size)
        jacobian = np.zeros((*y.shape[:-1], self.size, columns))
        for part, origin, block in self.integrators:
            gain, damping = block.slopes(values[origin], y[..., part])
            if origin in tangents:
                jacobian[..., part, :] = gain[..., None] * tangents[origin]
            if damped:
                index = np.arange(part.start, part.stop)
                jacobian[..., index, index] -= damping
        return jacobian

    def pack(self, states: Mapping[str, Array]) -> Array:
        """State vector, shape (..., size), from states by name, each of shape (..., its size)."""
        return np.concatenate([np.asarray(states[label], dtype=float) for label in self.slices], axis=-1)

    def unpack(self, y: Array) -> dict[str, Array]:
        """States by name from the state vector."""
        return {label: y[..., part] for label, part in self.slices.items()}


def _breaks(graph: BlockGraph) -> Array:
    found = [np.zeros(0)]
    for node in graph:
        block = graph.block(node)
        block = block.block if isinstance(block, Scaled) else block
        if isinstance(block, Waveform) and isinstance(graph.block(graph.inputs(node)[0]), Clock):
            found.append(block.times)
    every = np.unique(np.concatenate(found))
    return every[every > 0]


def complete(graph: BlockGraph, measured: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """All states and observables of `graph` in its units, given those that were `measured`.

    A measured signal stands for itself wherever another depends on it: what is computed from a measured distribution has
    that distribution's errors, not those of the state behind it.

    Parameters
    ----------
    graph : BlockGraph
    measured : mapping of name to array, shape (..., size)
        Every state, and any observables; further names are passed on.
    """
    field = VectorField(graph)
    known = {graph.observables[name]: value for name, value in measured.items() if name in graph.observables}
    state = field.pack({name: measured[name] for name in field.visible_states})
    values = field.signals(state, known=known)
    shape = state.shape[:-1]
    computed = {
        name: np.broadcast_to(values[node], (*shape, values[node].shape[-1])) for name, node in graph.observables.items()
    }
    return {**computed, **measured}
