"""What generators play: each waveform that a circuit takes in is one voltage source, a formula of the time or points."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analogflow.blocks import Clock, Constant, Gain, Scaled, Sum, Waveform, Wire
from analogflow.circuit.elements import Element, PlayedVoltage, TimedVoltage
from analogflow.errors import NoCell
from analogflow.graph import BlockGraph
from analogflow.names import number
from analogflow.technology.technology import located

__all__ = ["Generators"]

_LONGEST = 300
"""Characters of a formula beyond which others read its voltage instead of holding it whole."""


class Generators:
    """Voltage sources of the nodes of a graph that depend on time alone, where something else reads them.

    Parameters
    ----------
    graph : BlockGraph
    time_constant : float
        τ in seconds.
    release : float
        Seconds at which t is 0; before, everything is as it is then.
    volts : float
        Of a unit of the graph.
    """

    def __init__(self, graph: BlockGraph, time_constant: float = 1.0, release: float = 0.0, volts: float = 1.0) -> None:
        self.graph, self.time_constant, self.release, self.volts = graph, time_constant, release, volts
        held = f"max(time-{number(release)},0)" if release else "time"
        self.time = held if time_constant == 1 else f"{held}*{number(1 / time_constant)}"
        self.formulas: dict[str, tuple[str, ...]] = {}
        read = {*graph.observables.values(), *graph.states.values(), *(graph.rate(state) for state in graph.states)}
        self.placed: set[str] = set()
        for node in graph.order():
            if node not in graph.timed or isinstance(graph.block(node), Wire):
                continue
            formulas = self.formulas[node] = self._formulas(node)
            wanted = node in read or any(reader not in graph.timed for reader in self._readers(node))
            if wanted or not formulas or max(map(len, formulas)) > _LONGEST:
                self.placed.add(node)

    def elements(self, node: str) -> Iterator[Element]:
        """Sources of a node; nothing where only other generators would read it."""
        if node not in self.placed:
            return
        block = self.graph.block(node)
        for i in range(block.size):
            name = f"{node}_{i}"
            if isinstance(plain := block.block if isinstance(block, Scaled) else block, Waveform):
                times = self.release + plain.times * self.time_constant
                values = self.volts * (block.output if isinstance(block, Scaled) else 1.0) * plain.values
                yield PlayedVoltage(name, (name, "0"), tuple(times.tolist()), tuple(values.tolist()))
            else:
                formula = self.formulas[node][i]
                yield TimedVoltage(name, (name, "0"), formula if self.volts == 1 else f"{number(self.volts)}*({formula})")

    def _readers(self, node: str) -> Iterator[str]:
        """Nodes that read a node, directly or through wiring."""
        for reader in self.graph.readers(node):
            if isinstance(self.graph.block(reader), Wire):
                yield from self._readers(reader)
                if reader in self.graph.observables.values():
                    yield ""
            else:
                yield reader

    def _operand(self, node: str, index: int) -> str:
        """Element of a node in units of the graph, as a formula in brackets."""
        origin, indices = located(self.graph, node)
        k, block = indices[0 if len(indices) == 1 else index], self.graph.block(origin)
        if isinstance(block, Constant):
            return f"({number(float(block.values[k]))})"
        if origin in self.placed and (not self.formulas[origin] or len(self.formulas[origin][k]) > _LONGEST):
            return f"v({origin}_{k})" if self.volts == 1 else f"(v({origin}_{k})/{number(self.volts)})"
        return f"({self.formulas[origin][k]})"

    def _formulas(self, node: str) -> tuple[str, ...]:
        """Formula of each element of a node; none of one that plays points."""
        block, inputs = self.graph.block(node), self.graph.inputs(node)
        if isinstance(block, Clock):
            (constant,) = (self.graph.block(origin) for origin in inputs)
            assert isinstance(constant, Constant)
            slope = float(np.max(block.gain)) * float(constant.values[0])
            return (self.time if slope == 1 else f"{number(slope)}*{self.time}",)
        plain = block.block if isinstance(block, Scaled) else block
        if isinstance(plain, Waveform):
            return ()
        found = []
        for i in range(block.size):
            operands = [self._operand(origin, i) for origin in inputs]
            if isinstance(block, Scaled):
                operands = [f"({x}/{number(s)})" for x, s in zip(operands, block.inputs, strict=True)]
            match plain:
                case Sum():
                    text = "+".join(f"({number(c)})*{x}" for c, x in zip(plain.coefficients, operands, strict=True))
                case Gain():
                    text = f"({number(float(plain.coefficients[i]))})*{operands[0]}"
                case _:
                    text = plain.formula(*operands)
            if not text:
                raise NoCell(f"no generator plays the block {plain.kind()!r}, placed by {self.graph.source(node)}.")
            found.append(f"{number(block.output)}*({text})" if isinstance(block, Scaled) else text)
        return tuple(found)
