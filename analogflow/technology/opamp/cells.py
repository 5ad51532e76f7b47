"""Op-amp cells of blocks: those that need no junction first, then those whose law is that of one.

Logarithm, exponential, softmax and tanh are made with bipolar transistors, all else with amplifiers and multipliers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from analogflow.blocks import (
    Block,
    Comparator,
    Constant,
    Crossbar,
    Divider,
    Exp,
    Gain,
    Integrator,
    Log,
    MatrixProduct,
    Multiplier,
    NoiseSource,
    Normaliser,
    PositivePart,
    Softmax,
    SquareRoot,
    Sum,
    Switch,
    Tanh,
    Wire,
)
from analogflow.blocks.dynamic import CLAMP
from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit.build import PartSet, thermal_voltage
from analogflow.circuit.elements import (
    Behavioural,
    BipolarTransistor,
    Capacitor,
    Diode,
    Element,
    Instance,
    Model,
    NoiseVoltage,
    Resistor,
    VoltageSource,
)
from analogflow.errors import NoCell
from analogflow.names import number
from analogflow.technology.compensation import across_transistor, collector_capacitance, junction_conductance, loop_delay
from analogflow.technology.opamp.bench import MACHINE_UNIT, Bench, Term, converter_capacitance, leg_resistance, scales
from analogflow.technology.technology import Site

__all__ = [
    "DIODE",
    "FULL_CURRENT",
    "FULL_RESISTANCE",
    "JUNCTION_DRIVE",
    "TYPICAL_RESISTANCE",
    "cell",
    "missing",
    "registered",
    "transdiode_capacitance",
]

Cell = Callable[[Block, Site, Bench], Iterator[Element]]

_CELLS: dict[type[Block], Cell] = {}
"""Cell by kind of block."""

DIODE = Model("dsw", "d", (("is", 1e-14), ("rs", 10.0), ("cjo", 2e-12), ("tt", 1e-9)), "generic switching diode")
"""Diode of the precision rectifiers."""

TYPICAL_RESISTANCE = 100e3
"""Ohms of an integrator's leg, more or less."""

_REFERENCES = {"vref": "vrefn", "vrefn": "vref"}
"""Where the negative of a reference is."""

_HYSTERESIS = 0.02
"""Machine units by which a comparator's threshold moves once it has decided."""


