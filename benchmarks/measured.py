"""Copy tables of other pages into docs/measured.md, so that no number there is typed, and none can differ from its source.

    python benchmarks/measured.py            print the page as it should be
    python benchmarks/measured.py --write    write it

A place for a table names its source: ``<!-- from PAGE, SECTION: COLUMN | COLUMN where COLUMN is VALUE or VALUE -->``, up to
``<!-- end -->``. SECTION is the marker between which a benchmark writes; ``all`` takes every column.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from tables import table

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "measured.md"
PLACE = re.compile(
    r"(<!-- from (?P<page>\S+), (?P<section>[^:\n]+): (?P<columns>[^\n]+?)"
    r"(?: where (?P<key>[^\n]+?) is (?P<values>[^\n]+?))? -->\n).*?(?=<!-- end -->)",
    flags=re.S,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    if parser.parse_args().write:
        PAGE.write_text(refreshed(), encoding="utf-8")
    else:
        print(refreshed())


def refreshed() -> str:
    """The page, with every table as its source has it now."""
    return PLACE.sub(lambda place: f"{place[1]}{copied(place)}\n", PAGE.read_text(encoding="utf-8"))


def copied(place: re.Match[str]) -> str:
    """The table that a place asks for, and where it is from."""
    text = (DOCS / place["page"]).read_text(encoding="utf-8")
    head, rows = source(text, f"{place['page']}, {place['section']}", place["section"])
    columns = head if place["columns"] == "all" else tuple(place["columns"].split(" | "))
    if unknown := {*columns, *([place["key"]] if place["key"] else [])} - {*head}:
        raise SystemExit(f"{place['page']}, {place['section']} has no column {sorted(unknown)}; it has: {' | '.join(head)}.")
    if place["key"]:
        wanted = place["values"].split(" or ")
        rows = [row for row in rows if row[head.index(place["key"])] in wanted]
        if lacking := {*wanted} - {row[head.index(place["key"])] for row in rows}:
            raise SystemExit(f"{place['page']}, {place['section']} has no row whose {place['key']} is {sorted(lacking)}.")
    chosen = [tuple(row[head.index(column)] for column in columns) for row in rows]
    return f"{table(columns, chosen)}\n\nFrom [{text.partition(chr(10))[0].removeprefix('# ')}]({place['page']})."


def source(text: str, where: str, section: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of the first table between a section's markers."""
    found = re.search(rf"<!-- {re.escape(section)} -->\n(.*?)<!-- end -->", text, flags=re.S)
    lines = re.findall(r"^\|(.*)\|$", found[1], flags=re.M) if found else []
    if len(lines) < 3:
        raise SystemExit(f"{where}: there is no table between these markers.")
    # A section may hold several tables: the first ends where the number of columns changes.
    head, _, *rows = (tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)) for line in lines)
    return head, [row for row in rows if len(row) == len(head)]


if __name__ == "__main__":
    main()
