"""A technology with parts of another package, in one file: integrators are op-amps with R and C, all else is ideal."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from analogflow.blocks import Block, Integrator
from analogflow.circuit import Behavioural, Capacitor, Element, Instance, Resistor
from analogflow.names import number
from analogflow.technology import Brief, PartSet, Realisation, Site, Technology, ideal, op_amp_macro

__all__ = ["MILLER"]

RESISTANCE, CAPACITANCE = 100e3, 10e-9


@functools.singledispatch
def cell(block: Block, site: Site, parts: PartSet) -> Iterator[Element]:
    return ideal.cell(block, site)


@cell.register
def _(block: Integrator, site: Site, parts: PartSet) -> Iterator[Element]:
    gain, leak = (np.broadcast_to(values, block.size).tolist() for values in (block.gain, block.leak))
    for i in range(block.size):
        node, minus, inverse = site.output(i), site.inner("minus", i), site.inner("inverse", i)
        yield Resistor(inverse, (inverse, "0"), 1.0)
        yield Behavioural(inverse, (inverse, "0"), f"({number(gain[i])})*{site.operand(0, i)}")
        yield Resistor(minus, (inverse, minus), RESISTANCE)
        yield Capacitor(node, (node, minus), CAPACITANCE, float(block.initial[i]))
        yield Instance(node, ("0", minus, node), parts.op_amp.name)
        if leak[i]:
            yield Resistor(f"{node}_leak", (node, minus), RESISTANCE / leak[i])


def realise(brief: Brief) -> Realisation:
    parts = brief.parts
    built = ideal.realise(brief, functools.partial(_cell, parts))
    units = dataclasses.replace(built.units, time_constant=RESISTANCE * CAPACITANCE)
    amplifier = op_amp_macro(parts.op_amp, parts.supply)
    return dataclasses.replace(built, units=units, macros=(amplifier,), accuracy=1e-3, note=f"op-amps {parts.op_amp.name}")


def _cell(parts: PartSet, block: Block, site: Site) -> Iterator[Element]:
    return cell(block, site, parts)


MILLER = Technology(
    name="miller",
    realise=realise,
    parts="precision",
    summary="op-amps that integrate, and ideal elements",
)
