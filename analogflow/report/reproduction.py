"""Figure of a reproduction, and its findings as a table."""

from __future__ import annotations

from matplotlib.figure import Figure
from rich import box
from rich.table import Table
from rich.text import Text

from analogflow.report.figure import MUTED, PALETTE, describe, new_figure, style
from analogflow.reproduction import Reproduction

__all__ = ["findings_table", "plot_reproduction"]

_WIDTH, _HEIGHT = 3.4, 3.0
_STYLES = {
    "line": {"ls": "-", "lw": 1.4},
    "dashed": {"ls": "--", "lw": 1.3},
    "dotted": {"ls": ":", "lw": 1.3},
    "points": {"ls": "", "marker": "D", "ms": 3.5},
}


def plot_reproduction(reproduction: Reproduction) -> Figure:
    """Panels side by side, each a column wide, with an alternative text that says what was found."""
    panels = reproduction.panels
    with style():
        figure = new_figure(_WIDTH * len(panels), _HEIGHT)
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            colours: dict[str, str] = {}
            for curve in panel.curves:
                # A line and the points beside it that begin with the same word belong together.
                word = curve.label.split(",")[0]
                colour = colours.setdefault(word, PALETTE[len(colours) % (len(PALETTE) - 2)])
                axes.plot(curve.x, curve.y, color=MUTED if curve.style == "dotted" else colour, label=curve.label,
                          **_STYLES[curve.style])  # fmt: skip
            axes.set(xlabel=panel.x, ylabel=panel.y, title=panel.title)
            axes.set_xscale("log" if panel.log_x else "linear")
            axes.set_yscale("log" if panel.log_y else "linear")
            axes.legend(fontsize=6.5)
    found = "; ".join(f"{f.claim}: {f.verdict}" for f in reproduction.findings)
    describe(figure, f"{reproduction.title} ({reproduction.source}). {found}.")
    return figure


def findings_table(reproduction: Reproduction) -> Table:
    """What the paper says, what we find, the difference, and whether they agree."""
    table = Table(title=f"{reproduction.title} · {reproduction.source}", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("claim", "paper says", "we find", "difference", "verdict"):
        table.add_column(name, overflow="fold")
    colour = {"agrees": "green", "differs": "bold red", "cannot be reproduced": "yellow"}
    for f in reproduction.findings:
        table.add_row(f.claim, f.paper, f.found, f.difference, Text(f.verdict, colour[f.verdict]))
    return table
