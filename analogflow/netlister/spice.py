"""Writes a circuit as deterministic SPICE text: the same circuit gives the same bytes on every machine."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.checks import refuse_no_length
from analogflow.circuit import (
    Behavioural,
    BipolarTransistor,
    Capacitor,
    Circuit,
    CurrentSource,
    DelayLine,
    Diode,
    Element,
    Instance,
    Macro,
    Model,
    NoiseVoltage,
    PlayedVoltage,
    Reading,
    Resistor,
    Row,
    StepVoltage,
    Switch,
    TimedVoltage,
    Transconductance,
    VoltageSource,
)
from analogflow.circuit.build import celsius_of
from analogflow.circuit.made import Made
from analogflow.circuit.noise_generator import noise_generator, noises_of_the_flow
from analogflow.compiler import degrade
from analogflow.errors import BadInput
from analogflow.names import FINE, comment, identifier, nodes_text, number
from analogflow.netlister.deck import Deck, noise_table
from analogflow.noise import Noise
from analogflow.run import LARGEST_STEP, run_plan

__all__ = [
    "EDGE",
    "START",
    "answers",
    "averaged",
    "card",
    "current_of",
    "expecting",
    "formula_text",
    "header_comment",
    "labelled",
    "macro_cards",
    "model_card",
    "netlist",
    "node_text",
    "options_text",
    "row_cards",
    "unwritten",
    "vector_text",
]

START = 9
"""Digits of voltages at t = 0 of nodes that hold no state: a simulator's first guess, made of long sums."""

_BETWEEN_KNOTS = 4
"""Steps at least, of circuits whose parts play noise, from one of its knots to the next."""

_WORD = 20
"""Letters that a script takes of a signal's name: two, and what they are of, are a name too."""

_OPTIONS = ".options method=trap reltol={2} vntol={0!r} abstol={0!r} chgtol={1!r} itl4=100"
"""Of ideal elements, whose voltages and currents are as small as the flow's states."""

_SHORT, _TOLERANCES = 5e-4, ("1e-6", "1e-7")
"""τ: trapezoids shorter than this err by less, along a path, than Newton's steps do at the first of these tolerances."""

_TERMS = r"[a-z0-9_ .+\-*/(),<>=?:]*"
_FORMULA = re.compile(rf"{_TERMS}(?:(?<=\()\{{[a-z][a-z0-9_]*\}}(?=\)){_TERMS})*")
_CURRENT = re.compile(r"i\(([a-z0-9_]+)\)")

EDGE = 1e-8
"""Seconds that a step takes: short beside any part's response."""

_PLAIN = re.compile(r"[vi]\([a-z0-9_]+\)")


def netlist(
    circuit: Circuit,
    *,
    time_constants: float | None = None,
    largest_step: float | None = None,
    noise: Noise | None = None,
    expected: Mapping[str, float | Sequence[float]] | None = None,
) -> Deck:
    """SPICE deck of a circuit.

    Parameters
    ----------
    circuit : Circuit
    time_constants : float, optional
        Length of the transient analysis in τ; the problem's own, or 60, if not given.
    largest_step : float, optional
        Largest step in τ; what the answer asks for if not given: half a τ where it rests, 0.001 τ and less where it is a
        point on the way, the distance of the noise's knots where there is noise. It rules the accuracy of the path, not of
        the settled answer: see docs/accuracy.md.
    noise : Noise, optional
        Noise at the integrators of an ideal circuit; an imperfect one comes with its own.
    expected : mapping, optional
        Known answers by observable, for the header.

    Raises
    ------
    BadInput
        A time is not a positive number, or a name or value may not stand in a netlist.
    """
    if circuit.flow.jumps:
        raise BadInput(
            f"no netlist can set a state anew at an instant, as {circuit.flow.jumps[0].name!r} does: take the engine block; "
            "or write what does it within a time, such as a stiff spring, v' = ... - 1e4 * minimum(y, 0), where something "
            "bounces, or a fast discharge, v' = ... - 300 * v * hysteresis(v, reset, threshold), where something is reset."
        )
    deck = unwritten(circuit, time_constants=time_constants, largest_step=largest_step, noise=noise)
    return expecting(dataclasses.replace(deck, body=tuple(iter(deck.body)), script=tuple(iter(deck.script))), expected or {})


