"""A picture is what stands on a sheet: symbols, wires, names of nets and grounds, as data that a drawing is made from."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections import Counter

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from analogflow.circuit import Element
from analogflow.report.schematic.stages import GROUND
from analogflow.report.schematic.symbols import DOWN, LENGTH, RIGHT, UP, Point, Shape, Turn

__all__ = ["INCH", "SMALL", "Picture", "Placed", "centred", "text_width"]

INCH = 0.36
"""Inches of a drawing unit."""

SMALL = 7.0
"""Points of a small label."""

TALL = 0.3
"""Drawing units that a line of small text takes."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


@functools.cache
def text_width(text: str, size: float = SMALL) -> float:
    """Drawing units that a text takes."""
    extent = (
        TextPath((0, 0), text, size=size, prop=FontProperties(family="DejaVu Sans")).get_extents() if text.strip() else None
    )
    return float(extent.width) / (72 * INCH) if extent else 0.0


@dataclasses.dataclass(frozen=True)
class Placed:
    """A symbol at a place: the element it stands for, its value, and where its origin is."""

    element: Element
    shape: Shape
    value: str
    at: Point
    turn: Turn = RIGHT

    def place(self, point: Point) -> Point:
        """Where a point of the symbol lies."""
        (x, y), (a, b, c, d), (u, v) = point, self.turn, self.at
        return u + a * x + b * y, v + c * x + d * y

    def pin(self, terminal: str) -> Point:
        """Where a wire joins a terminal."""
        return self.place(self.shape.leads[terminal][0])

    @property
    def body(self) -> Box:
        """Room of the symbol without its leads."""
        points = [self.place(p) for line in (*self.shape.strokes, *self.shape.fills) for p in line]
        return _around(points)

    @property
    def text(self) -> tuple[Point, str, Box]:
        """Where the value stands, how it is aligned, and the room it takes."""
        left, low, right, high = self.body
        width = text_width(self.value)
        if "base" in self.shape.leads:
            (x, y), level = (right + 0.1, high), (low + high) / 2
            if self.turn == RIGHT:
                return (x, level), "left", (x, level - TALL / 2, x + width, level + TALL / 2)
        elif self.turn in (UP, DOWN):
            x, y = right + 0.1, (low + high) / 2
            return (x, y), "left", (x, y - TALL / 2, x + width, y + TALL / 2)
        x, y = (left + right) / 2, high + 0.08 + TALL / 2
        return (x, y), "center", (x - width / 2, y - TALL / 2, x + width / 2, y + TALL / 2)


@dataclasses.dataclass(frozen=True)
class Name:
    """Name of a net at the end of a wire, on one of its sides: left, right, top or bottom."""

    net: str
    at: Point
    side: str

    @property
    def text(self) -> tuple[Point, str, Box]:
        """Where the name stands, how it is aligned, and the room it takes."""
        (x, y), width = self.at, text_width(self.net)
        if self.side == "left":
            return (x - 0.12, y), "right", (x - 0.12 - width, y - TALL / 2, x, y + TALL / 2)
        if self.side == "right":
            return (x + 0.12, y), "left", (x, y - TALL / 2, x + 0.12 + width, y + TALL / 2)
        y += 0.26 if self.side == "top" else -0.26
        return (x, y), "center", (x - width / 2, y - TALL / 2, x + width / 2, y + TALL / 2)


@dataclasses.dataclass
class Picture:
    """What is drawn of one stage; its functions add to it."""

    symbols: list[Placed] = dataclasses.field(default_factory=list)
    wires: list[tuple[Point, Point]] = dataclasses.field(default_factory=list)
    names: list[Name] = dataclasses.field(default_factory=list)
    grounds: list[Point] = dataclasses.field(default_factory=list)

    def place(self, element: Element, shape: Shape, value: str, at: Point, turn: Turn = RIGHT) -> Placed:
        """Place a symbol with its origin at a point."""
        placed = Placed(element, shape, value, at, turn)
        self.symbols.append(placed)
        return placed

    def wire(self, *points: Point) -> None:
        """Draw lines from point to point."""
        self.wires += [(a, b) for a, b in itertools.pairwise(points) if _near(a) != _near(b)]

    def name(self, net: str, at: Point, side: str) -> None:
        """End a wire with the name of its net; ground has a symbol of its own."""
        if net == GROUND:
            self.grounds.append(at)
        else:
            self.names.append(Name(net, at, side))

    def moved(self, right: float, up: float) -> Picture:
        """The same picture elsewhere."""

        def there(point: Point) -> Point:
            return round(point[0] + right, 6), round(point[1] + up, 6)

        return Picture(
            [dataclasses.replace(s, at=there(s.at)) for s in self.symbols],
            [(there(a), there(b)) for a, b in self.wires],
            [dataclasses.replace(n, at=there(n.at)) for n in self.names],
            [there(p) for p in self.grounds],
        )

    def bounds(self) -> Box:
        """Room of everything with its texts."""
        boxes = [_around([symbol.pin(t) for t in symbol.shape.leads]) for symbol in self.symbols]
        boxes += [symbol.body for symbol in self.symbols]
        boxes += [symbol.text[2] for symbol in self.symbols if symbol.value]
        boxes += [name.text[2] for name in self.names]
        boxes += [(x - 0.2, y - 0.3, x + 0.2, y) for x, y in self.grounds]
        boxes += [_around(list(ends)) for ends in self.wires]
        return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)

    def dots(self) -> list[Point]:
        """Where more than two ends meet, or an end meets the middle of a wire."""
        ends = Counter(_near(p) for wire in self.wires for p in wire)
        ends.update(_near(symbol.pin(t)) for symbol in self.symbols for t in symbol.shape.leads)
        middles = Counter(p for p in ends for a, b in self.wires if _inside(p, _near(a), _near(b)))
        return [p for p, count in ends.items() if count + 2 * middles[p] > 2]


def _near(point: Point) -> Point:
    return round(point[0], 4), round(point[1], 4)


def _inside(point: Point, a: Point, b: Point) -> bool:
    """Whether a point is within a wire that is level or upright, and at none of its ends."""
    (x, y), low, high = point, (min(a[0], b[0]), min(a[1], b[1])), (max(a[0], b[0]), max(a[1], b[1]))
    return (low[0] == x == high[0] and low[1] < y < high[1]) or (low[1] == y == high[1] and low[0] < x < high[0])


def _around(points: list[Point]) -> Box:
    x, y = zip(*points, strict=True)
    return min(x), min(y), max(x), max(y)


def centred(start: Point, end: Point) -> tuple[Point, Turn, tuple[Point, Point]]:
    """Origin and turn of a symbol with two terminals in the middle between two points, and where its terminals are."""
    (x, y), (u, v) = start, end
    length = abs(u - x) + abs(v - y)
    step = ((u - x) / length, (v - y) / length)
    turn: Turn = (round(step[0]), -round(step[1]), round(step[1]), round(step[0]))
    margin = (length - LENGTH) / 2
    first = (x + step[0] * margin, y + step[1] * margin)
    return first, turn, (first, (u - step[0] * margin, v - step[1] * margin))
