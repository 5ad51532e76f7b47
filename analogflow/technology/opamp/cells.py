"""Op-amp cells of blocks that need no junction: sums, crossbars, multipliers, dividers, rectifiers and integrators."""

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
    Gain,
    Integrator,
    MatrixProduct,
    Multiplier,
    NoiseSource,
    Normaliser,
    PositivePart,
    SquareRoot,
    Sum,
    Switch,
    Wire,
)
from analogflow.blocks.dynamic import CLAMP
from analogflow.circuit.elements import (
    Behavioural,
    Capacitor,
    Diode,
    Element,
    Instance,
    Model,
    NoiseVoltage,
    Resistor,
    VoltageSource,
)
from analogflow.circuit.elements import Switch as SwitchPart
from analogflow.errors import NoCell
from analogflow.names import number
from analogflow.technology.opamp.bench import MACHINE_UNIT, Bench, Term, scales
from analogflow.technology.technology import Site

__all__ = ["CELLS", "DIODE", "capacitance_of", "cell", "linear_terms"]

Cell = Callable[[Block, Site, Bench], Iterator[Element]]

CELLS: dict[type[Block], Cell] = {}
"""Cell by kind of block; modules beside this one add theirs."""

DIODE = Model("dsw", "d", (("is", 1e-14), ("rs", 10.0), ("cjo", 2e-12), ("tt", 1e-9)), "generic switching diode")
"""Diode of the precision rectifiers."""

_TYPICAL_RESISTANCE = 100e3
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
    build = CELLS.get(type(inner))
    if build is None:
        raise NoCell(
            f"the technology 'opamp' has no cell for the block {inner.kind()!r}, placed by {site.graph.source(site.node)}; "
            "take the technology 'ideal'."
        )
    yield from build(block, site, bench)


def registered(kind: type[Block]) -> Callable[[Cell], Cell]:
    """Make a function the cell of blocks of one kind."""

    def register(function: Cell) -> Cell:
        CELLS[kind] = function
        return function

    return register


def linear_terms(block: Block, site: Site, index: int, bench: Bench) -> list[Term] | None:
    """Terms whose sum is output `index` of a linear block; None for any other block."""
    match block:
        case Sum():
            return [bench.term(site, port, index, c) for port, c in enumerate(block.coefficients)]
        case Gain():
            return [bench.term(site, 0, index, float(block.coefficients[index]))]
        case Crossbar():
            outputs, inputs = block.weight.shape[-2:]
            weights = np.broadcast_to(block.weight, (block.rows, outputs, inputs))
            row, a = divmod(index, outputs)
            return [
                bench.term(site, 0, row * inputs + b, float(weights[row, a, b])) for b in range(inputs) if weights[row, a, b]
            ]
    return None


def _merged(terms: list[Term]) -> list[Term]:
    """Terms with one entry for each node."""
    gains: dict[str, float] = {}
    for gain, node in terms:
        gains[node] = gains.get(node, 0.0) + gain
    return [(gain, node) for node, gain in gains.items()]


@registered(Sum)
@registered(Gain)
@registered(Crossbar)
def _linear(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    sign = -1.0 if site.node in bench.flipped else 1.0
    for i in range(block.size):
        terms = linear_terms(block, site, i, bench) or []
        yield from bench.adder(site.output(i), _merged([(sign * gain, node) for gain, node in terms]))


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


def capacitance_of(gain: float, time_constant: float) -> float:
    """Capacitance of a decade or a third of one, farads, with which an integrator's resistor is near 100 kilohms."""
    wanted = time_constant / (gain * _TYPICAL_RESISTANCE)
    decade = 10.0 ** math.floor(math.log10(wanted))
    return min((decade, 2.2 * decade, 4.7 * decade, 10 * decade), key=lambda c: abs(math.log(c / wanted)))


@registered(Integrator)
def _integrator(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    """Inverting integrator with a hold switch; its input is flipped already, or goes through an inverter."""
    assert isinstance(block, Integrator)
    gain = np.broadcast_to(block.gain, (block.size,))
    leak = np.broadcast_to(block.leak, (block.size,))
    for i in range(block.size):
        name, virtual = site.output(i), site.inner("sum", i)
        capacitance = capacitance_of(float(gain[i]), bench.time_constant)
        factor, node = bench.term(site, 0, i, float(gain[i]))
        if site.value(0, i) is not None:
            factor, node = -factor, {"vref": "vrefn", "vrefn": "vref"}[node]
        if factor > 0:
            inverted = site.inner("inv", i)
            yield from bench.adder(inverted, [(-1.0, node)])
            node = inverted
        if factor:
            yield Resistor(f"{name}_in", (node, virtual), bench.time_constant / (abs(factor) * capacitance))
        yield bench.amplifier(f"{name}_amp", "0", virtual, name)
        start = MACHINE_UNIT * float(block.initial[i])
        yield Capacitor(f"{name}_c", (virtual, name), capacitance, -start)
        if leak[i]:
            yield Resistor(f"{name}_leak", (virtual, name), bench.time_constant / (float(leak[i]) * capacitance))
        yield SwitchPart(f"{name}_hold", (virtual, f"{name}_set"), "hold", "hold")
        yield VoltageSource(f"{name}_set", (name, f"{name}_set"), start)
        if block.limit < math.inf:
            limit = number(MACHINE_UNIT * block.limit)
            conductance = number(CLAMP * capacitance / bench.time_constant)
            over = f"(v({name})-min(max(v({name}),-{limit}),{limit}))"
            yield Behavioural(f"{name}_clamp", (name, virtual), f"{conductance}*{over}")


def _product(name: str, factors: tuple[str, str], gain: float, bench: Bench) -> Iterator[Element]:
    """Node `name` at gain · X · Y in machine units."""
    direct = math.isclose(gain, 1.0, rel_tol=1e-9)
    output = name if direct else f"{name}_raw"
    x, y = factors
    yield Instance(f"{name}_mult", (x, "0", y, "0", "0", output), bench.parts.multiplier.name)
    if not direct:
        yield from bench.adder(name, [(gain, output)])


@registered(Multiplier)
@registered(Switch)
def _multiplier(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    _, output, inputs = scales(block)
    for i in range(block.size):
        nodes = []
        for port in range(2):
            node, made = bench.node(site, port, i)
            yield from made
            nodes.append(node)
        yield from _product(site.output(i), (nodes[0], nodes[1]), output / (inputs[0] * inputs[1]), bench)


@registered(MatrixProduct)
def _matrix_product(block: Block, site: Site, bench: Bench) -> Iterator[Element]:
    inner, output, inputs = scales(block)
    assert isinstance(inner, MatrixProduct)
    gain = output / (inputs[0] * inputs[1])
    for i in range(inner.rows):
        for j in range(inner.columns):
            name = site.output(i * inner.columns + j)
            terms = []
            for k in range(inner.inner):
                x, made_x = bench.node(site, 0, i * inner.inner + k)
                y, made_y = bench.node(site, 1, k * inner.columns + j)
                yield from (*made_x, *made_y)
                yield from _product(f"{name}_{k}", (x, y), 1.0, bench)
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
    yield Resistor(f"{name}_i", (node, virtual), 10e3 / abs(gain))
    yield bench.amplifier(f"{name}_ramp", "0", virtual, output)
    # The output goes negative for a positive input: its diode then closes the loop through the node read; the other one
    # keeps the amplifier from its rail while the input is negative.
    yield Diode(f"{name}_d1", (half, output), DIODE.name)
    yield Resistor(f"{name}_r", (virtual, half), 10e3)
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
