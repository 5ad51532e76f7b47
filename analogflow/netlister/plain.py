"""Writes a deck for programs other than ngspice's command line: lines that parsers and other simulators read, no script."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping

from analogflow.blocks import PADE
from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.checks import refuse_unknown
from analogflow.circuit import (
    Behavioural,
    BipolarTransistor,
    Capacitor,
    Circuit,
    DelayLine,
    Element,
    Instance,
    Macro,
    Model,
    NoiseVoltage,
    PlayedVoltage,
    StepVoltage,
    Switch,
    TimedVoltage,
    Transconductance,
)
from analogflow.circuit.build import celsius_of
from analogflow.circuit.elements import simulated
from analogflow.errors import BadInput
from analogflow.names import comment, identifier, nodes_text, number
from analogflow.netlister import spectre, spice
from analogflow.netlister.deck import Deck
from analogflow.netlister.spice import node_text

__all__ = [
    "DIALECTS",
    "Dialect",
    "analysis",
    "answer_sources",
    "definitions",
    "dialect_of",
    "law_sources",
    "measures",
    "placed",
    "plain_deck",
    "played",
    "writer",
]


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How a simulator writes what not all write alike.

    Parameters
    ----------
    name : str
        Of the simulator.
    run : str
        How it is run, for the header.
    formula, condition, parameter, measured : str
        Templates: of a formula, of a choice between two formulas, of a parameter in a formula, and of a measure that is a
        formula of others.
    area, parameters : str
        What stands before the area of a transistor, and before the parameters of an instance.
    measure : str
        First word of a measure.
    """

    name: str
    run: str
    formula: str
    condition: str
    parameter: str
    measured: str
    area: str
    parameters: str
    measure: str = ".meas"


DIALECTS: Mapping[str, Dialect] = {
    "ngspice": Dialect(
        "ngspice", "ngspice -b FILE measures the answer",
        "{}", "ternary_fcn({0},{1},{2})", "{{{}}}", "param='{}'", "area=", "",
    ),
    "ltspice": Dialect(
        "LTspice",
        "in LTspice, which measures the answer into its log; by Analog Devices' LTspice reference (24+), never run in it",
        "{}", "if({0},{1},{2})", "{{{}}}", "param {}", "", "",
    ),
    "xyce": Dialect(
        "Xyce", "Xyce FILE measures the answer into FILE.mt0; by the Xyce Reference Guide (7.10), never run in it",
        "{{{}}}", "if({0},{1},{2})", "{}", "eqn={{{}}}", "", "params: ",
    ),
    "spectre": Dialect(
        "Spectre", "spectre FILE measures the answer; by the Spectre Circuit Simulator Reference (23.1), never run in it",
        "{}", "{0} ? {1} : {2}", "{}", "param='{}'", "", "", ".measure",
    ),
}  # fmt: skip
"""Simulators that a plain deck can be written for, by the name that a user gives."""


def plain_deck(deck: Deck, dialect: str = "ngspice") -> Deck:
    """The same circuit and run, in lines that parsers of SPICE and other simulators read.

    It has no control section: ``.meas`` lines measure the answer at nodes ``answer_NAME``, which sources of formulas drive
    in flow units. Initial voltages stand in ``.ic`` lines, noise in piecewise-linear sources, and a switch is a source
    whose conductance follows its control. Gains are positive and formulas without blanks, since some parsers read no others.

    Parameters
    ----------
    deck : Deck
        What `netlist` returns.
    dialect : str
        ``ngspice``, ``ltspice``, ``xyce`` or ``spectre``.

    Raises
    ------
    BadInput
        `dialect` is none of these, it has no words for an element, or the deck is plain already.
    """
    written = dialect_of(deck, dialect)
    run = spice.header_comment(f"run:       {written.run}")
    return dataclasses.replace(
        deck,
        header=(*deck.header[:-1], run),
        body=tuple(_body(deck, written)),
        script=(*answer_sources(deck.circuit, written), *law_sources(deck, written), *measures(deck, written)),
        tables={},
    )


def dialect_of(deck: Deck, name: str) -> Dialect:
    """The dialect of a name, for a deck that is not plain.

    Raises
    ------
    BadInput
        It is not known, or the deck is plain already.
    """
    refuse_unknown(name, DIALECTS, "dialect")
    if not any(line.startswith(".control") for line in deck.script):
        raise BadInput("the deck has no control section, so it is plain already; give the one that netlist returns.")
    return DIALECTS[name]


