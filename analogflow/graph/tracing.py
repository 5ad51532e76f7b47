"""The second reading of a flow's function: called with signals instead of arrays, it grows the graph of blocks."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from analogflow.blocks import Block, Clock, Constant, Delay, Integrator, Latch, NoiseSource
from analogflow.blocks.block import frozen
from analogflow.checks import real_array
from analogflow.errors import Untraceable, call_theirs
from analogflow.graph.block_graph import BlockGraph
from analogflow.graph.signal import Signal, SourceLine, calling_line

__all__ = ["GraphBuilder", "rewritten", "trace"]


def trace(
    function: Callable[..., Any],
    states: Mapping[str, np.ndarray],
    *,
    constants: Mapping[str, Any] | None = None,
    adjustable: Mapping[str, float] | None = None,
    observables: Mapping[str, Callable[..., Any]] | None = None,
    clock: str = "",
    latches: Mapping[str, tuple[float, float]] | None = None,
    delays: Mapping[str, float] | None = None,
) -> BlockGraph:
    """Call `function` on signals and return the graph of blocks it grew.

    Parameters
    ----------
    function : callable
        Called as ``function(*states, **constants, **adjustable)``; returns the rates, one for each state, in their shapes.
    states : mapping of name to initial array
        In the order of the function's arguments.
    constants : mapping, optional
        Arrays and numbers, folded into the blocks.
    adjustable : mapping of name to float, optional
        Numbers kept as labelled constants, so that a pass can set them.
    observables : mapping of name to callable, optional
        Signals a user reads; called as the function is.
    clock : str
        State that is time; empty if none is.
    latches : mapping of state to (float, float), optional
        States that are outputs of comparators with hysteresis, and their thresholds, low and high; the function returns what
        each compares in place of its rate.
    delays : mapping of state to float, optional
        States that are signals of a while ago, and how long, in τ; the function returns the signal in place of the rate.

    Raises
    ------
    Untraceable
        The function did something no block realises, returned rates that do not fit the states, or takes other arguments.
    BadInput
        It raised an exception of its own.
    """
    builder = GraphBuilder()
    signals = []
    for label, initial in states.items():
        kind: type[Integrator] = Clock if label == clock else Integrator
        kept: dict[str, float] = {}
        if latches and label in latches:
            kind, (kept["low"], kept["high"]) = Latch, latches[label]
        elif delays and label in delays:
            kind, kept["delay"] = Delay, delays[label]
        signals.append(builder.state(label, np.asarray(initial, dtype=float), kind, **kept))
    keywords = dict(constants or {})
    keywords |= {label: builder.constant(value, label=label) for label, value in (adjustable or {}).items()}
    _check_arguments(function, states, keywords)
    rates = call_theirs(getattr(function, "__name__", "the flow's function"), "mend it", function, *signals, **keywords)
    if len(states) == 1 and isinstance(rates, Signal | np.ndarray | float | int):
        rates = (rates,)
    if not isinstance(rates, tuple | list) or len(rates) != len(states):
        raise Untraceable(f"{_name(function)} must return one rate for each of the states {', '.join(states)}.")
    closed = {}
    for (label, initial), rate in zip(states.items(), rates, strict=True):
        builder.source = SourceLine(f"d{label}/dt = 1") if label == clock else None
        rate = rate if isinstance(rate, Signal) else builder.constant(rate)
        if rate.shape != np.shape(initial) and rate.size != 1:
            raise Untraceable(
                f"{_name(function)} returns a rate of shape {rate.shape} "
                f"for the state {label!r} of shape {np.shape(initial)}."
            )
        closed[label] = rate
    builder.source = None
    read = {}
    for label, observable in (observables or {}).items():
        _check_arguments(observable, states, keywords, f"the observable {label!r}, ")
        value = call_theirs(f"the observable {label!r}", "mend it", observable, *signals, **keywords)
        read[label] = value if isinstance(value, Signal) else builder.constant(value)
    return builder.finish(closed, read)


def _check_arguments(function: Callable[..., Any], states: Iterable[str], constants: Iterable[str], what: str = "") -> None:
    """Refuse a function that can not be called as flows are, before Python says so in words of its own."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in another language than Python
        return
    try:
        signature.bind(*states, **dict.fromkeys(constants))
    except TypeError as fault:
        given = f"the states {', '.join(states)}"
        named = f" and, by their names, the constants {', '.join(constants)}" if [*constants] else ""
        raise Untraceable(f"{what}{_name(function)} can not be called with {given}{named}: {fault}.") from None


