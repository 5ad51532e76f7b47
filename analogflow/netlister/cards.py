"""One element, model or macro-model as lines of SPICE: the only place where records become text."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from analogflow.circuit import (
    Behavioural,
    BipolarTransistor,
    Capacitor,
    CurrentSource,
    Diode,
    Element,
    Instance,
    Macro,
    Model,
    Resistor,
    StepVoltage,
    Switch,
    Transconductance,
    VoltageSource,
)
from analogflow.errors import BadInput
from analogflow.names import FINE, comment, identifier, number

__all__ = ["EDGE", "card", "macro_cards", "model_card", "vector_text"]

_FORMULA = re.compile(r"(?:[a-z0-9_ .+\-*/(),<>=?:]|\(\{[a-z][a-z0-9_]*\}\))*")
_CURRENT = re.compile(r"i\(([a-z0-9_]+)\)")

EDGE = 1e-8
"""Seconds that a step takes: short beside any part's response."""


@functools.cache
def _checked(node: str) -> str:
    return node if node == "0" else identifier(node)


def vector_text(vector: str) -> str:
    """Text that names a raw vector in ``.save`` and in formulas: ``v(node)``, or ``i(source)`` as it is."""
    current = _CURRENT.fullmatch(vector)
    return f"i({identifier(current[1])})" if current else f"v({_checked(vector)})"


def card(element: Element) -> str:
    """Line of one element."""
    head = f"{element.letter}{_checked(element.name)} {' '.join(map(_checked, element.nodes))}"
    match element:
        case Transconductance():
            return f"{head} {_checked(element.control)} 0 {number(element.gain)}"
        case Resistor():
            return f"{head} {number(element.resistance)}"
        case Behavioural():
            if not _FORMULA.fullmatch(element.expression):
                raise BadInput(f"the formula {element.expression!r} has a character that may not stand in a netlist.")
            return f"{head} i={element.expression}"
        case Capacitor():
            return f"{head} {number(element.capacitance)} ic={number(element.initial)}"
        case CurrentSource():
            return f"{head} {number(element.current)}"
        case VoltageSource():
            return f"{head} {number(element.voltage)}"
        case StepVoltage():
            points = ((0.0, element.before), (element.time, element.before), (element.time + EDGE, element.after))
            return f"{head} pwl({' '.join(f'{number(time, FINE)} {number(volts)}' for time, volts in points)})"
        case BipolarTransistor():
            return f"{head} {identifier(element.model)} area={number(element.area)}"
        case Diode():
            return f"{head} {identifier(element.model)}"
        case Switch():
            return f"{head} {_checked(element.control)} 0 {identifier(element.model)}"
        case Instance():
            given = "".join(f" {identifier(name)}={number(value)}" for name, value in element.parameters)
            return f"{head} {identifier(element.macro)}{given}"
    raise BadInput(f"element {element.name!r} is of a kind the SPICE netlister does not know.")


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
    head = f".subckt {identifier(macro.name)} {' '.join(map(_checked, macro.ports))}"
    yield f"{head} params:{defaults}" if defaults else head
    yield from map(card, macro.elements)
    yield ".ends"
