"""Schematics of circuits of parts: the pictures of a circuit's stages on one sheet, a frame for each block.

Every piece of ink has a name in an .svg file, so that it can be read back: ``R.x.resistor`` is the body of the resistor x,
``R.x.pin.1`` the lead of its first terminal, ``R.x.plus`` a sign, ``wire.3``, ``dot.3`` and ``ground.3`` are what
they say, and ``net.3`` is the end of a wire whose name is the text ``net.3.name``.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch
from matplotlib.path import Path

from analogflow.circuit import BipolarTransistor, Circuit, Element, Instance
from analogflow.circuit.circuit import Group
from analogflow.compiler import charged
from analogflow.errors import BadInput
from analogflow.hardware.parts_list import parts_list
from analogflow.report.figure import INK, MUTED, PALETTE, style
from analogflow.report.schematic.pictures import (
    INCH,
    SMALL,
    Drafting,
    Placed,
    StageDrawing,
    drafting_of,
    draw_stage,
    text_width,
)
from analogflow.report.schematic.stages import Stage, stages_of
from analogflow.report.schematic.symbols import Point

__all__ = ["MOST", "draw_circuit"]

MOST = 500
"""Stages beyond which those that are alike are drawn once."""

_GAP, _MARGIN, _TITLE = 0.7, 0.4, 0.9
_NARROWEST, _ASPECT = 36.0, 1.5


@dataclasses.dataclass(frozen=True)
class Frame:
    """A block on the sheet: its title, and its pictures with where they stand below its upper left corner."""

    title: str
    pictures: tuple[StageDrawing, ...]
    width: float
    height: float


def draw_circuit(circuit: Circuit, *, title: str = "") -> Figure:
    """Schematic of a circuit of parts.

    Parameters
    ----------
    circuit : Circuit
        Of the technology 'opamp' or 'translinear'.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Each frame is a block, under the equation that placed it. Nets of one name are joined. Every part is drawn; beyond
        500 stages those that are alike are drawn once, under a title that says so and for how many.

    Raises
    ------
    BadInput
        The circuit is built from ideal elements.
    """
    if circuit.parts is None:
        raise BadInput(f"the technology {circuit.technology!r} has no schematic; take 'opamp' or 'translinear'.")
    circuit = charged(circuit)
    kept, drafting = _kept(circuit)
    blocks = [(title, note, [draw_stage(stage, drafting) for stage in stages]) for title, note, stages in kept]
    boxes = [picture.bounds() for *_, pictures in blocks for picture in pictures]
    area = sum((right - left + _MARGIN) * (top - low + _MARGIN) for left, low, right, top in boxes)
    page = max(_NARROWEST, math.sqrt(1.4 * _ASPECT * area))
    frames = [_frame(*block, page) for block in blocks]
    corners, width, height = _shelves([(f.width, f.height) for f in frames], page, _GAP)
    with style():
        size = (INCH * width + 0.4, INCH * height + 0.9)
        figure = Figure(figsize=size)
        axes = figure.add_axes((0.2 / size[0], 0.1 / size[1], 1 - 0.4 / size[0], 1 - 0.8 / size[1]))
        number = Counter()
        for (left, top), frame in zip(corners, frames, strict=True):
            box = FancyBboxPatch(
                (left, top - frame.height), frame.width, frame.height, boxstyle="round,pad=0,rounding_size=0.3"
            )
            box.set(facecolor="none", edgecolor=MUTED, linewidth=0.6, linestyle=(0, (4, 3)))
            axes.add_artist(box)
            axes.text(left + 0.3, top - 0.3, frame.title, fontsize=SMALL, color=MUTED, va="top", family="DejaVu Sans")
            for picture in frame.pictures:
                _draw(axes, picture.moved(left, top), number)
        axes.set(xlim=(-0.3, width + 0.3), ylim=(-height - 0.3, 0.3), aspect="equal")
        axes.set_axis_off()
        axes.set_title(_heading(circuit, title, number), fontsize=10, loc="left", color=INK)
    return figure


def _heading(circuit: Circuit, title: str, number: Counter[str]) -> str:
    parts = circuit.parts
    assert parts is not None
    first = title or f"{circuit.flow.family}, form {circuit.flow.form}, technology {circuit.technology}"
    drawn = f"{number['symbol']} of {len(circuit.elements)} parts drawn, where a frame says so once for many. "
    return (
        f"{first}\nparts: {parts.name}; amplifiers at ±{parts.supply:g} V; static power {parts_list(circuit).power:.2g} W; "
        f"τ = {circuit.units.time_constant:.3g} s. {drawn if number['symbol'] < len(circuit.elements) else ''}"
        "Nets of one name are joined."
    )


def _kept(circuit: Circuit) -> tuple[list[tuple[str, str, list[Stage]]], Drafting]:
    """Titles of frames with the stages to draw in them: all, or of a large circuit those that are not alike, and a note."""
    groups = [(group, list(stages)) for group, stages in stages_of(circuit) if stages]
    every = [stage for _, stages in groups for stage in stages]
    drafting = drafting_of(circuit, every)
    if len(every) <= MOST:
        return [(_title(group), "", stages) for group, stages in groups], drafting
    alike = Counter((_kind(group), signature(stage, drafting)) for group, stages in groups for stage in stages)
    kept, seen = [], set()
    for group, stages in groups:
        first: list[Stage] = []
        for stage in stages:
            key = _kind(group), signature(stage, drafting)
            if key not in seen:
                seen.add(key)
                first.append(stage)
        if first:
            times = [alike[_kind(group), signature(stage, drafting)] for stage in first]
            note = f"drawn once for {', '.join(map(str, times))} alike" if max(times) > 1 else ""
            kept.append((_title(group), note, first))
    return kept, drafting


def _title(group: Group) -> str:
    return f"{group.block}   {group.source}" if group.source else group.block


def _kind(group: Group) -> str:
    """Blocks of one name but for its number are of one kind."""
    return re.sub(r"\d+$", "", group.block)


def signature(stage: Stage, drafting: Drafting) -> tuple:
    """What stages that are drawn once share: their elements but for values, and how these are joined with each other."""
    place: dict[str, int] = {"0": 0}
    return tuple(
        (_sort(element), *((t, place.setdefault(net, len(place))) for t, net in drafting.terminals(element)))
        for element in stage.elements
    )


def _sort(element: Element) -> str:
    kind = (
        element.model if isinstance(element, BipolarTransistor) else element.macro if isinstance(element, Instance) else ""
    )
    return f"{type(element).__name__} {kind}"


def _shelves(sizes: list[tuple[float, float]], most: float, gap: float) -> tuple[list[Point], float, float]:
    """Upper left corners of boxes in rows of at most a width, and the size of it all."""
    corners: list[Point] = []
    x, y, high, widest = 0.0, 0.0, 0.0, 0.0
    for wide, tall in sizes:
        if x and x + wide > most:
            x, y, high = 0.0, y - high - gap, 0.0
        corners.append((x, y))
        widest = max(widest, x + wide)
        x, high = x + wide + gap, max(high, tall)
    return corners, widest, high - y


def _frame(title: str, note: str, pictures: list[StageDrawing], page: float) -> Frame:
    boxes = [picture.bounds() for picture in pictures]
    corners, wide, tall = _shelves(
        [(right - left, top - low) for left, low, right, top in boxes], page - 2 * _MARGIN, _MARGIN
    )
    placed = tuple(
        picture.moved(x + _MARGIN - left, y - _TITLE - top)
        for picture, (x, y), (left, _, _, top) in zip(pictures, corners, boxes, strict=True)
    )
    room = max(wide, 8.0) - text_width(note)
    while len(title) > 20 and text_width(title) > room:
        title = title[:-2].rstrip() + "…"
    title += f"   {note}" if note else ""
    return Frame(title, placed, max(wide, text_width(title)) + 2 * _MARGIN, tall + _TITLE + _MARGIN)


def _draw(axes: Axes, picture: StageDrawing, number: Counter[str]) -> None:
    """Ink of a picture, each piece with its name."""
    for symbol in picture.symbols:
        number["symbol"] += 1
        _draw_symbol(axes, symbol)
    for ends in picture.wires:
        _lines(axes, [ends], f"wire.{_next(number, 'wire')}")
    for at in picture.dots():
        axes.add_artist(Circle(at, 0.06, facecolor=INK, edgecolor="none", gid=f"dot.{_next(number, 'dot')}"))
    for x, y in picture.grounds:
        bars = [((x - w, y - d), (x + w, y - d)) for w, d in ((0.2, 0.1), (0.13, 0.18), (0.06, 0.26))]
        _lines(axes, [((x, y), (x, y - 0.1)), *bars], f"ground.{_next(number, 'ground')}")
    for name in picture.names:
        k = _next(number, "net")
        (x, y), align, _ = name.text
        axes.add_artist(
            Circle(name.at, 0.05, facecolor="white", edgecolor=PALETTE[0], linewidth=0.7, gid=f"net.{k}", zorder=3)
        )
        _text(axes, (x, y), name.net, align, PALETTE[0], f"net.{k}.name")


def _draw_symbol(axes: Axes, symbol: Placed) -> None:
    name, shape = f"{symbol.element.letter}.{symbol.element.name}", symbol.shape
    lines = [[symbol.place(p) for p in line] for line in shape.strokes]
    _lines(axes, lines, f"{name}.{shape.kind}", 1.1)
    for k, area in enumerate(shape.fills):
        path = Path([symbol.place(p) for p in area])
        axes.add_artist(PathPatch(path, facecolor=INK, edgecolor="none", gid=f"{name}.fill.{k}"))
    for terminal, lead in shape.leads.items():
        _lines(axes, [[symbol.place(p) for p in lead]], f"{name}.pin.{terminal}")
    for sign, at in shape.signs:
        (x, y), arm = symbol.place(at), 0.07
        strokes = [((x - arm, y), (x + arm, y)), ((x, y - arm), (x, y + arm))]
        _lines(axes, strokes if sign == "plus" else strokes[:1], f"{name}.{sign}", 0.7)
    for text, at, align in shape.letters:
        _text(axes, symbol.place(at), text, align, INK, f"{name}.letter", 5.5)
    if symbol.value:
        at, align, _ = symbol.text
        _text(axes, at, symbol.value, align, INK, f"{name}.value")


def _next(number: Counter[str], kind: str) -> int:
    number[kind] += 1
    return number[kind]


def _lines(axes: Axes, lines: list, name: str, width: float = 0.9) -> None:
    path = Path.make_compound_path(*(Path(line) for line in lines))
    patch = PathPatch(path, facecolor="none", edgecolor=INK, linewidth=width, gid=name, capstyle="round", joinstyle="round")
    axes.add_artist(patch)


def _text(axes: Axes, at: Point, text: str, align: str, colour: str, name: str, size: float = SMALL) -> None:
    axes.text(*at, text, fontsize=size, color=colour, ha=align, va="center_baseline", family="DejaVu Sans", gid=name,
              parse_math=False)  # fmt: skip
