"""What a board has beside the circuit: supplies with their capacitors, spare sections, connectors, flags and test points."""

from __future__ import annotations

from analogflow.circuit import Circuit, StepVoltage, VoltageSource
from analogflow.circuit.packages import series_of
from analogflow.report.kicad.pictures import GridPicture, PlacedUnit, loose
from analogflow.report.kicad.references import References, joined
from analogflow.report.kicad.seats import Part, Seat, Seats
from analogflow.report.kicad.symbols import FLAG, GROUND, Symbol, connector, fixed

__all__ = ["bench", "beside", "idle", "rails", "supplied"]

_PINS = 40
"""Of the longest header."""

LOGIC = "+5V"
"""Name of the supply of switches' logic, where they have one."""


def rails(circuit: Circuit) -> tuple[str, str]:
    """Names of the supplies."""
    assert circuit.parts is not None
    return f"+{circuit.parts.supply:g}V", f"-{circuit.parts.supply:g}V"


def beside(
    seats: Seats,
    symbol: Symbol,
    value: str,
    sheet: str,
    footprint: str = "",
    bought: bool = True,
    values: tuple[str, float] = ("", 0.0),
) -> Part:
    """A part that stands for no element; its footprint is that of its series where it has one."""
    count = 1 + sum(part.symbol.prefix == symbol.prefix for part in seats.parts)
    series = series_of(values[0], 1.0, values[1])
    footprint = series.footprint if series else footprint
    part = Part(f"{symbol.prefix}{count}", symbol, value, sheet, footprint=footprint, bought=bought, values=values)
    seats.parts.append(part)
    return part


def idle(part: Part, unit: int) -> GridPicture:
    """A section that nothing uses: an amplifier that follows ground, or all pins at ground."""
    assert part.package is not None
    pins = part.package.units[unit - 1]
    seat = Seat(part, unit, pins)
    if "o" in pins:
        net = f"{part.reference.lower()}_spare{unit}"
        return loose(seat, {pins["p"]: "0", pins["n"]: net, pins["o"]: net})
    return loose(seat, dict.fromkeys(pins.values(), "0"))


def supplied(part: Part, seats: Seats, sheet: str, up: str, down: str) -> GridPicture:
    """Supply pins of a package, with a capacitor at each."""
    assert part.package is not None
    nets = {"V+": up, "V-": down, "VL": LOGIC, "GND": "0"}
    unit = len(part.symbol.units)
    picture = loose(Seat(part, unit, {}), {pin: nets[name] for name, pin in part.package.supplies.items()})
    for k, net in enumerate(net for net in (up, down, LOGIC) if net in {nets[name] for name in part.package.supplies}):
        capacitor = beside(seats, fixed()["C"], "100nF", sheet, values=("decoupling", 1e-7))
        placed = PlacedUnit(capacitor, 1, (18 + 11 * k, 0))
        picture.placed.append(placed)
        for pin, end in zip(("1", "2"), ("0", net) if net == down else (net, "0"), strict=True):
            x, y = placed.pin(pin)
            side, v = ("top", -1) if y < 0 else ("bottom", 1)
            picture.wire((x, y), (x, y + v))
            picture.name(end, (x, y + v), side)
    return picture


def bench(circuit: Circuit, seats: Seats, references: References | None, up: str, down: str) -> list[GridPicture]:
    """Connectors for what comes from outside, flags that tell the rule check so, and test points."""
    sources = [
        element for element in circuit.elements
        if isinstance(element, VoltageSource | StepVoltage) and element.nodes[1] == "0"
        and element.name not in circuit.ammeters
    ]  # fmt: skip
    made = {net for stage in references.group.elements for net in stage.nodes} if references else set()
    if references:
        made.add(references.net)
    nets = list(dict.fromkeys(element.nodes[0] for element in sources))
    used = joined(circuit)
    outside = [e.nodes[0] for e in sources if e.nodes[0] not in made and (isinstance(e, StepVoltage) or e.nodes[0] in used)]
    logic = any("VL" in part.package.supplies for part in seats.parts if part.package)
    named: list[str] = [up, down, *([LOGIC] if logic else [])]
    supplies = list(dict.fromkeys(named))
    rows = [("supply", [up, "0", *(net for net in supplies if net != up)])]
    rows += [("signals", [*outside[k : k + _PINS - 1], "0"]) for k in range(0, len(outside), _PINS - 1)]
    pictures = []
    for about, row in rows:
        part = beside(seats, connector(len(row)), about, "bench", values=("header", float(len(row))))
        pictures.append(loose(Seat(part, 1, {}), {str(k): net for k, net in enumerate(row, 1)}))
    for net in supplies:
        part = beside(seats, fixed()["C"], "10uF", "bench", values=("bulk", 1e-5))
        picture = GridPicture([PlacedUnit(part, 1, (0, 0))])
        ends = (("0", "top"), (net, "bottom")) if net == down else ((net, "top"), ("0", "bottom"))
        for (end, side), v in zip(ends, (-1, 1), strict=True):
            picture.wire((0, 3 * v), (0, 4 * v))
            picture.name(end, (0, 4 * v), side)
        pictures.append(picture)
    for net in ("0", *supplies):
        part = beside(seats, fixed()[FLAG], FLAG, "bench", bought=False)
        picture = GridPicture([PlacedUnit(part, 1, (0, 0))])
        picture.wire((0, 0), (0, 2))
        picture.name(net, (0, 2), "bottom")
        pictures.append(picture)
    read = sorted({v for reading in circuit.readings.values() for v in reading.vectors if not v.startswith("i(")})
    points: list[str] = [*read, *nets, *([references.net] if references else []), "0"]
    for net in dict.fromkeys(points):
        kind = "test point at ground" if net == "0" else "test point"
        part = beside(seats, fixed()["TESTPOINT"], GROUND if net == "0" else net, "bench", values=(kind, 1.0))
        picture = GridPicture([PlacedUnit(part, 1, (0, 0))])
        picture.wire((0, 0), (0, 2))
        picture.name(net, (0, 2), "bottom")
        pictures.append(picture)
    return pictures
