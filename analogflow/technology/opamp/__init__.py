"""The op-amp technology: every block from amplifiers, multipliers, resistors, capacitors and transistors, at ±10 V."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from analogflow.blocks import Constant, Integrator, Log
from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit.build import PartSet, Units, thermal_voltage
from analogflow.circuit.circuit import Circuit, Group, Realisation, direct
from analogflow.circuit.elements import BipolarTransistor, Element, Instance, VoltageSource
from analogflow.circuit.loads import Levels, check_loads
from analogflow.errors import BadInput
from analogflow.graph import BlockGraph
from analogflow.names import comment
from analogflow.passes import (
    CHECK,
    CHOOSE,
    DEVICE_NOISE,
    FUSE,
    LIFT,
    NOISE,
    REALISE,
    SCALE,
    SPREAD,
    STABILISE,
    TRACE,
    TRIM,
    Brief,
)
from analogflow.technology.generators import Generators
from analogflow.technology.macros import divider_macro, multiplier_macro, op_amp_macro, root_macro
from analogflow.technology.opamp.bench import MACHINE_UNIT, Bench, scales
from analogflow.technology.opamp.cells import DIODE, FULL_CURRENT, TYPICAL_RESISTANCE, cell, missing
from analogflow.technology.opamp.speed import time_constant
from analogflow.technology.opamp.wiring import wiring_of
from analogflow.technology.part_sets import DEFAULT_PARTS, bias_error, junction_error, products_error
from analogflow.technology.start_up import START_UP
from analogflow.technology.technology import Site, Technology, located
from analogflow.technology.translinear.stages import LOW_RAIL, reset

__all__ = ["OPAMP", "bench_of", "realise"]

_OPTIONS = ".options method=trap reltol=1e-5 vntol=1e-7 abstol=1e-13 gmin=1e-14 itl4=100"

_FINEST = 1e-4
"""Error of a circuit of amplifiers and resistors of exact values alone: finite gain, and steps of the simulator."""

_DROP = 0.6
"""Volts across a junction, near enough."""

_EMITTER = 1.0
"""Volts of an emitter at most, whose base is near ground."""

_HOLD = 600e-6
"""Seconds for which integrators are held at least: the servos of the junctions settle meanwhile."""


def _junction_voltage(parts: PartSet) -> float:
    """Volts per nat of a transistor at zero collector-base voltage: kT/q, and what the reverse Early effect adds."""
    model, v_t = dict(parts.npn.parameters), thermal_voltage(NOMINAL_KELVIN)
    reverse = model.get("var", 0.0)
    return v_t * model.get("nf", 1.0) * (1 + (v_t / (reverse - _DROP) if reverse > _DROP else 0.0))


def _check_supply(brief: Brief, parts: PartSet) -> None:
    """Raise if an amplifier can not reach what its node is scaled to."""
    node = max(brief.used, key=brief.used.__getitem__, default="")
    needed = MACHINE_UNIT * brief.used.get(node, 0.0)
    if parts.swing < needed:
        place = comment(str(brief.graph.source(node)), width=60)
        reach, least = max(parts.swing, 0.0), needed + parts.op_amp.headroom
        raise BadInput(
            f"supply: node {node!r} ({place}) goes to {needed:.3g} V, but {parts.op_amp.name} reaches {reach:.3g} V of a "
            f"supply of {parts.supply:g} V; give at least {least:.3g} V."
        )


def _check_junctions(brief: Brief, parts: PartSet) -> None:
    """Raise if the bases of an emitter-coupled array go so high that its transistors saturate: their collectors are at 0 V.

    A junction from base to collector then takes a thousandth of the full current.
    """
    most = math.log(1e-3 * FULL_CURRENT / dict(parts.npn.parameters)["is"])
    nats = max(brief.exponents.values(), default=0.0)
    if nats > most:
        raise BadInput(
            f"a softmax has exponents of {nats:.3g} nats above the middle of its constants, but its transistors saturate "
            f"beyond {most:.3g}; take a larger temperature (epsilon, 1/beta), or the technology 'ideal'."
        )


def _levels(brief: Brief, bench: Bench, parts: PartSet) -> Levels:
    """How far nodes go: the ranges that the graph was scaled to, with what is left to those that read a node."""
    volts = {
        node: MACHINE_UNIT * (brief.used[node] / abs(bench.factor(node)) + abs(bench.offsets.get(node, 0.0)))
        for node in brief.graph
        if node in brief.used
    }
    return Levels(volts=volts, others=parts.swing, junction=_EMITTER, current=FULL_CURRENT)


def _accuracy(brief: Brief, parts: PartSet, elements: Sequence[Element]) -> float:
    """What exact values leave: junctions at full scale, products, and delays of loops where the path is the answer."""
    macros = [e.macro for e in elements if isinstance(e, Instance)]
    error = products_error(parts, macros.count(parts.multiplier.name))
    kelvin = brief.build.temperature_kelvin
    if any(isinstance(e, BipolarTransistor) for e in elements):
        error += junction_error(parts, FULL_CURRENT, kelvin)
    error += bias_error(parts, MACHINE_UNIT / TYPICAL_RESISTANCE, kelvin)
    if brief.flow.end_time is not None or brief.graph.lifted:
        error += brief.build.delay_fraction
    return max(error, _FINEST)


def _bench(graph: BlockGraph, parts: PartSet, tau: float) -> Bench:
    bench = Bench(parts, _junction_voltage(parts), tau, wiring_of(graph))
    offsets = {
        node: missing(graph.block(node), bench)
        for node in graph
        if bench.wiring and node in bench.wiring.bare and isinstance(scales(graph.block(node))[0], Log)
    }
    return dataclasses.replace(bench, offsets=offsets)


def bench_of(circuit: Circuit) -> Bench:
    """What a circuit's cells were built with: it says what the voltage of each block stands for."""
    assert circuit.parts is not None  # it is of op-amps
    return _bench(circuit.graph, circuit.parts, circuit.units.time_constant)


