"""What a page consists of: sections of paragraphs, tables, listings and pictures."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Sequence

from matplotlib.figure import Figure
from rich.table import Table
from rich.text import Text

from analogflow.report.figure import alt_text, style

__all__ = ["Grid", "Listing", "Paragraph", "Picture", "Section", "grid_of", "picture_of", "rows_of"]

_IDENTIFIED = re.compile(r'(\bid="|url\(#|href="#)([^")]+)')


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str
    kind: str = dataclasses.field(default="paragraph", init=False)


@dataclasses.dataclass(frozen=True)
class Grid:
    """A table: head and rows of plain text; `folded` ones are opened by the reader."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    folded: bool = False
    kind: str = dataclasses.field(default="grid", init=False)


@dataclasses.dataclass(frozen=True)
class Listing:
    """Text of a fixed width, such as a netlist or commands."""

    text: str
    caption: str = ""
    folded: bool = False
    kind: str = dataclasses.field(default="listing", init=False)


@dataclasses.dataclass(frozen=True)
class Picture:
    """An SVG element, the text that stands for it, and what is written below."""

    svg: str
    alt: str
    caption: str = ""
    kind: str = dataclasses.field(default="picture", init=False)


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading, the anchor it is linked by, and its items."""

    title: str
    anchor: str
    items: tuple[Paragraph | Grid | Listing | Picture, ...]


def grid_of(table: Table, *, folded: bool = False) -> Grid:
    """The same table for a page."""
    columns = [[_plain(cell) for cell in column.cells] for column in table.columns]
    caption = ". ".join(_plain(text) for text in (table.title, table.caption) if text)
    return Grid(tuple(_plain(c.header) for c in table.columns), tuple(zip(*columns, strict=True)), caption, folded)


def picture_of(figure: Figure, name: str, caption: str = "") -> Picture:
    """A figure as an SVG element; `name` makes its identifiers unlike those of other pictures of a page."""
    text = io.StringIO()
    with style():
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = _IDENTIFIED.sub(lambda found: f"{found[1]}{name}-{found[2]}", svg)
    return Picture(svg, alt_text(figure) or caption or name, caption)


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def rows_of(pairs: Sequence[tuple[str, object]]) -> tuple[tuple[str, ...], ...]:
    """Rows of two cells."""
    return tuple((name, str(value)) for name, value in pairs)
