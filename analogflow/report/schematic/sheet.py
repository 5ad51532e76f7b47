"""Lays the stages of a circuit out on one sheet, a frame for each block; alike blocks beyond a size are drawn once."""

from __future__ import annotations

import re
from collections.abc import Sequence

import schemdraw
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from analogflow.circuit import Circuit, StepVoltage, VoltageSource
from analogflow.circuit.circuit import Group
from analogflow.errors import BadInput
from analogflow.hardware.parts_list import parts_list
from analogflow.report.figure import INK, MUTED, style
from analogflow.report.schematic.pictures import draw_stage, extent
from analogflow.report.schematic.stages import Single, Stage, signature, stages_of

__all__ = ["draw_circuit"]

_PAGE, _GAP, _TITLE = 52.0, 0.9, 1.0
_INCH = 0.36
"""Inches of a drawing unit."""

_MOST = 60
"""Stages beyond which those that are alike are drawn once."""


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
        Each frame is a block, under the equation that placed it. Nets of one name are joined. Ammeters are wires.

    Raises
    ------
    BadInput
        The circuit is built from ideal elements.
    """
    if circuit.parts is None:
        raise BadInput(f"the technology {circuit.technology!r} has no schematic; take 'opamp' or 'translinear'.")
    frames = _frames(circuit)
    rows, width, height = _placed(frames)
    with style():
        size = (_INCH * width + 0.4, _INCH * height + 0.9)
        figure = Figure(figsize=size)
        axes = figure.add_axes((0.2 / size[0], 0.1 / size[1], 1 - 0.4 / size[0], 1 - 0.8 / size[1]))
        schemdraw.use("matplotlib")
        drawing = schemdraw.Drawing(canvas=axes, show=False)
        drawing.config(unit=2, lw=0.9, color=INK, fontsize=8)
        for (left, top), _, (_, _, stages) in rows:
            for (x, y), stage in _inside(stages, _PAGE)[0]:
                draw_stage(stage, drawing, (left + x, top - _TITLE - y))
        drawing.draw(show=False)
        for (left, top), (wide, high), (group, times, _) in rows:
            box = FancyBboxPatch((left, top - high), wide, high, boxstyle="round,pad=0,rounding_size=0.3")
            box.set(facecolor="none", edgecolor=MUTED, linewidth=0.6, linestyle=(0, (4, 3)))
            axes.add_patch(box)
            count = f"   {times}×, one drawn" if times > 1 else ""
            equation = f"   {group.source}" if group.source else ""
            room = int(7.6 * wide) - len(group.block) - len(count)
            text = f"{group.block}{equation[:room]}{count}"
            axes.text(left + 0.3, top - 0.3, text, fontsize=7, color=MUTED, va="top", family="DejaVu Sans")
        axes.set(xlim=(-0.3, width + 0.3), ylim=(-height - 0.3, 0.3), aspect="equal")
        axes.set_axis_off()
        axes.set_title(_heading(circuit, title), fontsize=10, loc="left", color=INK)
    return figure


def _heading(circuit: Circuit, title: str) -> str:
    parts = circuit.parts
    assert parts is not None
    rails = [
        f"{e.nodes[0]} {e.voltage:g} V"
        for group in circuit.groups
        for e in group.elements
        if isinstance(e, VoltageSource) and e.nodes[1] == "0" and group.block == "supplies"
    ]
    power = parts_list(circuit).power
    first = title or f"{circuit.flow.family}, form {circuit.flow.form}, technology {circuit.technology}"
    return (
        f"{first}\nparts: {parts.name}; amplifiers at ±{parts.supply:g} V; {', '.join(rails)}; static power {power:.2g} W; "
        f"τ = {circuit.time_constant:.3g} s. Nets of one name are joined."
    )


def _frames(circuit: Circuit) -> list[tuple[Group, int, tuple[Stage, ...]]]:
    """Blocks with how often each stands there, and the stages to draw."""
    groups = [(group, tuple(s for s in stages if not _is_rail(group, s))) for group, stages in stages_of(circuit)]
    groups = [(group, stages) for group, stages in groups if stages]
    if sum(len(stages) for _, stages in groups) <= _MOST:
        return [(group, 1, stages) for group, stages in groups]
    frames: dict[object, list] = {}
    for group, stages in groups:
        # Blocks of one name but for its number, with the same elements, are alike.
        frames.setdefault((re.sub(r"\d+$", "", group.block), signature(stages)), [group, 0, stages])[1] += 1
    return [(group, times, kept) for group, times, stages in frames.values() for kept in (_alike_once(stages),)]


def _alike_once(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """One stage of each kind that a block repeats for its elements."""
    kept: dict[object, Stage] = {}
    for stage in stages:
        kept.setdefault(signature([stage]), stage)
    return tuple(kept.values())


def _is_rail(group: Group, stage: Stage) -> bool:
    return group.block == "supplies" and isinstance(stage, Single) and isinstance(stage.part, VoltageSource | StepVoltage)


def _inside(stages: Sequence[Stage], most: float) -> tuple[list[tuple[tuple[float, float], Stage]], float, float]:
    """Places of stages in a frame from its upper left corner below the title, its width and its height."""
    placed, x, y, row, widest = [], 0.4, 0.0, [], 0.0

    def finished(row: list) -> float:
        up = max(item[2][2] for item in row)
        down = max(item[2][3] for item in row)
        placed.extend(((left, y + up), stage) for left, stage, _ in row)
        return up + down

    for stage in stages:
        room = extent(stage)
        if row and x + room[0] + room[1] > most:
            y += finished(row)
            x, row = 0.4, []
        row.append((x + room[0], stage, room))
        x += room[0] + room[1] + 0.3
        widest = max(widest, x)
    y += finished(row)
    return placed, widest + 0.1, y + _TITLE + 0.2


def _placed(frames: Sequence[tuple[Group, int, tuple[Stage, ...]]]) -> tuple[list, float, float]:
    """Frames in rows of a page's width: upper left corner, size, content; and the size of the sheet."""
    rows, x, y, high, widest = [], 0.0, 0.0, 0.0, 0.0
    for frame in frames:
        _, wide, tall = _inside(frame[2], _PAGE)
        if x and x + wide > _PAGE:
            x, y, high = 0.0, y - high - _GAP, 0.0
        rows.append(((x, y), (wide, tall), frame))
        x, high = x + wide + _GAP, max(high, tall)
        widest = max(widest, x - _GAP)
    return rows, widest, high - y
