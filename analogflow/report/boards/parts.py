"""Tables of what is bought for a circuit, and of what each level of its description costs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from analogflow.hardware.parts_list import PartsList
from analogflow.judgement.levels import Level

__all__ = ["levels_table", "parts_table"]


def parts_table(parts: PartsList, *, title: str = "parts") -> Table:
    """Parts with value, count, tolerance and supply current."""
    table = Table(title=title, caption=f"static power of amplifiers and multipliers: {parts.power:.3g} W")
    for column in ("part", "value", "count", "tolerance (σ)", "supply current"):
        table.add_column(column, justify="right" if column in ("value", "count") else "left")
    for entry in parts.entries:
        current = f"{1e3 * entry.current:.3g} mA" if entry.current else ""
        table.add_row(entry.part, entry.value, str(entry.count), entry.tolerance, current)
    return table


def levels_table(levels: Sequence[Level], *, answer: str) -> Table:
    """Error of every level, what the step to it added, and the block that adds most."""
    table = Table(title=f"from the equations to the parts: errors of {answer}")
    for column in ("level", "error", "added", "by"):
        table.add_column(column, justify="right" if column in ("error", "added") else "left", overflow="fold")
    for level in levels:
        added = "" if level.name == "exact flow" else f"{level.added:.1e}"
        table.add_row(level.name, f"{level.error:.1e}", added, level.culprit)
    return table
