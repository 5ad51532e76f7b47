"""Rewrites a graph for other units of its signals, takes it apart again for an ideal circuit, and drops what is not read."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np

from analogflow.blocks import (
    Block,
    Constant,
    Crossbar,
    Gain,
    Integrator,
    NoiseSource,
    Scaled,
    Sum,
    Wire,
)
from analogflow.blocks.block import frozen
from analogflow.graph import BlockGraph, GraphBuilder

__all__ = ["pruned", "rescaled", "unfolded"]


def rescaled(graph: BlockGraph, scales: Mapping[str, float], limits: Mapping[str, float]) -> BlockGraph:
    """The same flow between signals in other units.

    Parameters
    ----------
    graph : BlockGraph
    scales : mapping of node to float
        New units per old unit of every node; a wire has that of what drives it.
    limits : mapping of node to float
        Old units at which integrators are clamped.
    """
    builder = GraphBuilder()
    renamed: dict[str, str] = {}
    for node in graph.order():
        block = graph.block(node)
        inputs = () if isinstance(block, Integrator) else graph.inputs(node)
        block = _in_units(graph, node, block, scales, limits.get(node, np.inf))
        renamed[node] = builder.adopt(graph, node, tuple(renamed[origin] for origin in inputs), block)
    return _finished(graph, builder, renamed)


def _in_units(graph: BlockGraph, node: str, block: Block, scales: Mapping[str, float], limit: float) -> Block:
    own = scales[node]
    given = [own / scales[origin] for origin in graph.inputs(node)]
    match block:
        case Wire():
            return block
        case Constant():
            return dataclasses.replace(block, values=frozen(block.values * own))
        case NoiseSource():
            return dataclasses.replace(block, density=frozen(block.density * own))
        case Crossbar():
            return dataclasses.replace(block, weight=frozen(block.weight * given[0]))
        case Gain():
            return dataclasses.replace(block, coefficients=frozen(block.coefficients * given[0]))
        case Sum():
            coefficients = tuple(c * ratio for c, ratio in zip(block.coefficients, given, strict=True))
            return dataclasses.replace(block, coefficients=coefficients)
        case Integrator():
            return dataclasses.replace(
                block,
                initial=frozen(np.clip(block.initial, -limit, limit) * own),
                gain=frozen(block.gain * given[0]),
                limit=min(block.limit, limit) * own,
            )
    return Scaled(size=block.size, block=block, output=own, inputs=tuple(own / ratio for ratio in given))


def unfolded(graph: BlockGraph) -> BlockGraph:
    """The same graph with every scaled block between gains: what a technology without scales of its own can build."""
    builder = GraphBuilder()
    renamed: dict[str, str] = {}
    for node in graph.order():
        block = graph.block(node)
        inputs = () if isinstance(block, Integrator) else tuple(renamed[origin] for origin in graph.inputs(node))
        if not isinstance(block, Scaled):
            renamed[node] = builder.adopt(graph, node, inputs, block)
            continue
        before = tuple(
            builder.insert(graph, node, (name,), _gain(builder.block(name).size, 1 / s))
            for name, s in zip(inputs, block.inputs, strict=True)
        )
        inner = builder.insert(graph, node, before, block.block)
        renamed[node] = builder.insert(graph, node, (inner,), _gain(block.size, block.output))
    return _finished(graph, builder, renamed)


def pruned(graph: BlockGraph, keep: Collection[str]) -> BlockGraph:
    """The graph with the observables in `keep` and those others that cost no block, without what only the rest needs."""
    kept = [graph.observables[name] for name in keep if name in graph.observables]
    needed = _ancestors(graph, [*graph.states.values(), *kept])
    builder = GraphBuilder()
    renamed: dict[str, str] = {}
    for node in graph.order():
        if node in needed:
            block = graph.block(node)
            inputs = () if isinstance(block, Integrator) else tuple(renamed[origin] for origin in graph.inputs(node))
            renamed[node] = builder.adopt(graph, node, inputs, block)
    return _finished(graph, builder, renamed)


def _ancestors(graph: BlockGraph, nodes: list[str]) -> set[str]:
    found, waiting = set(), list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += graph.inputs(node)
    return found


def _finished(graph: BlockGraph, builder: GraphBuilder, renamed: Mapping[str, str]) -> BlockGraph:
    return builder.finish(
        {state: builder.signal(renamed[graph.rate(state)]) for state in graph.states},
        {
            name: builder.signal(renamed[node], graph.shapes[name])
            for name, node in graph.observables.items()
            if node in renamed
        },
    )


def _gain(size: int, factor: float) -> Gain:
    return Gain(size=size, coefficients=frozen(np.full(size, factor)))
