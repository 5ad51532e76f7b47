"""What holds after every pass: the graph is a circuit, and along the nominal orbit it is the flow that it was.

A graph that is not a circuit has an open port, sizes that do not fit, a loop without an integrator, or a bad number.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import NDArray

from analogflow.block_engine import VectorField
from analogflow.blocks import Constant, Crossbar, Gain, Integrator, MatrixProduct, Scaled, Sum
from analogflow.checks import refuse_faults
from analogflow.flows import Invariant
from analogflow.graph import BlockGraph

__all__ = ["check", "nominal_orbit"]

_STRETCH, _STRETCHES, _FEWEST = 0.5, 40, 8
_MOST_STEPS = 5000


def check(graph: BlockGraph) -> str:
    """Return a sentence if `graph` is sound.

    Raises
    ------
    BadInput
        With every fault found, each with the source line that placed the block.
    """
    faults = [fault for node in graph for fault in _faults(graph, node)]
    if len(graph.order()) < len(graph):
        faults.append(f"a loop without an integrator runs through {' → '.join(_loop(graph))}; break it with a state")
    refuse_faults("the block graph is not a circuit", faults)
    return f"{len(graph)} blocks, {graph.size} integrators: all ports driven, sizes fit, every loop passes an integrator"


def _loop(graph: BlockGraph) -> list[str]:
    """Nodes of a loop without an integrator, where there is one."""
    import networkx

    open_loop = networkx.DiGraph(graph.network)
    open_loop.remove_nodes_from(graph.states.values())
    return [node for node, _ in networkx.find_cycle(open_loop)]


def nominal_orbit(
    graph: BlockGraph | VectorField, keeps: tuple[Invariant, ...], end_time: float | None = None
) -> NDArray[np.float64]:
    """States along the exact orbit from the start, shape (points, size): projected back every half τ over 20 τ.

    A flow that ends at `end_time` is followed to there at most, in eight stretches or more.
    """
    field = VectorField.of(graph)
    stretch, stretches = _STRETCH, _STRETCHES
    if end_time is not None and end_time < stretch * stretches:
        stretches = max(_FEWEST, math.ceil(end_time / stretch))
        stretch = end_time / stretches
    points = [_projected(field, keeps, field.graph.initial())]
    for _ in range(stretches):
        reached = _carried(field, points[-1], stretch)
        if reached is None:
            break
        points.append(_projected(field, keeps, reached))
    return np.array(points)


def _carried(field: VectorField, y: NDArray[np.float64], length: float) -> NDArray[np.float64] | None:
    """State after `length` τ; None if the flow does not get there in a reasonable number of steps."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        led = _holding(field) if field.latches else field
        solver = scipy.integrate.RK45(led, 0.0, y, length, rtol=1e-6, atol=1e-9)
        for _ in range(_MOST_STEPS):
            if solver.status != "running":
                break
            solver.step()
    if solver.status != "finished" or not np.isfinite(solver.y).all():
        return None
    for part, origin, block in field.latches:
        solver.y[part] = block.switched(field.signals(solver.y)[origin], solver.y[part])
    return solver.y


def _holding(field: VectorField) -> Callable[[float, NDArray[np.float64]], NDArray[np.float64]]:
    """Rates with latches held, which switch between the stretches of an orbit: that is near the exact one."""

    def rates(time: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        found = field(time, y)
        for part, _, _ in field.latches:
            found[part] = 0.0
        return found

    return rates


def _projected(field: VectorField, keeps: tuple[Invariant, ...], y: NDArray[np.float64]) -> NDArray[np.float64]:
    states = field.unpack(y)
    for kept in keeps:
        states[kept.state] = kept.project(states[kept.state])
    return field.pack(states)


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
