"""The ideal cell of a matrix product: behavioural currents, each of a few products, summed by one node for each output."""

from __future__ import annotations

from collections.abc import Iterator

from analogflow.blocks import MatrixProduct
from analogflow.circuit.elements import Behavioural, Element, Resistor
from analogflow.technology.ideal import cell
from analogflow.technology.technology import Site

__all__ = []

_PRODUCTS = 8
"""Products in one formula; longer sums are spread over several sources into the same node, which adds no unknown."""


@cell.register
def _(block: MatrixProduct, site: Site) -> Iterator[Element]:
    inner = block.inner
    for i in range(block.rows):
        for j in range(block.columns):
            node = site.output(i * block.columns + j)
            yield Resistor(node, (node, "0"), 1.0)
            terms = [f"{site.operand(0, i * inner + k)}*{site.operand(1, k * block.columns + j)}" for k in range(inner)]
            for part, first in enumerate(range(0, inner, _PRODUCTS)):
                expression = "+".join(terms[first : first + _PRODUCTS])
                yield Behavioural(f"{node}_{part}", ("0", node), expression)