def _body(deck: Deck, dialect: Dialect) -> Iterator[str]:
    circuit = deck.circuit
    card = writer(circuit, dialect)
    if dialect.name == "Spectre":
        yield spectre.FIRST
    yield from definitions(circuit, dialect)
    yield from placed(circuit, card)
    yield from map(card, played(deck))
    volts = _started(circuit)
    if dialect.name == "Spectre":
        yield from spectre.starts(volts)
    else:
        started = [f"v({node_text(node)})={value}" for node, value in volts.items()]
        yield from (f".ic {' '.join(started[k : k + 8])}" for k in range(0, len(started), 8))
    yield from analysis(deck, dialect)


def writer(circuit: Circuit, dialect: Dialect) -> Callable[[Element], str]:
    """What writes the line of an element of a circuit in a dialect."""
    return functools.partial(_card, dialect, {model.name: model for model in circuit.models})


def definitions(circuit: Circuit, dialect: Dialect) -> Iterator[str]:
    """Lines of the models and macro-models."""
    # A switch without memory becomes a formula, so that its model is left out.
    remembers = {element.model for element in circuit.elements if isinstance(element, Switch) and element.closed}
    remembers = remembers if dialect.name == "ngspice" else set()  # of which the others refuse the line
    written = spectre.model_card if dialect.name == "Spectre" else spice.model_card
    yield from (written(model) for model in circuit.models if model.kind != "sw" or model.name in remembers)
    given = {name for element in circuit.elements if isinstance(element, Instance) for name, _ in element.parameters}
    for macro in circuit.macros:
        yield from _macro_cards(macro, dialect, writer(circuit, dialect), kept=given)


def placed(circuit: Circuit, card: Callable[[Element], str], *, without: str = "") -> Iterator[str]:
    """Lines of the elements, under the mathematics that placed them, but for the group named `without` and for noise."""
    for group in circuit.groups:
        if group.block == without:
            continue
        yield f"* {group.block}: {comment(group.source)}" if group.source else f"* {group.block}"
        for piece in group.pieces():
            for element in simulated((piece,) if isinstance(piece, Element) else piece):
                if not isinstance(element, NoiseVoltage):
                    yield card(element)


def analysis(deck: Deck, dialect: Dialect) -> Iterator[str]:
    """Lines of the options, of what is kept, and of the run."""
    circuit = deck.circuit
    vectors = sorted({spice.vector_text(vector) for vectors in circuit.signals.values() for vector in vectors})
    _, states = spice.averaged(circuit, deck.end_time)
    labels = [label for label, _ in states]
    products = (f"product_{first}_{second}" for i, first in enumerate(labels) for second in labels[i:])
    measured = [*(label for label, _ in spice.answers(circuit)), *(f"state_{label}" for label in labels), *products]
    saved = [*vectors, *(f"v({node})" for node in measured)]
    if dialect.name == "Spectre":
        options, celsius = _options(circuit, deck.largest_step)
        yield from spectre.analysis(options, celsius, saved, number(deck.largest_step), number(deck.end_time))
        return
    yield from _settings(circuit, deck.largest_step, dialect)
    keep = ".print tran" if dialect.name == "Xyce" else ".save"
    yield from (f"{keep} {' '.join(saved[k : k + 8])}" for k in range(0, len(saved), 8))
    yield f".tran {number(deck.largest_step)} {number(deck.end_time)} 0 {number(deck.largest_step)} uic"


def _settings(circuit: Circuit, step: float, dialect: Dialect) -> Iterator[str]:
    options, celsius = _options(circuit, step)
    if dialect.name != "Xyce":
        yield spice.options_text(circuit, step)
        if celsius:
            yield f".temp {celsius}"
        return
    yield f".options timeint method={options['method']} reltol={options['reltol']} abstol={options['vntol']}"
    device = [f"gmin={options['gmin']}"] if "gmin" in options else []
    device += [f"temp={celsius}"] if celsius else []
    if device:
        yield f".options device {' '.join(device)}"


def _options(circuit: Circuit, step: float) -> tuple[dict[str, str], str]:
    """A simulator's options by SPICE's names, and the temperature in °C, empty where it is the nominal one."""
    celsius = number(celsius_of(circuit.temperature_kelvin)) if circuit.temperature_kelvin != NOMINAL_KELVIN else ""
    return dict(re.findall(r"(\w+)=(\S+)", spice.options_text(circuit, step))), celsius


def answer_sources(circuit: Circuit, dialect: Dialect) -> Iterator[str]:
    """Sources of the answers in flow units, each at the node of its name."""
    return (_formula_source(label, text, dialect) for label, text in spice.answers(circuit))


