"""Symbols of KiCad schematics as data, on its grid of 1.27 mm, with pins where KiCad's own libraries have them.

They are drawn here, and written into a library beside the schematic, so that a project is the same bytes on every machine,
with any installed KiCad or none; a pin that stands where KiCad's own symbol has it lets somebody change to that symbol.
"""

from __future__ import annotations

import dataclasses

from analogflow.circuit.packages import Package

__all__ = ["FLAG", "GROUND", "Pin", "Symbol", "Unit", "connector", "fixed", "packaged", "rail"]

Point = tuple[float, float]
"""Steps of the grid, y upwards."""

FLAG, GROUND = "PWR_FLAG", "GND"


@dataclasses.dataclass(frozen=True)
class Pin:
    """A pin: number and name, kind to KiCad's rule check, where a wire joins, and which way its line leads, degrees."""

    number: str
    name: str
    kind: str
    at: Point
    turn: int
    length: float = 1.0


@dataclasses.dataclass(frozen=True)
class Unit:
    """A section of a symbol: pins, open and filled lines, circles of centre and radius, and texts in the body."""

    pins: tuple[Pin, ...]
    lines: tuple[tuple[Point, ...], ...] = ()
    fills: tuple[tuple[Point, ...], ...] = ()
    circles: tuple[tuple[Point, float], ...] = ()
    texts: tuple[tuple[str, Point], ...] = ()


@dataclasses.dataclass(frozen=True)
class Symbol:
    """A symbol of a library.

    Parameters
    ----------
    name, prefix : str
        Its name, and the letters that its designators begin with.
    units : tuple of Unit
    about : str
    power : bool
        Whether it names the net that it stands at.
    shown : bool
        Whether numbers and names of pins are shown.
    """

    name: str
    prefix: str
    units: tuple[Unit, ...]
    about: str = ""
    power: bool = False
    shown: bool = False

    def pin(self, unit: int, number: str) -> Pin:
        """Pin of a section, counted from 1."""
        return next(pin for pin in self.units[unit - 1].pins if pin.number == number)


def _two(first: str = "~", second: str = "~", length: float = 1.0) -> tuple[Pin, Pin]:
    """Upper and lower pin of a symbol with two terminals."""
    return Pin("1", first, "passive", (0, 3), 270, length), Pin("2", second, "passive", (0, -3), 90, length)


_BOX = ((-0.8, -2), (0.8, -2), (0.8, 2), (-0.8, 2), (-0.8, -2))
_ARROWS = {"npn": ((2, -2), (1.3, -0.9), (0.7, -1.9), (2, -2)), "pnp": ((0.6, -0.6), (1.3, -1.9), (1.9, -1.0), (0.6, -0.6))}


def _transistor(kind: str, numbers: dict[str, str]) -> Unit:
    base = Pin(numbers["base"], "B", "input", (-4, 0), 0, 4.5)
    collector = Pin(numbers["collector"], "C", "passive", (2, 4), 270, 2)
    emitter = Pin(numbers["emitter"], "E", "passive", (2, -4), 90, 2)
    lines = (((0.5, -1.5), (0.5, 1.5)), ((0.5, 0.5), (2, 2)), ((0.5, -0.5), (2, -2)))
    return Unit((collector, base, emitter), lines, (_ARROWS[kind],), (((1, 0), 2.2),))


def _amplifier(numbers: dict[str, str]) -> Unit:
    pins = (
        Pin(numbers["p"], "+", "input", (-6, 2), 0, 2),
        Pin(numbers["n"], "-", "input", (-6, -2), 0, 2),
        Pin(numbers["o"], "~", "output", (6, 0), 180, 2),
    )
    signs = (((-3.4, 2), (-2.4, 2)), ((-2.9, 1.5), (-2.9, 2.5)), ((-3.4, -2), (-2.4, -2)))
    return Unit(pins, (((-4, 4), (4, 0), (-4, -4), (-4, 4)), *signs))


def _switch(numbers: dict[str, str]) -> Unit:
    pins = (
        Pin(numbers["1"], "~", "passive", (-6, 0), 0, 4),
        Pin(numbers["2"], "~", "passive", (6, 0), 180, 4),
        Pin(numbers["control"], "~", "input", (0, -4), 90, 3),
    )
    return Unit(pins, (((-1.7, 0.1), (1.6, 1.5)), ((0, -1), (0, 0.7))), (), (((-2, 0), 0.35), ((2, 0), 0.35)))


def _box(package: Package) -> Unit:
    """Rectangle with inputs on its left, the output on its right, and what stays open below."""
    (terminals,) = package.units
    *inputs, output = terminals
    names = [(terminals[t], t.upper()) for t in inputs]
    left = [*names, *package.output.items(), *package.ground.items()]
    top = max(len(left), len(package.open) + 1)
    pins = [Pin(pin, name, "input", (-8, top - 1 - 2 * k), 0, 2) for k, (pin, name) in enumerate(left)]
    pins.append(Pin(terminals[output], output.upper(), "output", (8, top - 1), 180, 2))
    pins += [Pin(pin, "NC", "no_connect", (8, -top + 1 + 2 * k), 180, 2) for k, pin in enumerate(package.open)]
    frame = ((-6, -top), (6, -top), (6, top), (-6, top), (-6, -top))
    return Unit(tuple(pins), (frame,))


