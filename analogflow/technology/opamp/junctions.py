"""Op-amp cells whose law is that of a junction: logarithm, exponential, softmax and tanh, with bipolar transistors."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from analogflow.blocks import Block, Exp, Log, Softmax, Tanh
from analogflow.circuit.elements import BipolarTransistor, Capacitor, Element, Resistor
from analogflow.technology.opamp.bench import MACHINE_UNIT, Bench, Term, scales
from analogflow.technology.opamp.cells import registered
from analogflow.technology.technology import Site

__all__ = ["FULL_CURRENT"]

FULL_CURRENT = 20e-6
"""Amperes of a junction at full scale: its resistances add 15 microvolts there, its capacitances are fast enough below."""

_FULL = 8.0
"""Volts of a signal at full scale."""

_RESISTANCE = _FULL / FULL_CURRENT
_COMPENSATION = 30e-12
_FEWEST, _MOST = 5e-7, FULL_CURRENT
"""Amperes between which reference currents are chosen; what is left is added as a voltage."""

_CLOSE = 2e-3
"""Nats that a ratio of preferred values may be off."""

_SERVO_RESISTANCE, _SERVO_CAPACITANCE = 100e3, 100e-12


def _transdiode(name: str, summing: str, bench: Bench) -> Iterator[Element]:
    """Node `name` at −V_T ln(I/I_S) of the current I that flows into node `summing`, which it holds at ground."""
    yield bench.amplifier(f"{name}_amp", "0", summing, f"{name}_drive")
    yield Resistor(f"{name}_drive", (f"{name}_drive", name), 10.0)
    yield BipolarTransistor(f"{name}_log", (summing, "0", name), bench.parts.npn.name)
    yield Capacitor(f"{name}_c", (summing, name), _COMPENSATION, 0.0)


def _resistances(scale: float, bench: Bench) -> tuple[float, float, float]:
    """Resistances of a junction at full scale and of its reference, and the logarithm of what the reference lacks.

    The reference current is that of `scale` machine units at the junction's resistance, where a junction carries it well.
    Of the preferred values near, the pair is taken whose ratio is nearest.
    """
    best = (math.inf, _RESISTANCE, _RESISTANCE, 0.0)
    for resistance in {bench.preferred(_RESISTANCE * factor) for factor in np.geomspace(0.5, 2.0, 120)}:
        wanted = MACHINE_UNIT * scale / resistance
        reference = bench.preferred(MACHINE_UNIT / min(max(wanted, _FEWEST), _MOST))
        rest = math.log(wanted * reference / MACHINE_UNIT)
        best = min(best, (abs(rest), resistance, reference, rest))
    _, resistance, reference, rest = best
    return resistance, reference, rest if abs(rest) > _CLOSE else 0.0


@registered(Log)
def _log(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    """Two transdiodes and a difference amplifier: K V_T ln(I/I_ref), with one reference for all elements."""
    _, output, inputs = scales(block)
    resistance, drop, rest = _resistances(inputs[0], bench)
    gain = MACHINE_UNIT * output / bench.thermal_voltage
    reference = f"{site.node}_ref"
    yield Resistor(f"{reference}_in", ("vref", f"{reference}_s"), drop)
    yield from _transdiode(reference, f"{reference}_s", bench)
    for i in range(block.size):
        name, summing, junction = site.output(i), site.inner("s", i), site.inner("e", i)
        yield Resistor(f"{name}_in", (site.control(0, i), summing), resistance)
        yield from _transdiode(junction, summing, bench)
        # An offset would spoil the symmetry by which the amplifier tells two junctions apart, so it has its own.
        difference = site.inner("d", i) if rest else name
        yield from bench.adder(difference, [(gain, reference), (-gain, junction)])
        if rest:
            yield from bench.adder(name, [(1.0, difference), bench.reference(-output * rest)])


@registered(Exp)
def _exp(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    """Transistors with the emitter of one that carries the reference current; their collectors become voltages."""
    _, output, inputs = scales(block)
    resistance, drop, rest = _resistances(output, bench)
    v_t, emitter, reference = bench.thermal_voltage, f"{site.node}_em", f"{site.node}_ref"
    yield Resistor(f"{reference}_in", ("vref", reference), drop)
    yield bench.amplifier(f"{reference}_amp", "0", reference, f"{reference}_o")
    yield Resistor(f"{reference}_o", (f"{reference}_o", emitter), 1e3)
    yield Capacitor(f"{reference}_c", (reference, f"{reference}_o"), _COMPENSATION, 0.0)
    yield BipolarTransistor(reference, (reference, "0", emitter), bench.parts.npn.name)
    for i in range(block.size):
        base, collector = site.inner("b", i), site.inner("c", i)
        offset = [bench.reference(v_t * rest / MACHINE_UNIT)] if rest else []
        yield from bench.adder(base, [bench.term(site, 0, i, v_t / (MACHINE_UNIT * inputs[0])), *offset])
        yield BipolarTransistor(site.output(i), (collector, base, emitter), bench.parts.npn.name)
        yield from bench.converter(site.output(i), collector, resistance)


def _array(
    name: str, bases: list[tuple[str, list[Term]]], outputs: list[str], full: float, bench: Bench
) -> Iterator[Element]:
    """Emitter-coupled array whose collector currents become the voltages `outputs`; their sum is held at `full` volts.

    The servo drives the base of the tail, so that what is lost in bases is made up for.
    """
    emitter, tail, resistance = f"{name}_em", f"{name}_tail", full / FULL_CURRENT
    servo = f"{name}_sv"
    for (base, terms), output in zip(bases, outputs, strict=True):
        yield from bench.adder(base, terms)
        yield BipolarTransistor(output, (f"{output}_c", base, emitter), bench.parts.npn.name)
        yield from bench.converter(output, f"{output}_c", resistance)
        yield Resistor(f"{output}_sv", (output, servo), _SERVO_RESISTANCE)
    yield Resistor(f"{servo}_ref", ("vrefn", servo), _SERVO_RESISTANCE * MACHINE_UNIT / full)
    yield bench.amplifier(f"{servo}_amp", "0", servo, f"{servo}_o")
    yield Capacitor(f"{servo}_c", (servo, f"{servo}_o"), _SERVO_CAPACITANCE, 0.0)
    # However far the servo runs, the base stays below the emitters: a tail that saturates would pull them up and latch.
    yield Resistor(f"{tail}_up", (f"{servo}_o", tail), 20e3)
    yield Resistor(f"{tail}_down", (tail, "vlow"), 4.7e3)
    yield BipolarTransistor(tail, (emitter, tail, f"{tail}_e"), bench.parts.npn.name)
    yield Resistor(f"{tail}_e", (f"{tail}_e", "vlow"), 1.0 / FULL_CURRENT)


@registered(Softmax)
def _softmax(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    inner, output, inputs = scales(block)
    assert isinstance(inner, Softmax)
    width = inner.size // inner.rows
    tail = np.ones(inner.rows) if inner.tail is None else inner.tail
    offsets = np.zeros(inner.size) if inner.offsets is None else inner.offsets
    gain = bench.thermal_voltage / MACHINE_UNIT
    for row in range(inner.rows):
        members = list(range(row * width, (row + 1) * width))
        middle = float(offsets[members].mean())
        bases = []
        for i in members:
            shift = float(offsets[i]) - middle
            terms = [bench.term(site, 0, i, gain / inputs[0]), *([bench.reference(-gain * shift)] if shift else [])]
            bases.append((site.inner("b", i), terms))
        full = MACHINE_UNIT * output * float(tail[row])
        yield from _array(f"{site.node}_r{row}", bases, [site.output(i) for i in members], full, bench)


@registered(Tanh)
def _tanh(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    """Differential pair: the difference of its currents is tanh of half the voltage between its bases."""
    _, output, inputs = scales(block)
    gain = bench.thermal_voltage / (MACHINE_UNIT * inputs[0])
    # At zero each side carries half, so a difference that stays small may not decide how far a side goes.
    full = MACHINE_UNIT * min(output, 1.0)
    for i in range(block.size):
        sides = [site.inner("l", i), site.inner("r", i)]
        bases = [(f"{side}_b", [bench.term(site, 0, i, sign * gain)]) for side, sign in zip(sides, (1, -1), strict=True)]
        yield from _array(site.inner("pair", i), bases, sides, full, bench)
        difference = MACHINE_UNIT * output / full
        yield from bench.adder(site.output(i), [(difference, sides[0]), (-difference, sides[1])])
