"""Figure and tables of how circuits and digital solvers grow with the size of a channel."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich import box
from rich.console import Console
from rich.table import Table

from analogflow.comparison import Prices, Scaling
from analogflow.report.figure import INK, PALETTE, describe, new_figure, style

__all__ = ["plot_scaling", "print_scaling"]

_SIDES = (
    ("board", "transistors", "-", "o"),
    ("digital", "best digital solver", "--", "s"),
    ("chip", "assumed chip", ":", "^"),
)


def plot_scaling(scalings: Sequence[Scaling]) -> Figure:
    """Settling time, parts, time and energy against n on logarithmic axes; a colour for each kind of channel.

    Returns
    -------
    Figure
        7 in wide, four panels, with an alternative text.
    """
    with style():
        figure = new_figure(7.0, 5.2)
        settling, parts, time, energy = figure.subplots(2, 2).ravel()
        for colour, scaling in zip(PALETTE, scalings, strict=False):
            n = [p.inputs for p in scaling.points]
            settling.plot(
                n, [p.settling for p in scaling.points], color=colour, marker="o", ms=3.5, label=f"_{scaling.kind}"
            )
            parts.plot(n, [p.parts for p in scaling.points], color=colour, marker="o", ms=3.5, label=f"_{scaling.kind}")
            for side, what, dashes, marker in _SIDES:
                for panel, unit in ((time, "seconds"), (energy, "joules")):
                    values = [getattr(p, f"{side}_{unit}") for p in scaling.points]
                    panel.plot(n, values, color=colour, ls=dashes, marker=marker, ms=3.5, lw=1.2, label=f"_{what}")
        sizes = sorted({p.inputs for scaling in scalings for p in scaling.points})
        labels = ("settling time (τ)", "parts, transistors", "time (s)", "energy (J)")
        for panel, label in zip((settling, parts, time, energy), labels, strict=True):
            panel.set(xscale="log", yscale="log", xlabel="inputs n", ylabel=label)
            panel.set_xticks(sizes, [str(n) for n in sizes])
            panel.minorticks_off()
        shown = [Line2D([], [], color=c, label=s.kind) for c, s in zip(PALETTE, scalings, strict=False)]
        shown += [Line2D([], [], color=INK, ls=dashes, marker=m, ms=3.5, label=name) for _, name, dashes, m in _SIDES]
        figure.legend(handles=shown, loc="outside lower center", ncols=3, fontsize=8)
    describe(figure, " ".join(_said(scaling) for scaling in scalings))
    return figure


def _said(scaling: Scaling) -> str:
    first, last = scaling.points[0], scaling.points[-1]
    text = (
        f"{scaling.kind[:1].upper()}{scaling.kind[1:]} channels from {first.inputs} to {last.inputs} inputs, at "
        f"{scaling.accuracy:g} nat: settling from {first.settling:.1f} to {last.settling:.1f} τ, energy of transistors from "
        f"{first.board_joules:.1e} to {last.board_joules:.1e} J, of the best digital solver from {first.digital_joules:.1e} "
        f"to {last.digital_joules:.1e} J, of the assumed chip from {first.chip_joules:.1e} to {last.chip_joules:.1e} J."
    )
    return text


def print_scaling(scalings: Sequence[Scaling], prices: Prices) -> None:
    """Print a table for each kind of channel, its exponents, where sides cross, and what was assumed."""
    console = Console()
    for scaling in scalings:
        table = Table(
            title=f"{scaling.kind} channels at {scaling.accuracy:g} nat", box=box.SIMPLE_HEAD, show_edge=False, padding=0
        )
        for name in ("n", "τ", "parts", "board: s", "J", "digital: s", "J", "work", "chip: s", "J"):
            table.add_column(name, justify="right", no_wrap=True)
        for p in scaling.points:
            numbers = (
                p.board_seconds, p.board_joules, p.digital_seconds, p.digital_joules, p.operations, p.chip_seconds,
                p.chip_joules,
            )  # fmt: skip
            table.add_row(str(p.inputs), f"{p.settling:.1f}", str(p.parts), *(f"{value:.1e}" for value in numbers))
        if len(scaling.points) > 2:
            fields = (
                "settling", "parts", "board_seconds", "board_joules", "digital_seconds", "digital_joules", "operations",
                "chip_seconds", "chip_joules",
            )  # fmt: skip
            table.add_section()
            table.add_row("n^", *(f"{scaling.exponent(name)[0]:.2f}" for name in fields))
        console.print(table)
        for side, name in (("board", "transistors"), ("chip", "the assumed chip")):
            for unit, what in (("seconds", "time"), ("joules", "energy")):
                n = scaling.crossover(f"{side}_{unit}", f"digital_{unit}")
                where = "at no size up to here" if n is None else f"from n = {n}"
                console.print(f"Less {what} by {name}: {where}.", highlight=False)
    console.print(
        "Assumed: the circuits are as accurate as the flow; settling is the flow's, τ and power are those of the parts; "
        "digital: the best of three solvers, energy of operations and words alone.",
        highlight=False,
    )
    for name, price in prices.table.items():
        console.print(f"  * {name}: {price.value:g} {price.unit} ({price.source}).", highlight=False)