def _supply(package: Package) -> Unit:
    """Supply pins, above and below each other, and pins of several sections that stay open."""
    places = {"V+": ((-2, 6), 270), "V-": ((-2, -6), 90), "VL": ((3, 6), 270), "GND": ((0, -6), 90)}
    pins = [Pin(pin, name, "power_in", *places[name], 3) for name, pin in package.supplies.items()]
    pins += [] if len(package.units) == 1 else [
        Pin(pin, "NC", "no_connect", (6, 2 - 2 * k), 180, 2) for k, pin in enumerate(package.open)
    ]  # fmt: skip
    return Unit(tuple(pins), (((-4, -3), (4, -3), (4, 3), (-4, 3), (-4, -3)),))


def packaged(package: Package) -> Symbol:
    """Symbol of a package: a unit for each section, and one for its supplies and open pins."""
    kinds = package.units[0]
    if "collector" in kinds:
        kind = "pnp" if package.key.startswith("pnp") else "npn"
        units = [_transistor(kind, dict(numbers)) for numbers in package.units]
        return Symbol(package.number, "Q", tuple(units), package.about)
    if "o" in kinds:
        units = [_amplifier(dict(numbers)) for numbers in package.units]
    elif "control" in kinds:
        units = [_switch(dict(numbers)) for numbers in package.units]
    elif "anode" in kinds:
        return fixed()["D"]
    else:
        units = [_box(package)]
    name = f"{package.number}_DIVIDER" if package.key.endswith("_divider") else package.number
    return Symbol(name, "U", (*units, _supply(package)), package.about, shown=True)


def fixed() -> dict[str, Symbol]:
    """Symbols of parts that are no packages, by name."""
    circle = ((0, 0), 2.0)
    source = Unit(
        _two("+", "-"), (((-0.5, 1.1), (0.5, 1.1)), ((0, 0.6), (0, 1.6)), ((-0.5, -1.1), (0.5, -1.1))), (), (circle,)
    )
    plates = (((-1.6, 0.4), (1.6, 0.4)), ((-1.6, -0.4), (1.6, -0.4)))
    zener = (((-1.2, 0), (1.2, 0)), ((-1.2, 0), (-1.6, 0.5)), ((1.2, 0), (1.6, -0.5)))
    wedges = (((0, 0), (-1, 1.8), (1, 1.8), (0, 0)), ((0, 0), (-1, -1.8), (1, -1.8), (0, 0)))
    diode = Unit(
        (Pin("1", "K", "passive", (0, 3), 270, 2), Pin("2", "A", "passive", (0, -3), 90, 2)),
        (((-1, 1), (1, 1)),),
        (((0, 1), (-1, -1), (1, -1), (0, 1)),),
    )
    jumper = Unit(_two(), (((-0.7, 2), (-0.7, -2), (0.7, -2), (0.7, 2), (-0.7, 2)),), (), (((0, 1), 0.4), ((0, -1), 0.4)))
    point = Unit((Pin("1", "1", "passive", (0, 0), 90, 2),), (), (), (((0, 2.6), 0.6),))
    return {
        symbol.name: symbol
        for symbol in (
            Symbol("R", "R", (Unit(_two(), (_BOX,)),), "resistor"),
            Symbol("C", "C", (Unit(_two(length=2.6), plates),), "capacitor"),
            Symbol("D", "D", (diode,), "diode"),
            Symbol("LIMITER", "D", (Unit(_two(length=1.2), zener, wedges),), "limiter"),
            Symbol("SOURCE", "V", (source,), "voltage of the simulation: from outside on the bench"),
            Symbol("METER", "J", (jumper,), "two pins, where a meter, a source or a jumper goes"),
            Symbol("TESTPOINT", "TP", (point,), "test point"),
            _flag(),
            _ground(),
        )
    }


def _flag() -> Symbol:
    line = ((0, 0), (0, 1), (-0.8, 1.5), (0, 2), (0.8, 1.5), (0, 1))
    return Symbol(FLAG, "#FLG", (Unit((Pin("1", "~", "power_out", (0, 0), 90, 0),), (line,)),), power=True)


def _ground() -> Symbol:
    line = ((0, 0), (0, -1), (1, -1), (0, -2), (-1, -1), (0, -1))
    return Symbol(GROUND, "#PWR", (Unit((Pin("1", "~", "power_in", (0, 0), 270, 0),), (line,)),), power=True)


def rail(name: str) -> Symbol:
    """Symbol that joins what it stands at to the rail of its name."""
    lines = (((0, 0), (0, 2)), ((-0.6, 1), (0, 2), (0.6, 1)))
    return Symbol(name, "#PWR", (Unit((Pin("1", "~", "power_in", (0, 0), 90, 0),), lines),), power=True)


def connector(count: int) -> Symbol:
    """Single row of pins."""
    pins = tuple(Pin(str(k + 1), f"Pin_{k + 1}", "passive", (-4, -2 * k), 0, 3) for k in range(count))
    frame = ((-1, 1), (1, 1), (1, 1 - 2 * count), (-1, 1 - 2 * count), (-1, 1))
    dots = tuple(((0, -2 * k), 0.4) for k in range(count))
    return Symbol(f"CONN_{count:02d}", "J", (Unit(pins, (frame,), (), dots),), "pin header")
