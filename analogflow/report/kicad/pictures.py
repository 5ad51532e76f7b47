"""How the stages of a circuit are drawn on KiCad's grid: symbols, wires and names of nets, as data."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections import Counter
from collections.abc import Mapping

from analogflow.circuit import Circuit, Element, Instance
from analogflow.report.kicad.seats import Part, Seat, Seats
from analogflow.report.kicad.symbols import Symbol
from analogflow.report.schematic.stages import GROUND, Amplifier, Array, Single, other
from analogflow.report.schematic.symbols import terminals

__all__ = ["Desk", "GridPicture", "NetLabel", "PlacedUnit", "draw", "loose"]

Point = tuple[int, int]
"""Steps of 1.27 mm, y downwards."""

_BUS, _APART = -10, 6


@dataclasses.dataclass(frozen=True)
class PlacedUnit:
    """A section of a part at a place, turned by degrees, or with its upper side down."""

    part: Part
    unit: int
    at: Point
    turn: int = 0
    flipped: bool = False

    @property
    def symbol(self) -> Symbol:
        """What it is drawn as."""
        return self.part.symbol

    def pin(self, number: str) -> Point:
        """Where a wire joins a pin."""
        x, y = self.symbol.pin(self.unit, number).at
        u, v = {0: (x, -y), 90: (-y, -x), 180: (-x, y), 270: (y, x)}[self.turn]
        return round(self.at[0] + u), round(self.at[1] + (-v if self.flipped else v))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of its pins and texts."""
        points = [self.pin(pin.number) for pin in self.symbol.units[self.unit - 1].pins]
        (x, y), long = self.at, max(len(self.part.value), len(self.part.reference))
        aside = self.symbol.prefix in "QU" or (len(points) == 2 and self.turn in (0, 180))
        left, right = (4, 4 + long) if aside else (max(4, long // 2 + 1),) * 2
        return (
            min(*(p[0] for p in points), x - left), min(*(p[1] for p in points), y - 4),
            max(*(p[0] for p in points), x + right), max(*(p[1] for p in points), y + 4),
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class NetLabel:
    """Name of a net at the end of a wire, on one of its sides: left, right, top or bottom."""

    net: str
    at: Point
    side: str

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom."""
        (x, y), long = self.at, len(self.net) + 3
        if self.net == GROUND:
            return x - 2, y, x + 2, y + 3
        return {
            "left": (x - long, y - 1, x, y + 1), "right": (x, y - 1, x + long, y + 1),
            "top": (x - 1, y - long, x + 1, y), "bottom": (x - 1, y, x + 1, y + long),
        }[self.side]  # fmt: skip


@dataclasses.dataclass
class GridPicture:
    """What is drawn of one stage; its functions add to it."""

    placed: list[PlacedUnit] = dataclasses.field(default_factory=list)
    wires: list[tuple[Point, Point]] = dataclasses.field(default_factory=list)
    names: list[NetLabel] = dataclasses.field(default_factory=list)

    def wire(self, *points: Point) -> None:
        """Draw lines from point to point."""
        self.wires += [(a, b) for a, b in itertools.pairwise(points) if a != b]

    def name(self, net: str, at: Point, side: str) -> None:
        """End a wire with the name of its net."""
        self.names.append(NetLabel(net, at, side))

    def moved(self, right: int, down: int) -> GridPicture:
        """The same picture elsewhere."""

        def there(point: Point) -> Point:
            return point[0] + right, point[1] + down

        return GridPicture(
            [dataclasses.replace(p, at=there(p.at)) for p in self.placed],
            [(there(a), there(b)) for a, b in self.wires],
            [dataclasses.replace(n, at=there(n.at)) for n in self.names],
        )

    def bounds(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of everything with its texts."""
        boxes = [p.box for p in self.placed] + [n.box for n in self.names]
        boxes += [(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])) for a, b in self.wires]
        return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)

    def dots(self) -> list[Point]:
        """Where more than two ends meet."""
        ends = Counter(p for wire in self.wires for p in wire)
        ends.update(s.pin(pin.number) for s in self.placed for pin in s.symbol.units[s.unit - 1].pins)
        ends.update(n.at for n in self.names if n.net == GROUND)
        return sorted(p for p, count in ends.items() if count > 2)


