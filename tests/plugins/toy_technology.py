"""A technology of another package, in one file: ideal elements, but a tanh is a quotient of exponentials.

Its passes are its own too: one of them says how fast the flow moves.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from analogflow.blocks import Block, Tanh
from analogflow.circuit import Behavioural, Element, Resistor
from analogflow.passes import CHECK, DEGRADE, FUSE, REALISE, STABILISE, TRACE, Pass, Passed
from analogflow.technology import Brief, Realisation, Site, Technology, ideal

__all__ = ["QUOTIENTS"]


@functools.singledispatch
def cell(block: Block, site: Site) -> Iterator[Element]:
    return ideal.cell(block, site)


@cell.register
def _(block: Tanh, site: Site) -> Iterator[Element]:
    for i in range(block.size):
        node, x = site.output(i), site.operand(0, i)
        yield Resistor(node, (node, "0"), 1.0)
        yield Behavioural(node, ("0", node), f"1-2/(exp(2*{x})+1)")


def realise(brief: Brief) -> Realisation:
    return ideal.realise(brief, cell)


def measured(brief: Brief) -> Passed:
    fastest = abs(brief.field(0.0, brief.orbit)).max()
    return Passed(brief.graph, f"rates of {fastest:.3g} per τ at most")


QUOTIENTS = Technology(
    name="quotients",
    realise=realise,
    passes=(TRACE, CHECK, STABILISE, FUSE, Pass("measure", measured), DEGRADE, REALISE),
    summary="ideal elements without a tanh",
)
