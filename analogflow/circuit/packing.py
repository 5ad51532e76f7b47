"""Which part of a circuit sits in which package: one answer for lists of parts, for boards and for what deviates together.

Parts that are compared with each other share packages as far as they can: transistors of one emitter-coupled array,
amplifiers whose inputs are held at one node. What is left over of such groups is paired in the order of the circuit.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping

from analogflow.circuit.build import PartSet
from analogflow.circuit.circuit import Circuit
from analogflow.circuit.elements import BipolarTransistor, Diode, Element, Instance, Switch
from analogflow.circuit.packages import Package, packages

__all__ = ["MATCHED", "Packing", "Place", "packing_of", "whole_units"]

MATCHED = 2.5e-4
"""Volts: a smaller σ between junctions than this is that of pairs which are sold as matched for instruments."""

_NEAR = 1e-9
"""Of an area: it counts as whole where it is as near as that."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A section of a package: number of the package in its packing, and of the section, counted from 1."""

    package: int
    unit: int


@dataclasses.dataclass(frozen=True, eq=False)
class Packing:
    """Where the parts of a circuit sit that come in packages.

    Parameters
    ----------
    packages : tuple of Package
        What each package is; those of one kind stand together.
    models : tuple of str
        What is in each: name of the device model or macro-model.
    of : mapping of element to tuple of Place
        Several where transistors in parallel make an area. Parts of which no package is known, and transistors of areas
        that are no whole number, have none.
    """

    packages: tuple[Package, ...]
    models: tuple[str, ...]
    of: Mapping[Element, tuple[Place, ...]]

    def count(self, number: str) -> int:
        """How many packages of a manufacturer's number there are."""
        return Counter(package.number for package in self.packages)[number]


def whole_units(area: float) -> int:
    """Transistors in parallel that make an area; 0 where no number of them does."""
    count = round(area)
    return count if count >= 1 and abs(area - count) < _NEAR else 0


def packing_of(circuit: Circuit) -> Packing:
    """Fill the packages of a circuit's parts.

    Amplifiers, switches, diodes and transistors are packed; a transistor of area 7 is seven. Packages are filled group by
    group, and what is left of a group shares packages with what is left of others that hold the same.

    Notes
    -----
    It depends on nothing that is drawn: a circuit whose parts deviate is packed as the one they deviate from, if asked
    before they do.
    """
    assert circuit.parts is not None
    wanted: dict[tuple[str, str], dict[str, list[Element]]] = defaultdict(lambda: defaultdict(list))
    for element in circuit.elements:
        kind = _kind(element, circuit.parts)
        if kind is not None:
            model, group, count = kind[1], kind[2], kind[3]
            wanted[kind[0], model][group] += [element] * count
    held: list[Package] = []
    models: list[str] = []
    of: dict[Element, list[Place]] = defaultdict(list)
    for (key, model), groups in wanted.items():
        package = packages()[key]
        sections = len(package.units)
        full: list[Element] = []
        left: list[Element] = []
        for members in groups.values():
            whole = len(members) // sections * sections
            full += members[:whole]
            left += members[whole:]
        for place, element in enumerate((*full, *left)):
            if place % sections == 0:
                held.append(package)
                models.append(model)
            of[element].append(Place(len(held) - 1, place % sections + 1))
    return Packing(tuple(held), tuple(models), {element: tuple(places) for element, places in of.items()})


def _kind(element: Element, parts: PartSet) -> tuple[str, str, str, int] | None:
    """Package, model, group and number of sections of an element; None where it sits in none."""
    match element:
        case BipolarTransistor() if count := whole_units(element.area):
            polarity = "npn" if element.model == parts.npn.name else "pnp"
            matched = "_matched" if parts.tolerances.junction < MATCHED else ""
            return f"{polarity}{matched}", element.model, element.nodes[2], count
        case Instance() if (key := element.macro.replace("_own", "")) in packages():
            # An amplifier's first node is the one that its second is held at.
            return key, element.macro, element.nodes[0] if element.macro == parts.op_amp.name else "", 1
        case Switch():
            return parts.switch.name.replace("_own", ""), f"{element.model}{'_on' if element.closed else ''}", "", 1
        case Diode():
            return "diode", element.model, "", 1
    return None
