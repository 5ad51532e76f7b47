"""The symbols of schematics as data: strokes, filled areas, signs, and a lead for each terminal that ends where wires begin.

Lengths are in drawing units. A symbol is drawn once here, and only turned elsewhere; ink tells what it is and which terminal
is which, so that a drawing can be read back.
"""

from __future__ import annotations

import dataclasses
import math

from analogflow.circuit import (
    Behavioural,
    BipolarTransistor,
    Capacitor,
    CurrentSource,
    DelayLine,
    Diode,
    Element,
    Instance,
    NoiseVoltage,
    PlayedVoltage,
    Resistor,
    StepVoltage,
    Switch,
    TimedVoltage,
    Transconductance,
    VoltageSource,
)
from analogflow.digits import engineering

__all__ = [
    "DOWN",
    "LEFT",
    "LENGTH",
    "RIGHT",
    "UP",
    "Point",
    "Shape",
    "Turn",
    "box_shape",
    "shape_of",
    "terminals",
    "value_of",
]

Point = tuple[float, float]
"""Place on the sheet, drawing units."""

Turn = tuple[int, int, int, int]
"""Rows of the matrix that turns a symbol."""

RIGHT, UP, LEFT, DOWN = (1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0)
"""Where the second terminal of a symbol lies as seen from its first; a transistor that is turned UP has its base below."""

