"""What is to be ordered for a board: designators, order numbers, footprints, spares, and prices for a user to fill in."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections import defaultdict
from collections.abc import Sequence

from analogflow.circuit import Circuit, Instance, Resistor, StepVoltage, VoltageSource
from analogflow.circuit.packages import series_of
from analogflow.hardware.parts_list import tolerance_of
from analogflow.report.kicad.seats import Part, allowed
from analogflow.technology.part_sets import part_set as part_set_named

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


def orders_of(parts: Sequence[Part], circuit: Circuit) -> list[Order]:
    """Lines of the list, in the order of the first designators of each kind.

    Resistors and capacitors get a tenth more, two at least; all else that has an order number one in ten more, one at least.
    """
    alike: dict[Order, list[Part]] = defaultdict(list)
    for part in parts:
        if part.bought:
            alike[_described(part, circuit)].append(part)
    found = []
    for order, members in alike.items():
        tenth = math.ceil(len(members) / 10)
        spares = 0 if not order.number else max(2, tenth) if members[0].symbol.prefix in ("R", "C") else tenth
        weight = max((_weight(part, circuit) for part in members), default=0.0) if order.note == _WEIGHED else 0.0
        note = f"{_WEIGHED} {weight:.2g} of what its node sums" if weight else order.note
        references = tuple(part.reference for part in members)
        found.append(dataclasses.replace(order, designators=references, spares=spares, note=note))
    return sorted(found, key=lambda order: _place(order.designators[0]))


_WEIGHED = "wider than asked for, as no narrower series has this value; it weighs at most"
"""What is said of a resistor before its share."""


def _place(reference: str) -> tuple[str, int]:
    prefix = reference.rstrip("0123456789")
    return prefix, int(reference[len(prefix) :])


def _described(part: Part, circuit: Circuit) -> Order:
    """Line of a part, without designators and spares."""
    part_set = circuit.parts
    assert part_set is not None
    if part.package:
        package = part.package
        transistor = "collector" in package.units[0]
        macro = next((e.macro for e in part.used.values() if isinstance(e, Instance)), package.key)
        kind = package.about.rpartition(", ")[2] + " transistor" if transistor else macro
        about = "analog multiplier" if package.key.endswith("_divider") else package.about
        tolerance = tolerance_of(kind, part_set)
        made = Order((), 0, "", tolerance, package.maker, package.number, about, package.package, part.footprint)
        model = part_set.pnp if kind.startswith("PNP") else part_set.npn
        known = part_set_named().pnp if kind.startswith("PNP") else part_set_named().npn
        if transistor and model.parameters != known.parameters:
            note = "the transistor of the file that the circuit was computed with, in pairs of these pins"
            return dataclasses.replace(made, maker="", number="", note=note)
        return dataclasses.replace(made, note=_CHANGED) if macro.endswith(_OWN) else made
    kind, value = part.values
    series = series_of(kind, allowed(kind, part_set), value) if kind else None
    shown = part.value + ("Ω" if kind == "resistor" else "")
    if series and series.number:
        note = _NOTES.get(part.symbol.name, "")
        if series.deviation(value) > 1.000001 * allowed(kind, part_set):
            note = _WEIGHED if kind == "resistor" else "wider than asked for: it compensates a loop, so that 0.25 pF will do"
        if part.symbol.name == "METER":
            jumper = series_of("jumper", 1.0, 2.0)
            assert jumper is not None
            closed = f"a jumper closes it ({jumper.maker} {jumper.number})"
            note = f"a floating source of this voltage goes there, or {closed}" if part.value.endswith("V") else (
                f"{closed}; a meter or a source may go there instead"
            )  # fmt: skip
        shown = "" if kind.startswith("test point") else shown
        return Order((), 0, shown, series.tolerance, series.maker, series.number, series.about, series.package,
                     part.footprint, note)  # fmt: skip
    if kind:
        share = f"{100 * allowed(kind, part_set):g}%"
        note = "no series has this value: choose values that are sold (choose_values)" if series else _FILM
        return Order((), 0, shown, share, "", "", kind, "", part.footprint, note)
    return Order((), 0, part.value, "", "", "", part.symbol.about, "", part.footprint, _NOTES.get(part.symbol.name, ""))


_OWN = "_own"
_CHANGED = "the circuit was computed with other facts, of a file of parts: hold them against those of this part"
_FILM = "no series is known that has this value: take film, or parts in parallel"
_NOTES = {"LIMITER": "not fitted: no signal meets its limit, and two Zener diodes back to back load the integrator"}


def _weight(part: Part, circuit: Circuit) -> float:
    """Part of all conductances at a node that is a resistor's, at that of its ends where it is largest.

    Ends that a source or an amplifier drives do not count: what is joined there changes no voltage.
    """
    driven = {"0", *(e.nodes[-1] for e in circuit.elements if isinstance(e, Instance))}
    driven |= {e.nodes[0] for e in circuit.elements if isinstance(e, VoltageSource | StepVoltage) and e.nodes[1] == "0"}
    (own,) = part.used.values()
    resistors = [e for e in circuit.elements if isinstance(e, Resistor)]
    assert isinstance(own, Resistor)
    return max(
        (1 / own.resistance / sum(1 / e.resistance for e in resistors if node in e.nodes)
         for node in own.nodes if node not in driven), default=0.0
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
