"""Tables of a flow held against a board."""

from __future__ import annotations

import numpy as np
from rich.table import Table
from rich.text import Text

from analogflow.hardware import Board, BoardFit

__all__ = ["board_table", "mapping_table"]


def mapping_table(mapping: BoardFit) -> Table:
    """What the flow needs and the board has, whether it fits, and if not what would."""
    verdict = Text("fits", "green") if mapping.fits else Text("does not fit", "bold red")
    table = Table(title=f"{mapping.board.title}", caption=mapping.note or None)
    for column in ("unit", "needed", "there"):
        table.add_column(column, justify="left" if column == "unit" else "right", overflow="fold")
    for unit in dict.fromkeys((*mapping.has, *mapping.needs)):
        needed, there = mapping.needs.get(unit, 0), mapping.has.get(unit, 0)
        table.add_row(unit.replace("_", " "), Text(str(needed), "bold red" if needed > there else ""), str(there))
    table.add_section()
    table.add_row("verdict", verdict, "")
    for sentence in mapping.binding:
        table.add_row("binds", sentence, "")
    for sentence in mapping.suggestions:
        table.add_row("would fit", sentence, "")
    if mapping.seconds_per_time_constant is not None:
        table.add_row("τ on the machine", f"{mapping.seconds_per_time_constant:.3g} s", "")
    for name, error in mapping.errors.items():
        found = mapping.followed[name]
        shown = f"{error:.1e}, {100 * found.relative:.2g}% of a peak" if np.isfinite(error) else "left the machine"
        table.add_row(f"distance from the flow until {found.until:.3g} τ, {name} coefficients", shown, "")
    return table


def board_table(board: Board) -> Table:
    """Every number of a board and where it comes from."""
    table = Table(title=board.title)
    for column in ("what", "number", "source", "verified"):
        table.add_column(column, justify="right" if column == "number" else "left", overflow="fold")
    for name, figure in board.figures().items():
        verified = Text("yes", "green") if figure.verified else Text("no", "yellow")
        table.add_row(name.replace("_", " "), f"{figure.value:g}", figure.source, verified)
    return table