def unwritten(
    circuit: Circuit,
    *,
    time_constants: float | None = None,
    largest_step: float | None = None,
    noise: Noise | None = None,
) -> Deck:
    """What `netlist` gives, with lines that are made whenever they are read: for an engine that reads none.

    Raises
    ------
    BadInput
        A time is not a positive number; what may not stand in a netlist is refused when the lines are read.
    """
    refuse_no_length(time_constants=time_constants, largest_step=largest_step)
    circuit = circuit if noise is None else degrade(circuit, noise=noise)
    flow, plan = circuit.flow, run_plan(circuit, time_constants, stops=False)
    time_constants, largest_step = plan.end, plan.largest_step if largest_step is None else largest_step
    playing, tables = noise_table(circuit, time_constants)
    longest = circuit.noise.step if playing else LARGEST_STEP
    if playing and largest_step is not None and largest_step > longest:
        raise BadInput(
            f"largest_step: {largest_step!r} τ is longer than the distance of the noise's knots, {longest!r} τ, and would "
            "step over them; give a shorter one, or none."
        )
    end = circuit.release + time_constants * circuit.units.time_constant
    allowed = np.inf if circuit.step is None else min(longest, circuit.step)
    # What noise of parts does at once to what is read is quicker than its knots: a step that spans one flattens it.
    usual = longest / _BETWEEN_KNOTS if circuit.noise.parts else longest
    step = min(min(usual, allowed) if largest_step is None else largest_step, allowed, time_constants)
    step *= circuit.units.time_constant
    return Deck(
        circuit=circuit,
        title=f"* analogflow: {comment(f'{flow.family} {flow.form}')}, technology {circuit.technology}",
        header=tuple(_header(circuit, time_constants)),
        body=Made(functools.partial(_body, circuit, playing, step, end)),
        script=Made(functools.partial(_script, circuit, end)),
        readings=circuit.readings,
        end_time=end,
        largest_step=step,
        tables=tables,
    )


def _body(circuit: Circuit, playing: Sequence[str], step: float, end: float) -> Iterator[str]:
    """Lines of elements and of what a simulator is told; `playing` are those that play noise, times are in seconds."""
    yield from map(model_card, circuit.models)
    for macro in circuit.macros:
        yield from macro_cards(macro)
    for group in circuit.groups:
        yield f"* {group.block}: {comment(group.source)}" if group.source else f"* {group.block}"
        for piece in group.pieces():
            if isinstance(piece, Element):
                if not isinstance(piece, NoiseVoltage):
                    yield card(piece)
                if isinstance(piece, Switch):
                    yield from map(card, piece.strays)
            else:
                yield from row_cards(piece) if isinstance(piece, Row) else map(card, piece)
    yield from playing
    started = [f"v({identifier(node)})={number(volts, START)}" for node, volts in circuit.start.items()]
    yield from (f".ic {' '.join(started[k : k + 8])}" for k in range(0, len(started), 8))
    yield options_text(circuit, step)
    if circuit.temperature_kelvin != NOMINAL_KELVIN:
        yield f".temp {number(celsius_of(circuit.temperature_kelvin))}"
    saved = sorted({vector_text(vector) for vectors in circuit.signals.values() for vector in vectors})
    yield from (f".save {' '.join(saved[k : k + 16])}" for k in range(0, len(saved), 16))
    yield f".tran {number(step)} {number(end)} 0 {number(step)} uic"


def options_text(circuit: Circuit, step: float) -> str:
    """Line of a simulator's options, where its steps are `step` seconds at most."""
    # Differences of large states are known to their rounding only: asked for more, the simulator finds no step short enough.
    scale = max(min(circuit.flow.state_scale, 1.0), 1e-3 * circuit.flow.state_scale)
    reltol = _TOLERANCES[bool(circuit.bend) and step < _SHORT * circuit.units.time_constant]
    return _OPTIONS.format(1e-12 * scale, 1e-18 * scale, reltol) if circuit.options is None else circuit.options