def _name(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    name = getattr(function, "__name__", "the flow's function")
    return f"{code.co_filename}:{code.co_firstlineno}: {name}" if code else name


class GraphBuilder:
    """A graph under construction.

    Equal blocks with equal inputs share one node, so a common subexpression is realised once however often it is written.
    """

    def __init__(self) -> None:
        self.source: SourceLine | None = None
        """Source of the blocks placed from now on; the user's line now executing if None."""
        self._blocks: dict[str, Block] = {}
        self._sources: dict[str, SourceLine] = {}
        self._wires: list[tuple[str, str, int]] = []
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

    def state(self, label: str, initial: np.ndarray, kind: type[Integrator] = Integrator, **parameters: Any) -> Signal:
        """Place an integrator; its rate is given to `finish`."""
        block = kind(size=initial.size, initial=frozen(initial.ravel()), label=label, **parameters)
        node = self._name(block)
        self._add(node, block, (), SourceLine())
        self._states[label] = node
        self._shapes[label] = initial.shape
        return Signal(self, node, initial.shape)

    def place(self, block: Block, inputs: tuple[Signal, ...], shape: tuple[int, ...]) -> Signal:
        """Place a block driven by `inputs`; its source is the user's line now executing."""
        source = self.source or calling_line(sys._getframe(1))
        node = self._share(block, tuple(x.node for x in inputs), source, None)
        return Signal(self, node, shape)

    def constant(self, values: object, *, label: str = "") -> Signal:
        """Signal of fixed value; an array all of whose entries are equal becomes one scalar source."""
        array = real_array(values, "a constant")
        if array.size and (array == array.flat[0]).all() and not label:
            return self.place(Constant(size=1, values=frozen([array.flat[0]])), (), ())
        return self.place(Constant(size=array.size, values=frozen(array.ravel()), label=label), (), array.shape)

    def noise(self, density: np.ndarray) -> Signal:
        """Independent white noises of `density` (flow units per √τ), in its shape, on streams that no source has yet."""
        sources = [block for block in self._blocks.values() if isinstance(block, NoiseSource)]
        first = max((source.first + source.size for source in sources), default=0)
        return self.place(NoiseSource(size=density.size, density=frozen(density.ravel()), first=first), (), density.shape)

    def signal(self, node: str, shape: tuple[int, ...] | None = None) -> Signal:
        """Signal that a placed node delivers."""
        size = self._blocks[node].size
        return Signal(self, node, (size,) if shape is None else shape)

    def block(self, node: str) -> Block:
        """Block at a placed node."""
        return self._blocks[node]

    def finish(self, rates: Mapping[str, Signal], observables: Mapping[str, Signal]) -> BlockGraph:
        """Close the loops and freeze: blocks that reach neither a rate nor an observable are dropped."""
        rank = {node: k for k, node in enumerate(self._blocks)}
        closing = [(rate.node, self._states[label], 0) for label, rate in rates.items()]
        wires = sorted([*self._wires, *closing], key=lambda wire: rank[wire[0]])
        whole = BlockGraph(self._blocks, self._sources, tuple(wires), self._states, {}, {})
        wanted = whole.needed_by([*self._states.values(), *(x.node for x in observables.values())])
        return BlockGraph(
            MappingProxyType({node: block for node, block in self._blocks.items() if node in wanted}),
            MappingProxyType({node: source for node, source in self._sources.items() if node in wanted}),
            tuple(wire for wire in wires if wire[0] in wanted and wire[1] in wanted),
            MappingProxyType(dict(self._states)),
            MappingProxyType({name: x.node for name, x in observables.items()}),
            MappingProxyType({**self._shapes, **{name: x.shape for name, x in observables.items()}}),
        )

    def _share(self, block: Block, inputs: tuple[str, ...], source: SourceLine, node: str | None) -> str:
        key = (*block.identity(), inputs)
        if key not in self._placed:
            node = self._name(block) if node is None or node in self._blocks else node
            self._add(node, block, inputs, source)
            self._placed[key] = node
        return self._placed[key]

    def _name(self, block: Block) -> str:
        kind = block.kind()
        while (name := f"{kind}{self._counts.get(kind, 0)}") in self._blocks:
            self._counts[kind] = self._counts.get(kind, 0) + 1
        return name

    def _add(self, node: str, block: Block, inputs: tuple[str, ...], source: SourceLine) -> None:
        self._blocks[node], self._sources[node] = block, source
        self._wires += [(origin, node, port) for port, origin in enumerate(inputs)]


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


def restarted(graph: BlockGraph, states: Mapping[str, np.ndarray]) -> BlockGraph:
    """The same graph with other initial values of the states that are named."""
    starts = {graph.states[name]: frozen(np.ravel(value)) for name, value in states.items()}

    def visit(builder: GraphBuilder, node: str, inputs: tuple[str, ...]) -> str:
        block = graph.block(node)
        if node in starts and isinstance(block, Integrator):
            block = dataclasses.replace(block, initial=starts[node])
        return builder.adopt(graph, node, inputs, block)

    return rewritten(graph, visit)
