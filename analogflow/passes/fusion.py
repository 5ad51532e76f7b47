"""Merges what needs no block of its own: constants of constants, and sums and uniform gains that feed one sum only."""

from __future__ import annotations

import dataclasses

from analogflow.blocks import Block, Constant, Gain, Sum
from analogflow.blocks.block import frozen
from analogflow.graph import BlockGraph, GraphBuilder, rewritten
from analogflow.passes.pipeline import Pass, Passed

__all__ = ["FUSE", "fuse"]


def fuse(graph: BlockGraph) -> tuple[BlockGraph, str]:
    """Return an equivalent graph with fewer blocks, and a sentence on what was merged."""
    built: dict[str, tuple[Block, tuple[str, ...]]] = {}
    read = set(graph.observables.values()) | {graph.rate(state) for state in graph.states}
    private = {node for node in graph if node not in read and len(graph.readers(node)) == 1}

    def visit(builder: GraphBuilder, node: str, inputs: tuple[str, ...]) -> str:
        absorbed = {new for origin, new in zip(graph.inputs(node), inputs, strict=False) if origin in private}
        block, inputs = _merged(graph.block(node), inputs, absorbed, built)
        name = builder.adopt(graph, node, inputs, block)
        built[name] = (block, inputs)
        return name

    fused = rewritten(graph, visit)
    merged = len(graph) - len(fused)
    return fused, f"merged {merged} constants, gains and sums into their neighbours" if merged else "nothing to merge"


FUSE = Pass("fuse", lambda brief: Passed(*fuse(brief.graph)))
"""Leaves as few blocks as it can."""


def _merged(
    block: Block, inputs: tuple[str, ...], absorbed: set[str], built: dict[str, tuple[Block, tuple[str, ...]]]
) -> tuple[Block, tuple[str, ...]]:
    sources = [built[origin][0] for origin in inputs]
    if inputs and all(isinstance(source, Constant) and not source.label for source in sources):
        values = frozen(block.relation(*(source.values for source in sources if isinstance(source, Constant))))
        return Constant(size=block.size, values=values), ()
    if isinstance(block, Gain) and inputs[0] in absorbed and isinstance(sources[0], Gain) and sources[0].size == block.size:
        product = frozen(block.coefficients * sources[0].coefficients)
        return dataclasses.replace(block, coefficients=product), built[inputs[0]][1]
    if not isinstance(block, Sum):
        return block, inputs
    terms: list[tuple[float, str]] = []
    for coefficient, origin in zip(block.coefficients, inputs, strict=True):
        inner, inner_inputs = built[origin]
        # A scalar sum spread over a vector stays: one summing node is cheaper than one for each element.
        spread = isinstance(inner, Sum) and inner.size != block.size
        weights = _weights(inner) if origin in absorbed and not spread else None
        terms += (
            [(coefficient, origin)]
            if weights is None
            else [(coefficient * weight, name) for weight, name in zip(weights, inner_inputs, strict=True)]
        )
    return dataclasses.replace(block, coefficients=tuple(c for c, _ in terms)), tuple(name for _, name in terms)


def _weights(block: Block) -> tuple[float, ...] | None:
    if isinstance(block, Sum):
        return block.coefficients
    if isinstance(block, Gain) and (block.coefficients == block.coefficients[0]).all():
        return (float(block.coefficients[0]),)
    return None
