"""The graph of blocks a flow compiles to: frozen, printable, and in topological order."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Mapping

import networkx as nx
import numpy as np

from analogflow.blocks import Block, Constant, Integrator
from analogflow.graph.signal import SourceLine
from analogflow.notebook import shown

__all__ = ["BlockGraph"]


@dataclasses.dataclass(frozen=True, eq=False)
class BlockGraph:
    """Blocks joined by signals.

    Parameters
    ----------
    network : networkx.MultiDiGraph
        Frozen. Node: name of a block, with attributes ``block`` and ``source`` (a `SourceLine`). Edge: a signal, keyed by
        the index of the port it drives.
    states : mapping of state name to node
        Integrators, in the order of the state vector.
    observables : mapping of name to node
        Signals a user reads.
    shapes : mapping of name to shape
        Shapes of states and observables in the user's equations; signals themselves are flat.
    """

    network: nx.MultiDiGraph
    states: Mapping[str, str]
    observables: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]

    def block(self, node: str) -> Block:
        """Block at a node."""
        return self._blocks[node]

    @functools.cached_property
    def _blocks(self) -> dict[str, Block]:
        return dict(self.network.nodes(data="block"))

    def source(self, node: str) -> SourceLine:
        """Line of the user's equations that placed the block at a node."""
        return self.network.nodes[node]["source"]

    def inputs(self, node: str) -> tuple[str, ...]:
        """Nodes that drive a node's ports, in the order of the ports."""
        return self._inputs[node]

    @functools.cached_property
    def _inputs(self) -> dict[str, tuple[str, ...]]:
        """What drives each node: sorted once, since it is asked for at every step of every pass."""
        drivers: dict[str, list[tuple[int, str]]] = {node: [] for node in self.network}
        for origin, node, key in self.network.edges(keys=True):
            drivers[node].append((key, origin))
        return {node: tuple(origin for _, origin in sorted(edges)) for node, edges in drivers.items()}

    def rate(self, state: str) -> str:
        """Node whose signal the integrator of `state` integrates."""
        return self.inputs(self.states[state])[0]

    def order(self) -> list[str]:
        """Nodes so that every block but an integrator comes after its inputs; the same on every machine."""
        return list(self._order)

    @functools.cached_property
    def _order(self) -> tuple[str, ...]:
        open_loop = nx.MultiDiGraph()
        open_loop.add_nodes_from(self.network)
        integrators = set(self.states.values())
        open_loop.add_edges_from((a, b) for a, b in self.network.edges() if b not in integrators)
        rank = {node: k for k, node in enumerate(self.network)}
        return tuple(nx.lexicographical_topological_sort(open_loop, key=rank.__getitem__))

    def __iter__(self) -> Iterator[str]:
        return iter(self.network)

    def __len__(self) -> int:
        return len(self.network)

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
