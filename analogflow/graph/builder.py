"""Places blocks one by one and freezes them into a graph. Placing the same block twice yields the same signal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

import networkx as nx
import numpy as np

from analogflow.blocks import Block, Constant, Integrator, NoiseSource
from analogflow.blocks.block import frozen
from analogflow.checks import real_array
from analogflow.graph.block_graph import BlockGraph
from analogflow.graph.signal import Signal
from analogflow.graph.source_line import SourceLine, calling_line

__all__ = ["GraphBuilder", "rewritten"]


class GraphBuilder:
    """A graph under construction.

    Equal blocks with equal inputs share one node, so a common subexpression is realised once however often it is written.
    """

    def __init__(self) -> None:
        self.source: SourceLine | None = None
        """Source of the blocks placed from now on; the user's line now executing if None."""
        self._network = nx.MultiDiGraph()
        self._placed: dict[object, str] = {}
        self._counts: dict[str, int] = {}
        self._states: dict[str, str] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}

    @classmethod
    def extending(cls, graph: BlockGraph) -> GraphBuilder:
        """Builder that already holds all blocks of `graph`, with open integrators: rates are given anew to `finish`."""
        builder = cls()
        for node in graph.order():
            builder.adopt(graph, node, tuple(graph.inputs(node)), graph.block(node))
        return builder

    def adopt(self, graph: BlockGraph, node: str, inputs: tuple[str, ...], block: Block) -> str:
        """Place `block` under the name `node` with the source line it has in `graph`; return the name it got."""
        if isinstance(block, Integrator):
            self._add(node, block, (), graph.source(node))
            self._states[block.label] = node
            self._shapes[block.label] = graph.shapes[block.label]
            return node
        return self._share(block, inputs, graph.source(node), node)

    def insert(self, graph: BlockGraph, node: str, inputs: tuple[str, ...], block: Block) -> str:
        """Place a block of a name of its own for the sake of `node` of `graph`, whose source line it gets."""
        return self._share(block, inputs, graph.source(node), None)

    def state(self, label: str, initial: np.ndarray, **parameters: Any) -> Signal:
        """Place an integrator; its rate is given to `finish`."""
        block = Integrator(size=initial.size, initial=frozen(initial.ravel()), label=label, **parameters)
        node = self._name(block)
        self._add(node, block, (), SourceLine())
        self._states[label] = node
        self._shapes[label] = initial.shape
        return Signal(self, node, initial.shape)

    def place(self, block: Block, inputs: tuple[Signal, ...], shape: tuple[int, ...]) -> Signal:
        """Place a block driven by `inputs`; its source is the user's line now executing."""
        node = self._share(block, tuple(x.node for x in inputs), self.source or calling_line(), None)
        return Signal(self, node, shape)

    def constant(self, values: object, *, label: str = "") -> Signal:
        """Signal of fixed value; an array all of whose entries are equal becomes one scalar source."""
        array = real_array(values, "a constant")
        if array.size and (array == array.flat[0]).all() and not label:
            return self.place(Constant(size=1, values=frozen([array.flat[0]])), (), ())
        return self.place(Constant(size=array.size, values=frozen(array.ravel()), label=label), (), array.shape)

    def noise(self, density: np.ndarray) -> Signal:
        """Independent white noises of `density` (flow units per √τ), in its shape, on streams that no source has yet."""
        blocks = [data["block"] for _, data in self._network.nodes(data=True)]
        first = max((block.first + block.size for block in blocks if isinstance(block, NoiseSource)), default=0)
        return self.place(NoiseSource(size=density.size, density=frozen(density.ravel()), first=first), (), density.shape)

    def signal(self, node: str, shape: tuple[int, ...] | None = None) -> Signal:
        """Signal that a placed node delivers."""
        size = self._network.nodes[node]["block"].size
        return Signal(self, node, (size,) if shape is None else shape)

    def block(self, node: str) -> Block:
        """Block at a placed node."""
        return self._network.nodes[node]["block"]

    def finish(self, rates: Mapping[str, Signal], observables: Mapping[str, Signal]) -> BlockGraph:
        """Close the loops and freeze: blocks that reach neither a rate nor an observable are dropped."""
        for label, rate in rates.items():
            self._network.add_edge(rate.node, self._states[label], 0)
        wanted = {*self._states.values(), *(x.node for x in observables.values())}
        for node in tuple(wanted):
            wanted |= nx.ancestors(self._network, node)
        network = nx.MultiDiGraph()
        network.add_nodes_from((node, data) for node, data in self._network.nodes(data=True) if node in wanted)
        network.add_edges_from((a, b, key) for a, b, key in self._network.edges(keys=True) if a in wanted and b in wanted)
        shapes = {**self._shapes, **{name: x.shape for name, x in observables.items()}}
        return BlockGraph(
            nx.freeze(network),
            MappingProxyType(dict(self._states)),
            MappingProxyType({name: x.node for name, x in observables.items()}),
            MappingProxyType(shapes),
        )

    def _share(self, block: Block, inputs: tuple[str, ...], source: SourceLine, node: str | None) -> str:
        key = (*block.identity(), inputs)
        if key not in self._placed:
            node = self._name(block) if node is None or node in self._network else node
            self._add(node, block, inputs, source)
            self._placed[key] = node
        return self._placed[key]

    def _name(self, block: Block) -> str:
        kind = block.kind()
        while (name := f"{kind}{self._counts.get(kind, 0)}") in self._network:
            self._counts[kind] = self._counts.get(kind, 0) + 1
        return name

    def _add(self, node: str, block: Block, inputs: tuple[str, ...], source: SourceLine) -> None:
        self._network.add_node(node, block=block, source=source)
        for port, origin in enumerate(inputs):
            self._network.add_edge(origin, node, port)


def rewritten(
    graph: BlockGraph,
    visit: Callable[[GraphBuilder, str, tuple[str, ...]], str] | None = None,
    *,
    observables: Collection[str] | None = None,
) -> BlockGraph:
    """The graph that comes of building `graph` anew, node by node in its order.

    Parameters
    ----------
    graph : BlockGraph
    visit : callable, optional
        ``visit(builder, node, inputs)`` places what `node` becomes, given the new nodes that drive its ports (none for an
        integrator), and returns the new node that delivers its signal. It is placed as it is if not given.
    observables : collection of str, optional
        Names of those to keep; all if not given. Blocks that neither they nor a state needs are dropped.
    """
    builder = GraphBuilder()
    new: dict[str, str] = {}
    for node in graph.order():
        inputs = () if isinstance(graph.block(node), Integrator) else tuple(new[origin] for origin in graph.inputs(node))
        new[node] = visit(builder, node, inputs) if visit else builder.adopt(graph, node, inputs, graph.block(node))
    return builder.finish(
        {state: builder.signal(new[graph.rate(state)]) for state in graph.states},
        {
            name: builder.signal(new[node], graph.shapes[name])
            for name, node in graph.observables.items()
            if observables is None or name in observables
        },
    )
