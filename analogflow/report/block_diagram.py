"""Block diagram of a graph: signals run from the integrators on the left to their rates on the right, and back below."""

from __future__ import annotations

import itertools

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from analogflow.blocks import Block, Scaled, Sum
from analogflow.circuit import Circuit
from analogflow.graph import BlockGraph
from analogflow.report.figure import INK, MUTED, PALETTE, new_figure, style

__all__ = ["draw_blocks"]

_WIDTH, _HEIGHT, _PITCH_X, _PITCH_Y, _LANE = 1.3, 0.72, 1.95, 1.15, 0.4
_APART = 0.12
"""Between the lines that lead rates back."""


def draw_blocks(graph: BlockGraph | Circuit, *, title: str = "") -> Figure:
    """Diagram of a graph, or of a circuit's: a box for each block, a line for each port that a (vector) signal drives.

    A line has the sign of its port, or its name.

    Every piece of ink has a name in an .svg file: ``block.NODE``, ``edge.ORIGIN.TARGET.PORT``, ``port.NODE.PORT``, and
    ``rate.NODE`` for what leads back to an integrator.
    """
    graph = graph.graph if isinstance(graph, Circuit) else graph
    column = _columns(graph)
    routes = _routes(graph, column)
    centres = _centres(graph, column, routes)
    right = max(x for x, _ in centres.values())
    low, high = min(y for _, y in centres.values()), max(y for _, y in centres.values())
    feedback = low - 0.9
    apart = _APART * (len(graph.states) - 1)
    lowest = feedback - apart
    with style():
        figure = new_figure(max(4.0, 0.72 * (right + 2 * apart + 2.4)), max(2.0, 0.72 * (high - lowest + 1.6)))
        axes = figure.add_subplot()
        axes.set(xlim=(-1.1 - apart, right + 1.3 + apart), ylim=(lowest - 0.4, high + 0.75), aspect="equal")
        axes.axis("off")
        if title:
            axes.set_title(title, fontsize=10)
        _draw_signals(axes, graph, centres, routes)
        _draw_feedback(axes, graph, centres, feedback)
        for node in graph.order():
            _draw_block(axes, graph, node, centres[node])
    return figure


def _columns(graph: BlockGraph) -> dict[str, int]:
    """Column of each block: its longest path from a source; a constant stands right before what it drives."""
    integrators = set(graph.states.values())
    column: dict[str, int] = {}
    for node in graph.order():
        inputs = [] if node in integrators else graph.inputs(node)
        column[node] = max((column[origin] + 1 for origin in inputs), default=0)
    for node in graph.order():
        followers = [column[b] for b in graph.network.successors(node) if b not in integrators]
        if node not in integrators and not graph.inputs(node) and followers:
            column[node] = min(followers) - 1
    return column


def _routes(graph: BlockGraph, column: dict[str, int]) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """For each forward signal, the passing places (origin, column) its line takes between its two ends."""
    integrators = set(graph.states.values())
    return {
        (origin, target): [(origin, x) for x in range(column[origin] + 1, column[target])]
        for origin, target in dict.fromkeys(graph.network.edges())
        if target not in integrators
    }


def _centres(
    graph: BlockGraph, column: dict[str, int], routes: dict[tuple[str, str], list[tuple[str, int]]]
) -> dict[object, tuple[float, float]]:
    """Position of every block and passing place; in each column they stand in the order of what drives them."""
    above: dict[object, list[object]] = {}
    place: dict[object, int] = {}
    place.update(column)
    for (origin, target), stops in routes.items():
        chain: list[object] = [origin, *stops, target]
        for before, after in itertools.pairwise(chain):
            above.setdefault(after, []).append(before)
        place.update({stop: stop[1] for stop in stops})
    centres: dict[object, tuple[float, float]] = {}
    for x in range(max(place.values()) + 1):
        members = [item for item, at in place.items() if at == x]
        wanted = {item: _mean([centres[b][1] for b in above.get(item, []) if b in centres]) for item in members}
        members.sort(key=lambda item: (-wanted[item], str(item)))
        heights = [_PITCH_Y if isinstance(item, str) else _LANE for item in members]
        top = _mean(list(wanted.values())) + sum(heights) / 2
        for item, height in zip(members, heights, strict=True):
            centres[item] = (x * _PITCH_X, top - height / 2)
            top -= height
    return centres


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _draw_block(axes: Axes, graph: BlockGraph, node: str, centre: tuple[float, float]) -> None:
    block = graph.block(node)
    x, y = centre
    kind = block.kind()
    colour = {"integrator": PALETTE[0], "constant": MUTED}.get(kind, INK)
    box = FancyBboxPatch((x - _WIDTH / 2, y - _HEIGHT / 2), _WIDTH, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.1",
                         fc="white", ec=colour, lw=1.6 if kind == "integrator" else 1.0, zorder=3,
                         gid=f"block.{node}")  # fmt: skip
    axes.add_artist(box)
    for port in range(len(graph.inputs(node)) if len(graph.inputs(node)) > 1 else 0):
        axes.text(x - _WIDTH / 2 + 0.05, _port(graph, node, port, {node: centre})[1], _port_name(block, port), ha="left",
                  va="center", fontsize=5.5, zorder=4, color=MUTED, gid=f"port.{node}.{port}")  # fmt: skip
    label = block.symbol or kind
    detail = block.parameters() if kind in ("crossbar", "sum", "integrator") or getattr(block, "label", "") else ""
    if kind in ("constant", "gain") and block.size == 1:
        detail = block.parameters()
    axes.text(x, y + (0.1 if detail else 0), label, ha="center", va="center", fontsize=11, zorder=4, color=colour)
    if detail:
        axes.text(x, y - 0.2, detail[:18], ha="center", va="center", fontsize=6.5, zorder=4, color=MUTED)
    names = [name for name, seen in graph.observables.items() if seen == node]
    if names:
        axes.text(
            x, y + _HEIGHT / 2 + 0.06, " = ".join(names), ha="center", va="bottom", fontsize=7.5, color=PALETTE[1], zorder=4
        )


