"""What comparisons show: all contenders with what was assumed, their errors against time and work, and growth with size."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analogflow.comparison import MEASURES, Comparison, Contender, Prices, Scaling
from analogflow.comparison.contender import FORMULAS
from analogflow.report.bits import beside_nats, said_in_nats
from analogflow.report.figure import INK, MUTED, PALETTE, describe, look, new_figure, style

__all__ = ["comparison_tables", "plot_comparison", "plot_scaling", "print_comparison", "print_scaling"]


def comparison_tables(comparison: Comparison) -> tuple[Table, ...]:
    """A row for each contender, and one for each circuit's break-even where there is any.

    A contender that misses the accuracy is shown with what it delivered, and has neither time nor energy.
    """
    asked = f"{comparison.accuracy:g} {said_in_nats(comparison.unit)}".strip()
    table = Table(
        title=f"{comparison.problem}, at {asked} ({comparison.bits:.1f} effective bits)",
        caption=f"error: {comparison.measure}; work: operations; † throughput of many at once, no delay",
        box=box.SIMPLE_HEAD, show_edge=False, padding=0,
    )  # fmt: skip
    table.add_column("contender", no_wrap=True)
    for name in ("delivers", "bits", "τ", "time", "energy", "work", "parts", "power"):
        table.add_column(name, justify="right", no_wrap=True)
    kinds = [contender.kind for contender in comparison.contenders]
    for k, contender in enumerate(comparison.contenders):
        table.add_row(*_cells(contender), end_section=k + 1 < len(kinds) and kinds[k + 1] != kinds[k])
    tables = [table]
    if comparison.break_even:
        level = Table(
            title="break-even: where a circuit's τ is below these, it needs less time or energy",
            caption="\n".join(FORMULAS), box=box.SIMPLE_HEAD, show_edge=False, padding=0,
        )  # fmt: skip
        level.add_column("circuit", no_wrap=True)
        for name in ("settles", "its τ", "τ, time", "τ, energy", "chip: s", "chip: J", "wins"):
            level.add_column(name, justify="right", no_wrap=True)
        for row in comparison.break_even:
            wins = [what for what, won in (("time", row.chip_is_faster), ("energy", row.chip_is_cheaper)) if won]
            level.add_row(
                row.circuit, f"{row.settling:.1f}", _si(row.time_constant, "s"), _si(row.time_constant_for_time, "s"),
                _si(row.time_constant_for_energy, "s"), _si(row.chip_seconds, "s"), _si(row.chip_joules, "J"),
                "both" if len(wins) > 1 else wins[0] if wins else "neither",
            )  # fmt: skip
        tables.append(level)
    return tuple(tables)


def print_comparison(comparison: Comparison) -> None:
    """Print all tables, who wins in what, or why nobody does, and the assumptions."""
    console = Console()
    for table in comparison_tables(comparison):
        console.print(table)
    asked = f"{comparison.accuracy:g} {comparison.unit}".strip()
    console.print(
        f"All read at {asked} ({comparison.bits:.1f} effective bits); circuits: {comparison.conditions}.", highlight=False
    )
    for measure in MEASURES:
        console.print(f"Least {measure}: {comparison.verdict(measure)}", highlight=False)
    for contender in comparison.contenders:
        if contender.note:
            console.print(f"{contender.name}: {contender.note}", style="dim", highlight=False)
    console.print("Assumed:", highlight=False)
    for sentence in comparison.assumptions:
        console.print(f"  * {sentence}", highlight=False)


def _cells(contender: Contender) -> list[str | Text]:
    at = contender.at
    took_part = math.isfinite(contender.delivered)
    cells: list[str | Text] = [contender.name, f"{contender.delivered:.1e}" if took_part else Text("nothing", "red")]
    cells.append("all" if math.isinf(contender.bits) else f"{contender.bits:.0f}")
    if at is None:
        missed = Text("missed" if took_part else "", "yellow")
        cells += ["", missed, "", ""]
    else:
        mark = "†" if contender.batch > 1 else ""
        cells += ["" if at.time_constants is None else f"{at.time_constants:.1f}", _si(at.seconds, "s") + mark]
        cells += [_si(at.joules, "J"), "" if at.operations is None else f"{at.operations:.1e}"]
    return [*cells, "" if contender.components is None else str(contender.components), _si(contender.watts, "W")]


_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"))


def _si(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    factor, prefix = next(((f, p) for f, p in _PREFIXES if value >= f), _PREFIXES[-1])
    return f"{value / factor:.3g} {prefix}{unit}"


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
        counts = {"analog": 0, "mixed": 0, "digital": 0}
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
    colour, marker = look(k)["color"], look(k)["marker"]
    if contender.kind == "analog":
        axes.plot(x, y, color=colour, lw=1.6, ls=_DASHES[k % len(_DASHES)], label=contender.name)
        axes.plot(x[-1], y[-1], "|", color=colour, ms=8, mew=1.6, label=f"_{contender.name}")
    else:
        axes.plot(x, y, color=colour, lw=0.7, ls="--", marker=marker, ms=3.5, mec=MUTED, mew=0.3,
                  label=contender.name)  # fmt: skip


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
            title=f"{scaling.kind} channels at {scaling.accuracy:g} {beside_nats(scaling.accuracy, '.3g')}",
            box=box.SIMPLE_HEAD,
            show_edge=False,
            padding=0,
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
