"""What is to be ordered for a board: designators, order numbers, footprints, spares, and prices for a user to fill in."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections import defaultdict
from collections.abc import Sequence

from analogflow.circuit.build import PartSet
from analogflow.circuit.packages import series_of
from analogflow.hardware.parts_list import tolerance_of
from analogflow.report.kicad.seats import Part

__all__ = ["COLUMNS", "Order", "orders_csv", "orders_of"]

COLUMNS = (
    "designators", "quantity", "spares", "value", "tolerance", "manufacturer", "part number", "description", "package",
    "footprint", "note", "unit price", "price",
)  # fmt: skip
"""Columns of the list; the last two are empty."""


@dataclasses.dataclass(frozen=True)
class Order:
    """One line: parts that are alike.

    Parameters
    ----------
    designators : tuple of str
    spares : int
        To be ordered beside those on the board.
    value, tolerance, maker, number, about, package, footprint, note : str
        Empty where nothing is known.
    """

    designators: tuple[str, ...]
    spares: int
    value: str
    tolerance: str
    maker: str
    number: str
    about: str
    package: str
    footprint: str
    note: str = ""


def orders_of(parts: Sequence[Part], part_set: PartSet) -> list[Order]:
    """Lines of the list, in the order of the first designators of each kind.

    Resistors and capacitors get a tenth more, two at least; packages get one in ten more, one at least; headers and test
    points none.
    """
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for part in parts:
        if part.bought:
            alike[_described(part, part_set)].append(part.reference)
    found = []
    for described, references in alike.items():
        prefix = references[0].rstrip("0123456789")
        tenth = math.ceil(len(references) / 10)
        sold = prefix in ("U", "Q", "D") and bool(described[3])
        spares = max(2, tenth) if prefix in ("R", "C") else tenth if sold else 0
        found.append(Order(tuple(references), spares, *described))
    return sorted(found, key=lambda order: _place(order.designators[0]))


def _place(reference: str) -> tuple[str, int]:
    prefix = reference.rstrip("0123456789")
    return prefix, int(reference[len(prefix) :])


def _described(part: Part, part_set: PartSet) -> tuple[str, ...]:
    if part.package:
        package = part.package
        kind = package.about.rpartition(", ")[2] + " transistor" if "collector" in package.units[0] else package.key
        about = "analog multiplier" if package.key.endswith("_divider") else package.about
        tolerance = tolerance_of(kind, part_set)
        return "", tolerance, package.maker, package.number, about, package.package, part.footprint, ""
    kind, value = part.values
    if kind:
        tolerances = part_set.tolerances
        share = {"resistor": tolerances.resistor, "capacitor": tolerances.capacitor}.get(kind, 0.1)
        series = series_of(kind, share)
        number = series.order(value) if series else ""
        unit = "Ω" if kind == "resistor" else ""
        note = "" if number else _missing(kind, value)
        maker, about, package = (series.maker, series.about, series.package) if series and number else ("", kind, "")
        return part.value + unit, f"{100 * share:g}%", maker, number, about, package, part.footprint, note
    notes = {
        "LIMITER": "leave it open unless a signal meets its limit: two Zener diodes back to back load the integrator",
        "METER": "a jumper closes it; a meter or a source may go there instead",
    }
    if part.symbol.name == "METER" and part.value.endswith("V"):
        return part.value, "", "", "", "pin header", "1x02", part.footprint, "a floating source of this voltage goes there"
    return part.value, "", "", "", part.symbol.about, "", part.footprint, notes.get(part.symbol.name, "")


def _missing(kind: str, value: float) -> str:
    if kind == "resistor":
        return "no order number is known at this tolerance: take parts in series"
    return "no order number is known at this tolerance: take film, or parts in parallel" if value > 1e-9 else (
        "no order number is known at this tolerance: it compensates a loop, so that 0.25 pF will do"
    )  # fmt: skip


def orders_csv(orders: Sequence[Order]) -> str:
    """The list as text, with a header and empty columns for prices."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for o in orders:
        row = [o.value, o.tolerance, o.maker, o.number, o.about, o.package, o.footprint, o.note, "", ""]
        writer.writerow([" ".join(o.designators), len(o.designators), o.spares, *row])
    return text.getvalue()