def law_sources(deck: Deck, dialect: Dialect) -> Iterator[str]:
    """Sources of the states in flow units and of their products, which a law averages; none without a law."""
    _, states = spice.averaged(deck.circuit, deck.end_time)
    for i, (first, text) in enumerate(states):
        yield _formula_source(identifier(f"state_{first}"), text, dialect)
        for second, _ in states[i:]:
            product = identifier(f"product_{first}_{second}")
            yield _formula_source(product, f"v(state_{first})*v(state_{second})", dialect)


def measures(deck: Deck, dialect: Dialect) -> Iterator[str]:
    """What measures the answers at the end, and averages a law."""
    circuit, end = deck.circuit, number(deck.end_time)
    if dialect.name == "Spectre":
        yield spectre.MEASURING
    measure = f"{dialect.measure} tran"
    yield from (f"{measure} {label} find v({label}) at={end}" for label, _ in spice.answers(circuit))
    window, states = spice.averaged(circuit, deck.end_time)
    if dialect.name == "LTspice":
        window = window.replace("=", " ")
    yield from (f"{measure} {identifier(f'mean_{label}')} avg v(state_{label}) {window}" for label, _ in states)
    for i, (first, _) in enumerate(states):
        for second, _ in states[i:]:
            product = identifier(f"product_{first}_{second}")
            yield f"{measure} average_{product} avg v({product}) {window}"
            formula = dialect.measured.format(f"average_{product}-mean_{first}*mean_{second}")
            yield f"{measure} {identifier(f'covariance_{first}_{second}')} {formula}"


def _formula_source(name: str, text: str, dialect: Dialect) -> str:
    if dialect.name == "Spectre":
        return f"B{name} ({name} 0) bsource v={_formula(text, dialect)}"
    return f"B{name} {name} 0 v={_formula(text, dialect)}"


def _macro_cards(macro: Macro, dialect: Dialect, card: Callable[[Element], str], kept: set[str]) -> Iterator[str]:
    """Lines of a macro-model; a parameter that no instance sets (`kept` are those set) is written as its value."""
    if macro.note:
        yield f"* {comment(macro.note)}"
    given = [(name, value) for name, value in macro.parameters if name in kept]
    fixed = {name: number(value) for name, value in macro.parameters if name not in kept}
    if dialect.name == "Spectre":
        yield from spectre.head(macro, given)
    else:
        head = f".subckt {identifier(macro.name)} {nodes_text(macro.ports)}"
        parameters = "".join(f" {identifier(name)}={number(value)}" for name, value in given)
        yield f"{head} params:{parameters}" if given else head
    for element in macro.elements:
        if isinstance(element, Capacitor) and element.initial:
            raise BadInput(
                f"the macro-model {macro.name!r} starts charged, which no line .ic outside says; take the ordinary netlist."
            )
        if isinstance(element, Behavioural):
            text = re.sub(r"\{(\w+)\}", lambda name: fixed.get(name[1], name[0]), element.expression)
            element = dataclasses.replace(element, expression=text)
        yield card(element)
    yield spectre.ends(macro) if dialect.name == "Spectre" else ".ends"


def _card(dialect: Dialect, models: Mapping[str, Model], element: Element) -> str:
    """Line of one element."""
    match element:
        case Switch(closed=True) if dialect.name != "ngspice":
            raise BadInput(
                f"the switch {element.name!r} remembers what it was switched to, which {dialect.name} has no line for that "
                "was tried; take the dialect ngspice."
            )
        case DelayLine() if dialect.name != "ngspice":
            raise BadInput(
                f"the line {element.name!r} delays from the first instant on, which {dialect.name} has no line for that was "
                f"tried; take the dialect ngspice, or write {PADE}."
            )
        case Switch(closed=False):
            element = _switch(element, dict(models[element.model].parameters))
    if dialect.name == "Spectre":
        return spectre.card(element, lambda text: _formula(text, dialect))
    head = f"{element.letter}{nodes_text((element.name, *element.nodes))}"
    match element:
        case Capacitor():
            return f"{head} {number(element.capacitance)}"
        case Behavioural() | TimedVoltage():
            kind, _, text = spice.formula_text(element).partition("=")
            return f"{head} {kind}={_formula(text, dialect)}"
        case Transconductance(gain=gain, nodes=(plus, minus)) if gain < 0:
            turned = dataclasses.replace(element, nodes=(minus, plus), gain=-gain)
            return spice.card(turned)
        case BipolarTransistor():
            return f"{head} {identifier(element.model)} {dialect.area}{number(element.area)}"
        case Instance() if element.parameters:
            given = " ".join(f"{identifier(name)}={number(value)}" for name, value in element.parameters)
            return f"{head} {identifier(element.macro)} {dialect.parameters}{given}"
        case StepVoltage() | PlayedVoltage() if dialect.name == "Xyce":
            return spice.card(element).replace("pwl(", "pwl ").removesuffix(")")
    return spice.card(element)


