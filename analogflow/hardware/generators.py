"""What a board can not make by itself, since it is given as points: where to patch a generator, and what that plays."""

from __future__ import annotations

import numpy as np

from analogflow.blocks import Clock, Constant, Integrator, Waveform
from analogflow.blocks.block import frozen
from analogflow.graph import BlockGraph, GraphBuilder, rewritten
from analogflow.hardware.boards import Board

__all__ = ["generators_needed", "held_at_peaks"]


def generators_needed(graph: BlockGraph, board: Board) -> list[str]:
    """A sentence for each input of a flow that is given as points; none where there is none."""
    return [_sentence(graph, node, board) for node in _played(graph)]


def held_at_peaks(graph: BlockGraph) -> BlockGraph:
    """The same graph with each of these inputs held at its largest value, and no clock that nothing else reads."""
    played = set(_played(graph))

    def visit(builder: GraphBuilder, node: str, inputs: tuple[str, ...]) -> str:
        block = graph.block(node)
        if node in played and isinstance(block, Waveform):
            peak = float(block.values[np.argmax(abs(block.values))])
            return builder.insert(graph, node, (), Constant(size=1, values=frozen([peak])))
        return builder.adopt(graph, node, inputs, block)

    held = rewritten(graph, visit)
    clock = held.states.get(held.clock, "")
    return held if not clock or held.readers(clock) else _without(held, clock)


def _without(graph: BlockGraph, clock: str) -> BlockGraph:
    builder, new = GraphBuilder(), {}
    for node in graph.order():
        if node != clock:
            inputs = () if isinstance(graph.block(node), Integrator) else tuple(new[origin] for origin in graph.inputs(node))
            new[node] = builder.adopt(graph, node, inputs, graph.block(node))
    return builder.finish(
        {state: builder.signal(new[graph.rate(state)]) for state, node in graph.states.items() if node != clock},
        {name: builder.signal(new[n], graph.shapes[name]) for name, n in graph.observables.items() if n in new},
    )


def _played(graph: BlockGraph) -> list[str]:
    return [
        node
        for node in graph.order()
        if isinstance(graph.block(node), Waveform) and isinstance(graph.block(graph.inputs(node)[0]), Clock)
    ]


def _sentence(graph: BlockGraph, node: str, board: Board) -> str:
    block = graph.block(node)
    assert isinstance(block, Waveform)
    low, high, peak = block.values.min(), block.values.max(), float(abs(block.values).max())
    unit, second = board.machine_unit_volts.value, 1 / board.rate_per_second.value
    volts = f"{unit / peak:.4g} V for 1 of it fill a machine unit" if peak else "it is 0 all along"
    shortest, length = float(np.diff(block.times).min()) * second, float(block.times[-1]) * second
    return (
        f"generator: patch one for {block.label or node}(t) to where the rate of {' and '.join(_entered(graph, node))} is "
        f"summed; it plays {low:.4g} to {high:.4g}, of which {volts}; where 1 τ is {second:.4g} s, as at coefficients of 1, "
        f"its shortest line lasts {shortest:.4g} s and all of it {length:.4g} s"
    )


def _entered(graph: BlockGraph, node: str) -> list[str]:
    """States whose rates it reaches without passing another state."""
    reached, waiting = {node}, [node]
    while waiting:
        for reader in graph.readers(waiting.pop()):
            if reader not in reached and not isinstance(graph.block(reader), Integrator):
                reached.add(reader)
                waiting.append(reader)
    return [state for state in graph.states if graph.rate(state) in reached] or ["no state"]