LENGTH = 1.4
"""Of a symbol with two terminals."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """A symbol.

    Parameters
    ----------
    kind : str
    leads : mapping of terminal to points
        From where a wire joins to the body.
    strokes, fills : tuple of tuple of Point
        Lines and filled areas of the body.
    signs : tuple of (str, Point)
        ``plus`` or ``minus``, with its middle.
    letters : tuple of (str, Point, str)
        Text in the body, where, and how it is aligned.
    """

    kind: str
    leads: dict[str, tuple[Point, ...]]
    strokes: tuple[tuple[Point, ...], ...]
    fills: tuple[tuple[Point, ...], ...] = ()
    signs: tuple[tuple[str, Point], ...] = ()
    letters: tuple[tuple[str, Point, str], ...] = ()


def _circle(x: float, y: float, radius: float) -> tuple[Point, ...]:
    angles = [2 * math.pi * k / 24 for k in range(25)]
    return tuple((x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles)


def _pair(kind: str, names: tuple[str, str], start: float, end: float, *strokes: tuple[Point, ...], **more) -> Shape:
    """Symbol with two terminals on a line, whose body is from `start` to `end`."""
    first, second = names
    return Shape(kind, {first: ((0, 0), (start, 0)), second: ((LENGTH, 0), (end, 0))}, strokes, **more)


def _transistor(kind: str, tip: Point, foot: Point) -> Shape:
    (x, y), (u, v) = tip, foot
    length = math.hypot(x - u, y - v)
    across = (0.075 * (v - y) / length, 0.075 * (x - u) / length)
    arrow = (tip, (u + across[0], v + across[1]), (u - across[0], v - across[1]), tip)
    leads: dict[str, tuple[Point, ...]] = {
        "collector": ((0.8, 0.75), (0.8, 0.45)),
        "base": ((0, 0), (0.4, 0)),
        "emitter": ((0.8, -0.75), (0.8, -0.45)),
    }
    body: tuple[tuple[Point, ...], ...] = (
        ((0.4, -0.35), (0.4, 0.35)),
        ((0.8, 0.45), (0.4, 0.15)),
        ((0.8, -0.45), (0.4, -0.15)),
    )
    return Shape(kind, leads, body, fills=(arrow,))


_LONGEST_LAW = 40
"""Characters of a formula that stand beside its symbol."""

_NONE = ("1", "2")
_POLES = ("plus", "minus")
_ROUND = _circle(0.7, 0, 0.3)
_SOURCE_SIGNS = (("plus", (0.54, 0.0)), ("minus", (0.86, 0.0)))
_OUTER_SIGNS = (("plus", (0.28, 0.17)), ("minus", (1.12, 0.17)))
_SHAFT, _TIP = ((0.48, 0.0), (0.76, 0.0)), ((0.92, 0.0), (0.76, 0.09), (0.76, -0.09), (0.92, 0.0))
_DIAMOND = ((0.4, 0.0), (0.7, 0.3), (1.0, 0.0), (0.7, -0.3), (0.4, 0.0))

_SHAPES = {
    shape.kind: shape
    for shape in (
        _pair("resistor", _NONE, 0.4, 1.0, ((0.4, -0.11), (1.0, -0.11), (1.0, 0.11), (0.4, 0.11), (0.4, -0.11))),
        _pair("capacitor", _NONE, 0.645, 0.755, ((0.645, -0.22), (0.645, 0.22)), ((0.755, -0.22), (0.755, 0.22))),
        _pair("diode", ("anode", "cathode"), 0.55, 0.85, ((0.85, -0.17), (0.85, 0.17)),
              fills=(((0.85, 0), (0.55, 0.16), (0.55, -0.16), (0.85, 0)),)),
        _pair("limiter", _NONE, 0.4, 1.0, ((0.62, -0.22), (0.7, -0.16), (0.7, 0.16), (0.78, 0.22)),
              fills=(((0.7, 0), (0.4, 0.16), (0.4, -0.16), (0.7, 0)), ((0.7, 0), (1.0, 0.16), (1.0, -0.16), (0.7, 0)))),
        Shape("switch", {"1": ((0, 0), (0.42, 0)), "2": ((LENGTH, 0), (0.98, 0)), "control": ((0.7, 0.55), (0.7, 0.19))},
              (_circle(0.45, 0, 0.03), _circle(0.95, 0, 0.03), ((0.45, 0.03), (0.95, 0.35)))),
        _pair("source", _POLES, 0.4, 1.0, _ROUND, signs=_SOURCE_SIGNS),
        _pair("current", _NONE, 0.4, 1.0, _ROUND, _SHAFT, fills=(_TIP,)),
        _pair("controlled", _NONE, 0.4, 1.0, _DIAMOND, _SHAFT, fills=(_TIP,)),
        _pair("step", _POLES, 0.4, 1.0, _ROUND, ((0.53, 0.12), (0.7, 0.12), (0.7, -0.12), (0.87, -0.12)),
              signs=_OUTER_SIGNS),
        _pair("noise", _POLES, 0.4, 1.0, _ROUND,
              ((0.5, 0), (0.55, 0.14), (0.6, -0.1), (0.66, 0.06), (0.72, -0.16), (0.78, 0.12), (0.84, -0.06), (0.9, 0)),
              signs=_OUTER_SIGNS),
        _pair("ammeter", _POLES, 0.4, 1.0, _ROUND, signs=_OUTER_SIGNS, letters=(("A", (0.7, 0.0), "center"),)),
        _transistor("npn", (0.74, -0.405), (0.6, -0.3)),
        _transistor("pnp", (0.46, -0.195), (0.6, -0.3)),
    )
}  # fmt: skip


def box_shape(kind: str, title: str, inputs: tuple[str, ...], output: str) -> Shape:
    """Rectangle around the origin with inputs on its left and the output on its right, each with its name."""
    half = 0.275 * len(inputs) + 0.05
    levels = [half - 0.05 - 0.55 * (k + 0.5) for k in range(len(inputs))]
    leads: dict[str, tuple[Point, ...]] = {name: ((-1.2, y), (-0.9, y)) for name, y in zip(inputs, levels, strict=True)}
    leads[output] = ((1.2, 0.0), (0.9, 0.0))
    frame = ((-0.9, -half), (0.9, -half), (0.9, half), (-0.9, half), (-0.9, -half))
    names = tuple((name, (-0.82, y), "left") for name, y in zip(inputs, levels, strict=True))
    part, _, use = title.partition("_")
    law = {"": "x·y", "divider": "n/d", "root": "√n"}.get(use, use)
    middle = ((part, (0.05, 0.12), "center"), (law, (0.05, -0.14), "center"))
    return Shape(kind, leads, (frame,), letters=(*names, *middle, (output, (0.82, 0.0), "right")))


def _amplifier(title: str) -> Shape:
    leads: dict[str, tuple[Point, ...]] = {
        "p": ((-1.2, -0.5), (-0.8, -0.5)), "n": ((-1.2, 0.5), (-0.8, 0.5)), "o": ((1.2, 0.0), (0.8, 0.0)),
    }  # fmt: skip
    triangle = ((-0.8, -0.95), (0.8, 0.0), (-0.8, 0.95), (-0.8, -0.95))
    signs = (("plus", (-0.62, -0.5)), ("minus", (-0.62, 0.5)))
    return Shape("amplifier", leads, (triangle,), signs=signs, letters=((title, (-0.2, 0.0), "center"),))


def terminals(element: Element, ports: tuple[str, ...] = ()) -> tuple[tuple[str, str], ...]:
    """Terminals of an element with the nodes they are at; `ports` are those of an instance's macro-model."""
    match element:
        case BipolarTransistor():
            names = ("collector", "base", "emitter")
        case Diode():
            names = ("anode", "cathode")
        case VoltageSource() | StepVoltage() | TimedVoltage() | PlayedVoltage():
            names = _POLES
        case NoiseVoltage():
            return tuple(zip(("plus", "minus"), element.ends, strict=True))
        case Switch():
            return ("1", element.nodes[0]), ("2", element.nodes[1]), ("control", element.control)
        case DelayLine():
            return ("u", element.nodes[0]), ("y", element.nodes[2])
        case Instance():
            names = ports
        case _:
            names = _NONE
    return tuple(zip(names, element.nodes, strict=True))


