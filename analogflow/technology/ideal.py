"""The ideal technology: capacitors, controlled sources and 1-ohm nodes. One volt is one flow unit, τ is one second.

Every output is a node with 1 ohm to ground into which currents flow: a crossbar is one transconductance for each weight,
a nonlinear block one behavioural current source. That keeps one unknown for each node.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from analogflow.block_engine import VectorField
from analogflow.blocks import (
    Block,
    Constant,
    Crossbar,
    Delay,
    Gain,
    Integrator,
    Latch,
    MatrixProduct,
    NoiseSource,
    Normaliser,
    OutputStage,
    Softmax,
    Sum,
    Wire,
)
from analogflow.blocks.dynamic import CLAMP
from analogflow.circuit.build import Units
from analogflow.circuit.circuit import Group, NodeVoltages, Realisation, direct
from analogflow.circuit.elements import (
    Behavioural,
    Capacitor,
    CurrentSource,
    DelayLine,
    Element,
    Model,
    NoiseVoltage,
    Resistor,
    Row,
    StepVoltage,
    Switch,
    Transconductance,
    VoltageSource,
)
from analogflow.circuit.made import Made
from analogflow.digits import quiet
from analogflow.errors import NoCell
from analogflow.graph import BlockGraph
from analogflow.names import comment, number
from analogflow.passes import CHECK, DEGRADE, FUSE, REALISE, SCALE_BLOCKS, STABILISE, TRACE, Brief
from analogflow.technology.generators import Generators
from analogflow.technology.technology import Site, Technology, located

__all__ = ["IDEAL", "cell", "realise"]

_FAN_IN = 8
"""Largest number of voltages one formula compares; more are compared in a tree, which keeps formulas short."""

_PRODUCTS = 8
"""Products in one formula; longer sums are spread over several sources into the same node, which adds no unknown."""

_SCHMITT = Model("schmitt", "sw", (("vt", 0.0), ("vh", 1e7), ("ron", 1e-9), ("roff", 1e12)), "switch that remembers")
"""Of a latch. ngspice brings its steps to 0.05 V before a threshold, so that with a control of ten megavolts it switches
within 3e-9 of the distance of the thresholds; but only that of a switch which is closed at the start, or has been."""

_ALIKE = 1e-12
"""Share within which two numbers are one but for rounding."""

Cells = Callable[[Block, Site], Iterable[Element | Made[Element]]]


def realise(brief: Brief, cells: Cells | None = None) -> Realisation:
    """Build every block of the graph from ideal elements, or by other `cells` where another technology has its own.

    Raises
    ------
    NoCell
        A block has no ideal cell.
    """
    graph, cells = brief.graph, cells or cell
    groups, generators = [], Generators(graph)
    for node in graph.order():
        at = generators.elements if node in generators.formulas else functools.partial(_at_site, cells, graph)
        elements = Made(functools.partial(at, node))
        if elements:
            groups.append(Group(node, comment(str(graph.source(node))), elements))
    readings = {}
    field = brief.field
    for name, node in {**field.visible_states, **graph.observables}.items():
        origin, indices = located(graph, node)
        readings[name] = direct(tuple(f"{origin}_{k}" for k in indices), brief.scales.get(name, 1.0))
    built = {group.block for group in groups}
    values = _quiet_signals(graph, field.signals(graph.initial()))
    start = NodeVoltages(
        {
            node: values[node]
            for node in graph.order()
            if node in built
            and (
                isinstance(graph.block(node), Latch | Delay)
                or not isinstance(graph.block(node), Integrator | Constant | NoiseSource)
            )
        }
    )
    units = Units(scales=brief.scales, inputs=brief.input_units(1.0))
    models = (_SCHMITT,) if field.latches else ()
    return Realisation(tuple(groups), readings, start, units, graph=graph, models=models, derived_from=brief.source)


IDEAL = Technology(
    name="ideal",
    realise=realise,
    passes=(TRACE, CHECK, STABILISE, FUSE, SCALE_BLOCKS, DEGRADE, REALISE),
    heeds=("scaled",),
    remembers=True,
    summary="the flow by mathematics in the block engine; no parts, so neither seconds nor joules",
)
"""Circuits of ideal elements."""


def _at_site(cells: Cells, graph: BlockGraph, node: str) -> Iterable[Element | Made[Element]]:
    """Elements that realise the block at `node`."""
    return cells(graph.block(node), Site(graph, node))


def _quiet_signals(graph: BlockGraph, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Signals with zeros where only the rounding of what they are computed from is left."""
    reach: dict[str, float] = {}
    for node in graph.order():
        before = () if isinstance(graph.block(node), Integrator) else graph.inputs(node)
        reach[node] = max([float(abs(values[node]).max(initial=0.0)), *(reach[origin] for origin in before)])
    return {node: quiet(values[node], reach[node]) for node in reach}


@functools.singledispatch
def cell(block: Block, site: Site) -> Iterable[Element | Made[Element]]:
    """Elements that realise `block` at `site`: of an elementwise block its formula; others are registered here."""
    if not block.formula(*block.ports):
        raise NoCell(
            f"the technology 'ideal' has no cell for the block {block.kind()!r}, placed by {site.graph.source(site.node)}."
        )
    return _computed(block, site)


