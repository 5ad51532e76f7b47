"""Symbols with their values, wires, and names where a net leaves a stage."""

from __future__ import annotations

import itertools
from typing import Any

import schemdraw.elements as elm
from schemdraw import Drawing

from analogflow.circuit import (
    BipolarTransistor,
    Capacitor,
    Diode,
    Element,
    Resistor,
    StepVoltage,
    Switch,
    VoltageSource,
)
from analogflow.hardware.parts_list import engineering
from analogflow.report.figure import INK, PALETTE
from analogflow.report.schematic.stages import GROUND

__all__ = ["LEG", "NET", "PITCH", "SMALL", "Point", "between", "net_name", "value_of", "width_of", "wire"]

NET = PALETTE[0]
"""Colour of the names of nets."""

LEG = 1.7
"""Length of a two-terminal symbol with its wires, drawing units."""

PITCH = 0.95
"""Between symbols above each other, drawing units."""

SMALL = 7.0
"""Points of a small label."""

_LABEL = 0.13
"""Drawing units that a character of a small label takes."""

Point = tuple[float, float]
"""Place on the sheet, drawing units."""


def value_of(element: Element) -> str:
    """Short text beside a symbol."""
    match element:
        case Resistor():
            return f"{engineering(element.resistance)}Ω"
        case Capacitor():
            return f"{engineering(element.capacitance)}F"
        case BipolarTransistor():
            return "" if element.area == 1 else f"×{element.area:.3g}"
        case VoltageSource():
            return f"{round(element.voltage, 9):.4g} V"
        case Switch():
            return "hold"
        case StepVoltage():
            return "release"
        case _:
            return "clamp" if element.name.endswith("clamp") else ""


def _symbol(element: Element) -> Any:
    match element:
        case Resistor():
            return elm.ResistorIEC()
        case Capacitor():
            return elm.Capacitor()
        case Switch():
            return elm.Switch()
        case Diode():
            return elm.Diode()
        case VoltageSource() | StepVoltage():
            return elm.SourceV()
        case _:
            return elm.Zener()


def between(d: Drawing, element: Element, start: Point, end: Point) -> None:
    """Draw a two-terminal element with its value."""
    symbol = (
        _symbol(element).scale(0.55).endpoints(start, end).label(value_of(element), fontsize=SMALL, color=INK, ofst=0.08)
    )
    d.add(symbol)


def wire(d: Drawing, *points: Point) -> None:
    """Draw lines from point to point."""
    for start, end in itertools.pairwise(points):
        d.add(elm.Line().endpoints(start, end))


def net_name(d: Drawing, name: str, at: Point, side: str) -> None:
    """Name of a net at the end of a wire; ground and rails as symbols."""
    if name == GROUND:
        d.add(elm.Ground().theta(0).scale(0.55).at(at))
        return
    align: dict[str, tuple[Any, Any]] = {
        "left": ("right", "center"),
        "right": ("left", "center"),
        "top": ("center", "bottom"),
        "bottom": ("center", "top"),
    }
    shift = {"left": (-0.14, 0), "right": (0.14, 0), "top": (0, 0.1), "bottom": (0, -0.1)}[side]
    place = (at[0] + shift[0], at[1] + shift[1])
    d.add(
        elm.Label()
        .theta(0)
        .at(place)
        .label(name, fontsize=SMALL, color=NET, halign=align[side][0], valign=align[side][1], ofst=0)
    )


def width_of(*names: str) -> float:
    """Room for the longest of some names, drawing units."""
    return 0.3 + _LABEL * max((len(name) for name in names if name != GROUND), default=0)
