"""What every op-amp cell is made of: summing amplifiers, followers and current-to-voltage converters.

Voltages are ten times the value in machine units. Names of elements begin with that of the node they drive.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

from analogflow.blocks import Scaled
from analogflow.blocks.block import Block
from analogflow.circuit.build import PartSet
from analogflow.circuit.elements import Capacitor, Element, Instance, Resistor, VoltageSource
from analogflow.circuit.values import nearest
from analogflow.digits import significant
from analogflow.technology.technology import Site

__all__ = ["MACHINE_UNIT", "Bench", "Term", "noise_gain"]

MACHINE_UNIT = 10.0
"""Volts."""

_FEEDBACK, _LEAST = 10e3, 1e3
"""Feedback resistance of a summing amplifier, and the least resistance of its legs, ohms."""

_NEGLIGIBLE = 1e-7

Term = tuple[float, str]
"""Gain, and the node it is applied to."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """Parts and temperature that cells are built with.

    Parameters
    ----------
    parts : PartSet
    thermal_voltage : float
        kT/q at the temperature that the resistors are chosen for, volts.
    time_constant : float
        τ in seconds.
    flipped : frozenset of str
        Blocks whose output has the other sign, since an inverting integrator alone reads it.
    """

    parts: PartSet
    thermal_voltage: float
    time_constant: float
    flipped: frozenset[str] = frozenset()

    def preferred(self, resistance: float) -> float:
        """Nearest resistance of the parts' series, where a cell can make up for the difference."""
        return float(nearest(resistance, self.parts.series)) if self.parts.series else resistance

    def amplifier(self, name: str, plus: str, minus: str, output: str) -> Instance:
        """One op-amp."""
        return Instance(name, (plus, minus, output), self.parts.op_amp.name)

    def adder(self, name: str, terms: Sequence[Term]) -> Iterator[Element]:
        """Node `name` at Σ g V: one op-amp whose two inputs see the same conductance, so that every gain is a ratio.

        Positive terms enter at the non-inverting input, negative ones at the inverting; a resistor to ground balances them.
        """
        terms = [(significant(g), node) for g, node in terms]
        positive = [(g, node) for g, node in terms if g > _NEGLIGIBLE]
        negative = [(-g, node) for g, node in terms if g < -_NEGLIGIBLE]
        if not positive and not negative:
            yield Resistor(f"{name}_nil", (name, "0"), _LEAST)
            return
        if not negative and len(positive) == 1 and positive[0][0] == 1:
            yield self.amplifier(f"{name}_amp", positive[0][1], name, name)
            return
        largest = max(g for g, _ in (*positive, *negative))
        feedback = max(_FEEDBACK, _LEAST * largest)
        minus, plus = f"{name}_n", f"{name}_p" if positive else "0"
        yield self.amplifier(f"{name}_amp", plus, minus, name)
        yield Resistor(f"{name}_f", (minus, name), feedback)
        for k, (g, node) in enumerate(negative):
            yield Resistor(f"{name}_n{k}", (node, minus), feedback / g)
        for k, (g, node) in enumerate(positive):
            yield Resistor(f"{name}_p{k}", (node, plus), feedback / g)
        missing = 1 + sum(g for g, _ in negative) - sum(g for g, _ in positive)
        if positive and abs(missing) > _NEGLIGIBLE:
            yield Resistor(f"{name}_b", (plus if missing > 0 else minus, "0"), feedback / abs(missing))

    def converter(self, name: str, summing: str, resistance: float) -> Iterator[Element]:
        """Node `name` at `resistance` times the current drawn out of node `summing`, which it holds at ground."""
        yield self.amplifier(f"{name}_amp", "0", summing, name)
        yield Resistor(f"{name}_f", (summing, name), resistance)
        yield Capacitor(f"{name}_f", (summing, name), 5e-12, 0.0)

    def reference(self, gain: float) -> Term:
        """Term of `gain` times one machine unit, from the reference of that sign."""
        return (gain, "vref") if gain >= 0 else (-gain, "vrefn")

    def term(self, site: Site, port: int, index: int, gain: float) -> Term:
        """Term for an element of a port: its node, or the reference where it is a constant."""
        value = site.value(port, index)
        if value is not None:
            return self.reference(gain * value)
        node = site.control(port, index)
        return (-gain if node.rsplit("_", 1)[0] in self.flipped else gain), node

    def node(self, site: Site, port: int, index: int) -> tuple[str, list[Element]]:
        """Node of an element of a port, and what makes it where it is a constant."""
        value = site.value(port, index)
        if value is None:
            return site.control(port, index), []
        name = site.inner(f"k{port}_", index)
        return name, [VoltageSource(name, (name, "0"), MACHINE_UNIT * value)]


def noise_gain(gains: Sequence[float]) -> float:
    """Noise gain of a summing amplifier: what divides its bandwidth."""
    return max(1 + sum(-g for g in gains if g < 0), sum(g for g in gains if g > 0), 1.0)


def scales(block: Block) -> tuple[Block, float, tuple[float, ...]]:
    """Block, output scale and input scales; ones for a block that is not scaled."""
    if isinstance(block, Scaled):
        return block.block, block.output, block.inputs
    return block, 1.0, tuple(1.0 for _ in block.ports)


def pole(frequency: float) -> float:
    """Delay in seconds of a pole at `frequency` hertz."""
    return 1 / (2 * math.pi * frequency)