def _computed(block: Block, site: Site) -> Iterator[Element]:
    for i in range(block.size):
        operands = (site.operand(port, i) for port in range(len(block.ports)))
        yield from _formula(site.output(i), block.formula(*operands))


def _load(node: str) -> Resistor:
    return Resistor(node, (node, "0"), 1.0)


def _formula(node: str, expression: str) -> tuple[Element, ...]:
    return _load(node), Behavioural(node, ("0", node), expression)


def _current(name: str, node: str, site: Site, port: int, index: int, gain: float) -> Element:
    """Element that pushes `gain` times a port's element into `node`."""
    value = site.value(port, index)
    if value is not None:
        return CurrentSource(name, ("0", node), gain * value)
    return Transconductance(name, ("0", node), site.control(port, index), gain)


@cell.register
def _(block: Wire, site: Site) -> Iterator[Element]:
    yield from ()


@cell.register
def _(block: Constant, site: Site) -> Iterator[Element]:
    # Other cells take a constant's value into their own formula; a node is built only for one that is read from outside.
    if site.node in site.graph.observables.values():
        for i in range(block.size):
            yield _load(site.output(i))
            yield CurrentSource(site.output(i), ("0", site.output(i)), float(block.values[i]))


@cell.register
def _(block: Integrator, site: Site) -> Iterator[Element]:
    gain, leak = (np.broadcast_to(values, (block.size,)).tolist() for values in (block.gain, block.leak))
    for i in range(block.size):
        node = site.output(i)
        yield Capacitor(node, (node, "0"), 1.0, float(block.initial[i]))
        yield _current(node, node, site, 0, i, gain[i])
        if leak[i]:
            yield Resistor(node, (node, "0"), 1 / leak[i])
        if block.limit < math.inf:
            limit = number(block.limit)
            clamped = f"v({node})-min(max(v({node}),-{limit}),{limit})"
            yield Behavioural(node, (node, "0"), f"({number(CLAMP)})*({clamped})")


@cell.register
def _(block: Latch, site: Site) -> Iterator[Element]:
    """1 V through a switch that is closed at 1 V, or 1 A past one that is closed at 0 V: closed at the start either way."""
    node, drive, high = site.output(0), site.inner("drive", 0), bool(block.initial[0] > 0.5)
    scale = (1.0 if high else -1.0) * 2 * dict(_SCHMITT.parameters)["vh"] / (block.high - block.low)
    yield _load(drive)
    yield _current(f"{drive}_x", drive, site, 0, 0, scale)
    if middle := 0.5 * (block.high + block.low):
        yield CurrentSource(f"{drive}_m", ("0", drive), -scale * middle)
    yield _load(node)
    if high:
        rail = site.inner("rail", 0)
        yield VoltageSource(rail, (rail, "0"), 1.0)
        yield Switch(node, (rail, node), drive, _SCHMITT.name, closed=True)
    else:
        yield CurrentSource(node, ("0", node), 1.0)
        yield Switch(node, (node, "0"), drive, _SCHMITT.name, closed=True)


@cell.register
def _(block: Delay, site: Site) -> Iterator[Element]:
    """A line that is matched at both ends, so that twice the current makes one voltage.

    Its past is what its signal starts at, for a jump there would begin with a slow step; a source adds what it was in truth.
    """
    field = VectorField(site.graph)
    begins = np.broadcast_to(field.signals(site.graph.initial())[site.graph.inputs(site.node)[0]], (block.size,))
    for i, (past, now) in enumerate(zip(block.initial.tolist(), begins.tolist(), strict=True)):
        node, drive = site.output(i), site.inner("drive", i)
        yield _load(drive)
        yield _current(drive, drive, site, 0, i, 2.0)
        if abs(past - now) <= _ALIKE * max(abs(past), abs(now)):
            yield DelayLine(node, (drive, "0", node, "0"), block.delay, past)
        else:
            end, step = site.inner("end", i), site.inner("past", i)
            yield DelayLine(node, (drive, "0", end, "0"), block.delay, now)
            yield _load(end)
            yield Transconductance(node, ("0", node), end, 1.0)
            yield StepVoltage(step, (step, "0"), past - now, 0.0, block.delay)
            yield Transconductance(step, ("0", node), step, 1.0)
        yield _load(node)


@cell.register
def _(block: NoiseSource, site: Site) -> Iterator[Element]:
    for i in range(block.size):
        yield NoiseVoltage(site.output(i), (site.output(i),), block.first + i, float(block.density[i]))


@cell.register
def _(block: OutputStage, site: Site) -> Iterator[Element]:
    for i in range(block.size):
        gain, offset = number(float(block.gain[i])), number(float(block.offset[i]))
        y = f"({gain})*{site.operand(0, i)}+({offset})+{site.operand(1, i)}"
        limit = number(block.limit) if block.limit < math.inf else ""
        yield from _formula(site.output(i), f"min(max({y},-{limit}),{limit})" if limit else y)