def cell(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    """Elements that realise `block`, scaled or not.

    Raises
    ------
    NoCell
        No op-amp circuit is known for it.
    """
    inner, _, _ = scales(block)
    build = _CELLS.get(type(inner))
    if build is None:
        raise NoCell(
            f"the technology 'opamp' has no cell for the block {inner.kind()!r}, placed by {site.graph.source(site.node)}; "
            "take the technology 'ideal'."
        )
    yield from build(block, site, bench)


def registered(kind: type[Block]) -> Callable[[Cell], Cell]:
    """Make a function the cell of blocks of one kind."""

    def register(function: Cell) -> Cell:
        _CELLS[kind] = function
        return function

    return register


@registered(Sum)
@registered(Gain)
@registered(Crossbar)
def _linear(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    assert bench.wiring is not None
    sign = bench.sign(site.node)
    for i in range(block.size):
        terms = bench.terms(bench.wiring.leads(site.node, i))
        yield from bench.adder(site.output(i), [(sign * gain, node) for gain, node in terms])


@registered(Wire)
def _wire(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    yield from ()


@registered(Constant)
def _constant(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    assert isinstance(block, Constant)
    if site.node in site.graph.observables.values():
        for i in range(block.size):
            yield VoltageSource(site.output(i), (site.output(i), "0"), MACHINE_UNIT * float(block.values[i]))


@registered(NoiseSource)
def _noise(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    assert isinstance(block, NoiseSource)
    for i in range(block.size):
        density = MACHINE_UNIT * float(block.density[i])
        yield NoiseVoltage(site.output(i), (site.output(i),), block.first + i, density)


def _capacitance_of(gain: float, time_constant: float) -> float:
    """Capacitance of a decade or a third of one, farads, with which an integrator's resistor is near 100 kilohms."""
    wanted = time_constant / (gain * TYPICAL_RESISTANCE)
    decade = 10.0 ** math.floor(math.log10(wanted))
    return min((decade, 2.2 * decade, 4.7 * decade, 10 * decade), key=lambda c: abs(math.log(c / wanted)))


@registered(Integrator)
def _integrator(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    """Inverting integrator with a hold switch; what it adds is negative already, or goes through an inverter."""
    assert isinstance(block, Integrator)
    assert bench.wiring is not None
    gain = np.broadcast_to(block.gain, (block.size,))
    leak = np.broadcast_to(block.leak, (block.size,))
    for i in range(block.size):
        name, virtual = site.output(i), site.inner("sum", i)
        terms = [(float(gain[i]) * factor, node) for factor, node in bench.terms(bench.wiring.input(site.node, i)) if factor]
        capacitance = _capacitance_of(max((abs(g) for g, _ in terms), default=float(gain[i])), bench.time_constant)
        for k, (factor, node) in enumerate(terms):
            place = f"{k}" if len(terms) > 1 else ""
            source = _REFERENCES.get(node, node)
            if factor > 0 and source == node:
                source = f"{site.inner('inv', i)}{place and '_'}{place}"
                yield from bench.adder(source, [(-1.0, node)])
            elif factor < 0:
                source = node
            yield Resistor(f"{name}_in{place}", (source, virtual), bench.time_constant / (abs(factor) * capacitance))
        yield bench.amplifier(f"{name}_amp", "0", virtual, name)
        start = MACHINE_UNIT * float(block.initial[i])
        yield Capacitor(f"{name}_c", (virtual, name), capacitance, -start)
        if leak[i]:
            yield Resistor(f"{name}_leak", (virtual, name), bench.time_constant / (float(leak[i]) * capacitance))
        yield bench.parts.switch.between(f"{name}_hold", (virtual, f"{name}_set"))
        yield VoltageSource(f"{name}_set", (name, f"{name}_set"), start)
        if block.limit < math.inf:
            limit = number(MACHINE_UNIT * block.limit)
            conductance = number(CLAMP * capacitance / bench.time_constant)
            over = f"(v({name})-min(max(v({name}),-{limit}),{limit}))"
            yield Behavioural(f"{name}_clamp", (name, virtual), f"{conductance}*{over}")


def _product(name: str, factors: tuple[str, str], gain: float, sign: float, bench: Bench) -> Iterator[Element]:
    """Node `name` at gain · X · Y in machine units, or its negative, for which the inputs of X are exchanged."""
    direct = math.isclose(gain, 1.0, rel_tol=1e-9)
    output = name if direct else f"{name}_raw"
    x, y = factors
    pair = (x, "0") if sign > 0 else ("0", x)
    yield Instance(f"{name}_mult", (*pair, y, "0", "0", output), bench.parts.multiplier.name)
    if not direct:
        yield from bench.adder(name, [(gain, output)])


@registered(Multiplier)
@registered(Switch)
def _multiplier(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    _, output, inputs = scales(block)
    assert bench.wiring is not None
    gain = 1.0 if site.node in bench.wiring.bare else output / (inputs[0] * inputs[1])
    for i in range(block.size):
        nodes, sign = [], bench.sign(site.node)
        for port in range(2):
            node, made = bench.node(site, port, i)
            yield from made
            nodes.append(node)
            sign *= bench.port_sign(site, port)
        yield from _product(site.output(i), (nodes[0], nodes[1]), gain, sign, bench)


@registered(MatrixProduct)
def _matrix_product(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    inner, output, inputs = scales(block)
    assert isinstance(inner, MatrixProduct)
    gain = output / (inputs[0] * inputs[1])
    sign = bench.port_sign(site, 0) * bench.port_sign(site, 1)
    for i in range(inner.rows):
        for j in range(inner.columns):
            name = site.output(i * inner.columns + j)
            terms = []
            for k in range(inner.inner):
                x, made_x = bench.node(site, 0, i * inner.inner + k)
                y, made_y = bench.node(site, 1, k * inner.columns + j)
                yield from (*made_x, *made_y)
                yield from _product(f"{name}_{k}", (x, y), 1.0, sign, bench)
                terms.append((gain, f"{name}_{k}"))
            yield from bench.adder(name, terms)


@registered(Divider)
def _divider(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    _, output, inputs = scales(block)
    gain = output * inputs[1] / inputs[0]
    for i in range(block.size):
        below, made = bench.node(site, 1, i)
        yield from made
        above = site.inner("n", i)
        yield from bench.adder(above, [bench.term(site, 0, i, gain)])
        yield Instance(f"{site.output(i)}_div", (above, below, site.output(i)), f"{bench.parts.divider.name}_divider")


@registered(SquareRoot)
def _root(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    _, output, inputs = scales(block)
    for i in range(block.size):
        above = site.inner("n", i)
        yield from bench.adder(above, [bench.term(site, 0, i, output**2 / inputs[0])])
        yield Instance(f"{site.output(i)}_root", (above, site.output(i)), f"{bench.parts.divider.name}_root")


def rectifier(name: str, source: Term, bench: Bench) -> Iterator[Element]:
    """Node `name` at g · max(V, 0): an op-amp with two diodes in its feedback, and an inverter."""
    gain, node = source
    virtual, half, output = f"{name}_v", f"{name}_h", f"{name}_o"
    leg = leg_resistance(bench.parts, abs(gain))
    yield Resistor(f"{name}_i", (node, virtual), leg)
    yield bench.amplifier(f"{name}_ramp", "0", virtual, output)
    # The output goes negative for a positive input: its diode then closes the loop through the node read; the other one
    # keeps the amplifier from its rail while the input is negative.
    yield Diode(f"{name}_d1", (half, output), DIODE.name)
    yield Resistor(f"{name}_r", (virtual, half), leg * abs(gain))
    yield Diode(f"{name}_d2", (output, virtual), DIODE.name)
    yield from bench.adder(name, [(-1.0, half)])


@registered(PositivePart)
def _positive_part(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    _, output, inputs = scales(block)
    for i in range(block.size):
        yield from rectifier(site.output(i), bench.term(site, 0, i, output / inputs[0]), bench)


@registered(Normaliser)
def _normaliser(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    inner, output, _ = scales(block)
    assert isinstance(inner, Normaliser)
    width = inner.size // inner.rows
    for row in range(inner.rows):
        members = range(row * width, (row + 1) * width)
        for i in members:
            yield from rectifier(site.inner("pos", i), bench.term(site, 0, i, 1.0), bench)
        total = site.inner("total", row)
        yield from bench.adder(total, [(1 / output, site.inner("pos", i)) for i in members])
        for i in members:
            nodes = (site.inner("pos", i), total, site.output(i))
            yield Instance(f"{site.output(i)}_div", nodes, f"{bench.parts.divider.name}_divider")


@registered(Comparator)
def _comparator(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    """Op-amp with positive feedback, whose rails become 0 and 1."""
    _, output, inputs = scales(block)
    common = min(inputs)
    swing = bench.parts.swing / MACHINE_UNIT
    for i in range(block.size):
        name, difference, decided = site.output(i), site.inner("dif", i), site.inner("dec", i)
        one, other = (bench.term(site, port, i, common / inputs[port] * (1 if port == 0 else -1)) for port in (0, 1))
        if site.value(1, i) is not None:
            other = bench.reference(-common / inputs[1] * (site.value(1, i) or 0.0))
        yield from bench.adder(difference, [one, other])
        yield Resistor(f"{name}_h1", (difference, f"{name}_h"), 1e3)
        yield Resistor(f"{name}_h2", (f"{name}_h", decided), 1e3 * swing / _HYSTERESIS)
        yield bench.amplifier(f"{name}_cmp", f"{name}_h", "0", decided)
        half = output / 2
        yield from bench.adder(name, [(half / swing, decided), bench.reference(half)])


FULL_CURRENT = 20e-6
"""Amperes of a junction at full scale: its resistances add 15 microvolts there, its capacitances are fast enough below."""

_FULL = 8.0
"""Volts of a signal at full scale."""

FULL_RESISTANCE = _FULL / FULL_CURRENT
"""Ohms through which a signal at full scale drives a junction's full current."""

_FEWEST, _MOST = 5e-7, FULL_CURRENT
"""Amperes between which reference currents are chosen; what is left is added as a voltage."""

_CLOSE = 2e-3
"""Nats that a ratio of preferred values may be off."""

_SERVO_RESISTANCE, _SERVO_DIVIDER, _SLOWER = 100e3, (20e3, 4.7e3), 3.0
"""Ohms of the servo's legs and of its divider; how much slower its loop is than what it encloses."""

_TAIL_DROP = 1.0
"""Volts across the emitter resistor of a tail."""

_EMITTER_DRIVE = 1e3
"""Ohms between an amplifier and the emitters of an array, which together carry more than its reference."""

JUNCTION_DRIVE = 4e3
"""Ohms between an amplifier and the emitter that it drives: four times those of a junction at full scale."""


def _transdiode(name: str, summing: str, current: float, load: float, bench: Bench) -> Iterator[Element]:
    """Node `name` at −V_T ln(I/I_S) of the current I that flows into node `summing`, which it holds at ground.

    `current` is the largest, amperes, and `load` the conductance of what hangs on the node, siemens.
    """
    yield bench.amplifier(f"{name}_amp", "0", summing, f"{name}_drive")
    yield Resistor(f"{name}_drive", (f"{name}_drive", name), JUNCTION_DRIVE)
    yield BipolarTransistor(f"{name}_log", (summing, "0", name), bench.parts.npn.name)
    yield Capacitor(f"{name}_c", (summing, f"{name}_drive"), transdiode_capacitance(bench.parts, current, load), 0.0)


def transdiode_capacitance(parts: PartSet, current: float, load: float) -> float:
    """Farads across a transdiode of at most `current` amperes, with `load` siemens on its node."""
    conductance = junction_conductance(current, thermal_voltage(NOMINAL_KELVIN), JUNCTION_DRIVE, load)
    return across_transistor(parts.op_amp, conductance, collector_capacitance(parts.npn))


def _resistances(scale: float, bench: Bench) -> tuple[float, float, float]:
    """Resistances of a junction at full scale and of its reference, and the logarithm of what the reference lacks.

    The reference current is that of `scale` machine units at the junction's resistance, where a junction carries it well.
    Of the preferred values near, the pair is taken whose ratio is nearest.
    """
    best = (math.inf, FULL_RESISTANCE, FULL_RESISTANCE, 0.0)
    for resistance in {bench.preferred(FULL_RESISTANCE * factor) for factor in np.geomspace(0.5, 2.0, 120)}:
        wanted = MACHINE_UNIT * scale / resistance
        reference = bench.preferred(MACHINE_UNIT / min(max(wanted, _FEWEST), _MOST))
        rest = math.log(wanted * reference / MACHINE_UNIT)
        best = min(best, (abs(rest), resistance, reference, rest))
    _, resistance, reference, rest = best
    return resistance, reference, rest if abs(rest) > _CLOSE else 0.0


def missing(block: Block, bench: Bench) -> float:
    """Machine units that a logarithm lacks with the reference current that it has."""
    _, output, inputs = scales(block)
    return -output * _resistances(inputs[0], bench)[2]


@registered(Log)
def _log(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    """Two transdiodes and a difference amplifier: K V_T ln(I/I_ref), with one reference for all elements.

    What the reference current lacks is added by what reads it, or by an amplifier of its own: an offset would spoil the
    symmetry by which the difference amplifier tells two junctions apart.
    """
    _, output, inputs = scales(block)
    resistance, drop, rest = _resistances(inputs[0], bench)
    gain = MACHINE_UNIT * output / bench.thermal_voltage
    reference = f"{site.node}_ref"
    yield Resistor(f"{reference}_in", ("vref", f"{reference}_s"), drop)
    yield from _transdiode(reference, f"{reference}_s", MACHINE_UNIT / drop, 0.0, bench)
    for i in range(block.size):
        name, summing, junction = site.output(i), site.inner("s", i), site.inner("e", i)
        yield Resistor(f"{name}_in", (site.control(0, i), summing), resistance)
        yield from _transdiode(junction, summing, MACHINE_UNIT / resistance, 1 / leg_resistance(bench.parts, gain), bench)
        added = rest and site.node not in bench.offsets
        difference = site.inner("d", i) if added else name
        yield from bench.adder(difference, [(gain, reference), (-gain, junction)])
        if added:
            yield from bench.adder(name, [(1.0, difference), bench.reference(-output * rest)])


@registered(Exp)
def _exp(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    """Transistors with the emitter of one that carries the reference current; their collectors become voltages."""
    _, output, inputs = scales(block)
    resistance, drop, rest = _resistances(output, bench)
    v_t, emitter, reference = bench.thermal_voltage, f"{site.node}_em", f"{site.node}_ref"
    yield Resistor(f"{reference}_in", ("vref", reference), drop)
    yield bench.amplifier(f"{reference}_amp", "0", reference, f"{reference}_o")
    yield Resistor(f"{reference}_o", (f"{reference}_o", emitter), _EMITTER_DRIVE)
    conductance = junction_conductance(MACHINE_UNIT / drop, thermal_voltage(NOMINAL_KELVIN), _EMITTER_DRIVE, 0.0)
    capacitance = across_transistor(bench.parts.op_amp, conductance, collector_capacitance(bench.parts.npn))
    yield Capacitor(f"{reference}_c", (reference, f"{reference}_o"), capacitance, 0.0)
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
    servo, (upper, lower) = f"{name}_sv", _SERVO_DIVIDER
    for (base, terms), output in zip(bases, outputs, strict=True):
        yield from bench.adder(base, terms)
        yield BipolarTransistor(output, (f"{output}_c", base, emitter), bench.parts.npn.name)
        yield from bench.converter(output, f"{output}_c", resistance)
        yield Resistor(f"{output}_sv", (output, servo), _SERVO_RESISTANCE)
    yield Resistor(f"{servo}_ref", ("vrefn", servo), _SERVO_RESISTANCE * MACHINE_UNIT / full)
    yield bench.amplifier(f"{servo}_amp", "0", servo, f"{servo}_o")
    # A volt of the servo moves the tail by what the divider leaves of it, and so the sum of the outputs by `moved` volts.
    moved = lower / (upper + lower) * full / _TAIL_DROP
    enclosed = loop_delay(bench.parts.op_amp, converter_capacitance(bench.parts, resistance), 1 / resistance)
    yield Capacitor(f"{servo}_c", (servo, f"{servo}_o"), _SLOWER * moved * enclosed / _SERVO_RESISTANCE, 0.0)
    # However far the servo runs, the base stays below the emitters: a tail that saturates would pull them up and latch.
    yield Resistor(f"{tail}_up", (f"{servo}_o", tail), upper)
    yield Resistor(f"{tail}_down", (tail, "vlow"), lower)
    yield BipolarTransistor(tail, (emitter, tail, f"{tail}_e"), bench.parts.npn.name)
    yield Resistor(f"{tail}_e", (f"{tail}_e", "vlow"), _TAIL_DROP / FULL_CURRENT)


@registered(Softmax)
def _softmax(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    inner, output, inputs = scales(block)
    assert isinstance(inner, Softmax)
    width = inner.size // inner.rows
    tail = np.ones(inner.rows) if inner.tail is None else inner.tail
    shifts = inner.centred.ravel()
    gain = bench.thermal_voltage / MACHINE_UNIT
    for row in range(inner.rows):
        for i in range(row * width, (row + 1) * width):
            if np.isinf(shifts[i]):
                yield VoltageSource(site.output(i), (site.output(i), "0"), 0.0)
        members = [i for i in range(row * width, (row + 1) * width) if np.isfinite(shifts[i])]
        bases = []
        for i in members:
            shift = float(shifts[i])
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
