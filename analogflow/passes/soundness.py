"""Refuses a graph that is not a circuit: an open port, sizes that do not fit, a loop without an integrator, a bad number."""

from __future__ import annotations

import networkx as nx
import numpy as np

from analogflow.blocks import Constant, Crossbar, Gain, Integrator, MatrixProduct, Scaled, Sum
from analogflow.checks import refuse_faults
from analogflow.graph import BlockGraph

__all__ = ["check"]


def check(graph: BlockGraph) -> str:
    """Return a sentence if `graph` is sound.

    Raises
    ------
    BadInput
        With every fault found, each with the source line that placed the block.
    """
    faults = [fault for node in graph for fault in _faults(graph, node)]
    open_loop = nx.DiGraph(graph.network)
    open_loop.remove_nodes_from(graph.states.values())
    try:
        loop = nx.find_cycle(open_loop)
        faults.append(f"a loop without an integrator runs through {' → '.join(a for a, _ in loop)}; break it with a state")
    except nx.NetworkXNoCycle:
        pass
    refuse_faults("the block graph is not a circuit", faults)
    return f"{len(graph)} blocks, {graph.size} integrators: all ports driven, sizes fit, every loop passes an integrator"


def _faults(graph: BlockGraph, node: str) -> list[str]:
    block, inputs = graph.block(node), graph.inputs(node)
    block = block.block if isinstance(block, Scaled) else block
    place = f"{node} ({graph.source(node)})" if graph.source(node).text else node
    faults = []
    wanted = len(block.coefficients) if isinstance(block, Sum) else len(block.ports)
    if len(inputs) != wanted:
        faults.append(f"{place} has {len(inputs)} of its {wanted} ports driven")
    sizes = [graph.block(origin).size for origin in inputs]
    if isinstance(block, Crossbar):
        expected = block.rows * block.weight.shape[-1]
        faults += [f"{place} takes {expected} signals and gets {size}" for size in sizes if size != expected]
    elif isinstance(block, MatrixProduct):
        wanted_sizes = (block.rows * block.inner, block.inner * block.columns)
        pairs = zip(wanted_sizes, sizes, strict=False)
        faults += [f"{place} takes {expected} signals and gets {size}" for expected, size in pairs if size != expected]
    elif not block.kind() == "wire":
        faults += [f"{place} has size {block.size} and gets {size}" for size in sizes if size not in (1, block.size)]
    numbers = {
        Constant: lambda b: b.values,
        Crossbar: lambda b: b.weight,
        Gain: lambda b: b.coefficients,
        Integrator: lambda b: b.initial,
    }.get(type(block))
    if numbers is not None and not np.isfinite(numbers(block)).all():
        faults.append(f"{place} holds a number that is not finite")
    return faults
