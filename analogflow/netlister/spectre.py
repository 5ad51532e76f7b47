"""Writes elements, models and the run in Spectre's own language, whose lines are not SPICE's.

By Cadence's *Spectre Circuit Simulator Reference*, version 23.1; each function names the pages it rests on. Which lines a
deck has is told by `netlister.plain`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

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
    PlayedVoltage,
    Resistor,
    StepVoltage,
    TimedVoltage,
    Transconductance,
    VoltageSource,
)
from analogflow.errors import BadInput
from analogflow.names import identifier, nodes_text, number
from analogflow.netlister import spice

__all__ = ["FIRST", "MEASURING", "analysis", "card", "ends", "formula", "head", "model_card", "starts"]

FIRST = "simulator lang=spectre"
"""Line before those in its own language."""

MEASURING = "simulator lang=spice"
"""Line before measures, which are SPICE's."""

_KINDS = {"npn": "bjt type=npn", "pnp": "bjt type=pnp", "d": "diode"}


def card(element: Element, write: Callable[[str], str]) -> str:
    """Line of an element: its name, its nodes in brackets, what it is, and parameters (*Instance Statements*).

    Currents go into the first node and out of the second, as in SPICE (*isource*, *vccs*, *bsource*).
    """
    name, _, nodes = nodes_text((element.name, *element.nodes)).partition(" ")
    if isinstance(element, Transconductance):
        nodes = f"{nodes} {spice.node_text(element.control)} 0"
    return f"{element.letter}{name} ({nodes}) {_rest(element, write)}"


def _rest(element: Element, write: Callable[[str], str]) -> str:
    match element:
        case Resistor():
            return f"resistor r={number(element.resistance)}"
        case Capacitor():
            return f"capacitor c={number(element.capacitance)}"
        case VoltageSource():
            return f"vsource type=dc dc={number(element.voltage)}"
        case StepVoltage() | PlayedVoltage():
            points = spice.card(element).partition("pwl(")[2].removesuffix(")")
            return f"vsource type=pwl wave=[{points}]"
        case CurrentSource():
            return f"isource type=dc dc={number(element.current)}"
        case Transconductance():
            return f"vccs gm={number(element.gain)}"
        case Behavioural() | TimedVoltage():
            kind, _, text = spice.formula_text(element).partition("=")
            return f"bsource {kind}={write(text)}"
        case BipolarTransistor():
            return f"{identifier(element.model)} area={number(element.area)}"
        case Diode():
            return identifier(element.model)
        case Instance():
            given = "".join(f" {identifier(name)}={number(value)}" for name, value in element.parameters)
            return f"{identifier(element.macro)}{given}"
    raise BadInput(f"element {element.name!r} is of a kind that is not written for Spectre; take the dialect ngspice.")


def formula(text: str) -> str:
    """A formula whose time and currents are written as *bsource* has them; a current is that into a source's first node."""
    text = re.sub(r"\btime\b", "$time", text)
    return re.sub(r"\bi\((\w+)\)", lambda found: f'i("{_instance(found[1])}")', text)


def _instance(source: str) -> str:
    """Name of a source as its line has it, for names are case-sensitive."""
    return f"V{identifier(source)[1:]}"


def model_card(model: Model) -> str:
    """Line of a device model (*bjt*, *diode*)."""
    given = " ".join(f"{identifier(name)}={number(value)}" for name, value in model.parameters)
    return f"model {identifier(model.name)} {_KINDS[model.kind]} {given}"


def head(macro: Macro, given: Iterable[tuple[str, float]]) -> Iterator[str]:
    """First lines of a macro-model, with the parameters that instances set (*subckt*)."""
    yield f"subckt {identifier(macro.name)} ({nodes_text(macro.ports)})"
    if defaults := " ".join(f"{identifier(name)}={number(value)}" for name, value in given):
        yield f"parameters {defaults}"


def ends(macro: Macro) -> str:
    """Last line of a macro-model."""
    return f"ends {identifier(macro.name)}"


def starts(volts: Mapping[str, str]) -> Iterator[str]:
    """Lines of voltages at t = 0 (*ic*)."""
    started = [f"{spice.node_text(node)}={value}" for node, value in volts.items()]
    yield from (f"ic {' '.join(started[k : k + 8])}" for k in range(0, len(started), 8))


def analysis(options: Mapping[str, str], celsius: str, saved: Iterable[str], step: str, end: str) -> Iterator[str]:
    """Lines of the options, of what is kept, and of the run (*options*, *save*, *tran*).

    Parameters
    ----------
    options : mapping
        SPICE's options: ``method``, ``reltol``, ``vntol``, ``abstol`` and, of parts, ``gmin``.
    celsius : str
        Temperature; empty where it is the nominal one.
    saved : iterable of str
        ``v(node)`` and ``i(source)``.
    step, end : str
        Seconds.
    """
    named = {"reltol": "reltol", "vntol": "vabstol", "abstol": "iabstol", "gmin": "gmin"}
    given = [f"{ours}={options[theirs]}" for theirs, ours in named.items() if theirs in options]
    given += [f"temp={celsius}"] if celsius else []
    # Named as Cadence's own netlists name them, since Sandia's reader knows no other names.
    yield f"simulatorOptions options {' '.join(given)}"
    kept = [f"{_instance(vector[2:-1])}:1" if vector.startswith("i(") else vector[2:-1] for vector in saved]
    yield from (f"save {' '.join(kept[k : k + 8])}" for k in range(0, len(kept), 8))
    # Without an operating point first, nodes start where `ic` says: that of an integrator is arbitrary.
    method = {"gear": "gear2"}.get(options["method"], options["method"])
    yield f"tran tran stop={end} maxstep={step} method={method} skipdc=yes"
