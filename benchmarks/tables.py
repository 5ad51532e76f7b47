"""What benchmarks find, kept as data in ``numbers/PAGE.json``, and the tables in the documentation that are made from it.

    python benchmarks/tables.py              say which pages differ from their numbers
    python benchmarks/tables.py --write      write them anew

A page shows a section between the lines ``<!-- SECTION -->`` and ``<!-- end -->``. The page of all numbers takes columns and
rows of sections of other pages, as in ``<!-- from PAGE, SECTION: COLUMN | COLUMN where COLUMN is VALUE or VALUE -->``, where
``all`` takes every column.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

__all__ = ["Section", "Table", "copied", "filled", "kept", "machine", "numbers", "report", "shown", "store", "table"]

DOCS = Path(__file__).parents[1] / "docs"
NUMBERS = Path(__file__).parent / "numbers"
END = "<!-- end -->"


@dataclasses.dataclass(frozen=True)
class Table:
    """Names of columns, and rows of as many cells."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        """As Markdown."""
        lines = (self.head, tuple("---" for _ in self.head), *self.rows)
        return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


Section = str | Table | tuple[str | Table, ...]
"""One paragraph or table, or several; a paragraph may have several lines."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Table of a benchmark."""
    return Table(tuple(head), tuple(map(tuple, rows)))


def machine(*packages: str) -> str:
    """Sentence on what computed a table."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    return f"Python {platform.python_version()}, {versions}; two cores of a shared server."


def report(what: str | None, document: Path, sections: Mapping[str, Callable[[], Section]]) -> None:
    """Compute and print every section; with ``--write``, also keep it and write the page `document`."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--write", action="store_true", help=f"keep the numbers, and write them into {document.name}")
    parser.add_argument("--only", choices=sorted(sections), help="one section")
    options = parser.parse_args()
    for name, compute in sections.items():
        if options.only not in (None, name):
            continue
        body = compute()
        print(f"{name}\n{shown(body)}\n", flush=True)
        if options.write:
            store(document, {name: body})


def shown(section: Section) -> str:
    """A section as Markdown."""
    return "\n\n".join(map(str, section if isinstance(section, tuple) else (section,)))


def numbers(page: str) -> dict[str, tuple[str | Table, ...]]:
    """Sections of a page, such as ``accuracy.md``, by their names."""
    path = (NUMBERS / page).with_suffix(".json")
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {
        name: tuple(part if isinstance(part, str) else table(part["head"], part["rows"]) for part in parts)
        for name, parts in kept.items()
    }


def kept(document: Path, name: str) -> dict[str, tuple[str, ...]]:
    """Rows of the first table of a section, by their first cell: for a command that computes some anew."""
    first = next((part for part in numbers(document.name).get(name, ()) if isinstance(part, Table)), table((), ()))
    return {row[0]: row for row in first.rows}


def store(document: Path, sections: Mapping[str, Section]) -> None:
    """Keep `sections` as data, and write the pages that show them."""
    known = numbers(document.name) | {name: body if isinstance(body, tuple) else (body,) for name, body in sections.items()}
    written = ",\n".join(f" {_json(name)}: [\n{_listed(parts)}\n ]" for name, parts in known.items())
    (NUMBERS / document.name).with_suffix(".json").write_text(f"{{\n{written}\n}}\n", encoding="utf-8")
    for page in (document, DOCS / "measured.md"):
        page.write_text(filled(page.name, page.read_text(encoding="utf-8")), encoding="utf-8")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _listed(parts: Sequence[str | Table]) -> str:
    """Parts as JSON, a row on a line, so that a comparison of two versions shows which row moved."""
    said = []
    for part in parts:
        if isinstance(part, str):
            said.append(f"  {_json(part)}")
        else:
            rows = ",\n    ".join(map(_json, part.rows))
            said.append(f'  {{"head": {_json(part.head)},\n   "rows": [\n    {rows}]}}')
    return ",\n".join(said)


def filled(page: str, text: str) -> str:
    """Text of a page with every section as its numbers are now.

    Raises
    ------
    SystemExit
        Numbers have no place, or a place none.
    """
    known, lines, places = numbers(page), iter(text.split("\n")), set()
    made: list[str] = []
    for line in lines:
        made.append(line)
        name = line.removeprefix("<!-- ").removesuffix(" -->")
        if line != f"<!-- {name} -->" or line == END or name.startswith("skip: "):
            continue
        if not name.startswith("from ") and name not in known:
            raise SystemExit(f"{page}: there are no numbers for the place {line}.")
        places.add(name)
        made += [copied(name.removeprefix("from ")) if name.startswith("from ") else shown(known[name]), END]
        _pass_by(lines, f"{page}: the place {line} has no {END}.")
    if missing := [name for name in known if name not in places]:
        raise SystemExit(f"{page} has no place <!-- {missing[0]} -->.")
    return "\n".join(made)


def _pass_by(lines: Iterator[str], fault: str) -> None:
    if all(line != END for line in lines):
        raise SystemExit(fault)


def copied(place: str) -> str:
    """Table that ``PAGE, SECTION: COLUMNS where COLUMN is VALUES`` asks for, and the page that it is from.

    Raises
    ------
    SystemExit
        There is no such section, column or row.
    """
    where, _, asked = place.partition(": ")
    page, _, section = where.partition(", ")
    wanted, _, condition = asked.partition(" where ")
    key, _, values = condition.partition(" is ")
    source = next((part for part in numbers(page).get(section, ()) if isinstance(part, Table)), None)
    if source is None:
        raise SystemExit(f"{where}: there is no table among its numbers.")
    head, rows = source.head, source.rows
    columns = head if wanted == "all" else tuple(wanted.split(" | "))
    if unknown := {*columns, *([key] if key else [])} - {*head}:
        raise SystemExit(f"{where} has no column {sorted(unknown)}; it has: {' | '.join(head)}.")
    if key:
        rows = tuple(row for row in rows if row[head.index(key)] in values.split(" or "))
        if lacking := {*values.split(" or ")} - {row[head.index(key)] for row in rows}:
            raise SystemExit(f"{where} has no row whose {key} is {sorted(lacking)}.")
    title = (DOCS / page).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    chosen = table(columns, [tuple(row[head.index(column)] for column in columns) for row in rows])
    return f"{chosen}\n\nFrom [{title}]({page})."


def main() -> None:
    """Every page that shows numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the pages")
    options = parser.parse_args()
    for page in sorted((*(DOCS / f"{path.stem}.md" for path in NUMBERS.glob("*.json")), DOCS / "measured.md")):
        text = page.read_text(encoding="utf-8")
        if text != (now := filled(page.name, text)):
            print(f"{page.name} differs from its numbers")
            if options.write:
                page.write_text(now, encoding="utf-8")


if __name__ == "__main__":
    main()
