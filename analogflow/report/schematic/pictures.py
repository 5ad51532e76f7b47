"""Draws one stage at a place, and says how much room it takes."""

from __future__ import annotations

import functools
import itertools

import schemdraw.elements as elm
from schemdraw import Drawing

from analogflow.circuit import BipolarTransistor
from analogflow.report.schematic.stages import GROUND, Amplifier, Array, Box, Single
from analogflow.report.schematic.symbols import LEG, NET, PITCH, SMALL, Point, between, net_name, value_of, width_of, wire

__all__ = ["draw_stage", "extent"]


@functools.singledispatch
def extent(stage: object) -> tuple[float, float, float, float]:
    """Room that a stage takes around its origin: left, right, up, down."""
    raise TypeError(type(stage).__name__)


@functools.singledispatch
def draw_stage(stage: object, d: Drawing, origin: Point) -> None:
    """Draw a stage so that its origin is at `origin`."""
    raise TypeError(type(stage).__name__)


@extent.register
def _(stage: Amplifier) -> tuple[float, float, float, float]:
    left = 1.75 + max(LEG + width_of(*(net for _, net in (*stage.inverting, *stage.straight))), width_of(*stage.nets[:2]))
    right = 1.5 + (LEG if stage.drive else 0.3) + width_of(stage.nets[2])
    up = 0.9 + max(PITCH * max(len(stage.inverting) - 1, 0), 0.75 + PITCH * (len(stage.feedback) or 1))
    return left, right, up, 1.35 + PITCH * len(stage.straight)


@draw_stage.register
def _(stage: Amplifier, d: Drawing, origin: Point) -> None:
    x, y = origin
    d.add(elm.Opamp(leads=False).theta(0).scale(0.9).at(origin).anchor("center"))
    d.add(elm.Label().theta(0).at((x + 0.02, y - 0.12)).label(stage.part.macro, fontsize=5.5, ofst=0))
    minus, plus, out = (x - 0.974, y + 0.5625), (x - 0.974, y - 0.5625), (x + 0.974, y)
    bus, right = x - 1.3, x + 1.35
    straight, inverting, output = stage.nets
    wire(d, minus, (bus, minus[1]))
    wire(d, out, (right, y))
    end = right
    if stage.drive:
        end = right + LEG
        between(d, stage.drive, (right, y), (end, y))
    join = end
    # Legs go up on the left of the bus, feedback on its right.
    levels = [minus[1]]
    for k, (element, net) in enumerate(stage.inverting):
        level = minus[1] + k * PITCH
        between(d, element, (bus - LEG, level), (bus, level))
        net_name(d, net, (bus - LEG, level), "left")
        levels.append(level)
    for k, chain in enumerate(stage.feedback):
        level = y + 1.5 + k * PITCH
        levels.append(level)
        if isinstance(chain[0], BipolarTransistor):
            _feedback_transistor(d, chain[0], (bus, level), (join, level))
        else:
            marks = [bus + (join - bus) * i / len(chain) for i in range(len(chain) + 1)]
            for element, (a, b) in zip(chain, itertools.pairwise(marks), strict=True):
                between(d, element, (a, level), (b, level))
    if not stage.feedback and inverting == output:
        level = y + 1.5
        levels.append(level)
        wire(d, (bus, level), (join, level))
    if len(levels) > 1:
        wire(d, (bus, min(levels)), (bus, max(levels)))
    if stage.feedback or inverting == output:
        wire(d, (join, y), (join, y + 1.5 + PITCH * max(len(stage.feedback) - 1, 0)))
    if not stage.inverting:
        if inverting != output:
            wire(d, (bus - 0.3, minus[1]), (bus, minus[1]))
            net_name(d, inverting, (bus - 0.3, minus[1]), "left")
    wire(d, (join, y), (join + 0.3, y))
    net_name(d, output, (join + 0.3, y), "right")
    if not stage.straight:
        wire(d, plus, (bus, plus[1]))
        if straight == GROUND:
            wire(d, (bus, plus[1]), (bus, plus[1] - 0.25))
            net_name(d, straight, (bus, plus[1] - 0.25), "bottom")
        else:
            wire(d, (bus - 0.3, plus[1]), (bus, plus[1]))
            net_name(d, straight, (bus - 0.3, plus[1]), "left")
        return
    wire(d, plus, (bus, plus[1]), (bus, plus[1] - PITCH * (len(stage.straight) - 1)))
    for k, (element, net) in enumerate(stage.straight):
        level = plus[1] - k * PITCH
        between(d, element, (bus - LEG, level), (bus, level))
        net_name(d, net, (bus - LEG, level), "left")


def _feedback_transistor(d: Drawing, element: BipolarTransistor, start: Point, end: Point) -> None:
    """Transistor on its side with its base at ground: collector at `start`, emitter at `end`."""
    kind = elm.BjtPnp if element.model == "qp" else elm.BjtNpn
    middle = (start[0] + end[0]) / 2
    placed = d.add(kind(circle=False).scale(0.6).theta(90).at((middle - 0.42, start[1])).anchor("collector"))
    wire(d, start, tuple(placed.collector))
    wire(d, tuple(placed.emitter), end)
    d.add(elm.Ground().theta(0).scale(0.45).at(tuple(placed.base)))
    text = value_of(element)
    if text:
        d.add(elm.Label().theta(0).at((middle, start[1] + 0.25)).label(text, fontsize=SMALL, ofst=0))