def _draw_signals(
    axes: Axes,
    graph: BlockGraph,
    centres: dict[object, tuple[float, float]],
    routes: dict[tuple[str, str], list[tuple[str, int]]],
) -> None:
    integrators = set(graph.states.values())
    edges = [edge for edge in graph.network.edges(keys=True) if edge[1] not in integrators]
    for origin, target, port in edges:
        stops = routes[origin, target]
        x1, y1 = centres[origin]
        x2, y2 = _port(graph, target, port, centres)
        points = [(x1 + _WIDTH / 2, y1)]
        for stop in stops:
            x, y = centres[stop]
            points += [(x - _WIDTH / 2, y), (x + _WIDTH / 2, y)]
        points.append((x2 - 0.02, y2))
        width = 1.5 if graph.block(origin).size > 1 else 0.8
        arrow = FancyArrowPatch(path=_smooth(points), arrowstyle="-|>", mutation_scale=8, color=INK, lw=width, fill=False)
        arrow.set(zorder=2, gid=f"edge.{origin}.{target}.{port}")
        axes.add_artist(arrow)


def _port(graph: BlockGraph, node: str, port: int, centres: dict[object, tuple[float, float]]) -> tuple[float, float]:
    """Where a port is on the left side of its block: the first on top."""
    (x, y), count = centres[node], len(graph.inputs(node))
    return x - _WIDTH / 2, y + 0.8 * _HEIGHT * (0.5 - (port + 0.5) / count)


def _port_name(block: Block, port: int) -> str:
    """Sign of a sum's port, which its coefficient has; the name of any other."""
    if isinstance(block, Scaled):
        return _port_name(block.block, port)
    if isinstance(block, Sum):
        return "+" if block.coefficients[port] >= 0 else "−"
    return block.ports[port]


def _smooth(points: list[tuple[float, float]]) -> Path:
    """Path through `points` that leaves and enters each one horizontally."""
    vertices, codes = [points[0]], [Path.MOVETO]
    for (x1, y1), (x2, y2) in itertools.pairwise(points):
        middle = (x1 + x2) / 2
        vertices += [(middle, y1), (middle, y2), (x2, y2)]
        codes += [Path.CURVE4] * 3
    return Path(vertices, codes)


def _draw_feedback(axes: Axes, graph: BlockGraph, centres: dict[object, tuple[float, float]], feedback: float) -> None:
    ends: list[float] = []
    for k, state in enumerate(graph.states):
        (x1, y1), (x2, y2) = centres[graph.rate(state)], centres[graph.states[state]]
        apart = _APART * k
        level, out, back = feedback - apart, x1 + _WIDTH / 2 + 0.22 + apart, x2 - _WIDTH / 2 - 0.3 - apart
        axes.plot([x1 + _WIDTH / 2, out, out, back, back], [y1, y1, level, level, y2], color=PALETTE[0], lw=1.5, zorder=1,
                  gid=f"rate.{graph.states[state]}")  # fmt: skip
        ends += [out, back]
        axes.annotate(
            "",
            (x2 - _WIDTH / 2, y2),
            (back, y2),
            arrowprops={"arrowstyle": "-|>", "color": PALETTE[0], "lw": 1.5, "shrinkA": 0},
        )
    if ends:  # one label under all lines, which are too close for one each
        lowest, names = feedback - _APART * (len(graph.states) - 1), ", ".join(graph.states)
        text = f"rate of {names}" if len(graph.states) == 1 else f"rates of {names}, from the top"
        axes.text((min(ends) + max(ends)) / 2, lowest - 0.1, text, ha="center", va="top", fontsize=7, color=PALETTE[0])