@cell.register
def _(block: Crossbar, site: Site) -> Iterator[Element | Made[Element]]:
    outputs, inputs = block.weight.shape[-2:]
    weights = np.broadcast_to(block.weight, (block.rows, outputs, inputs))
    for row in range(block.rows):
        # Looked up once for all outputs: a crossbar of 1024 by 1024 has a million elements.
        values = [site.value(0, row * inputs + b) for b in range(inputs)]
        controls = [site.control(0, row * inputs + b) for b in range(inputs)]
        driven = all(value is None for value in values)
        for a in range(outputs):
            node, gains = site.output(row * outputs + a), weights[row, a]
            yield _load(node)
            if driven:
                yield Row(node, controls, gains)
                continue
            for b, (weight, value) in enumerate(zip(gains.tolist(), values, strict=True)):
                if weight and value is None:
                    yield Transconductance(f"{node}_{b}", ("0", node), controls[b], weight)
                elif weight and value is not None:
                    yield CurrentSource(f"{node}_{b}", ("0", node), weight * value)


@cell.register
def _(block: Sum, site: Site) -> Iterator[Element]:
    for i in range(block.size):
        node = site.output(i)
        yield _load(node)
        for port, coefficient in enumerate(block.coefficients):
            yield _current(f"{node}_{port}", node, site, port, i, coefficient)


@cell.register
def _(block: Gain, site: Site) -> Iterator[Element]:
    for i in range(block.size):
        node = site.output(i)
        yield _load(node)
        yield _current(node, node, site, 0, i, float(block.coefficients[i]))


@cell.register
def _(block: Softmax, site: Site) -> Iterator[Element]:
    width = block.size // block.rows
    for row in range(block.rows):
        members = range(row * width, (row + 1) * width)
        for i in members:
            if block.offsets is not None and np.isinf(block.offsets[i]):
                yield _load(site.output(i))
        members = [i for i in members if block.offsets is None or np.isfinite(block.offsets[i])]
        bases = [
            site.operand(0, i) + ("" if block.offsets is None else f"-({number(float(block.offsets[i]))})") for i in members
        ]
        # The largest base is subtracted from all: the shares do not depend on it, and no exponential overflows. An exponent
        # is at most 0 and a sum at least 1, so the limits below act only while ngspice searches for a point: it begins at 0
        # volts, and again after each pause, where a sum of 0 would be divided by and never recovered from.
        yield from _largest(site, row, bases)
        total, largest = site.inner("sum", row), site.inner("max", row)
        yield _load(total)
        exponentials = [site.inner("exp", i) for i in members]
        for i, base, exponential in zip(members, bases, exponentials, strict=True):
            yield from _formula(exponential, f"exp(min({base}-v({largest}),1))")
            yield Transconductance(f"{total}_{i}", ("0", total), exponential, 1.0)
        tail = 1.0 if block.tail is None else float(block.tail[row])
        for i, exponential in zip(members, exponentials, strict=True):
            share = f"v({exponential})/max(v({total}),0.5)"
            yield from _formula(site.output(i), share if tail == 1 else f"({number(tail)})*{share}")


def _largest(site: Site, row: int, terms: list[str]) -> Iterator[Element]:
    """Node that carries the largest of `terms`, found in a tree of small formulas."""
    level = 0
    while len(terms) > 1:
        level += 1
        merged = []
        for start in range(0, len(terms), _FAN_IN):
            few = terms[start : start + _FAN_IN]
            top = len(terms) <= _FAN_IN
            node = site.inner("max", row) if top else f"{site.node}_max{row}_{level}_{start}"
            yield from _formula(node, functools.reduce(lambda a, b: f"max({a},{b})", few))
            merged.append(f"v({node})")
        terms = merged
        if len(merged) == 1:
            return
    yield from _formula(site.inner("max", row), terms[0])


@cell.register
def _(block: Normaliser, site: Site) -> Iterator[Element]:
    width = block.size // block.rows
    for row in range(block.rows):
        members = range(row * width, (row + 1) * width)
        total = site.inner("sum", row)
        yield _load(total)
        for i in members:
            positive = site.inner("pos", i)
            yield from _formula(positive, f"max({site.operand(0, i)},0)")
            yield Transconductance(f"{total}_{i}", ("0", total), positive, 1.0)
        for i in members:
            yield from _formula(site.output(i), f"v({site.inner('pos', i)})/max(v({total}),{number(block.floor)})")


@cell.register
def _(block: MatrixProduct, site: Site) -> Iterator[Element]:
    inner = block.inner
    right = [site.operand(1, k) for k in range(inner * block.columns)]
    columns = [right[j :: block.columns] for j in range(block.columns)]
    for i in range(block.rows):
        left = [site.operand(0, i * inner + k) for k in range(inner)]
        for j in range(block.columns):
            node = site.output(i * block.columns + j)
            yield _load(node)
            terms = [f"{a}*{b}" for a, b in zip(left, columns[j], strict=True)]
            for part, first in enumerate(range(0, inner, _PRODUCTS)):
                expression = "+".join(terms[first : first + _PRODUCTS])
                yield Behavioural(f"{node}_{part}", ("0", node), expression)
