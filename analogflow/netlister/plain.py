"""Writes a deck for programs other than ngspice's command line: lines that parsers and other simulators read, no script."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping

from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.checks import refuse_unknown
from analogflow.circuit import (
    Behavioural,
    BipolarTransistor,
    Capacitor,
    Circuit,
    Element,
    Instance,
    Macro,
    Model,
    NoiseVoltage,
    PlayedVoltage,
    Switch,
    TimedVoltage,
    Transconductance,
)
from analogflow.circuit.build import celsius_of
from analogflow.errors import BadInput
from analogflow.names import comment, identifier, nodes_text, number
from analogflow.netlister import spice
from analogflow.netlister.deck import Deck
from analogflow.netlister.spice import node_text

__all__ = [
    "DIALECTS",
    "Dialect",
    "analysis",
    "answer_sources",
    "definitions",
    "dialect_of",
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
    formula, condition, measured : str
        Templates: of a formula, of a choice between two formulas, and of a measure that is a formula of others.
    area, parameters : str
        What stands before the area of a transistor, and before the parameters of an instance.
    """

    name: str
    run: str
    formula: str
    condition: str
    measured: str
    area: str
    parameters: str


_UNTRIED = "written by the rules of its manual, never run in it"
DIALECTS: Mapping[str, Dialect] = {
    "ngspice": Dialect(
        "ngspice", "ngspice -b FILE measures the answer", "{}", "ternary_fcn({0},{1},{2})", "param='{}'", "area=", ""
    ),
    "ltspice": Dialect(
        "LTspice", f"in LTspice, which measures the answer into its log; {_UNTRIED}",
        "{}", "if({0},{1},{2})", "param {}", "", "",
    ),
    "xyce": Dialect(
        "Xyce", f"Xyce FILE measures the answer into FILE.mt0; {_UNTRIED}",
        "{{{}}}", "if({0},{1},{2})", "eqn={{{}}}", "", "params: ",
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
        ``ngspice``, ``ltspice`` or ``xyce``.

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
        script=(*answer_sources(deck.circuit, written), *measures(deck, written)),
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
    yield from definitions(circuit, card)
    yield from placed(circuit, card)
    yield from map(card, played(deck))
    started = [f"v({node_text(node)})={volts}" for node, volts in _started(circuit).items()]
    yield from (f".ic {' '.join(started[k : k + 8])}" for k in range(0, len(started), 8))
    yield from analysis(deck, dialect)


def writer(circuit: Circuit, dialect: Dialect) -> Callable[[Element], str]:
    """What writes the line of an element of a circuit in a dialect."""
    return functools.partial(_card, dialect, {model.name: model for model in circuit.models})


def definitions(circuit: Circuit, card: Callable[[Element], str]) -> Iterator[str]:
    """Lines of the models and macro-models; `card` writes the elements of these."""
    # A switch without memory becomes a formula, so that its model is left out.
    remembers = {element.model for element in circuit.elements if isinstance(element, Switch) and element.closed}
    yield from (spice.model_card(model) for model in circuit.models if model.kind != "sw" or model.name in remembers)
    given = {name for element in circuit.elements if isinstance(element, Instance) for name, _ in element.parameters}
    for macro in circuit.macros:
        yield from _macro_cards(macro, card, kept=given)


def placed(circuit: Circuit, card: Callable[[Element], str], *, without: str = "") -> Iterator[str]:
    """Lines of the elements, under the mathematics that placed them, but for the group named `without` and for noise."""
    for group in circuit.groups:
        if group.block == without:
            continue
        yield f"* {group.block}: {comment(group.source)}" if group.source else f"* {group.block}"
        for piece in group.pieces():
            for element in (piece,) if isinstance(piece, Element) else piece:
                if not isinstance(element, NoiseVoltage):
                    yield card(element)


def analysis(deck: Deck, dialect: Dialect) -> Iterator[str]:
    """Lines of the options, of what is kept, and of the run."""
    circuit = deck.circuit
    yield from _settings(circuit, deck.largest_step, dialect)
    vectors = sorted({spice.vector_text(vector) for vectors in circuit.signals.values() for vector in vectors})
    _, states = spice.averaged(circuit, deck.end_time)
    labels = [label for label, _ in states]
    products = (f"product_{first}_{second}" for i, first in enumerate(labels) for second in labels[i:])
    measured = [*(label for label, _ in spice.answers(circuit)), *(f"state_{label}" for label in labels), *products]
    saved = [*vectors, *(f"v({node})" for node in measured)]
    keep = ".print tran" if dialect.name == "Xyce" else ".save"
    yield from (f"{keep} {' '.join(saved[k : k + 8])}" for k in range(0, len(saved), 8))
    yield f".tran {number(deck.largest_step)} {number(deck.end_time)} 0 {number(deck.largest_step)} uic"


def _settings(circuit: Circuit, step: float, dialect: Dialect) -> Iterator[str]:
    line = spice.options_text(circuit, step)
    celsius = number(celsius_of(circuit.temperature_kelvin)) if circuit.temperature_kelvin != NOMINAL_KELVIN else ""
    if dialect.name != "Xyce":
        yield line
        if celsius:
            yield f".temp {celsius}"
        return
    options = dict(re.findall(r"(\w+)=(\S+)", line))
    yield f".options timeint method={options['method']} reltol={options['reltol']} abstol={options['vntol']}"
    device = [f"gmin={options['gmin']}"] if "gmin" in options else []
    device += [f"temp={celsius}"] if celsius else []
    if device:
        yield f".options device {' '.join(device)}"


def answer_sources(circuit: Circuit, dialect: Dialect) -> Iterator[str]:
    """Sources of the answers in flow units, each at the node of its name."""
    return (_formula_source(label, text, dialect) for label, text in spice.answers(circuit))


def measures(deck: Deck, dialect: Dialect) -> Iterator[str]:
    """What measures the answers at the end, and averages a law."""
    circuit, end = deck.circuit, number(deck.end_time)
    yield from (f".meas tran {label} find v({label}) at={end}" for label, _ in spice.answers(circuit))
    window, states = spice.averaged(circuit, deck.end_time)
    for label, text in states:
        mean = identifier(f"mean_{label}")
        yield _formula_source(identifier(f"state_{label}"), text, dialect)
        yield f".meas tran {mean} avg v(state_{label}) {window}"
    for i, (first, _) in enumerate(states):
        for second, _ in states[i:]:
            product = identifier(f"product_{first}_{second}")
            yield _formula_source(product, f"v(state_{first})*v(state_{second})", dialect)
            yield f".meas tran average_{product} avg v({product}) {window}"
            formula = dialect.measured.format(f"average_{product}-mean_{first}*mean_{second}")
            yield f".meas tran {identifier(f'covariance_{first}_{second}')} {formula}"


def _formula_source(name: str, text: str, dialect: Dialect) -> str:
    return f"B{name} {name} 0 v={_formula(text, dialect)}"


def _macro_cards(macro: Macro, card: Callable[[Element], str], kept: set[str]) -> Iterator[str]:
    """Lines of a macro-model; a parameter that no instance sets (`kept` are those set) is written as its value."""
    if macro.note:
        yield f"* {comment(macro.note)}"
    head = f".subckt {identifier(macro.name)} {nodes_text(macro.ports)}"
    given = [(name, value) for name, value in macro.parameters if name in kept]
    fixed = {name: number(value) for name, value in macro.parameters if name not in kept}
    yield f"{head} params:{''.join(f' {identifier(name)}={number(value)}' for name, value in given)}" if given else head
    for element in macro.elements:
        if isinstance(element, Capacitor) and element.initial:
            raise BadInput(
                f"the macro-model {macro.name!r} starts charged, which no line .ic outside says; take the ordinary netlist."
            )
        line = card(element)
        for name, value in fixed.items():
            line = line.replace(f"{{{name}}}", value)
        yield line
    yield ".ends"


def _card(dialect: Dialect, models: Mapping[str, Model], element: Element) -> str:
    """Line of one element."""
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
        case Switch(closed=True) if dialect.name != "ngspice":
            raise BadInput(
                f"the switch {element.name!r} remembers what it was switched to, which {dialect.name} has no line for that "
                "was tried; take the dialect ngspice."
            )
        case Switch(closed=False):
            return _switch(element, dict(models[element.model].parameters), dialect)
    return spice.card(element)


def _switch(element: Switch, model: Mapping[str, float], dialect: Dialect) -> str:
    """A switch as a source of current: its conductance goes in a straight line between open and closed."""
    plus, minus = map(node_text, element.nodes)
    volts = f"v({plus})" if minus == "0" else f"(v({plus})-v({minus}))"
    control = f"v({node_text(element.control)})-({number(model['vt'] - model['vh'])})"
    closed = f"min(max(({control})*({number(1 / (2 * model['vh']))}),0),1)"
    opened, added = 1 / model["roff"], 1 / model["ron"] - 1 / model["roff"]
    text = f"{volts}*({number(opened)}+({number(added)})*{closed})"
    return f"B{nodes_text((f'{element.name}_switch', *element.nodes))} i={_formula(text, dialect)}"


def _formula(text: str, dialect: Dialect) -> str:
    """A formula without blanks, whose choices are written as the dialect does."""
    return dialect.formula.format(_chosen(text.replace(" ", ""), dialect))


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
            yield PlayedVoltage(source.name, (source.nodes[0], "0"), tuple(times), tuple(volts))


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
