"""Writes a circuit as a subcircuit for decks of the user's own, and a bench that places it once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from analogflow.circuit import Capacitor, Element, VoltageSource
from analogflow.contents import refuse_existing, write_text
from analogflow.errors import BadInput
from analogflow.names import identifier, nodes_text, number
from analogflow.netlister import spice
from analogflow.netlister.deck import Deck
from analogflow.netlister.plain import (
    Dialect,
    analysis,
    answer_sources,
    definitions,
    dialect_of,
    law_sources,
    measures,
    placed,
    played,
    writer,
)

__all__ = ["write_subcircuit"]

_SUPPLIES = "supplies"
"""Group of the sources that a technology of parts needs once, however many circuits there are."""


def write_subcircuit(
    deck: Deck, path: str | Path, *, name: str = "analogflow", dialect: str = "ngspice", force: bool = False
) -> tuple[Path, Path]:
    """Write a deck's circuit as the subcircuit `name` to the file ``NAME.lib``, and a bench beside it to `path`.

    Its ports are, in this order: the nodes of the states and observables in volts, a node ``answer_NAME`` in flow units for
    each element of the answer and of the observables, and the nodes that the bench drives: supplies, and sources of noise.
    What each state starts at, in volts, is the parameter ``start_NODE``. Models and macro-models are inside, so that the
    subcircuits of several circuits do not meet.

    Parameters
    ----------
    deck : Deck
        What `netlist` returns; its run is the bench's.
    path : path
        Of the bench, a plain deck.
    name : str
        Of the subcircuit.
    dialect : str
        As for `plain_deck`, but no ``spectre``.

    Returns
    -------
    tuple of Path
        The subcircuit's file and the bench.

    Raises
    ------
    BadInput
        `name` may not stand in a netlist, the dialect is not known or has no words for an element, or a file exists and
        `force` is false.
    """
    path = Path(path)
    written, library = dialect_of(deck, dialect), path.with_name(f"{identifier(name)}.lib")
    if written.name == "Spectre":
        raise BadInput(
            "the dialect spectre has no subcircuit: where its states start would be parameters of capacitors, which Spectre "
            "does not heed when it starts without an operating point; take a plain deck, or another dialect."
        )
    if library == path:
        raise BadInput(f"{path.name!r} is the file of the subcircuit; give the bench another name.")
    refuse_existing(path, library, force=force)
    inside = "".join(f"{line}\n" for line in _subcircuit(deck, name, written))
    bench = "".join(f"{line}\n" for line in _bench(deck, name, library.name, written))
    write_text(library, inside, force=force)
    return library, write_text(path, bench, force=force)


def _subcircuit(deck: Deck, name: str, dialect: Dialect) -> Iterator[str]:
    circuit = deck.circuit
    readings = (circuit.readings[name] for name in circuit.flow.states if name in circuit.readings)
    states = {vector for reading in readings for vector in reading.vectors}
    starts: dict[str, float] = {}
    write = writer(circuit, dialect)
    elements = list(placed(circuit, lambda element: _started_card(element, states, write, starts), without=_SUPPLIES))
    yield from (deck.title, *deck.header[:-1])
    yield spice.header_comment(
        f"ports:     of {name}: states and observables in volts, answers in flow units, what drives it"
    )
    if dialect.name != "ngspice":
        yield _note(dialect)
    given = "".join(f" start_{node}={number(volts)}" for node, volts in starts.items())
    head = f".subckt {identifier(name)} {nodes_text(_ports(deck))}"
    yield f"{head} params:{given}" if given else head
    yield from definitions(circuit, dialect)
    yield from elements
    yield from answer_sources(circuit, dialect)
    if dialect.name == "ngspice":  # of the others no manual says that a line of a subcircuit may be one of these
        guessed = [f"v({spice.node_text(node)})={number(volts, spice.START)}" for node, volts in circuit.start.items()]
        yield from (f".ic {' '.join(guessed[k : k + 8])}" for k in range(0, len(guessed), 8))
    yield ".ends" if dialect.name == "Xyce" else f".ends {name}"


def _note(dialect: Dialect) -> str:
    """Comment that says how a file of a dialect is run."""
    return spice.header_comment(f"run:       {dialect.run}")


def _started_card(element: Element, states: set[str], write: Callable[[Element], str], starts: dict[str, float]) -> str:
    """Line of an element; one that holds the start of a state takes it from a parameter, which is put into `starts`."""
    match element:
        case Capacitor(name=name, nodes=(plus, "0")) if name == plus and plus in states:
            starts[plus] = element.initial
            return f"{write(element)} ic={{start_{plus}}}"
        case Capacitor(name=name, nodes=(_, minus)) if name == f"{minus}_c" and minus in states:
            starts[minus] = -element.initial
            return f"{write(element)} ic={{-start_{minus}}}"
        case VoltageSource(name=name, nodes=(plus, _)) if name == f"{plus}_set" and plus in states:
            starts[plus] = element.voltage
            return f"V{nodes_text((name, *element.nodes))} {{start_{plus}}}"
        case Capacitor() if element.initial:
            return f"{write(element)} ic={number(element.initial)}"
    return write(element)


def _driven(deck: Deck) -> list[Element]:
    """Sources that stay outside: supplies and noise."""
    supplies = (element for group in deck.circuit.groups if group.block == _SUPPLIES for element in group.elements)
    return [*supplies, *played(deck)]


def _ports(deck: Deck) -> list[str]:
    circuit = deck.circuit
    signals = (vector for vectors in circuit.signals.values() for vector in vectors if re.fullmatch(r"[a-z0-9_]+", vector))
    driven = (element.nodes[0] for element in _driven(deck))
    return list(dict.fromkeys([*signals, *(label for label, _ in spice.answers(circuit)), *driven]))


def _bench(deck: Deck, name: str, library: str, dialect: Dialect) -> Iterator[str]:
    yield deck.title
    yield from deck.header[:-1]
    yield _note(dialect)
    yield f".include {library}"
    yield from map(writer(deck.circuit, dialect), _driven(deck))
    yield f"X1 {nodes_text(_ports(deck))} {identifier(name)}"
    for line in analysis(deck, dialect):
        words = [word for word in line.split(" ") if not (line.startswith((".save", ".print")) and word.startswith("i(v"))]
        if words not in ([".save"], [".print", "tran"]):
            yield " ".join(words)
    yield from law_sources(deck, dialect)
    yield from measures(deck, dialect)
    yield ".end"
