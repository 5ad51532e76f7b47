"""Tables of a comparison in the terminal: contenders, break-even points, and everything that was assumed."""

from __future__ import annotations

import math

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analogflow.comparison import MEASURES, Comparison, Contender
from analogflow.comparison.break_even import FORMULAS

__all__ = ["comparison_tables", "print_comparison"]


def comparison_tables(comparison: Comparison) -> tuple[Table, ...]:
    """A row for each contender, and one for each circuit's break-even where there is any.

    A contender that misses the accuracy is shown with what it delivered, and has neither time nor energy.
    """
    asked = f"{comparison.accuracy:g} {comparison.unit}".strip()
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