def _switch(element: Switch, model: Mapping[str, float]) -> Behavioural:
    """A switch as a source of current: its conductance goes in a straight line between open and closed."""
    plus, minus = map(node_text, element.nodes)
    volts = f"v({plus})" if minus == "0" else f"(v({plus})-v({minus}))"
    control = f"v({node_text(element.control)})-({number(model['vt'] - model['vh'])})"
    closed = f"min(max(({control})*({number(1 / (2 * model['vh']))}),0),1)"
    opened, added = 1 / model["roff"], 1 / model["ron"] - 1 / model["roff"]
    text = f"{volts}*({number(opened)}+({number(added)})*{closed})"
    return Behavioural(f"{element.name}_switch", element.nodes, text)


def _formula(text: str, dialect: Dialect) -> str:
    """A formula without blanks, whose choices are written as the dialect does."""
    chosen = _chosen(text.replace(" ", ""), dialect)
    named = re.sub(r"\{(\w+)\}", lambda name: dialect.parameter.format(name[1]), chosen)
    return dialect.formula.format(spectre.formula(named) if dialect.name == "Spectre" else named)


def _chosen(text: str, dialect: Dialect) -> str:
    """A formula with each ``(a>=0?b:c)`` in the dialect's words and without the equals sign, which some parsers split at."""
    mark = text.find("?")
    if mark < 0:
        return text
    start, end = _bracket(text, mark, -1), _bracket(text, mark, 1)
    colon = next(k for k in range(mark, end) if text[k] == ":" and _bracket(text, k, -1) == start)
    condition, yes, no = text[start + 1 : mark], text[mark + 1 : colon], text[colon + 1 : end]
    if condition.endswith(">=0"):
        condition, yes, no = condition.replace(">=", "<"), no, yes
    inner = dialect.condition.format(condition, _chosen(yes, dialect), _chosen(no, dialect))
    return f"{text[: start + 1]}{inner}{text[end]}{_chosen(text[end + 1 :], dialect)}"


def _bracket(text: str, position: int, step: int) -> int:
    """Position of the bracket that opens (step −1) or closes (1) around `position`."""
    depth = 0
    while True:
        position += step
        depth += {"(": step, ")": -step}.get(text[position], 0)
        if depth < 0:
            return position


def played(deck: Deck) -> Iterator[PlayedVoltage]:
    """A piecewise-linear source for each source of noise: what the table of the deck plays, in volts."""
    sources, tables = deck.circuit.noises(), iter(deck.tables.values())
    while sources:
        table = next(tables)
        some, sources = sources[: table.shape[1] - 1], sources[table.shape[1] - 1 :]
        for k, source in enumerate(some, start=1):
            amplitude = deck.circuit.noise.amplitude(source.density)
            times, volts = table[:, 0].tolist(), (amplitude * table[:, k]).tolist()
            yield PlayedVoltage(source.name, source.ends, tuple(times), tuple(volts))


def _started(circuit: Circuit) -> dict[str, str]:
    """Volts, as text, of nodes at t = 0: of the algebraic ones, and those that put its initial voltage on every capacitor.

    Nodes that capacitors join are a tree from ground, or from the first of them, which stays at its own or at 0 V.

    Raises
    ------
    BadInput
        Capacitors in a ring start at voltages that do not add up.
    """
    volts = dict(circuit.start.items())
    joined: dict[str, list[tuple[str, float]]] = {"0": []}
    for element in circuit.elements:
        if isinstance(element, Capacitor):
            plus, minus = element.nodes
            joined.setdefault(minus, []).append((plus, element.initial))
            joined.setdefault(plus, []).append((minus, -element.initial))
    found: dict[str, float] = {}
    for root in joined:
        if root not in found:
            found[root] = 0.0 if root == "0" else volts.get(root, 0.0)
            waiting = [root]
            while waiting:
                node = waiting.pop()
                for other, rise in joined[node]:
                    if other not in found:
                        found[other] = found[node] + rise
                        waiting.append(other)
                    elif abs(found[other] - found[node] - rise) > 1e-9 * max(1.0, abs(rise)):
                        raise BadInput(
                            f"capacitors join {node!r} and {other!r} in a ring and start at voltages that do not add up, "
                            "so no voltages of nodes give them; take the ordinary netlist."
                        )
    del found["0"]
    guessed = {node: number(value, spice.START) for node, value in volts.items()}
    return guessed | {node: number(value) for node, value in found.items()}
