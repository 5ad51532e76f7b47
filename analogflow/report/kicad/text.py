"""Text of KiCad's files: symbols, sheets and a project, in the format of KiCad 8, which 9 reads too."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

from analogflow.report.kicad.pictures import GridPicture, NetLabel, PlacedUnit
from analogflow.report.kicad.symbols import GROUND, Pin, Symbol, Unit, rail

__all__ = [
    "LIBRARY",
    "STEP",
    "VERSION",
    "font",
    "identity",
    "is_rail",
    "library",
    "mm",
    "placed_text",
    "quoted",
    "sheet_items",
    "symbol_text",
]

VERSION = "20231120"
"""Of the schematic format: that of KiCad 8.0."""

LIBRARY = "analogflow"
"""Nickname of the project's own library of symbols."""

STEP = 1.27
"""Millimetres of a step of the grid."""

_NAMESPACE = uuid.UUID("6b0f6a0c-5b0e-5a5e-9a53-6d2c6f1a8d10")
_TURNS = {"left": 180, "right": 0, "top": 90, "bottom": 270}
_POWER_TURNS = {
    GROUND: {"bottom": 0, "right": 90, "top": 180, "left": 270},
    "": {"top": 0, "left": 90, "bottom": 180, "right": 270},
}


def identity(*words: object) -> str:
    """Identifier that is the same for the same words on every machine."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(map(str, words))))


def font(side: str = "", *, hidden: bool = False) -> str:
    """How a text looks, and which of its sides stands at its place."""
    justified = f" (justify {side})" if side else ""
    return f"(effects (font (size 1.27 1.27)){justified}{' (hide yes)' if hidden else ''})"


def mm(steps: float) -> str:
    """Steps of the grid in millimetres."""
    return f"{round(STEP * steps, 4) + 0.0:g}"


def quoted(text: str) -> str:
    """Text as KiCad quotes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def is_rail(net: str) -> bool:
    """Whether a net is a supply, which symbols of its name join."""
    return net[:1] in "+-"


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"(xy {mm(x)} {mm(y)})" for x, y in points)


def _pin(pin: Pin) -> str:
    x, y = pin.at
    return (
        f"(pin {pin.kind} line (at {mm(x)} {mm(y)} {pin.turn}) (length {mm(pin.length)}) "
        f"(name {quoted(pin.name)} {font()}) (number {quoted(pin.number)} {font()}))"
    )


def _unit(name: str, k: int, unit: Unit) -> Iterator[str]:
    yield f"(symbol {quoted(f'{name}_{k}_1')}"
    stroke = "(stroke (width 0.1524) (type default))"
    yield from (f"(polyline (pts {_points(line)}) {stroke} (fill (type none)))" for line in unit.lines)
    yield from (f"(polyline (pts {_points(line)}) {stroke} (fill (type outline)))" for line in unit.fills)
    yield from (
        f"(circle (center {mm(x)} {mm(y)}) (radius {mm(radius)}) {stroke} (fill (type none)))"
        for (x, y), radius in unit.circles
    )
    yield from map(_pin, unit.pins)
    yield ")"


def symbol_text(symbol: Symbol, prefix: str = "") -> str:
    """A symbol as it stands in a library, or with the library's nickname before its name in a schematic."""
    hidden = "" if symbol.shown else "(pin_numbers hide) (pin_names (offset 0) hide)"
    shown = "(pin_names (offset 0.508))" if symbol.shown else hidden
    fields = [
        ("Reference", symbol.prefix),
        ("Value", symbol.name),
        ("Footprint", ""),
        ("Datasheet", "~"),
        ("Description", symbol.about),
    ]
    lines = [
        f"(symbol {quoted(prefix + symbol.name)} {'(power) ' if symbol.power else ''}{shown} "
        "(exclude_from_sim no) (in_bom yes) (on_board yes)",
        *(f"(property {quoted(key)} {quoted(value)} (at 0 0 0) {font(hidden=key not in ('Reference', 'Value'))})"
          for key, value in fields),
        *(line for k, unit in enumerate(symbol.units, 1) for line in _unit(symbol.name, k, unit)),
        ")",
    ]  # fmt: skip
    return "\n".join(lines)


def library(symbols: Iterable[Symbol]) -> str:
    """The project's library of symbols."""
    body = "\n".join(symbol_text(symbol) for symbol in symbols)
    return f'(kicad_symbol_lib (version 20231120) (generator "analogflow")\n{body}\n)\n'


def _field(key: str, value: str, at: tuple[float, float], turn: int, justify: str = "", hidden: bool = False) -> str:
    x, y = at
    return f"(property {quoted(key)} {quoted(value)} (at {mm(x)} {mm(y)} {turn}) {font(justify, hidden=hidden)})"


def _field_places(placed: PlacedUnit) -> tuple[tuple[float, float], tuple[float, float], int, str, bool]:
    """Where designator and value stand, their turn and side, and whether the value is hidden."""
    (x, y), pins = placed.at, placed.symbol.units[placed.unit - 1].pins
    if placed.symbol.name.startswith("CONN"):
        return (x, y - 2.4), (x, y - 4.4), 0, "", False
    if placed.symbol.power:
        return (x, y), (x, y - 3), 0, "", False
    if placed.symbol.name == "TESTPOINT":
        return (x, y - 4.4), (x, y + 1), 0, "", True
    if len(pins) == 2 and placed.symbol.prefix not in "UQ":
        far = 1.9 if placed.symbol.prefix in "RJ" else 2.7
        if placed.turn in (90, 270):
            return (x, y - far), (x, y + far), 90, "", False
        side = "left" if placed.turn == 0 else "right"
        return (x + far, y - 1), (x + far, y + 1), 0, side, False
    if placed.symbol.prefix == "Q":
        if placed.turn:
            return (x, y - 4.3), (x, y), 90, "", True
        return (x + 3.8, y - 0.9), (x + 3.8, y + 0.9), 0, "left", False
    kinds = {pin.kind for pin in pins}
    if "power_in" in kinds and "output" not in kinds:
        return (x + 4.6, y - 4.6), (x + 4.6, y + 4), 0, "left", False
    if len(pins) == 3:
        if placed.symbol.pin(placed.unit, pins[2].number).kind == "input":  # a switch
            return (x, y + (2.8 if placed.flipped else -2.8)), (x, y), 0, "", True
        return (x + 3.4, y - 3.6), (x + 4.4, y + 3.6), 0, "", False
    tall = max(abs(pin.at[1]) for pin in pins) + 2.2
    return (x, y - tall), (x, y + tall), 0, "", False