def expecting(deck: Deck, expected: Mapping[str, float | Sequence[float]]) -> Deck:
    """The deck with known answers by observable in its header."""
    *said, run = deck.header
    known = (header_comment(f"expected:  {name} = {_shown(value)}") for name, value in expected.items())
    return dataclasses.replace(deck, header=(*said, *known, run))


def _header(circuit: Circuit, time_constants: float) -> list[str]:
    flow = circuit.flow
    lines = [
        f"problem:   {flow.problem!r}" if flow.problem is not None else "problem:   a flow of the user's own",
        *(f"equations: {part.strip()}" for part in flow.equations.split(";") if part.strip()),
        f"scale:     {_unit(circuit)}1 time constant is {circuit.units.time_constant:g} s",
        f"length:    {time_constants:g} time constants"
        + (f" after {circuit.release:g} s {_before(circuit)}" if circuit.release else ""),
        *(
            [f"range:     signals were followed for {circuit.covered:g} time constants; later one may meet its rail"]
            if time_constants > circuit.covered
            else []
        ),
        *(
            f"signal:    {name} is {'read from ' if reading.gain.ndim > 1 or reading.shares else ''}"
            f"{', '.join(map(vector_text, reading.vectors[:8]))}{', ...' if len(reading.vectors) > 8 else ''}"
            + (f", 1 flow unit is {reading.resolution:.4g} V" if reading.gain.ndim == 1 and circuit.units.scales else "")
            for name, reading in circuit.readings.items()
        ),
        *_generators(circuit),
        *([f"parts:     {circuit.conditions}"] if circuit.imperfections.effects or circuit.noise.plays else []),
        "run:       ngspice -b FILE prints the answer",
    ]
    return [header_comment(line) for line in lines]


def _before(circuit: Circuit) -> str:
    """What happens until the flow begins."""
    how = circuit.conditions.start_up
    if how is None:
        return "with the integrators held at their start"
    held = ", then the integrators are held at their start" if how.held else ""
    return f"in which supplies rise (start-up {how}){held}"


def _generators(circuit: Circuit) -> Iterator[str]:
    """What plays the inputs of a circuit of parts on a bench, and what makes its noise, where nothing plays a table."""
    if circuit.parts is not None:
        for group in circuit.groups:
            if group.block in circuit.graph.timed and any(
                isinstance(element, TimedVoltage | PlayedVoltage) for element in group.elements
            ):
                if any(reader not in circuit.graph.timed for reader in circuit.graph.readers(group.block)):
                    yield f"input:     patch a generator to {vector_text(f'{group.block}_0')}: {group.source}"
        generator = functools.partial(noise_generator, circuit)
        made = Counter((one.demand, one.making) for one in map(generator, noises_of_the_flow(circuit)))
        for (demand, making), count in made.items():
            yield f"noise:     on a bench {count} generator{'s' if count > 1 else ''} of {demand};"
            yield f"           {making}"


def header_comment(line: str) -> str:
    """Line of the header."""
    return f"* {comment(line, width=160)}"


def _unit(circuit: Circuit) -> str:
    """What a flow unit is; nothing where each signal has a unit of its own, which its line says."""
    return f"1 flow unit is {circuit.units.volts:g} V, " if circuit.units.volts and not circuit.units.scales else ""


def _shown(value: float | Sequence[float]) -> str:
    numbers = np.atleast_1d(np.asarray(value, dtype=float))
    return ", ".join(f"{x:.10g}" for x in numbers[:8]) + (", ..." if len(numbers) > 8 else "")


def answers(circuit: Circuit) -> Iterator[tuple[str, str]]:
    """A name for each element of every observable and of the answer, and the element in flow units as a formula."""
    asked = dict.fromkeys([*circuit.flow.observables, circuit.flow.answer, *circuit.readings])
    inner = set(circuit.flow.states) - {circuit.flow.answer}
    for name in asked:
        if name in circuit.readings and name not in inner:
            yield from ((identifier(label), text) for label, text in labelled("answer_", name, circuit))


