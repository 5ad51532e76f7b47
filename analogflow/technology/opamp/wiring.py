"""Which blocks of an op-amp circuit have an amplifier of their own, and where their signs and gains are taken care of.

What a summing amplifier or an integrator reads may as well be the terms of a sum as the sum. A product has either sign for
nothing, and its gain, or the offset of a logarithm, is a matter of resistors where all that read it are sums.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping

import numpy as np

from analogflow.blocks import (
    Block,
    Constant,
    Crossbar,
    Gain,
    Integrator,
    Log,
    MatrixProduct,
    Multiplier,
    Sum,
    Switch,
    Wire,
)
from analogflow.graph import BlockGraph
from analogflow.technology.opamp.bench import scales
from analogflow.technology.technology import located

__all__ = ["Wiring", "wiring_of"]

_LINEAR = (Sum, Gain, Crossbar)
_PRODUCTS = (Multiplier, Switch)

_RESISTORS = 6
"""Resistors that an amplifier is worth."""

Leads = Mapping[tuple[str, int], float]
"""Gain of each element of a block."""


@dataclasses.dataclass(frozen=True, eq=False)
class Wiring:
    """What is built of the blocks of a graph.

    Parameters
    ----------
    graph : BlockGraph
    flipped : frozenset of str
        Blocks that deliver the negative of their output.
    absorbed : frozenset of str
        Linear blocks that are not built: what reads one has its terms.
    bare : frozenset of str
        Products without their gain, and logarithms without their offset, which all that read them make up for.
    """

    graph: BlockGraph
    flipped: frozenset[str] = frozenset()
    absorbed: frozenset[str] = frozenset()
    bare: frozenset[str] = frozenset()

    def leads(self, node: str, index: int) -> Leads:
        """What output `index` of a linear block is a sum of: elements of blocks that are built, or of constants."""
        return _leads(self.graph, node, index, self.absorbed)

    def input(self, node: str, index: int) -> Leads:
        """The same of what element `index` of the only port of a block reads."""
        origin, k = _seen(self.graph, self.graph.inputs(node)[0], index)
        return self.leads(origin, k) if origin in self.absorbed else {(origin, k): 1.0}

    def factor(self, node: str) -> float:
        """What a built block's output is multiplied by to be what the graph says, its offset aside."""
        sign = -1.0 if node in self.flipped else 1.0
        block, output, inputs = scales(self.graph.block(node))
        gain = output / (inputs[0] * inputs[1]) if node in self.bare and isinstance(block, _PRODUCTS) else 1.0
        return sign * gain


def wiring_of(graph: BlockGraph) -> Wiring:
    """The wiring of a scaled graph that takes few amplifiers.

    A linear block that one other reads is absorbed if that costs no more than a few resistors for each amplifier, and into
    an integrator, which inverts, if every term can have the sign that it takes; which it has is decided as it is met first.
    """
    readers, observed = _readers(graph)

    def linear(node: str) -> bool:
        return isinstance(graph.block(node), _LINEAR) and node not in graph.timed

    def private(node: str) -> bool:
        return linear(node) and node not in observed and len(readers[node]) == 1

    absorbed: set[str] = set()
    for node in graph.order():
        if not private(node):
            continue
        (reader,) = readers[node]
        if linear(reader):
            apart = _count(graph, reader, absorbed) + _count(graph, node, absorbed) + graph.block(node).size
            together = _count(graph, reader, absorbed | {node})
            if together <= apart + _RESISTORS * graph.block(node).size:
                absorbed.add(node)

    def either_sign(node: str) -> bool:
        kinds = [scales(graph.block(reader))[0] for reader in readers[node]]
        return (linear(node) or isinstance(scales(graph.block(node))[0], _PRODUCTS)) and all(
            isinstance(kind, _LINEAR + _PRODUCTS + (Integrator, MatrixProduct)) for kind in kinds
        )

    flips: dict[str, bool] = {}
    for node in graph.states.values():
        if node in graph.timed:
            continue
        origin, _ = located(graph, graph.inputs(node)[0])
        if private(origin):
            needed = _needed(graph, origin, absorbed)
            if needed is not None and all(
                flips.get(o, wanted) == wanted and (not wanted or either_sign(o)) for o, wanted in needed.items()
            ):
                absorbed.add(origin)
                flips |= needed
            else:
                flips[origin] = True
        elif either_sign(origin) and origin not in graph.timed:
            flips.setdefault(origin, True)
    bare = {
        node
        for node in graph
        if isinstance(scales(graph.block(node))[0], (*_PRODUCTS, Log))
        and node not in observed
        and node not in graph.timed
        and all(linear(reader) or isinstance(graph.block(reader), Integrator) for reader in readers[node])
    }
    flipped = {node for node, wanted in flips.items() if wanted}
    return Wiring(graph, frozenset(flipped), frozenset(absorbed), frozenset(bare))


def _needed(graph: BlockGraph, node: str, absorbed: set[str]) -> dict[str, bool] | None:
    """Which of the blocks that a sum before an integrator is made of have to deliver their negative; None if one both."""
    needed: dict[str, bool] = {}
    for index in range(graph.block(node).size):
        for (origin, _), gain in _leads(graph, node, index, absorbed).items():
            if not isinstance(graph.block(origin), Constant) and needed.setdefault(origin, gain > 0) != (gain > 0):
                return None
    return needed


def _readers(graph: BlockGraph) -> tuple[dict[str, set[str]], set[str]]:
    """Blocks that read each node, seen through wiring, and nodes that an observable is read from."""
    readers: dict[str, set[str]] = {node: set() for node in graph}
    for node in graph:
        if not isinstance(graph.block(node), Wire):
            for origin in graph.inputs(node):
                readers[located(graph, origin)[0]].add(node)
    return readers, {located(graph, node)[0] for node in graph.observables.values()}


def _seen(graph: BlockGraph, node: str, index: int) -> tuple[str, int]:
    """Block and element that drive an element of `node`, seen through wiring."""
    origin, indices = located(graph, node)
    return origin, indices[0 if len(indices) == 1 else index]


def _leads(graph: BlockGraph, node: str, index: int, absorbed: frozenset[str] | set[str]) -> dict[tuple[str, int], float]:
    found: dict[tuple[str, int], float] = {}
    for port, element, coefficient in _coefficients(graph.block(node), index):
        origin, k = _seen(graph, graph.inputs(node)[port], element)
        inner = _leads(graph, origin, k, absorbed) if origin in absorbed else {(origin, k): 1.0}
        for lead, gain in inner.items():
            found[lead] = found.get(lead, 0.0) + coefficient * gain
    return found


def _coefficients(block: Block, index: int) -> Iterator[tuple[int, int, float]]:
    """Port, element of it, and coefficient of each term of output `index` of a linear block."""
    match block:
        case Sum():
            yield from ((port, index, c) for port, c in enumerate(block.coefficients))
        case Gain():
            yield 0, index, float(block.coefficients[index])
        case Crossbar():
            outputs, inputs = block.weight.shape[-2:]
            row, a = divmod(index, outputs)
            weights = _weights(block)[row, a]
            yield from ((0, row * inputs + b, float(weights[b])) for b in range(inputs) if weights[b])


@functools.lru_cache(maxsize=64)
def _weights(block: Crossbar) -> np.ndarray:
    outputs, inputs = block.weight.shape[-2:]
    return np.broadcast_to(block.weight, (block.rows, outputs, inputs))


def _count(graph: BlockGraph, node: str, absorbed: set[str]) -> int:
    """Terms of all outputs of a linear block."""
    return sum(len(_leads(graph, node, index, absorbed)) for index in range(graph.block(node).size))
