"""What a technology is: its record, and the site of one of its cells."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks import Block, Constant, Wire
from analogflow.circuit.circuit import Realisation
from analogflow.graph import BlockGraph
from analogflow.names import number
from analogflow.passes import (
    CHECK,
    CHOOSE,
    DEGRADE,
    DEVICE_NOISE,
    FUSE,
    NOISE,
    REALISE,
    SPREAD,
    STABILISE,
    TRACE,
    TRIM,
    Brief,
    Pass,
)

__all__ = ["USUAL", "Site", "Technology", "located"]

USUAL = (TRACE, CHECK, STABILISE, FUSE, NOISE, DEGRADE, REALISE, CHOOSE, SPREAD, TRIM, DEVICE_NOISE)
"""What a flow goes through where a technology does not say: parts and ideal elements each skip what is for the other."""


@dataclasses.dataclass(frozen=True, eq=False)
class Technology:
    """What circuits can be built of.

    Parameters
    ----------
    name : str
    realise : callable
        ``realise(brief)``: the `Realisation` of a `Brief`, which the pass `REALISE` asks for.
    passes : tuple of Pass
        All that happens to a flow until it is a circuit, and to a circuit under conditions, in the order in which it does.
    parts : str
        Set of parts that its circuits are made from where none is named; empty where they are made of ideal elements.
    heeds : tuple of str
        Options of `compile` that decide something in it, besides those that its other fields tell: ``stabilise`` of one
        with that pass, and of one with parts ``parts`` and ``temperature_celsius``.
    scaled : bool
        Whether all its circuits are built in machine units.
    carries : mapping of family to form, optional
        Flows that it is made for; every flow if not given.
    remembers : bool
        Whether it has comparators with hysteresis, and leaves events to the engine.
    summary : str
        What its circuits are, in a phrase.
    """

    name: str
    realise: Callable[[Brief], Realisation]
    passes: tuple[Pass, ...] = USUAL
    parts: str = ""
    heeds: tuple[str, ...] = ()
    scaled: bool = False
    carries: Mapping[str, str] | None = None
    remembers: bool = False
    summary: str = "circuits of a technology of another package"

    @property
    def heeded(self) -> tuple[str, ...]:
        """Names of all options of `compile` that decide something in it."""
        mends = ("stabilise",) if STABILISE in self.passes else ()
        return (*mends, *(("parts", "temperature_celsius") if self.parts else ()), *self.heeds)

    def form(self, family: str) -> str | None:
        """Form of a family's flow that it carries, where it does not carry every form; None if any will do."""
        return (self.carries or {}).get(family)

    def __repr__(self) -> str:
        return f"Technology({self.name})"


def located(graph: BlockGraph, node: str) -> tuple[str, Sequence[int]]:
    """Block that drives `node`, seen through wiring, which costs no part, and which of its elements are the node's."""
    block = graph.block(node)
    indices: Sequence[int] = range(block.size)
    while isinstance(block, Wire):
        indices = [block.indices[k] for k in indices]
        (node,) = graph.inputs(node)
        block = graph.block(node)
    return node, indices


@dataclasses.dataclass(frozen=True)
class Site:
    """Place of one block in the circuit under construction."""

    graph: BlockGraph
    node: str

    @functools.cached_property
    def block(self) -> Block:
        """The block to build."""
        return self.graph.block(self.node)

    @functools.cached_property
    def inputs(self) -> tuple[tuple[str, Block], ...]:
        """Node and block that drive each port."""
        return tuple((origin, self.graph.block(origin)) for origin in self.graph.inputs(self.node))

    def output(self, index: int) -> str:
        """Name of the circuit node that carries output `index`."""
        return f"{self.node}_{index}"

    def inner(self, part: str, index: int) -> str:
        """Name of a circuit node inside the cell."""
        return f"{self.node}_{part}{index}"

    def value(self, port: int, index: int) -> float | None:
        """Value of a port's element if it is a constant, else None."""
        _, indices, values = self._drivers[port]
        return None if values is None else float(values[indices[0 if len(indices) == 1 else index]])

    def control(self, port: int, index: int) -> str:
        """Circuit node that drives a port's element; a constant has none."""
        origin, indices, _ = self._drivers[port]
        return f"{origin}_{indices[0 if len(indices) == 1 else index]}"

    def operand(self, port: int, index: int) -> str:
        """Text of a port's element in a formula: a node voltage, or a number in brackets."""
        value = self.value(port, index)
        return f"v({self.control(port, index)})" if value is None else f"({number(value)})"

    @functools.cached_property
    def _drivers(self) -> tuple[tuple[str, Sequence[int], NDArray[np.float64] | None], ...]:
        """What drives each port as `located` says it, and its values if it is a constant."""
        drivers = []
        for node, _ in self.inputs:
            origin, indices = located(self.graph, node)
            block = self.graph.block(origin)
            drivers.append((origin, indices, block.values if isinstance(block, Constant) else None))
        return tuple(drivers)