def _script(circuit: Circuit, end: float) -> list[str]:
    """Control section that runs the deck and prints the last value of every observable and of the answer, or its law."""
    lines = [".control", "set noaskquit", "set numdgt=12", "run", "let last_point = length(time) - 1"]
    lines += [
        f"if time[last_point] < {number(0.999999 * end)}",
        "echo the simulation stopped before its end, so what follows is no answer: a state ran away",
        "end",
    ]
    for label, signal in answers(circuit):
        plain = signal if _PLAIN.fullmatch(signal) else "signal"
        lines += [f"let signal = {signal}"] if plain == "signal" else []
        lines += [f"let {label} = {plain}[last_point]", f"print {label}"]
    return [*lines, *_average_lines(circuit, end), "quit", ".endc"]


@functools.lru_cache(maxsize=1 << 16)
def node_text(node: str) -> str:
    """Text that names a node; 0 is ground."""
    return node if node == "0" else identifier(node)


def vector_text(vector: str) -> str:
    """Text that names a raw vector in ``.save`` and in formulas: ``v(node)``, or ``i(source)`` as it is."""
    source = current_of(vector)
    return f"v({node_text(vector)})" if source is None else f"i({source})"


def current_of(vector: str) -> str | None:
    """Name of the source whose current a raw vector is; None for the voltage of a node."""
    current = _CURRENT.fullmatch(vector)
    return identifier(current[1]) if current else None


def card(element: Element) -> str:
    """Line of one element."""
    rest = _RESTS.get(type(element))
    if rest is None:
        raise BadInput(f"element {element.name!r} is of a kind the SPICE netlister does not know.")
    return f"{element.letter}{nodes_text((element.name, *element.nodes))} {rest(element)}"


def formula_text(element: Behavioural | TimedVoltage) -> str:
    """What it is a formula for, ``i`` or ``v``, and the formula."""
    if not _FORMULA.fullmatch(element.expression):
        raise BadInput(f"the formula {element.expression!r} has a character that may not stand in a netlist.")
    return f"{'v' if isinstance(element, TimedVoltage) else 'i'}={element.expression}"


def _step_text(element: StepVoltage) -> str:
    points = ((0.0, element.before), (element.time, element.before), (element.time + EDGE, element.after))
    return f"pwl({' '.join(_points(points))})"


def _played_text(element: PlayedVoltage) -> str:
    return f"pwl({' '.join(_points(zip(element.times, element.volts, strict=True)))})"


def _points(points: Iterable[tuple[float, float]]) -> Iterator[str]:
    return (f"{number(time, FINE)} {number(volts)}" for time, volts in points)


def instance_text(element: Instance) -> str:
    given = "".join(f" {identifier(name)}={number(value)}" for name, value in element.parameters)
    return f"{identifier(element.macro)}{given}"


_RESTS: Mapping[type[Element], Callable[[Any], str]] = {
    Transconductance: lambda element: f"{node_text(element.control)} 0 {number(element.gain)}",
    Resistor: lambda element: number(element.resistance),
    Behavioural: formula_text,
    Capacitor: lambda element: f"{number(element.capacitance)} ic={number(element.initial)}",
    CurrentSource: lambda element: number(element.current),
    VoltageSource: lambda element: number(element.voltage),
    StepVoltage: _step_text,
    TimedVoltage: formula_text,
    PlayedVoltage: _played_text,
    BipolarTransistor: lambda element: f"{identifier(element.model)} area={number(element.area)}",
    Diode: lambda element: identifier(element.model),
    Switch: lambda element: f"{node_text(element.control)} 0 {identifier(element.model)}{' on' if element.closed else ''}",
    Instance: instance_text,
    # A line begins with waves: forwards volts plus amperes, and nothing backwards. No jump comes to the other end at a point
    # of time of its own unless it is told to look for changes of slope, which it does where `rel` is less than 1.
    DelayLine: lambda element: (
        f"z0=1 td={number(element.delay)} rel=0.5 "
        f"ic={','.join(map(number, [element.initial] * 3))},{number(-element.initial)}"
    ),
}
"""What follows the nodes in an element's line, by its kind: looked up, since circuits have millions of elements."""


