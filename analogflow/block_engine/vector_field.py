"""A block graph as a vector field: topology is worked out once, then any number of states is evaluated at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks import Constant, Integrator
from analogflow.graph import BlockGraph

__all__ = ["VectorField"]

Array = NDArray[np.float64]


class VectorField:
    """Right-hand side ẏ = f(y) of a block graph, its observables and its Jacobian.

    States are packed into one vector on the last axis, in the order of ``graph.states``; leading axes are samples.
    """

    def __init__(self, graph: BlockGraph) -> None:
        self.graph = graph
        self.size = graph.size
        self._slices: dict[str, slice] = {}
        start = 0
        for label, node in graph.states.items():
            stop = start + graph.block(node).size
            self._slices[label] = slice(start, stop)
            start = stop
        self._constants: dict[str, Array] = {}
        self._program: list[tuple[str, tuple[str, ...]]] = []
        for node in graph.order():
            block = graph.block(node)
            if isinstance(block, Integrator):
                continue
            inputs = graph.inputs(node)
            if isinstance(block, Constant):
                self._constants[node] = block.values
            elif all(origin in self._constants for origin in inputs):
                self._constants[node] = block.relation(*(self._constants[origin] for origin in inputs))
            else:
                self._program.append((node, inputs))

    def __call__(self, time: float, y: Array) -> Array:
        """Rates, shape (..., size), at states `y`, shape (..., size); `time` is not used (the field is autonomous)."""
        values = self.signals(y)
        rates = np.empty(y.shape)
        for label, part in self._slices.items():
            rates[..., part] = values[self.graph.rate(label)]
        return rates

    def signals(self, y: Array) -> dict[str, Array]:
        """Value of every node, shape (..., size of the node), at states `y`."""
        values = dict(self._constants)
        for label, part in self._slices.items():
            values[self.graph.states[label]] = y[..., part]
        for node, inputs in self._program:
            values[node] = self.graph.block(node).relation(*(values[origin] for origin in inputs))
        return values

    def observables(self, y: Array) -> dict[str, Array]:
        """States and observables by name, each of shape (..., its size)."""
        values = self.signals(y)
        named: Mapping[str, str] = {**self.graph.states, **self.graph.observables}
        return {name: np.broadcast_to(values[node], (*y.shape[:-1], values[node].shape[-1])) for name, node in named.items()}

    def jacobian(self, y: Array) -> Array:
        """Derivative of the rates, shape (..., size, size), from the blocks' own derivatives by the chain rule."""
        values = self.signals(y)
        samples = y.shape[:-1]
        tangents: dict[str, Array] = {}
        for label, part in self._slices.items():
            tangents[self.graph.states[label]] = np.eye(self.size)[part]
        for node, inputs in self._program:
            block = self.graph.block(node)
            partials = block.derivative(*(values[origin] for origin in inputs))
            moving = [
                partial.apply(tangents[origin])
                for origin, partial in zip(inputs, partials, strict=True)
                if origin in tangents
            ]
            tangents[node] = sum(moving[1:], moving[0])
        jacobian = np.zeros((*samples, self.size, self.size))
        for label, part in self._slices.items():
            rate = self.graph.rate(label)
            if rate in tangents:
                jacobian[..., part, :] = tangents[rate]
        return jacobian

    def pack(self, states: Mapping[str, Array]) -> Array:
        """State vector, shape (..., size), from states by name, each of shape (..., its size)."""
        return np.concatenate([np.asarray(states[label], dtype=float) for label in self._slices], axis=-1)

    def unpack(self, y: Array) -> dict[str, Array]:
        """States by name from the state vector."""
        return {label: y[..., part] for label, part in self._slices.items()}