def shape_of(
    element: Element, *, pnp: bool = False, amplifier: str = "", ports: tuple[str, ...] = (), metered: bool = False
) -> Shape:
    """Symbol of an element; `amplifier` names the macro-model that is drawn as such."""
    match element:
        case Resistor():
            kind = "resistor"
        case Capacitor():
            shape = _SHAPES["capacitor"]
            side = 0.5 if element.initial > 0 else 0.9
            return dataclasses.replace(shape, signs=(("plus", (side, 0.14)),)) if round(element.initial, 9) else shape
        case BipolarTransistor():
            kind = "pnp" if pnp else "npn"
        case Diode():
            kind = "diode"
        case Switch():
            kind = "switch"
        case VoltageSource():
            kind = "ammeter" if metered else "source"
        case CurrentSource():
            kind = "current"
        case StepVoltage():
            kind = "step"
        case TimedVoltage() | PlayedVoltage():
            kind = "source"
        case NoiseVoltage():
            kind = "noise"
        case Transconductance():
            kind = "controlled"
        case Behavioural():
            kind = "controlled" if element.remote else "limiter"
        case Instance() if element.macro == amplifier:
            return _amplifier(element.macro)
        case DelayLine():
            return box_shape("line", "delay", ("u",), "y")
        case Instance():
            return box_shape(element.macro, element.macro, ports[:-1], ports[-1])
        case _:
            raise TypeError(f"no symbol stands for {element!r}")
    return _SHAPES[kind]


def value_of(element: Element, *, metered: bool = False, time_constant: float = 1.0) -> str:
    """Short text beside a symbol; of noise, one-sided, with τ in seconds."""
    match element:
        case Resistor():
            return f"{engineering(element.resistance)}Ω"
        case Capacitor():
            charged = f", {abs(element.initial):.4g} V" if round(element.initial, 9) else ""
            return f"{engineering(element.capacitance)}F{charged}"
        case BipolarTransistor():
            return "" if element.area == 1 else f"×{element.area:.3g}"
        case VoltageSource():
            return "" if metered else f"{round(element.voltage, 9) + 0.0:.4g} V"
        case CurrentSource():
            return f"{engineering(element.current)}A"
        case StepVoltage():
            return f"{element.before:g} V, {element.after:g} V after {engineering(element.time)}s"
        case TimedVoltage(expression=law):
            return law if len(law) <= _LONGEST_LAW else law[: _LONGEST_LAW - 1] + "…"
        case PlayedVoltage():
            return f"{len(element.times)} points"
        case DelayLine():
            return f"{engineering(element.delay)}s"
        case NoiseVoltage():
            return f"noise {element.stream}, {engineering(element.density * math.sqrt(2 * time_constant))}V/√Hz"
        case Transconductance():
            return f"{element.gain:.4g}*v({element.control})"
        case Behavioural(expression=law) if element.remote:
            return law if len(law) <= _LONGEST_LAW else law[: _LONGEST_LAW - 1] + "…"
        case Behavioural():
            return "limit"
        case _:
            return ""