def row_cards(row: Row) -> Iterator[str]:
    """Lines of a row, as `card` writes those of its elements."""
    node, controls = node_text(row.node), map(node_text, row.controls)
    node_text(f"{node}_{len(row.controls)}")  # no name of the row is longer
    for b, (control, gain) in enumerate(zip(controls, row.gains.tolist(), strict=True)):
        if gain:
            yield f"G{node}_{b} 0 {node} {control} 0 {number(gain)}"


def model_card(model: Model) -> str:
    """Line of a device model."""
    values = " ".join(f"{_parameter(name)}={number(value)}" for name, value in model.parameters)
    return f".model {identifier(model.name)} {identifier(model.kind)}({values})"


def _parameter(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]{0,15}", name):
        raise BadInput(f"{name!r} is no name of a model parameter; take lower-case letters and digits.")
    return name


def macro_cards(macro: Macro) -> Iterator[str]:
    """Lines of a subcircuit."""
    if macro.note:
        yield f"* {comment(macro.note)}"
    defaults = "".join(f" {identifier(name)}={number(value)}" for name, value in macro.parameters)
    head = f".subckt {identifier(macro.name)} {' '.join(map(node_text, macro.ports))}"
    yield f"{head} params:{defaults}" if defaults else head
    yield from map(card, macro.elements)
    yield ".ends"


def _average_lines(circuit: Circuit, end: float) -> Iterator[str]:
    """Lines of a control section, after the run; of the covariance those of one triangle, in V².

    Parameters
    ----------
    circuit : Circuit
        Its flow says how much of a run is left out.
    end : float
        Seconds.
    """
    window, nodes = averaged(circuit, end)
    for label, signal in nodes:
        if "*" in signal:
            yield f"let signal = {signal}"
        yield f"meas tran {identifier(f'mean_{label}')} avg {'signal' if '*' in signal else signal} {window}"
    for i, (first, one) in enumerate(nodes):
        for second, other in nodes[i:]:
            covariance = identifier(f"covariance_{first}_{second}")
            yield f"let product = {one}*{other}"
            yield f"meas tran product_average avg product {window}"
            yield f"let {covariance} = product_average - mean_{first}*mean_{second}"
            yield f"print {covariance}"


def averaged(circuit: Circuit, end: float) -> tuple[str, list[tuple[str, str]]]:
    """Window that a law is averaged over, and a name and a formula for each element of the states; none without a law."""
    averaging = circuit.flow.averaging
    if averaging is None:
        return "", []
    tau = circuit.units.time_constant
    start = circuit.release + averaging.skipped_of((end - circuit.release) / tau) * tau
    states = [pair for name in circuit.flow.states for pair in labelled("", name, circuit)]
    return f"from={number(start)} to={number(end)}", states


def labelled(kind: str, name: str, circuit: Circuit) -> list[tuple[str, str]]:
    """What ends a name for each element of a signal in a script, and the element in flow units as a formula of vectors.

    A name that another signal has too, once both are cut, gets a number.
    """
    words = {other: re.sub("[^a-z0-9_]", "_", other.lower())[:_WORD] for other in circuit.readings}
    alike = [other for other, word in words.items() if word == words[name]]
    word = words[name] + (f"_s{alike.index(name)}" if len(alike) > 1 else "")
    reading = circuit.readings[name]
    labels = [f"{kind}{word}" + ("" if reading.size == 1 else f"_{k}") for k in range(reading.size)]
    return list(zip(labels, _formulas(reading), strict=True))


def _formulas(reading: Reading) -> Iterator[str]:
    """Each element of a signal in flow units."""
    vectors = [vector_text(vector) for vector in reading.vectors]
    offsets = np.broadcast_to(reading.offset, (reading.size,)).tolist()
    for k, (gain, offset) in enumerate(zip(reading.gain.tolist(), offsets, strict=True)):
        if reading.gain.ndim == 1:
            text = vectors[k] if gain == 1 else f"{vectors[k]}*({number(gain)})"
        else:
            text = "+".join(f"{vector}*({number(g)})" for vector, g in zip(vectors, gain, strict=True) if g)
        if reading.shares:
            text = f"({text})/({'+'.join(vectors)})"
        yield f"{text}+({number(offset)})" if offset else text
