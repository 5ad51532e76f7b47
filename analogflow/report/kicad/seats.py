"""Which symbol, section and designator every element of a circuit has on a board, and what a board has beside them."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from analogflow.circuit import (
    Behavioural,
    BipolarTransistor,
    Capacitor,
    Circuit,
    Diode,
    Element,
    Instance,
    Resistor,
    StepVoltage,
    Switch,
    VoltageSource,
)
from analogflow.circuit.build import PartSet
from analogflow.circuit.circuit import Group
from analogflow.circuit.packages import Package, series_of
from analogflow.circuit.packing import Place, packing_of
from analogflow.digits import engineering
from analogflow.errors import BadInput
from analogflow.names import number
from analogflow.netlister.spice import card, node_text
from analogflow.report.kicad.symbols import Symbol, fixed, packaged

__all__ = ["Part", "Seat", "Seats", "allowed", "footprint_of", "seats_of"]

_POLES = {"plus": "1", "minus": "2"}
_ENDS = {"1": "1", "2": "2"}


@dataclasses.dataclass
class Part:
    """One thing with a designator.

    Parameters
    ----------
    reference : str
    symbol : Symbol
    value : str
        Beside the symbol: ohms, farads, or the number of a package.
    sheet : str
        Block on whose sheet its first section, its supplies and its spare sections stand.
    package : Package, optional
    footprint : str
    bought : bool
        Whether it is on the board and in the list of parts; what only simulates is not.
    simulation : mapping
        Fields that KiCad's simulator reads; empty for what it leaves out.
    values : tuple
        What decides the order number where a series has it: its kind, and ohms, farads or pins.
    used : dict of section to Element, or None for what stands for no element
    """

    reference: str
    symbol: Symbol
    value: str
    sheet: str
    package: Package | None = None
    footprint: str = ""
    bought: bool = True
    simulation: Mapping[str, str] = dataclasses.field(default_factory=dict)
    values: tuple[str, float] = ("", 0.0)
    used: dict[int, Element | None] = dataclasses.field(default_factory=dict)

    @property
    def spare(self) -> list[int]:
        """Sections, counted from 1, in which no element sits."""
        return [k for k in range(1, len(self.package.units) + 1) if k not in self.used] if self.package else []


@dataclasses.dataclass(frozen=True)
class Seat:
    """A section of a part, and the number of the pin at which each terminal of the element in it is."""

    part: Part
    unit: int
    pins: Mapping[str, str]


@dataclasses.dataclass
class Seats:
    """Where the elements of a circuit sit.

    Parameters
    ----------
    of : mapping of element to tuple of Seat
        Several where transistors in parallel make its area.
    parts : list of Part
        In the order of their sheets.
    models : str
        Library of models, SPICE text.
    """

    of: dict[Element, tuple[Seat, ...]]
    parts: list[Part]
    models: str

    def on(self, sheet: str) -> list[Part]:
        """Parts of a sheet."""
        return [part for part in self.parts if part.sheet == sheet]


class _Filling:
    """Seats what is packed, and counts designators."""

    def __init__(self, circuit: Circuit, parts: PartSet) -> None:
        self.circuit, self.set, self.packing = circuit, parts, packing_of(circuit)
        self.opened: dict[int, Part] = {}
        self.counts: Counter[str] = Counter()
        self.of: dict[Element, tuple[Seat, ...]] = {}
        self.parts: list[Part] = []
        self.lines: dict[str, str] = {}
        self.areas: Counter[str] = Counter()
        self.fixed = fixed()

    def add(self, symbol: Symbol, value: str, sheet: str, **fields: object) -> Part:
        self.counts[symbol.prefix] += 1
        part = Part(f"{symbol.prefix}{self.counts[symbol.prefix]}", symbol, value, sheet, **fields)  # type: ignore[arg-type]
        self.parts.append(part)
        return part

    def alone(self, element: Element, name: str, value: str, sheet: str, pins: Mapping[str, str], **fields: object) -> None:
        part = self.add(self.fixed[name], value, sheet, **fields)
        part.used[1] = element
        self.of[element] = (Seat(part, 1, pins),)

    def section(self, element: Element, place: Place, model: str, sheet: str, inner: str) -> Seat:
        """Seat at a place; `inner` is a card of one section."""
        part = self.opened.get(place.package)
        package = self.packing.packages[place.package]
        if part is None:
            wrapped = self.wrapped(package, f"{model}_x{len(package.units)}", inner)
            part = self.opened[place.package] = self.add(packaged(package), package.number, sheet, package=package,
                                                         footprint=package.footprint, simulation=wrapped)  # fmt: skip
        part.used[place.unit] = element
        return Seat(part, place.unit, package.units[place.unit - 1])

    def sections(self, element: Element, model: str, sheet: str, inner: str) -> None:
        """Seats at all places of an element."""
        self.of[element] = tuple(self.section(element, place, model, sheet, inner) for place in self.packing.of[element])

    def wrapped(self, package: Package, key: str, inner: str) -> dict[str, str]:
        """Fields of a package whose model is that of a section, as often as it has sections."""
        terminals = list(package.units[0])
        ports = [f"{_port(t)}{k}" for k in range(1, len(package.units) + 1) for t in terminals]
        body = "".join(inner.format(k=k) + "\n" for k in range(1, len(package.units) + 1))
        self.lines[key] = f".subckt {key} {' '.join(ports)}\n{body}.ends\n"
        pins = [f"{unit[t]}={_port(t)}{k}" for k, unit in enumerate(package.units, 1) for t in terminals]
        return _subcircuit(key, pins)

    def place(self, element: Element, sheet: str) -> None:
        """Seat of one element."""
        match element:
            case Resistor():
                fields = {"Sim.Device": "R", "Sim.Pins": "1=+ 2=-", "Sim.Params": f"r={number(element.resistance)}"}
                self.alone(element, "R", engineering(element.resistance).replace("µ", "u"), sheet, _ENDS, simulation=fields,
                           footprint=footprint_of(("resistor", element.resistance), self.set),
                           values=("resistor", element.resistance))  # fmt: skip
            case Capacitor():
                self.capacitor(element, sheet)
            case BipolarTransistor():
                self.transistor(element, sheet)
            case Instance():
                if element not in self.packing.of:
                    raise BadInput(
                        f"a board can not hold {element.macro!r}: no package is known for it"
                        + ("; take the parts 'precision' or 'fast'." if "_" in element.macro else ".")
                    )
                ports = next(macro.ports for macro in self.circuit.macros if macro.name == element.macro)
                inner = f"X{{k}} {' '.join(f'{_port(p)}{{k}}' for p in ports)} {node_text(element.macro)}"
                self.sections(element, element.macro, sheet, inner)
            case Switch():
                state = " on" if element.closed else ""
                inner = f"S{{k}} t1{{k}} t2{{k}} control{{k}} 0 {node_text(element.model)}{state}"
                inner += "".join(f"\n{line}" for line in _strays(element))
                model = f"switch_{element.model}{'_on' if element.closed else ''}"
                self.sections(element, model, sheet, inner)
            case Diode():
                package = self.packing.packages[self.packing.of[element][0].package]
                self.lines["diode_x1"] = f".subckt diode_x1 a k\nD1 a k {node_text(element.model)}\n.ends\n"
                self.alone(element, "D", package.number, sheet, package.units[0], package=package,
                           footprint=package.footprint, simulation=_subcircuit("diode_x1", ["2=a", "1=k"]))  # fmt: skip
            case VoltageSource():
                self.source(element, sheet)
            case StepVoltage():
                text = card(dataclasses.replace(element, name="step", nodes=("a", "b")))
                self.lines["step"] = f".subckt step a b\n{text}\n.ends\n"
                value = f"{element.before:g} V, {element.after:g} V after {engineering(element.time).replace('µ', 'u')}s"
                self.alone(element, "SOURCE", value, sheet, _POLES, bought=False,
                           simulation=_subcircuit("step", ["1=a", "2=b"]))  # fmt: skip
            case Behavioural() if not element.remote:
                self.limiter(element, sheet)
            case _:
                raise BadInput(
                    f"a board can not hold {element.letter}{element.name}, a {_kind(element)}: no part that is sold does "
                    "what it stands for. Boards are written of flows without inputs and without noise."
                )

    def capacitor(self, element: Capacitor, sheet: str) -> None:
        value, farads = f"{engineering(element.capacitance).replace('µ', 'u')}F", element.capacitance
        fields = {"Sim.Device": "C", "Sim.Pins": "1=+ 2=-", "Sim.Params": f"c={number(farads)}"}
        if element.initial:
            self.lines["charged"] = ".subckt charged a b params: c=1e-9 v0=0\nC1 a b {c} ic={v0}\n.ends\n"
            fields = {
                **_subcircuit("charged", ["1=a", "2=b"]),
                "Sim.Params": f"c={number(farads)} v0={number(element.initial)}",
            }
        self.alone(element, "C", value, sheet, _ENDS, simulation=fields, values=("capacitor", farads),
                   footprint=footprint_of(("capacitor", farads), self.set))  # fmt: skip

    def transistor(self, element: BipolarTransistor, sheet: str) -> None:
        if element not in self.packing.of:
            self.areas[f"{element.area:.4g}"] += 1
            return
        model = node_text(element.model)
        inner = f"Q{{k}} collector{{k}} base{{k}} emitter{{k}} {model}"
        self.sections(element, f"{element.model}_pair", sheet, inner)

    def source(self, element: VoltageSource, sheet: str) -> None:
        volts = f"{round(element.voltage, 9) + 0.0:.4g} V"
        fields = {"Sim.Device": "V", "Sim.Type": "DC", "Sim.Pins": "1=+ 2=-", "Sim.Params": f"dc={number(element.voltage)}"}
        if element.nodes[1] == "0":
            self.alone(element, "SOURCE", volts, sheet, _POLES, bought=False, simulation=fields)
            return
        says = "meter" if element.name in self.circuit.ammeters else volts if element.voltage else "jumper"
        self.alone(element, "METER", says, sheet, _POLES, simulation=fields, values=("header", 2.0),
                   footprint=footprint_of(("header", 2.0), self.set))  # fmt: skip

    def limiter(self, element: Behavioural, sheet: str) -> None:
        inside = dict(zip(element.nodes, ("a", "b"), strict=True))
        law = re.sub(r"v\((\w+)\)", lambda found: f"v({inside[found[1]]})", element.expression)
        text = card(dataclasses.replace(element, name="limit", nodes=("a", "b"), expression=law))
        known = {body: key for key, body in self.lines.items()}
        key = next((known[b] for b in known if b.endswith(f"\n{text}\n.ends\n")), f"limiter_{len(self.lines)}")
        self.lines[key] = f".subckt {key} a b\n{text}\n.ends\n"
        bound = re.search(r"\),(-?[\d.e-]+)\)$|,(-?[\d.e-]+)\)\)$", law)
        value = f"{float(bound[1] or bound[2]):.3g} V" if bound else "limiter"
        self.alone(element, "LIMITER", value, sheet, _ENDS, simulation=_subcircuit(key, ["1=a", "2=b"]),
                   footprint="Diode_SMD:D_SMA")  # fmt: skip


def allowed(kind: str, parts: PartSet) -> float:
    """Relative tolerance that a part of a kind may have."""
    return {"resistor": parts.tolerances.resistor, "capacitor": parts.tolerances.capacitor}.get(kind, 1.0)


def footprint_of(values: tuple[str, float], parts: PartSet) -> str:
    """Footprint of what is ordered of a kind and value.

    Raises
    ------
    BadInput
        Nobody sells such a part.
    """
    kind, value = values
    series = series_of(kind, allowed(kind, parts), value)
    if series:
        return series.footprint
    if kind == "capacitor" and _FILM[0] <= value <= _FILM[1]:
        return "Capacitor_SMD:C_2220_5750Metric"
    unit = "Ω" if kind == "resistor" else "F"
    raise BadInput(
        f"a board can not hold a {kind} of {engineering(value)}{unit}: no series that is sold has it. Give the flow other "
        "units of time or of its signals."
    )


_FILM = 0.47e-6, 10e-6
"""Farads that film capacitors have, where no series of another kind is known."""


def _strays(switch: Switch) -> list[str]:
    """Cards of what a simulator sees of a section of a switch beside it, but for leaks, which are drawn."""
    at = {switch.nodes[0]: "t1{k}", switch.control: "control{k}"}
    found = []
    for part in switch.strays:
        ends = " ".join(at.get(node, "gate{k}") for node in part.nodes)
        if isinstance(part, Resistor):
            found.append(f"R{{k}} {ends} {number(part.resistance)}")
        elif isinstance(part, Capacitor):
            found.append(f"C{{k}} {ends} {number(part.capacitance)} ic=0")
    return found


def _port(terminal: str) -> str:
    return f"t{terminal}" if terminal.isdecimal() else terminal


def _kind(element: Element) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(element).__name__).lower()


def _subcircuit(name: str, pins: list[str]) -> dict[str, str]:
    return {"Sim.Device": "SUBCKT", "Sim.Library": "models.lib", "Sim.Name": name, "Sim.Pins": " ".join(pins)}


def seats_of(circuit: Circuit, groups: Mapping[str, Group], models: Iterable[str], before: Sequence[Part] = ()) -> Seats:
    """Seat every element, sheet by sheet; `models` are the lines of device models and macro-models.

    Designators count on from those of the parts `before`.

    Raises
    ------
    BadInput
        An element stands for something that no board can hold, or no array offers the areas of the transistors.
    """
    assert circuit.parts is not None
    filling = _Filling(circuit, circuit.parts)
    filling.counts.update(part.symbol.prefix for part in before)
    for sheet, group in groups.items():
        for element in group.elements:
            filling.place(element, sheet)
    if filling.areas:
        total = sum(filling.areas.values())
        raise BadInput(
            f"no array offers the areas of {total} transistors ({', '.join(filling.areas)}): a board holds units in "
            "parallel. Take values that are sold (choose_values), or the technology 'opamp' where no number is near."
        )
    text = "\n".join(models) + "\n" + "".join(filling.lines.values())
    return Seats(filling.of, filling.parts, text)