def _instance(project: str, path: str, reference: str, unit: int) -> str:
    return f"(instances (project {quoted(project)} (path {quoted(path)} (reference {quoted(reference)}) (unit {unit}))))"


def placed_text(placed: PlacedUnit, path: str, project: str) -> str:
    """A symbol on a sheet, whose identifiers are `path`."""
    part, (x, y) = placed.part, placed.at
    reference, value, turn, side, hidden = _field_places(placed)
    simulated = bool(part.simulation) or part.symbol.power
    own = identity(path, part.reference, placed.unit)
    fields = {"Footprint": part.footprint, "Datasheet": "~", "Description": part.symbol.about, **part.simulation}
    if part.package:
        fields |= {"Manufacturer": part.package.maker, "Part number": part.package.number}
    yes = {True: "yes", False: "no"}
    return "\n".join([
        f"(symbol (lib_id {quoted(f'{LIBRARY}:{part.symbol.name}')}) (at {mm(x)} {mm(y)} {placed.turn})"
        f"{' (mirror x)' if placed.flipped else ''} (unit {placed.unit}) (exclude_from_sim {yes[not simulated]}) "
        f"(in_bom {yes[part.bought]}) (on_board {yes[part.bought]}) "
        f"(dnp {yes[part.symbol.name == 'LIMITER']}) (uuid {quoted(own)})",
        _field("Reference", part.reference, reference, turn, side, part.symbol.power),
        _field("Value", part.value, value, turn, side, hidden),
        *(_field(key, text, placed.at, 0, hidden=True) for key, text in fields.items()),
        *(f"(pin {quoted(pin.number)} (uuid {quoted(identity(own, pin.number))}))"
          for pin in part.symbol.units[placed.unit - 1].pins),
        _instance(project, path, part.reference, placed.unit),
        ")",
    ])  # fmt: skip


def _power(name: NetLabel, number: int, path: str, project: str) -> str:
    """Symbol of ground or of a rail at the end of a wire."""
    ground = name.net == "0"
    value = GROUND if ground else name.net
    turn = _POWER_TURNS[GROUND if ground else ""][name.side]
    (x, y), reference = name.at, f"#PWR{number:03d}"
    own = identity(path, reference)
    u, v = {"left": (-4.5, 0), "right": (4.5, 0), "top": (0, -3), "bottom": (0, 3)}[name.side]
    return "\n".join([
        f"(symbol (lib_id {quoted(f'{LIBRARY}:{value}')}) (at {mm(x)} {mm(y)} {turn}) (unit 1) (exclude_from_sim no) "
        f"(in_bom yes) (on_board yes) (dnp no) (uuid {quoted(own)})",
        _field("Reference", reference, name.at, 0, hidden=True),
        _field("Value", value, (x + u, y + v), 90 if turn in (90, 270) else 0, hidden=ground),
        _field("Footprint", "", name.at, 0, hidden=True),
        _field("Datasheet", "~", name.at, 0, hidden=True),
        _field("Description", "", name.at, 0, hidden=True),
        f"(pin \"1\" (uuid {quoted(identity(own, 1))}))",
        _instance(project, path, reference, 1),
        ")",
    ])  # fmt: skip


def _label(name: NetLabel, shapes: dict[str, str], path: str) -> str:
    x, y = name.at
    turn = _TURNS[name.side]
    side = "right" if turn in (180, 270) else "left"
    shape = shapes.get(name.net)
    kind = "label" if shape is None else "hierarchical_label"
    what = "" if shape is None else f" (shape {shape})"
    low = " bottom" if shape is None else ""
    own = quoted(identity(path, kind, name.net, x, y))
    return f"({kind} {quoted(name.net)}{what} (at {mm(x)} {mm(y)} {turn}) {font(side + low)} (uuid {own}))"


def sheet_items(picture: GridPicture, path: str, project: str, shapes: dict[str, str], first: int) -> tuple[list[str], int]:
    """Lines of what a picture holds; `shapes` says which nets leave the sheet, `first` numbers its power symbols."""
    lines = [f"(junction (at {mm(x)} {mm(y)}) (diameter 0) (color 0 0 0 0) (uuid {quoted(identity(path, 'dot', x, y))}))"
             for x, y in picture.dots()]  # fmt: skip
    lines += [
        f"(wire (pts {_points(ends)}) (stroke (width 0) (type default)) (uuid {quoted(identity(path, 'wire', *ends))}))"
        for ends in picture.wires
    ]
    for name in picture.names:
        if name.net == "0" or is_rail(name.net):
            first += 1
            lines.append(_power(name, first, path, project))
        else:
            lines.append(_label(name, shapes, path))
    lines += [placed_text(placed, path, project) for placed in picture.placed]
    return lines, first


def powers(names: Iterable[NetLabel]) -> Iterator[Symbol]:
    """Symbols of the rails among names of nets."""
    yield from (rail(net) for net in sorted({name.net for name in names if is_rail(name.net)}))
