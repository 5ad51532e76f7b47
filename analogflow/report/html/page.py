"""Turns sections into one HTML file with everything inside."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analogflow.errors import BadInput
from analogflow.problems.contents import refuse_existing, refuse_placeless, whole_file
from analogflow.report.html.content import Grid, Section

__all__ = ["Page", "check_page", "grid_html", "write_page"]


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
        loader=PackageLoader("analogflow.report.html"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
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
