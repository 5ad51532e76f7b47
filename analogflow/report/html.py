"""HTML of paragraphs, tables, listings and pictures: one file with everything inside, which needs no network."""

from __future__ import annotations

import dataclasses
import functools
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from rich.table import Table
from rich.text import Text

from analogflow.contents import refuse_existing, refuse_placeless, whole_file
from analogflow.errors import BadInput
from analogflow.report.figure import alt_text, style

__all__ = [
    "Grid",
    "Listing",
    "Page",
    "Paragraph",
    "Picture",
    "Section",
    "check_page",
    "grid_html",
    "grid_of",
    "picture_of",
    "rows_of",
    "write_page",
]


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


@dataclasses.dataclass(frozen=True)
class Page:
    """A report before it is written.

    Parameters
    ----------
    title : str
    verdict : str
        What came out, in a sentence.
    good : bool
        Whether that is what was hoped for.
    sections : tuple of Section
    """

    title: str
    verdict: str
    good: bool
    sections: tuple[Section, ...]

    def html(self) -> str:
        """The whole document. All text is escaped; pictures are the SVG elements that were drawn here."""
        return _environment().get_template("page.html.j2").render(page=self)


def grid_html(grid: Grid) -> str:
    """One table as HTML, escaped, for a notebook."""
    module: Any = _environment().get_template("table.html.j2").module
    return str(module.table(grid, grid.caption))


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("analogflow.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["drawn"] = Markup
    return environment


def check_page(path: Path, *, force: bool) -> None:
    """Refuse a page that could not be written at `path`, before work is spent on it.

    Raises
    ------
    BadInput
        The name does not end in .html, the file exists and `force` is false, or there is no folder for it.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"{str(path)!r}: a report is an HTML file; give a name that ends in .html.")
    refuse_existing(path, force=force)
    refuse_placeless(path)


def write_page(page: Page, path: str | Path, *, force: bool = False) -> Path:
    """Write a report at once or not at all.

    Raises
    ------
    BadInput
        The name does not end in .html, the file exists and `force` is false, or it can not be written.
    """
    path = Path(path)
    check_page(path, force=force)
    text = page.html()
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
    return path
