"""What every op-amp cell is made of: summing amplifiers, followers and current-to-voltage converters.

Voltages are ten times the value in machine units. Names of elements begin with that of the node they drive.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from analogflow.blocks import Constant, Scaled
from analogflow.blocks.block import Block
from analogflow.circuit.build import PartSet
from analogflow.circuit.elements import Capacitor, Element, Instance, Resistor, VoltageSource
from analogflow.circuit.values import nearest
from analogflow.digits import significant
from analogflow.technology.compensation import across_resistor, collector_capacitance
from analogflow.technology.technology import Site, located

if TYPE_CHECKING:
    from analogflow.technology.opamp.wiring import Wiring

__all__ = ["MACHINE_UNIT", "Bench", "Term", "converter_capacitance", "leg_resistance", "noise_gain"]

MACHINE_UNIT = 10.0
"""Volts."""

_FEEDBACK, _LEAST = 10e3, 1e3
"""Feedback resistance of a summing amplifier, and what its legs have at least, ohms."""

_LEAST_OF_PRODUCT = 10e3
_NEGLIGIBLE = 1e-7

_TURN = 0.2
"""Radians of phase margin that an input's capacitance may cost before a capacitor across the feedback makes up for it."""

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
    wiring : Wiring, optional
        Which blocks are built, with which sign and gain; all, as they are, if not given.
    offsets : mapping of node to float
        Machine units that a logarithm lacks, and what reads it adds.
    """

    parts: PartSet
    thermal_voltage: float
    time_constant: float
    wiring: Wiring | None = None
    offsets: Mapping[str, float] = dataclasses.field(default_factory=dict)

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
            yield Resistor(f"{name}_nil", (name, "0"), least_resistance(self.parts))
            return
        if not negative and len(positive) == 1 and positive[0][0] == 1:
            yield self.amplifier(f"{name}_amp", positive[0][1], name, name)
            return
        feedback = max(
            _FEEDBACK, least_resistance(self.parts), *(self._least(node) * g for g, node in (*positive, *negative))
        )
        minus, plus = f"{name}_n", f"{name}_p" if positive else "0"
        yield self.amplifier(f"{name}_amp", plus, minus, name)
        yield Resistor(f"{name}_f", (minus, name), feedback)
        for k, (g, node) in enumerate(negative):
            yield Resistor(f"{name}_n{k}", (node, minus), feedback / g)
        for k, (g, node) in enumerate(positive):
            yield Resistor(f"{name}_p{k}", (node, plus), feedback / g)
        missing = 1 + sum(g for g, _ in negative) - sum(g for g, _ in positive)
        # What stays on the inverting input turns the phase at the crossover by this.
        gain = noise_gain([*(-g for g, _ in negative), *(g for g, _ in positive)])
        op_amp = self.parts.op_amp
        turn = 2 * math.pi * op_amp.bandwidth * feedback * op_amp.input_capacitance / gain**2
        if turn > _TURN:
            yield Capacitor(f"{name}_f", (minus, name), across_resistor(op_amp, feedback), 0.0)
        if positive and abs(missing) > _NEGLIGIBLE:
            yield Resistor(f"{name}_b", (plus if missing > 0 else minus, "0"), feedback / abs(missing))

    def _least(self, node: str) -> float:
        """Least resistance of a leg at a node: a product's output has ten ohms of its own."""
        bare = self.wiring.bare if self.wiring is not None else ()
        least = least_resistance(self.parts)
        return max(_LEAST_OF_PRODUCT, least) if node.rsplit("_", 1)[0] in bare else least

    def converter(self, name: str, summing: str, resistance: float) -> Iterator[Element]:
        """Node `name` at `resistance` times what a transistor draws out of node `summing`, which it holds at ground."""
        yield self.amplifier(f"{name}_amp", "0", summing, name)
        yield Resistor(f"{name}_f", (summing, name), resistance)
        yield Capacitor(f"{name}_f", (summing, name), converter_capacitance(self.parts, resistance), 0.0)

    def reference(self, gain: float) -> Term:
        """Term of `gain` times one machine unit, from the reference of that sign."""
        return (gain, "vref") if gain >= 0 else (-gain, "vrefn")

    def term(self, site: Site, port: int, index: int, gain: float) -> Term:
        """Term for an element of a port: its node, or the reference where it is a constant."""
        value = site.value(port, index)
        if value is not None:
            return self.reference(gain * value)
        node = site.control(port, index)
        return gain * self.sign(node.rsplit("_", 1)[0]), node

    def sign(self, block: str) -> float:
        """−1 of a block that delivers its negative."""
        return -1.0 if self.wiring is not None and block in self.wiring.flipped else 1.0

    def factor(self, block: str) -> float:
        """What a block's voltages are multiplied by, beside its machine units, to be its outputs, but for its offset."""
        return self.wiring.factor(block) if self.wiring is not None else 1.0

    def port_sign(self, site: Site, port: int) -> float:
        """−1 where what drives a port delivers its negative."""
        return self.sign(located(site.graph, site.inputs[port][0])[0])

    def terms(self, leads: Mapping[tuple[str, int], float]) -> list[Term]:
        """Terms for elements of blocks with their gains, one for each node: `Wiring.leads` and `Wiring.input` give them."""
        assert self.wiring is not None  # whoever asks has asked it for the leads
        gains: dict[str, float] = {}
        for (origin, index), gain in leads.items():
            block = self.wiring.graph.block(origin)
            if isinstance(block, Constant):
                found = [self.reference(gain * float(block.values[index]))]
            else:
                found = [(gain * self.wiring.factor(origin), f"{origin}_{index}")]
                if origin in self.offsets:
                    found.append(self.reference(gain * self.offsets[origin]))
            for value, node in found:
                gains[node] = gains.get(node, 0.0) + value
        return [(gain, node) for node, gain in gains.items()]

    def node(self, site: Site, port: int, index: int) -> tuple[str, list[Element]]:
        """Node of an element of a port, and what makes it where it is a constant."""
        value = site.value(port, index)
        if value is None:
            return site.control(port, index), []
        name = site.inner(f"k{port}_", index)
        return name, [VoltageSource(name, (name, "0"), MACHINE_UNIT * value)]


def least_resistance(parts: PartSet) -> float:
    """Ohms that one leg has at least: a machine unit across it takes half of what an output is rated for."""
    return max(_LEAST, 2 * MACHINE_UNIT / parts.op_amp.output_current)


def leg_resistance(parts: PartSet, gain: float) -> float:
    """Ohms of the leg by which a summing amplifier reads a node with the gain that is its largest."""
    least = least_resistance(parts)
    return max(_FEEDBACK, least, least * gain) / gain


def converter_capacitance(parts: PartSet, resistance: float) -> float:
    """Farads across the resistance of a converter that reads one transistor."""
    return across_resistor(parts.op_amp, resistance, collector_capacitance(parts.npn))


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
