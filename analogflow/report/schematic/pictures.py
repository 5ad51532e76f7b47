"""How each kind of stage is drawn: symbols, wires, names of nets and grounds, as data that a drawing is made from."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from analogflow.circuit import BipolarTransistor, Circuit, Element, Instance
from analogflow.report.schematic.stages import GROUND, Amplifier, Array, Single, Stage, other
from analogflow.report.schematic.symbols import DOWN, LENGTH, RIGHT, UP, Point, Shape, Turn, shape_of, terminals, value_of

__all__ = ["INCH", "SMALL", "Drafting", "Placed", "StageDrawing", "centred", "drafting_of", "draw_stage", "text_width"]

INCH = 0.36
"""Inches of a drawing unit."""

SMALL = 7.0
"""Points of a small label."""

TALL = 0.3
"""Drawing units that a line of small text takes."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


@functools.cache
def text_width(text: str) -> float:
    """Drawing units that a text takes."""
    if not text.strip():
        return 0.0
    return _width(TextPath((0, 0), text, size=SMALL, prop=FontProperties(family="DejaVu Sans"))) / (72 * INCH)


def _width(path: Path) -> float:
    """Width of letters as their `get_extents` has it, which takes ten times as long: it asks every curve how far it goes.

    Here only those are asked whose middle point lies beyond the ends of all. Curves of DejaVu Sans are of second order.
    """
    x, codes = np.asarray(path.vertices)[:, 0], np.asarray(path.codes)
    middle = np.flatnonzero(codes == Path.CURVE3)[::2]
    ends = x[np.isin(codes, (Path.MOVETO, Path.LINETO, Path.CURVE3)) & ~np.isin(np.arange(len(x)), middle)]
    beyond = middle[(x[middle] < ends.min()) | (x[middle] > ends.max())]
    first, bend, last = x[beyond - 1], x[beyond], x[beyond + 1]
    return float(np.ptp([*ends, *(first - (first - bend) ** 2 / (first - 2 * bend + last))]))


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
class StageDrawing:
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

    def moved(self, right: float, up: float) -> StageDrawing:
        """The same picture elsewhere."""

        def there(point: Point) -> Point:
            return round(point[0] + right, 6), round(point[1] + up, 6)

        return StageDrawing(
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


_PITCH = 0.95
"""Between symbols above each other."""


@dataclasses.dataclass(frozen=True)
class Drafting:
    """What a stage's picture must know of the circuit.

    Parameters
    ----------
    circuit : Circuit
    stages_at : mapping of net to number of stages
    """

    circuit: Circuit
    stages_at: Mapping[str, int]

    @functools.cached_property
    def ports(self) -> dict[str, tuple[str, ...]]:
        """Ports of each macro-model."""
        return {macro.name: macro.ports for macro in self.circuit.macros}

    @functools.cached_property
    def pnp(self) -> frozenset[str]:
        """Names of PNP models."""
        return frozenset(model.name for model in self.circuit.models if model.kind == "pnp")

    @functools.cached_property
    def ammeters(self) -> frozenset[str]:
        """Names of sources that only measure."""
        return self.circuit.ammeters

    def terminals(self, element: Element) -> tuple[tuple[str, str], ...]:
        """Terminals of an element with their nets."""
        return terminals(element, self.ports.get(element.macro, ()) if isinstance(element, Instance) else ())

    def leaves(self, net: str) -> bool:
        """Whether a net goes on in another stage, where its name is all that joins the two."""
        return net != GROUND and self.stages_at[net] > 1

    def symbol(self, picture: StageDrawing, element: Element, at: Point, turn: Turn = RIGHT) -> Placed:
        """Place an element's symbol."""
        assert self.circuit.parts is not None
        metered = element.letter == "V" and element.name in self.ammeters
        shape: Shape = shape_of(
            element,
            pnp=isinstance(element, BipolarTransistor) and element.model in self.pnp,
            amplifier=self.circuit.parts.op_amp.name,
            ports=self.ports.get(element.macro, ()) if isinstance(element, Instance) else (),
            metered=metered,
        )
        value = value_of(element, metered=metered, time_constant=self.circuit.units.time_constant)
        return picture.place(element, shape, value, at, turn)

    def between(self, picture: StageDrawing, element: Element, net: str, start: Point, end: Point) -> None:
        """Draw an element with two terminals from `start`, where its terminal at `net` is, to `end`."""
        (_, first), _ = self.terminals(element)[:2]
        if first != net:
            start, end = end, start
        at, turn, (a, b) = centred(start, end)
        self.symbol(picture, element, at, turn)
        picture.wire(start, a)
        picture.wire(b, end)
        if element.letter == "S":
            control = picture.symbols[-1].pin("control")
            picture.name(dict(self.terminals(element))["control"], control, "top" if control[1] > at[1] else "bottom")


def drafting_of(circuit: Circuit, stages: list[Stage]) -> Drafting:
    """What the pictures of a circuit's stages have in common."""
    drafting = Drafting(circuit, {})
    at: Counter[str] = Counter()
    for stage in stages:
        joined = {net for element in stage.elements for _, net in drafting.terminals(element)}
        at.update(joined.union(*(element.remote for element in stage.elements)))
    return Drafting(circuit, defaultdict(int, at))


@functools.singledispatch
def draw_stage(stage: object, drafting: Drafting) -> StageDrawing:
    """Drawing of a stage, somewhere on the sheet."""
    raise TypeError(type(stage).__name__)


@draw_stage.register
def _(stage: Amplifier, drafting: Drafting) -> StageDrawing:
    picture, bus = StageDrawing(), -1.5
    _, inverting, output = stage.nets
    part = drafting.symbol(picture, stage.part, (0, 0))
    plus, minus, out = (part.pin(terminal) for terminal in ("p", "n", "o"))
    join = (1.5, 0.0)
    if stage.drive:
        join = (out[0] + LENGTH + 0.2, 0.0)
        drafting.between(picture, stage.drive, stage.part.nodes[2], out, (out[0] + LENGTH, 0.0))
        picture.wire((out[0] + LENGTH, 0.0), join, (join[0] + 0.3, 0.0))
    else:
        picture.wire(out, join, (join[0] + 0.3, 0.0))
    picture.name(output, (join[0] + 0.3, 0.0), "right")
    loops = _loops(stage, drafting, picture, bus, join)
    legs = [
        (element, net, minus[1] + k * _PITCH) for k, (element, net) in enumerate(stage.inverting, drafting.leaves(inverting))
    ]
    levels = [minus[1], *loops, *(level for _, _, level in legs)]
    for element, net, level in legs:
        _leg(picture, drafting, element, net, level, bus)
    _spine(picture, bus, levels)
    picture.wire(minus, (bus, minus[1]))
    if inverting != output and (drafting.leaves(inverting) or inverting == GROUND or len(levels) == 1):
        picture.wire((bus, minus[1]), (bus - 0.3, minus[1]))
        picture.name(inverting, (bus - 0.3, minus[1]), "left")
    _straight(stage, drafting, picture, bus, plus)
    return picture


def _leg(picture: StageDrawing, drafting: Drafting, element: Element, net: str, level: float, bus: float) -> None:
    drafting.between(picture, element, net, (bus - LENGTH - 0.2, level), (bus, level))
    picture.name(net, (bus - LENGTH - 0.2, level), "left")


def _spine(picture: StageDrawing, x: float, levels: list[float]) -> None:
    """Upright wire with an end at every level, so that none crosses another's middle."""
    picture.wire(*((x, level) for level in sorted(set(levels))))


def _loops(stage: Amplifier, drafting: Drafting, picture: StageDrawing, bus: float, join: Point) -> list[float]:
    """Draw what leads back from the output to the inverting input, one level above the other; return the levels."""
    _, inverting, output = stage.nets
    levels, top = [], 1.0
    if stage.inner:
        # They end before the drive, so that they lie below all others, which end behind it.
        place = join[0] - LENGTH - 0.2
        for element in stage.inner:
            levels.append(top + 0.35)
            drafting.between(picture, element, inverting, (bus, levels[-1]), (place, levels[-1]))
            top = levels[-1] + 0.6
        _spine(picture, place, [join[1], *levels])
    before = len(levels)
    for chain in stage.feedback:
        first, nets = chain[0], [inverting, output]
        if isinstance(first, BipolarTransistor):
            level = top + 1.35
            placed = drafting.symbol(picture, first, ((bus + join[0]) / 2, level - 0.8), UP)
            picture.wire((bus, level), placed.pin("collector"))
            picture.wire(placed.pin("emitter"), (join[0], level))
            picture.name(GROUND, placed.pin("base"), "bottom")
        else:
            level = top + 0.35
            if len(stage.inverting) > 1:  # half-way between the levels of the legs
                level = _PITCH * math.ceil((level - 0.975) / _PITCH) + 0.975
            nets = list(itertools.accumulate(chain, lambda net, element: other(element, net), initial=inverting))
            marks = [bus + (join[0] - bus) * i / len(chain) for i in range(len(chain) + 1)]
            for element, net, (a, b) in zip(chain, nets[:-1], itertools.pairwise(marks), strict=True):
                drafting.between(picture, element, net, (a, level), (b, level))
            for net, x in zip(nets[1:-1], marks[1:-1], strict=True):
                if drafting.leaves(net):
                    picture.wire((x, level), (x, level + 0.5))
                    picture.name(net, (x, level + 0.5), "top")
        levels.append(level)
        tapped = any(drafting.leaves(net) for net in nets[1:-1])
        top = level + (1.0 if tapped or any(e.letter == "S" for e in chain) else 0.6)
    if inverting == output:
        levels.append(1.35)
        picture.wire((bus, 1.35), (join[0], 1.35))
    if levels[before:]:
        _spine(picture, join[0], [join[1], *levels[before:]])
    return levels


def _straight(stage: Amplifier, drafting: Drafting, picture: StageDrawing, bus: float, plus: Point) -> None:
    net = stage.nets[0]
    picture.wire(plus, (bus, plus[1]))
    levels = [plus[1] - k * _PITCH for k in range(len(stage.straight))]
    for (element, end), level in zip(stage.straight, levels, strict=True):
        _leg(picture, drafting, element, end, level, bus)
    if levels and not drafting.leaves(net):
        _spine(picture, bus, [plus[1], *levels])
        return
    foot = plus[1] - _PITCH * len(levels)
    _spine(picture, bus, [plus[1], *levels, foot])
    if net == GROUND:
        picture.wire((bus, foot), (bus, foot - 0.25))
        picture.name(net, (bus, foot - 0.25), "bottom")
    else:
        picture.wire((bus, foot), (bus - 0.3, foot))
        picture.name(net, (bus - 0.3, foot), "left")


@draw_stage.register
def _(stage: Array, drafting: Drafting) -> StageDrawing:
    picture = StageDrawing()
    bases = max(text_width(t.nodes[1]) for t in stage.transistors)
    tops = [stage.meters[t.name].nodes[0] if t.name in stage.meters else t.nodes[0] for t in stage.transistors]
    areas = max(text_width(value_of(t)) for t in stage.transistors)
    pitch = max(1.5 + bases + areas, max(map(text_width, tops)) + 0.4)
    emitter, level, emitters = stage.transistors[0].nodes[2], -1.1, []
    for k, (transistor, net) in enumerate(zip(stage.transistors, tops, strict=True)):
        placed = drafting.symbol(picture, transistor, (k * pitch, 0.0))
        picture.name(transistor.nodes[1], placed.pin("base"), "left")
        top = placed.pin("collector")
        if transistor.name in stage.meters:
            above = (top[0], top[1] + LENGTH + 0.2)
            drafting.between(picture, stage.meters[transistor.name], net, above, top)
            top = above
        else:
            picture.wire(top, (top[0], top[1] + 0.2))
            top = (top[0], top[1] + 0.2)
        picture.name(net, top, "top")
        picture.wire(placed.pin("emitter"), (placed.pin("emitter")[0], level))
        emitters.append(placed.pin("emitter")[0])
    foot = (emitters[len(emitters) // 2], level)
    picture.wire(*((x, level) for x in emitters))
    shown = drafting.leaves(emitter)
    if stage.tail:
        if shown:
            picture.wire((emitters[-1], level), (emitters[-1] + 0.4, level))
            picture.name(emitter, (emitters[-1] + 0.4, level), "right")
        placed = drafting.symbol(picture, stage.tail, (foot[0] - 0.8, level - 1.15))
        picture.wire(foot, placed.pin("collector"))
        picture.name(stage.tail.nodes[1], placed.pin("base"), "left")
        foot = placed.pin("emitter")
        emitter = stage.tail.nodes[2]
    if stage.below:
        net, end = other(stage.below, emitter), (foot[0], foot[1] - LENGTH - 0.2)
        drafting.between(picture, stage.below, emitter, foot, end)
        picture.name(net, end, "bottom")
    else:
        picture.wire(foot, (foot[0], foot[1] - 0.2))
        picture.name(emitter, (foot[0], foot[1] - 0.2), "bottom")
    return picture


@draw_stage.register
def _(stage: Single, drafting: Drafting) -> StageDrawing:
    picture, nets = StageDrawing(), drafting.terminals(stage.part)
    if isinstance(stage.part, Instance):
        placed = drafting.symbol(picture, stage.part, (0, 0))
        for terminal, net in nets:
            x, y = placed.pin(terminal)
            side = "right" if terminal == nets[-1][0] else "left"
            if net == GROUND:  # a little aside, so that grounds below each other stay apart
                picture.wire((x, y), (x - 0.1, y))
                x -= 0.1
            picture.name(net, (x, y), side)
        return picture
    (_, first), (_, second) = nets[:2]
    if GROUND in (first, second) and stage.part.letter in "VA":
        # Upright, over its ground.
        net = second if first == GROUND else first
        drafting.between(picture, stage.part, net, (0.0, LENGTH), (0.0, 0.0))
        picture.name(net, (0.0, LENGTH), "top")
        picture.name(GROUND, (0.0, 0.0), "bottom")
        return picture
    drafting.between(picture, stage.part, first, (0.0, 0.0), (LENGTH, 0.0))
    picture.name(first, (0.0, 0.0), "left")
    picture.name(second, (LENGTH, 0.0), "right")
    return picture