@dataclasses.dataclass(frozen=True)
class Desk:
    """What the pictures of a circuit have in common: where its elements sit, and the stages at every net."""

    circuit: Circuit
    seats: Seats
    stages_at: Mapping[str, int]

    @functools.cached_property
    def ports(self) -> dict[str, tuple[str, ...]]:
        """Ports of each macro-model."""
        return {macro.name: macro.ports for macro in self.circuit.macros}

    def terminals(self, element: Element) -> tuple[tuple[str, str], ...]:
        """Terminals of an element with their nets."""
        return terminals(element, self.ports.get(element.macro, ()) if isinstance(element, Instance) else ())

    def leaves(self, net: str) -> bool:
        """Whether a net goes on in another stage, where its name is all that joins the two."""
        return net != GROUND and self.stages_at[net] > 1

    def place(
        self, picture: GridPicture, element: Element, at: Point, turn: int = 0, flipped: bool = False
    ) -> tuple[PlacedUnit, Seat]:
        """Place the first section that an element sits in."""
        seat = self.seats.of[element][0]
        placed = PlacedUnit(seat.part, seat.unit, at, turn, flipped)
        picture.placed.append(placed)
        return placed, seat

    def span(self, element: Element) -> int:
        """Steps that a symbol with two terminals takes with a step of wire at either side."""
        value = self.seats.of[element][0].part.value
        return 14 if element.letter == "S" else max(8, 2 * (len(value) // 2 + 1))

    def between(self, picture: GridPicture, element: Element, net: str, start: Point, end: Point) -> None:
        """Draw an element with two terminals from `start`, where its terminal at `net` is, to `end`."""
        (first, near), (second, _) = self.terminals(element)[:2]
        if near != net:
            first, second = second, first
        middle = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2)
        level = start[1] == end[1]
        if element.letter == "S":
            ahead = self.seats.of[element][0].pins["1"] == self.seats.of[element][0].pins[first]
            placed, seat = self.place(
                picture, element, middle, 0 if ahead == (start[0] < end[0]) else 180, ahead == (start[0] < end[0])
            )
            control = placed.pin(seat.pins["control"])
            picture.name(dict(self.terminals(element))["control"], control, "top" if control[1] < middle[1] else "bottom")
        else:
            upper = self.seats.of[element][0].pins[first] == "1"  # whether the pin drawn above is that at the start
            turn = (90 if upper == (start[0] < end[0]) else 270) if level else (0 if upper == (start[1] < end[1]) else 180)
            placed, seat = self.place(picture, element, middle, turn)
        picture.wire(start, placed.pin(seat.pins[first]))
        picture.wire(placed.pin(seat.pins[second]), end)


@functools.singledispatch
def draw(stage: object, desk: Desk) -> GridPicture:
    """Drawing of a stage, somewhere on the sheet."""
    raise TypeError(type(stage).__name__)


@draw.register
def _(stage: Amplifier, desk: Desk) -> GridPicture:
    picture = GridPicture()
    _, inverting, output = stage.nets
    part, seat = desk.place(picture, stage.part, (0, 0), flipped=True)
    plus, minus, out = (part.pin(seat.pins[terminal]) for terminal in ("p", "n", "o"))
    longest = max((sum(map(desk.span, chain)) for chain in stage.feedback), default=0)
    join = (max(16 if stage.drive else 10, _BUS + longest), 0)
    if stage.drive:
        desk.between(picture, stage.drive, stage.part.nodes[2], out, (out[0] + 8, 0))
        picture.wire((out[0] + 8, 0), join, (join[0] + 2, 0))
    else:
        picture.wire(out, join, (join[0] + 2, 0))
    picture.name(output, (join[0] + 2, 0), "right")
    legs = [(e, net, minus[1] - k * _APART) for k, (e, net) in enumerate(stage.inverting, desk.leaves(inverting))]
    loops = _loops(stage, desk, picture, out, join, {level for *_, level in legs})
    for element, net, level in legs:
        _leg(picture, desk, element, net, level)
    _spine(picture, _BUS, [minus[1], *loops, *(level for *_, level in legs)])
    picture.wire(minus, (_BUS, minus[1]))
    bare = not (loops or legs)
    if inverting != output and (desk.leaves(inverting) or inverting == GROUND or bare):
        picture.wire((_BUS, minus[1]), (_BUS - 2, minus[1]))
        picture.name(inverting, (_BUS - 2, minus[1]), "left")
    _straight(stage, desk, picture, plus)
    return picture


def _leg(picture: GridPicture, desk: Desk, element: Element, net: str, level: int) -> None:
    desk.between(picture, element, net, (_BUS - 8, level), (_BUS, level))
    picture.name(net, (_BUS - 8, level), "left")


def _spine(picture: GridPicture, x: int, levels: list[int]) -> None:
    """Upright wire with an end at every level, so that none crosses another's middle."""
    picture.wire(*((x, level) for level in sorted(set(levels))))


def _loops(stage: Amplifier, desk: Desk, picture: GridPicture, out: Point, join: Point, taken: set[int]) -> list[int]:
    """Draw what leads back from the output to the inverting input, one level above the other; return the levels."""
    _, inverting, output = stage.nets
    levels, top = [], -5
    # What ends before the drive lies below all others, which end behind it.
    for element in stage.inner:
        level = next(level for level in itertools.count(top - 5, -1) if level not in taken)
        desk.between(picture, element, inverting, (_BUS, level), (out[0], level))
        levels.append(level)
        top = level
    if stage.inner:
        _spine(picture, out[0], [out[1], *levels])
    inner = len(levels)
    for chain in stage.feedback:
        first = chain[0]
        if first.letter == "Q":
            level = top - 10
            while level in taken:
                level -= 1
            seat = desk.seats.of[first][0]
            middle = (_BUS + join[0]) // 2
            placed, _ = desk.place(picture, first, (middle, level + 2), 90)
            picture.wire((_BUS, level), placed.pin(seat.pins["collector"]))
            picture.wire(placed.pin(seat.pins["emitter"]), (join[0], level))
            picture.name(GROUND, placed.pin(seat.pins["base"]), "bottom")
            top = level - 2
        else:
            level = top - 5
            while level in taken:
                level -= 1
            nets = list(itertools.accumulate(chain, lambda net, element: other(element, net), initial=inverting))
            spare = join[0] - _BUS - sum(map(desk.span, chain))
            marks = list(itertools.accumulate(map(desk.span, chain), initial=_BUS + spare // 4 * 2))
            picture.wire((_BUS, level), (marks[0], level))
            picture.wire((marks[-1], level), (join[0], level))
            for element, net, (a, b) in zip(chain, nets[:-1], itertools.pairwise(marks), strict=True):
                desk.between(picture, element, net, (a, level), (b, level))
            tapped = False
            for net, x in zip(nets[1:-1], marks[1:-1], strict=True):
                if desk.leaves(net):
                    tapped = True
                    picture.wire((x, level), (x, level - 3))
                    picture.name(net, (x, level - 3), "top")
            long = max([len(net) for net in nets[1:-1]], default=0) + 6 if tapped else 0
            long = max([long, *(8 + len(dict(desk.terminals(e))["control"]) for e in chain if e.letter == "S")])
            top = level - max(3, long)
        levels.append(level)
    if inverting == output:
        levels.append(-8)
        picture.wire((_BUS, -8), (join[0], -8))
    if levels[inner:]:
        _spine(picture, join[0], [join[1], *levels[inner:]])
    return levels


def _straight(stage: Amplifier, desk: Desk, picture: GridPicture, plus: Point) -> None:
    net = stage.nets[0]
    picture.wire(plus, (_BUS, plus[1]))
    levels = [plus[1] + 3 + k * _APART for k in range(len(stage.straight))]
    for (element, end), level in zip(stage.straight, levels, strict=True):
        _leg(picture, desk, element, end, level)
    if levels and not desk.leaves(net):
        _spine(picture, _BUS, [plus[1], *levels])
        return
    foot = plus[1] + (3 + _APART * len(levels) if levels else 0)
    _spine(picture, _BUS, [plus[1], *levels, foot])
    if net == GROUND:
        picture.wire((_BUS, foot), (_BUS, foot + 2))
        picture.name(net, (_BUS, foot + 2), "bottom")
    else:
        picture.wire((_BUS, foot), (_BUS - 2, foot))
        picture.name(net, (_BUS - 2, foot), "left")


@draw.register
def _(stage: Array, desk: Desk) -> GridPicture:
    picture = GridPicture()
    bases = max(len(t.nodes[1]) for t in stage.transistors)
    values = max(len(desk.seats.of[t][0].part.value) for t in stage.transistors)
    pitch = 13 + bases + values
    emitter, level, emitters = stage.transistors[0].nodes[2], 6, []
    for k, transistor in enumerate(stage.transistors):
        placed, seat = desk.place(picture, transistor, (k * pitch, 0))
        base = placed.pin(seat.pins["base"])
        picture.wire(base, (base[0] - 1, base[1]))
        picture.name(transistor.nodes[1], (base[0] - 1, base[1]), "left")
        top, net = placed.pin(seat.pins["collector"]), transistor.nodes[0]
        if transistor.name in stage.meters:
            meter = stage.meters[transistor.name]
            net = meter.nodes[0]
            desk.between(picture, meter, transistor.nodes[0], top, (top[0], top[1] - 8))
            top = (top[0], top[1] - 8)
        else:
            picture.wire(top, (top[0], top[1] - 2))
            top = (top[0], top[1] - 2)
        picture.name(net, top, "top")
        foot = placed.pin(seat.pins["emitter"])
        picture.wire(foot, (foot[0], level))
        emitters.append(foot[0])
    foot = (emitters[len(emitters) // 2], level)
    picture.wire(*((x, level) for x in emitters))
    shown = desk.leaves(emitter)
    if stage.tail:
        if shown:
            picture.wire((emitters[-1], level), (emitters[-1] + 4, level))
            picture.name(emitter, (emitters[-1] + 4, level), "right")
        placed, seat = desk.place(picture, stage.tail, (foot[0] - 2, level + 6))
        picture.wire(foot, placed.pin(seat.pins["collector"]))
        base = placed.pin(seat.pins["base"])
        picture.wire(base, (base[0] - 1, base[1]))
        picture.name(stage.tail.nodes[1], (base[0] - 1, base[1]), "left")
        foot, emitter = placed.pin(seat.pins["emitter"]), stage.tail.nodes[2]
    if stage.below:
        if desk.leaves(emitter):  # other sections of a transistor in parallel are there, too
            side = foot if stage.tail else (emitters[-1], level)
            picture.wire(side, (side[0] + 4, side[1]))
            picture.name(emitter, (side[0] + 4, side[1]), "right")
        net, end = other(stage.below, emitter), (foot[0], foot[1] + 8)
        desk.between(picture, stage.below, emitter, foot, end)
        picture.name(net, end, "bottom")
    else:
        picture.wire(foot, (foot[0], foot[1] + 2))
        picture.name(emitter, (foot[0], foot[1] + 2), "bottom")
    return picture


@draw.register
def _(stage: Single, desk: Desk) -> GridPicture:
    element, nets = stage.part, desk.terminals(stage.part)
    if len(nets) == 2 and element.letter in "VR" and GROUND in (nets[0][1], nets[1][1]):
        picture = GridPicture()
        net = nets[1][1] if nets[0][1] == GROUND else nets[0][1]
        desk.between(picture, element, net, (0, 0), (0, 8))
        picture.wire((0, 0), (0, -2))
        picture.name(net, (0, -2), "top")
        picture.name(GROUND, (0, 8), "bottom")
        return picture
    seat = desk.seats.of[element][0]
    joined = {seat.pins[terminal]: net for terminal, net in nets}
    if package := seat.part.package:  # pins that a use of the package ties down
        joined |= dict.fromkeys(package.output, nets[-1][1]) | dict.fromkeys(package.ground, GROUND)
    return loose(seat, joined)


def loose(seat: Seat, nets: Mapping[str, str]) -> GridPicture:
    """A section by itself, with the name of a net at each of the given pins."""
    picture = GridPicture()
    pins = seat.part.symbol.units[seat.unit - 1].pins
    upright = len(pins) == 2 and pins[0].kind == "passive" and not seat.part.symbol.name.startswith("CONN")
    placed = PlacedUnit(seat.part, seat.unit, (0, 0), 90 if upright else 0)
    picture.placed.append(placed)
    for number, net in nets.items():
        (x, y) = placed.pin(number)
        side = "left" if x < -2 else "right" if x > 2 else "top" if y < 0 else "bottom"
        u, v = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}[side]
        # Grounds below each other stay apart.
        long = 2 if net != GROUND else 1 if side in ("top", "bottom") else 2
        end = (x + long * u, y + long * v)
        picture.wire((x, y), end)
        picture.name(net, end, side)
    return picture
