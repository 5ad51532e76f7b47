"""Cells of a table that is text: which character separates them, which marks decimals, and what is a comment.

That is told from the text by one rule: what makes the most numbers. Where two readings make as many, or a comma may mark
decimals or thousands, the text is refused with both. Names it does not tell from numbers.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
import re
from collections.abc import Iterator, Sequence

from analogflow.errors import BadInput

__all__ = ["Cells", "cells_of", "is_number", "is_whole", "number_of"]

_SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas", " ": "spaces"}
_SEEN, _SHOWN = 64, 4000
"""Lines, and characters of each, that separators are told from."""
_THOUSANDS = {mark: re.compile(rf"[+-]?[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}") for mark in ",."}
_ANNOUNCED = re.compile(r"sep=.")
_COMMA = re.compile(r"(?<=\d),(?=\d)|(?<![\d.]),(?=\d)")
_SHARE = re.compile(r"(?<=\d)[ \t]+%")
_UNCOMMENTED = re.compile(r'(?:"[^"]*"|[^"#]|(?<=[^\s,;])#)*')
_ENCODINGS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclasses.dataclass
class Cells:
    """Rows of cells as text, numbers with points; the number of each row, from 1; and what was not plain about them."""

    lines: list[int]
    cells: list[list[str]]
    said: list[str]


def is_whole(cell: str) -> bool:
    """Whether a cell is a whole number, written in digits alone."""
    return cell.isascii() and cell.isdigit()


def is_number(cell: str) -> bool:
    """Whether a cell is a number, a share in per cent or a fraction, or is so to Python, and no name: 1_0."""
    return number_of(cell.replace("_", "")) is not None


def number_of(cell: str) -> float | None:
    """The number in a cell, such as ``0.25``, ``2.5e-1``, ``25%`` or ``1/4``; None if it is none."""
    # float() also takes '1_0', which no spreadsheet means as ten, and the digits of every script.
    if not cell.isascii() or "_" in cell:
        return None
    try:
        if cell.endswith("%"):
            return float(cell[:-1]) / 100
        over, divided, under = cell.partition("/")
        return float(over) / float(under) if divided else float(cell)
    except (ValueError, ZeroDivisionError):
        return None


def cells_of(content: bytes, name: str) -> Cells:
    """Cells of a text; blank lines and what follows ``#`` are left out, and a last column without an entry.

    Raises
    ------
    BadInput
        It is no text in UTF-8, or in UTF-16 with a byte-order mark; it is empty; or it may be read in two ways, with both in
        the sentence, which begins with `name`.
    """
    said: list[str] = []
    lines = [_SHARE.sub("%", line) for line in _uncommented(_decoded(content, name, said).splitlines(), said)]
    if lines and _ANNOUNCED.fullmatch(lines[0]):
        lines[0] = ""  # what Excel writes for itself, and what all other lines tell as well
    shown = [line[:_SHOWN] for line in lines if line.strip()][:_SEEN]
    if not shown:
        raise BadInput(f"{name} is empty; write one row of probabilities for each input symbol.")
    separator, mark = _separator(shown, name)
    found = Cells([], [], said)
    try:
        for line, cells in enumerate(_rows(lines, separator), start=1):
            if any(stripped := [cell.strip() for cell in cells]):
                if mark == "," and (strange := [cell for cell in stripped if "." in cell and is_number(cell)]):
                    raise BadInput(
                        f"{name}, row {line}: {strange[0]} has a point and other numbers decimal commas, so that the point "
                        "may mark decimals or thousands; write all numbers in one way."
                    )
                found.lines.append(line)
                found.cells.append([_pointed(cell) for cell in stripped] if mark == "," else stripped)
    except csv.Error as fault:
        raise BadInput(f"{name} can not be read as CSV ({fault}); write plain numbers separated by commas.") from None
    if separator != "," and len(found.cells[0]) + len(found.cells[-1]) > 2:
        said.append(f"cells are separated by {_SEPARATORS[separator]}")
    _refuse_thousands(found.cells, mark, separator, name)
    if mark == ",":
        said.append("commas mark the decimals")
    _refuse_split_decimals(found.cells, separator, name)
    _drop_last(found)
    for kind, character in (("a share in per cent is its part of 1", "%"), ("a fraction is its quotient", "/")):
        if any(character in cell and is_number(cell) for row in found.cells for cell in row):
            said.append(kind)
    return found


def _decoded(content: bytes, name: str, said: list[str]) -> str:
    encoding = next((known for mark, known in _ENCODINGS.items() if content.startswith(mark)), "utf-8")
    if encoding == "utf-16":
        said.append("the text is in UTF-16")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not a text file in UTF-8; save it as CSV in UTF-8.") from None
    if "\0" in text:
        raise BadInput(f"{name} is not a text file in UTF-8, but perhaps one in UTF-16 without its mark; save it in UTF-8.")
    return text


def _uncommented(lines: Sequence[str], said: list[str]) -> Iterator[str]:
    """Lines without comments, of which those beside numbers are told; a ``#`` in quotes or inside a word begins none."""
    beside = False
    for line in lines:
        end = _UNCOMMENTED.match(line).end() if "#" in line else len(line)  # type: ignore[union-attr]
        comment = line[end : end + 1] == "#"
        beside = beside or (comment and bool(line[:end].strip()))
        yield line[:end] if comment else line
    if beside:
        said.append("what follows # is a comment")


