"""Figure of a reproduction, and its lines as a table."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.table import Table
from rich.text import Text

from analogflow.papers.result import AGREES, DIFFERS, ERRATUM, HEAD, UNJUDGED, Panel, Reproduction
from analogflow.report.figure import MUTED, describe, look, new_figure, style

__all__ = ["lines_table", "plot_reproduction"]

_WIDTH, _HEIGHT, _ABREAST = 3.4, 3.0, 3
_STYLES = {
    "line": {"ls": "-", "lw": 1.4},
    "dashed": {"ls": "--", "lw": 1.3},
    "dotted": {"ls": ":", "lw": 1.3},
    "faint": {"ls": "-", "lw": 0.6, "alpha": 0.7},
    "points": {"ls": "", "marker": "D", "ms": 3.5},
    "crosses": {"ls": "", "marker": "x", "ms": 4.5},
    "dots": {"ls": "", "marker": ".", "ms": 3.5, "mew": 0, "alpha": 0.8, "rasterized": True},
    "haze": {"ls": "", "marker": ".", "ms": 3.0, "mew": 0, "alpha": 0.3, "rasterized": True},
}
_LEGEND_LINE = 0.14
"""Height of a line of a legend, inches."""


def plot_reproduction(reproduction: Reproduction) -> Figure:
    """Panels in rows of at most three, each a column wide, with an alternative text that says what was found."""
    panels = reproduction.panels
    columns = 2 if len(panels) == 2 * (_ABREAST - 1) else min(len(panels), _ABREAST)
    rows = -(-len(panels) // columns)
    entries = max(len([curve for curve in panel.curves if curve.style != "faint"]) + 1 for panel in panels)
    with style():
        figure = new_figure(_WIDTH * columns, rows * (_HEIGHT + _LEGEND_LINE * (entries // 2)))
        cells = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, panel in zip(cells, panels, strict=False):
            _draw(axes, panel)
        for axes in cells[len(panels) :]:
            axes.set_axis_off()
    found = "; ".join(f"{line.claim}: {line.verdict}" for line in reproduction.lines)
    describe(figure, f"{reproduction.title} ({reproduction.source}). {found}.")
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    colours: dict[str, str] = {}
    # One entry says what all faint lines are: what their labels add to those of the lines they belong to.
    faint = "faint: " + ", ".join(dict.fromkeys(c.label.partition(", ")[2] for c in panel.curves if c.style == "faint"))
    for curve in panel.curves:
        # A line and the points beside it that begin with the same word belong together.
        word = curve.label.split(",")[0]
        colour = colours.setdefault(word, look(len(colours))["color"])
        label = f"_{faint}" if curve.style == "faint" else curve.label
        axes.plot(curve.x, curve.y, color=MUTED if curve.style == "dotted" else colour, label=label, **_STYLES[curve.style])
    if any(curve.style == "faint" for curve in panel.curves):
        axes.plot([], [], color=MUTED, label=faint, **_STYLES["faint"])
    axes.set(xlabel=panel.x, ylabel=panel.y, title=panel.title)
    axes.set_xscale("log" if panel.log_x else "linear")
    axes.set_yscale("log" if panel.log_y else "linear")
    if panel.equal:
        axes.set_aspect("equal")
    # Below the axes, where it covers no curve.
    axes.legend(fontsize=6.5, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, markerscale=1.5)


def lines_table(reproduction: Reproduction) -> Table:
    """What the paper says, what we find, the difference, what is allowed, and the verdict."""
    table = Table(title=f"{reproduction.title} · {reproduction.source}", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in HEAD:
        table.add_column(name, overflow="fold")
    colour = {AGREES: "green", ERRATUM: "cyan", DIFFERS: "bold red", UNJUDGED: "yellow"}
    for line in reproduction.lines:
        *cells, verdict = line.cells()
        table.add_row(*cells, Text(verdict, colour[verdict]))
    return table
