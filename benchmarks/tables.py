"""Tables of a benchmark, and the place in a document that they are written to."""

from __future__ import annotations

import argparse
import platform
import re
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

__all__ = ["kept", "machine", "report", "table", "written"]


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, tuple("---" for _ in head), *rows))


def machine(*packages: str) -> str:
    """Sentence on what computed a table."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    return f"Python {platform.python_version()}, {versions}; two cores of a shared server."


def report(what: str | None, document: Path, sections: Mapping[str, Callable[[], str]]) -> None:
    """Compute and print every section; with ``--write``, also put it between its markers in `document`."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--write", action="store_true", help=f"write the tables into {document.name}")
    parser.add_argument("--only", choices=sorted(sections), help="one section")
    options = parser.parse_args()
    for name, compute in sections.items():
        if options.only not in (None, name):
            continue
        body = compute()
        print(f"{name}\n{body}\n", flush=True)
        if options.write:
            written(document, name, body)
    if options.write:
        # Loaded here, as that page's module takes `table` from this one.
        from measured import PAGE, refreshed

        PAGE.write_text(refreshed(), encoding="utf-8")


def written(document: Path, name: str, body: str) -> None:
    """Put `body` between the markers called `name` in a document."""
    text = document.read_text(encoding="utf-8")
    marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", flags=re.S)
    if not marked.search(text):
        raise SystemExit(f"{document} has no place marked <!-- {name} -->.")
    document.write_text(marked.sub(lambda m: f"{m[1]}{body}\n{m[2]}", text), encoding="utf-8")


def kept(document: Path, name: str) -> dict[str, tuple[str, ...]]:
    """Rows of the table between the markers called `name`, by their first cell: for a command that computes some anew."""
    text = document.read_text(encoding="utf-8").partition(f"<!-- {name} -->")[2].partition("<!-- end -->")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    rows = [tuple(cell.replace("\0", "\\|") for cell in line.replace("\\|", "\0")[2:-2].split(" | ")) for line in lines]
    return {row[0]: row for row in rows}