def _rows(lines: Sequence[str], separator: str) -> Iterator[list[str]]:
    if separator == " ":  # any number of spaces and tabs is one
        lines = [line.replace("\t", " ").strip() for line in lines]
    return csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t")


def _pointed(cell: str) -> str:
    """A number with points for its decimal commas; any other cell as it is, and one with points as what is no number."""
    pointed = _COMMA.sub(".", cell)
    return pointed if pointed != cell and is_number(pointed) and "." not in cell else cell


def _separator(shown: Sequence[str], name: str) -> tuple[str, str]:
    """The separator, and the mark of decimals, by which the most cells are numbers and the fewest are not."""
    scores: dict[tuple[str, str], int] = {}
    for separator in _SEPARATORS:
        try:
            given = [cell for row in _rows(shown, separator) for cell in map(str.strip, row) if cell]
        except csv.Error:
            continue
        for mark in ".,":
            # Who marks decimals with commas does not mark them with points, too.
            read = [_pointed(cell) for cell in given if "." not in cell] if mark == "," else given
            if numbers := sum(map(is_number, read)):
                scores[separator, mark] = 2 * numbers - len(given)
    if not scores:  # the fault is told of what stands between all cells, or of what is usual
        return next((key for key in _SEPARATORS if key in ";\t" and all(key in line for line in shown)), ","), "."
    best = max(scores.values())
    found = [reading for reading, score in scores.items() if score == best]
    # Commas that mark nothing are no second reading, and a tab is a space to who knows no tabs.
    apart = {
        str([[_pointed(cell.strip()) if mark == "," else cell.strip() for cell in row] for row in _rows(shown, separator)])
        for separator, mark in found
    }
    if len(apart) > 1:
        ways = " or ".join(f"by {_SEPARATORS[separator]} with {mark!r} in decimals" for separator, mark in found)
        raise BadInput(f"{name} may be separated {ways}; write commas between the cells and points in the numbers.")
    return found[0]


def _refuse_thousands(rows: Sequence[Sequence[str]], mark: str, separator: str, name: str) -> None:
    """Refuse numbers such as 1,234 where none among them tells whether it marks decimals or thousands."""
    if mark == "." and separator == ",":
        return
    marked = [cell for row in rows for cell in row if "." in cell and is_number(cell)]
    whole = mark == "," or any(is_whole(cell) for row in rows for cell in row)
    if marked and whole and all(_THOUSANDS["."].fullmatch(cell) for cell in marked):
        first = marked[0].replace(".", mark)
        raise BadInput(
            f"{name}: {first} may be {marked[0]}, with a mark of decimals, or {marked[0].replace('.', '')}, with one of "
            f"thousands; write {marked[0]}0 or {marked[0].replace('.', '')}."
        )


def _refuse_split_decimals(rows: Sequence[Sequence[str]], separator: str, name: str) -> None:
    """Refuse whole numbers that are probabilities where every second comma marks decimals: 0,9,0,1."""
    body = [row for row in rows if all(map(is_whole, row))]
    if separator != "," or len(body) < max(len(rows) - 1, 2) or any(len(row) % 2 or len(row) < 4 for row in body):
        return
    paired = [[float(f"{row[k]}.{row[k + 1]}") for k in range(0, len(row), 2)] for row in body]
    if all(abs(sum(row) - 1) <= 1e-9 for row in paired) and any(sum(map(float, row)) != 1 for row in body):
        given = ",".join(body[0][:4])
        raise BadInput(
            f"{name}: {given} may be {len(body[0])} whole numbers in a row, or half as many numbers with decimal commas, "
            f"{paired[0][0]:g} and {paired[0][1]:g}; write decimal points, or semicolons between the cells."
        )


def _drop_last(found: Cells) -> None:
    """Leave out a last column that is empty in every row, which a separator at the end of each line makes."""
    first, *rest = found.cells
    if rest and all(len(row) > 1 and not row[-1] for row in rest) and (not first[-1] or len(first) == len(rest[0]) - 1):
        found.cells = [row[:-1] if not row[-1] else row for row in found.cells]
        found.said.append("the last column is empty and left out")