@extent.register
def _(stage: Array) -> tuple[float, float, float, float]:
    nets = dict(stage.nets)
    bases = width_of(*(nets[t.name][1] for t in stage.transistors))
    pitch = _array_pitch(stage)
    down = 1.4 + (1.9 if stage.tail else 0.0) + (1.7 if stage.below else 0.0)
    return bases + 0.5, pitch * (len(stage.transistors) - 1) + 1.6, 1.5, down + 0.5


def _array_pitch(stage: Array) -> float:
    nets = dict(stage.nets)
    bases = width_of(*(nets[t.name][1] for t in stage.transistors))
    collectors = width_of(*(nets[t.name][0] for t in stage.transistors))
    return max(1.5 + bases, collectors + 0.6)


@draw_stage.register
def _(stage: Array, d: Drawing, origin: Point) -> None:
    x, y = origin
    nets, pitch = dict(stage.nets), _array_pitch(stage)
    emitters = []
    for k, transistor in enumerate(stage.transistors):
        collector, base, _ = nets[transistor.name]
        emitters.append(_transistor(d, transistor, (x + k * pitch, y), base, collector))
    level = y - 0.95
    for point in emitters:
        wire(d, point, (point[0], level))
    if len(emitters) > 1:
        wire(d, (emitters[0][0], level), (emitters[-1][0], level))
    middle = emitters[len(emitters) // 2][0] if len(emitters) > 1 else emitters[0][0]
    foot, name = (middle, level), nets[stage.transistors[0].name][2]
    if stage.tail:
        base = nets[stage.tail.name][1]
        top = level - 1.1
        point = _transistor(d, stage.tail, (middle - 0.45, top), base, "")
        wire(d, (middle, level), (middle, top + 0.42))
        net_name(d, name, (middle + 0.05, level - 0.3), "right")
        foot, name = (middle, top - 0.42), nets[stage.tail.name][2]
        wire(d, point, foot)
    if stage.below:
        _, resistor, rail = stage.below[0]
        end = (foot[0], foot[1] - 1.5)
        between(d, resistor, foot, end)
        net_name(d, rail, end, "bottom")
    else:
        wire(d, foot, (foot[0], foot[1] - 0.2))
        net_name(d, name, (foot[0], foot[1] - 0.2), "bottom")


def _transistor(d: Drawing, element: BipolarTransistor, base: Point, base_net: str, collector_net: str) -> Point:
    """Upright transistor; returns where its emitter is."""
    kind = elm.BjtPnp if element.model == "qp" else elm.BjtNpn
    placed = d.add(kind(circle=False).theta(0).scale(0.6).at(base).anchor("base"))
    net_name(d, base_net, base, "left") if base_net != GROUND else d.add(elm.Ground().theta(0).scale(0.45).at(base))
    collector, emitter = tuple(placed.collector), tuple(placed.emitter)
    if collector_net:
        top = (collector[0], collector[1] + 0.25)
        wire(d, collector, top)
        net_name(d, collector_net, top, "top")
    text = value_of(element)
    if text:
        d.add(elm.Label().theta(0).at((collector[0] + 0.12, base[1])).label(text, fontsize=SMALL, halign="left", ofst=0))
    return emitter


@extent.register
def _(stage: Box) -> tuple[float, float, float, float]:
    return (
        1.1 + width_of(*stage.nets[:-1]),
        1.3 + width_of(stage.nets[-1]),
        0.5 * len(stage.nets) / 2 + 0.7,
        0.25 * len(stage.nets) + 0.5,
    )


@draw_stage.register
def _(stage: Box, d: Drawing, origin: Point) -> None:
    x, y = origin
    inputs, height = len(stage.nets) - 1, 0.5 * (len(stage.nets) - 1)
    wire(d, (x - 0.8, y - height / 2), (x + 0.8, y - height / 2), (x + 0.8, y + height / 2), (x - 0.8, y + height / 2),
          (x - 0.8, y - height / 2))  # fmt: skip
    d.add(elm.Label().theta(0).at((x + 0.1, y)).label(stage.part.macro.split("_")[0], fontsize=SMALL, ofst=0))
    for k, (port, net) in enumerate(zip(stage.ports[:-1], stage.nets[:-1], strict=True)):
        level = y + height / 2 - 0.5 * (k + 0.5) * height / (0.5 * inputs)
        wire(d, (x - 1.0, level), (x - 0.8, level))
        label = elm.Label().theta(0).at((x - 0.75, level)).label(port, fontsize=5.5, halign="left", valign="center", ofst=0)
        d.add(label)
        if net == GROUND:
            d.add(
                elm.Label()
                .theta(0)
                .at((x - 1.1, level))
                .label("gnd", fontsize=SMALL, color=NET, halign="right", valign="center", ofst=0)
            )
        else:
            net_name(d, net, (x - 1.0, level), "left")
    wire(d, (x + 0.8, y), (x + 1.0, y))
    net_name(d, stage.nets[-1], (x + 1.0, y), "right")


@extent.register
def _(stage: Single) -> tuple[float, float, float, float]:
    return 1.2 + width_of(stage.nets[0]), 1.2 + width_of(stage.nets[1]), 0.8, 0.8


@draw_stage.register
def _(stage: Single, d: Drawing, origin: Point) -> None:
    x, y = origin
    between(d, stage.part, (x - 0.9, y), (x + 0.9, y))
    net_name(d, stage.nets[0], (x - 0.9, y), "left")
    net_name(d, stage.nets[1], (x + 0.9, y), "right")
