"""The graph of blocks a flow compiles to: frozen, printable, and in topological order."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from analogflow.blocks import Block, Clock, Constant, Gain, Integrator, Scaled, Sum, Waveform, Wire
from analogflow.graph.signal import SourceLine
from analogflow.notebook import shown

if TYPE_CHECKING:
    import networkx

__all__ = ["BlockGraph"]


@dataclasses.dataclass(frozen=True, eq=False)
class BlockGraph:
    """Blocks joined by signals.

    Parameters
    ----------
    blocks : mapping of node to Block
    sources : mapping of node to SourceLine
        Line of the user's equations that placed each block.
    wires : tuple of (node, node, int)
        Signals: the block that delivers each, and the block and the port that it drives, by the first of these.
    states : mapping of state name to node
        Integrators, in the order of the state vector.
    observables : mapping of name to node
        Signals a user reads.
    shapes : mapping of name to shape
        Shapes of states and observables in the user's equations; signals themselves are flat.
    """

    blocks: Mapping[str, Block]
    sources: Mapping[str, SourceLine]
    wires: tuple[tuple[str, str, int], ...]
    states: Mapping[str, str]
    observables: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]

    @functools.cached_property
    def network(self) -> networkx.MultiDiGraph:
        """The same as a frozen graph of NetworkX.

        Node: name of a block, with attributes ``block`` and ``source``. Edge: a signal, keyed by the index of the port it
        drives.
        """
        import networkx  # a tenth of a second that no circuit needs

        network = networkx.MultiDiGraph()
        network.add_nodes_from((node, {"block": block, "source": self.sources[node]}) for node, block in self.blocks.items())
        for origin, node, port in self.wires:
            network.add_edge(origin, node, port)
        return networkx.freeze(network)

    def block(self, node: str) -> Block:
        """Block at a node."""
        return self.blocks[node]

    def source(self, node: str) -> SourceLine:
        """Line of the user's equations that placed the block at a node."""
        return self.sources[node]

    def inputs(self, node: str) -> tuple[str, ...]:
        """Nodes that drive a node's ports, in the order of the ports."""
        return self._inputs[node]

    @functools.cached_property
    def _inputs(self) -> dict[str, tuple[str, ...]]:
        """What drives each node: sorted once, since it is asked for at every step of every pass."""
        drivers: dict[str, list[tuple[int, str]]] = {node: [] for node in self.blocks}
        for origin, node, port in self.wires:
            drivers[node].append((port, origin))
        return {node: tuple(origin for _, origin in sorted(edges)) for node, edges in drivers.items()}

    def readers(self, node: str) -> tuple[str, ...]:
        """Nodes that the signal of a node drives; one that it drives by several ports comes as often."""
        return self._readers[node]

    @functools.cached_property
    def _readers(self) -> dict[str, tuple[str, ...]]:
        driven: dict[str, list[str]] = {node: [] for node in self.blocks}
        for origin, node, _ in self.wires:
            driven[origin].append(node)
        return {node: tuple(readers) for node, readers in driven.items()}

    def needed_by(self, nodes: Iterable[str]) -> set[str]:
        """These nodes and all whose signals they come from, through integrators as well."""
        found, ahead = set[str](), list(nodes)
        while ahead:
            if (node := ahead.pop()) not in found:
                found.add(node)
                ahead += self.inputs(node)
        return found

    def behind(self, states: Iterable[str]) -> BlockGraph:
        """The part that some states come from, other states among it; without observables."""
        kept = self.needed_by(self.states[name] for name in states)
        held = {name: node for name, node in self.states.items() if node in kept}
        return BlockGraph(
            {node: block for node, block in self.blocks.items() if node in kept},
            {node: source for node, source in self.sources.items() if node in kept},
            tuple(wire for wire in self.wires if wire[1] in kept),
            held,
            {},
            {name: shape for name, shape in self.shapes.items() if name in held},
        )

    def rate(self, state: str) -> str:
        """Node whose signal the integrator of `state` integrates."""
        return self.inputs(self.states[state])[0]

    def order(self) -> list[str]:
        """Nodes so that every block but an integrator comes after its inputs; the same on every machine.

        Where there is a loop without an integrator, what follows from it is left out.
        """
        return list(self._order)

    @functools.cached_property
    def _order(self) -> tuple[str, ...]:
        nodes, integrators = list(self.blocks), set(self.states.values())
        rank = {node: k for k, node in enumerate(nodes)}
        missing = {node: 0 if node in integrators else len(self.inputs(node)) for node in nodes}
        ready = [rank[node] for node in nodes if not missing[node]]  # ascending, so that it is a heap
        found = []
        while ready:
            found.append(node := nodes[heapq.heappop(ready)])
            for reader in self.readers(node):
                if reader not in integrators:
                    missing[reader] -= 1
                    if not missing[reader]:
                        heapq.heappush(ready, rank[reader])
        return tuple(found)

    def __iter__(self) -> Iterator[str]:
        return iter(self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    @property
    def size(self) -> int:
        """Number of scalar states."""
        return sum(self.block(node).size for node in self.states.values())

    def initial(self) -> np.ndarray:
        """Initial state vector, shape (size,): the states in order, one after another."""
        return np.concatenate([self.integrator(node).initial for node in self.states.values()])

    def integrator(self, node: str) -> Integrator:
        """Integrator at the node of a state."""
        block = self.block(node)
        assert isinstance(block, Integrator)
        return block

    @property
    def lifted(self) -> bool:
        """Whether functions of states are states themselves, which keep what is added to them on the way."""
        return any(self.integrator(node).hidden for node in self.states.values())

    @property
    def clock(self) -> str:
        """State that is time; empty if none is."""
        return next((label for label, node in self.states.items() if isinstance(self.block(node), Clock)), "")

    @functools.cached_property
    def timed(self) -> frozenset[str]:
        """The clock and the nodes that come of it and of constants alone: what generators play."""
        found: set[str] = set()
        fixed: set[str] = set()
        for node in self._order if self.clock else ():
            block, inputs = self.block(node), self.inputs(node)
            if isinstance(block, Clock):
                found.add(node)
            elif isinstance(block, Integrator):
                continue
            elif isinstance(block, Constant) or (inputs and fixed.issuperset(inputs)):
                fixed.add(node)
            elif inputs and (found | fixed).issuperset(inputs) and _has_formula(block):
                found.add(node)
        return frozenset(found)

    def labelled_constant(self, label: str) -> str | None:
        """Node of the constant with this label, None if there is none."""
        for node in self:
            block = self.block(node)
            if isinstance(block, Constant) and block.label == label:
                return node
        return None

    def fingerprint(self) -> str:
        """Digest of blocks and wiring: equal on every machine for graphs that compute the same thing the same way."""
        digest = hashlib.sha256()
        for node in self.order():
            # Kinds by their names alone, whatever modules they stand in: a scaled block names that of the block within too.
            kind, *values = (getattr(value, "__name__", value) for value in self.block(node).identity())
            digest.update(repr((node, kind, values, self.inputs(node))).encode())
        digest.update(repr((list(self.states.items()), list(self.observables.items()))).encode())
        return digest.hexdigest()[:16]

    def counts(self) -> dict[str, int]:
        """Number of scalar blocks of each kind (a crossbar counts once for each output)."""
        counts: dict[str, int] = {}
        for node in self:
            block = self.block(node)
            counts[block.kind()] = counts.get(block.kind(), 0) + block.size
        return dict(sorted(counts.items()))

    def __str__(self) -> str:
        names = {node: name for name, node in self.observables.items()}
        rows = [("block", "size", "inputs", "parameters", "source")]
        for node in self.order():
            block = self.block(node)
            label = f"{node} [{names[node]}]" if node in names else node
            rows.append((label, str(block.size), ", ".join(self.inputs(node)), block.parameters(), str(self.source(node))))
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip() for row in rows
        )

    def __repr__(self) -> str:
        return f"BlockGraph({len(self)} blocks, states {', '.join(self.states)}, fingerprint {self.fingerprint()})"

    _repr_svg_ = shown("svg")


def _has_formula(block: Block) -> bool:
    """Whether each of its outputs is a formula of one element of each port, or points in time."""
    plain = block.block if isinstance(block, Scaled) else block
    return isinstance(plain, Sum | Gain | Wire | Waveform) or bool(plain.formula(*plain.ports))
