"""Figure of a comparison: error against time and against energy, circuits and digital solvers side by side."""

from __future__ import annotations

import math

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from analogflow.comparison import Comparison, Contender
from analogflow.report.figure import INK, MUTED, PALETTE, describe, new_figure, style

__all__ = ["plot_comparison"]

_MARKERS = "osD^vPX*"
_DASHES = ("-", (0, (6, 1.5)), (0, (3, 1.2)), (0, (6, 1.2, 1, 1.2)))
"""Lines of circuits: where two coincide, the lower shows through the gaps of the upper."""
_FLOOR = 1e-13
"""Errors below are rounding, and are drawn here."""


def plot_comparison(comparison: Comparison) -> Figure:
    """Error against time, against energy and against work, of every contender that delivered anything.

    Digital solvers are points joined by lines, one for each setting of their knob; circuits of parts are lines in time. A
    dotted line is the accuracy that was asked for. Ideal circuits have no seconds and are left out.

    Returns
    -------
    Figure
        7 in wide, three panels, the last of digital solvers alone, with an alternative text.
    """
    drawn = [c for c in comparison.contenders if any(p.seconds and math.isfinite(p.error) for p in c.points)]
    with style():
        figure = new_figure(7.0, 4.0)
        axes = figure.subplots(1, 3, sharey=True)
        counts = {"analog": 0, "digital": 0}
        for contender in drawn:
            k = counts[contender.kind]
            counts[contender.kind] += 1
            for panel, quantity in zip(axes, ("seconds", "joules", "operations"), strict=True):
                _line(panel, contender, quantity, k)
        errors = [p.error for c in drawn for p in c.points]
        least = max(min(errors, default=_FLOOR), _FLOOR)
        for panel, label in zip(axes, ("time (s)", "energy (J)", "work (operations)"), strict=True):
            panel.axhline(comparison.accuracy, color=INK, lw=0.8, ls=":", label="accuracy asked for")
            panel.set(xscale="log", yscale="log", xlabel=label, ylim=(least / 3, None))
            _decades(panel)
        cut = f", at least {_FLOOR:g}" if any(error < _FLOOR for error in errors) else ""
        axes[0].set_ylabel(f"error{f' ({comparison.unit})' if comparison.unit else ''}{cut}")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7)
    ends = "; ".join(f"{c.name} {c.delivered:.1e}" for c in drawn)
    describe(
        figure,
        f"{comparison.measure[:1].upper()}{comparison.measure[1:]} against time, energy and work for {len(drawn)} "
        f"contenders on {comparison.problem}, with a line at {comparison.accuracy:g}. Each delivers: {ends}.",
    )
    return figure


def _decades(axes) -> None:
    """At least two whole decades on the horizontal axis, with labels at those alone."""
    low, high = axes.dataLim.intervalx
    if 0 < low <= high < math.inf and math.log10(high / low) < 2:
        first = math.floor(math.log10(low) - 0.05)
        axes.set_xlim(10.0**first, 10.0 ** max(first + 2, math.ceil(math.log10(high) + 0.05)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _line(axes, contender: Contender, quantity: str, k: int) -> None:
    points = [
        (getattr(p, quantity), max(p.error, _FLOOR))
        for p in contender.points
        if getattr(p, quantity) and math.isfinite(p.error)
    ]
    if not points:
        return
    x, y = zip(*points, strict=True)
    colour = PALETTE[k % (len(PALETTE) - 2)]
    if contender.kind == "analog":
        axes.plot(x, y, color=colour, lw=1.6, ls=_DASHES[k % len(_DASHES)], label=contender.name)
        axes.plot(x[-1], y[-1], "|", color=colour, ms=8, mew=1.6, label=f"_{contender.name}")
    else:
        axes.plot(x, y, color=colour, lw=0.7, ls="--", marker=_MARKERS[k % len(_MARKERS)], ms=3.5, mec=MUTED, mew=0.3,
                  label=contender.name)  # fmt: skip