def realise(brief: Brief) -> Realisation:
    """Build every block of the scaled graph.

    Raises
    ------
    NoCell
        A block has no op-amp circuit.
    BadInput
        The supply is too low for the range of a node, or an output would have to deliver more than it is rated for.
    """
    parts, graph = brief.parts, brief.graph
    _check_supply(brief, parts)
    _check_junctions(brief, parts)
    tau = time_constant(graph, parts, brief.build.delay_fraction, brief.fastest, brief.drift)
    bench = _bench(graph, parts, tau)
    release = max(0.1 * tau, _HOLD)
    supplies = (
        VoltageSource("ref", ("vref", "0"), MACHINE_UNIT),
        VoltageSource("refn", ("vrefn", "0"), -MACHINE_UNIT),
        VoltageSource("low", ("vlow", "0"), LOW_RAIL),
        *reset(release, parts),
    )
    absorbed = bench.wiring.absorbed if bench.wiring else frozenset[str]()
    groups = [Group("supplies", "references and rails", supplies)]
    generators = Generators(graph, tau, release, MACHINE_UNIT)
    for node in graph.order():
        played = node in generators.formulas
        if node in absorbed:
            continue
        elements = tuple(generators.elements(node) if played else cell(graph.block(node), Site(graph, node), bench))
        if elements:
            groups.append(Group(node, comment(str(graph.source(node))), elements))
    readings = {}
    for name, node in {**graph.states, **graph.observables}.items():
        if isinstance(graph.block(node), Integrator) and graph.integrator(node).hidden:
            continue
        origin, indices = located(graph, node)
        if isinstance(graph.block(origin), Constant):
            continue
        nodes = tuple(f"{origin}_{k}" for k in indices)
        sign = bench.sign(origin)
        readings[name] = direct(nodes, MACHINE_UNIT * brief.scales[name] * sign)
    used = {e.macro for group in groups for e in group.elements if isinstance(e, Instance)}
    elements = [element for group in groups for element in group.elements]
    levels = _levels(brief, bench, parts)
    check_loads(elements, levels, parts)
    macros = (
        op_amp_macro(parts.op_amp, parts.supply, brief.build.temperature_kelvin),
        multiplier_macro(parts.multiplier),
        divider_macro(parts.divider),
        root_macro(parts.divider),
    )
    letters = [element.letter for element in elements]
    amplifiers = sum(isinstance(e, Instance) and e.macro == parts.op_amp.name for e in elements)
    note = (
        f"{amplifiers} op-amps {parts.op_amp.name}, {letters.count('X') - amplifiers} multipliers and dividers, "
        f"{letters.count('Q')} transistors, {letters.count('R')} resistors; 1 machine unit is {MACHINE_UNIT:g} V, "
        f"τ is {tau:.3g} s"
    )
    return Realisation(
        tuple(groups),
        readings,
        start={},
        units=Units(None, tau, MACHINE_UNIT, brief.scales, brief.input_units(MACHINE_UNIT)),
        graph=graph,
        models=(parts.npn, parts.switch.model, DIODE),
        macros=tuple(macro for macro in macros if macro.name in used),
        release=release,
        derived_from=brief.source,
        step=0.1,
        options=_OPTIONS,
        accuracy=_accuracy(brief, parts, elements),
        covered=brief.covered,
        levels=levels,
        note=note,
    )


OPAMP = Technology(
    name="opamp",
    realise=realise,
    passes=(TRACE, CHECK, STABILISE, FUSE, NOISE, LIFT, SCALE, REALISE, CHOOSE, SPREAD, TRIM, DEVICE_NOISE, START_UP),
    parts=DEFAULT_PARTS,
    heeds=("delay_fraction",),
    scaled=True,
    summary="op-amps, multipliers and junctions with preferred values, in ngspice",
)
"""Circuits of parts that can be bought."""
