"""What a technology is: its record, what it makes of a brief, and the site of one of its cells."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from analogflow.blocks import Block, Constant, Wire
from analogflow.circuit.build import Units
from analogflow.circuit.circuit import Group, JointRows, Reading
from analogflow.circuit.elements import Macro, Model
from analogflow.graph import BlockGraph
from analogflow.names import number
from analogflow.passes import CHECK, FUSE, NOISE, STABILISE, TRACE, Brief, Pass

__all__ = ["Realisation", "Site", "Technology", "locate"]


@dataclasses.dataclass(frozen=True, eq=False)
class Technology:
    """What circuits can be built of.

    Parameters
    ----------
    name : str
    realise : callable
        ``realise(brief)``: the `Realisation` of a `Brief`, after all passes.
    passes : tuple of Pass
        From the flow to the graph that is realised, in the order in which they run.
    parts : str
        Set of parts that its circuits are made from where none is named; empty where they are made of ideal elements.
    heeds : tuple of str
        Options of `compile` that decide something in it, besides those that its other fields tell: ``stabilise`` of one
        with that pass, and of one with parts ``parts`` and ``temperature_celsius``.
    scaled : bool
        Whether all its circuits are built in machine units.
    carries : mapping of family to form, optional
        Flows that it is made for; every flow if not given.
    summary : str
        What its circuits are, in a phrase.
    """

    name: str
    realise: Callable[[Brief], Realisation]
    passes: tuple[Pass, ...] = (TRACE, CHECK, STABILISE, FUSE, NOISE)
    parts: str = ""
    heeds: tuple[str, ...] = ()
    scaled: bool = False
    carries: Mapping[str, str] | None = None
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


@dataclasses.dataclass(frozen=True, eq=False)
class Realisation:
    """What a technology made of a brief: the fields of `Circuit` of the same names.

    ``start`` holds the voltages of algebraic nodes at t = 0, from which a simulator finds the first point: without them it
    starts all of them at zero, where a divider or a logarithm may have no slope. ``note`` says in a sentence what was built.
    """

    groups: tuple[Group, ...]
    readings: Mapping[str, Reading]
    start: Mapping[str, float]
    units: Units
    graph: BlockGraph
    models: tuple[Model, ...] = ()
    macros: tuple[Macro, ...] = ()
    release: float = 0.0
    derived_from: BlockGraph | None = None
    step: float = 0.0
    options: str = ""
    accuracy: float = 1e-6
    covered: float = np.inf
    joint_rows: JointRows | None = None
    note: str = ""

    def fields(self) -> dict[str, Any]:
        """Fields that a circuit takes over, by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "note"}


def locate(graph: BlockGraph, node: str, index: int) -> tuple[str, int]:
    """Block and element that drive element `index` of `node`, seen through wiring, which costs no part."""
    block = graph.block(node)
    while isinstance(block, Wire):
        index = block.indices[index]
        (node,) = graph.inputs(node)
        block = graph.block(node)
    return node, index


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
        origin, k = self._origin(port, index)
        block = self.inputs[port][1] if origin == self.inputs[port][0] else self.graph.block(origin)
        return float(block.values[k]) if isinstance(block, Constant) else None

    def control(self, port: int, index: int) -> str:
        """Circuit node that drives a port's element; a constant has none."""
        origin, k = self._origin(port, index)
        return f"{origin}_{k}"

    def operand(self, port: int, index: int) -> str:
        """Text of a port's element in a formula: a node voltage, or a number in brackets."""
        value = self.value(port, index)
        return f"v({self.control(port, index)})" if value is None else f"({number(value)})"

    def _origin(self, port: int, index: int) -> tuple[str, int]:
        node, block = self.inputs[port]
        index = 0 if block.size == 1 else index
        return locate(self.graph, node, index) if isinstance(block, Wire) else (node, index)
