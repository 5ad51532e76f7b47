"""What makes the fixed voltages of a circuit on its board: one reference, and amplifiers that divide, follow or invert it.

The circuit's own sources of these voltages stay for the simulation alone, at the same nets.
"""

from __future__ import annotations

import dataclasses
import itertools

from analogflow.circuit import Circuit, Element, Instance, Resistor, VoltageSource
from analogflow.circuit.build import PartSet
from analogflow.circuit.circuit import Group
from analogflow.circuit.trimmers import WIPER
from analogflow.circuit.values import SERIES

__all__ = ["PACKAGE", "SHEET", "VOLTS", "References", "divided", "joined", "references_of"]

SHEET, PACKAGE = "references", "ref102"
"""Name of the sheet, and key of the reference's package."""

VOLTS, _LEAST_SUPPLY = 10.0, 11.4
"""Of the reference's output, and what it needs: Texas Instruments REF102 data sheet (SBVS022B)."""

_LEAST, _MOST = 10e3, 100e3
"""Ohms of the resistor at the reference."""


@dataclasses.dataclass(frozen=True)
class References:
    """Stages that make fixed voltages.

    Parameters
    ----------
    net : str
        Where the reference's output is.
    circuit : Circuit
        The given one with nothing but these stages, in a group of their own.
    """

    net: str
    circuit: Circuit

    @property
    def group(self) -> Group:
        """The stages' elements."""
        return self.circuit.groups[0]


def joined(circuit: Circuit) -> set[str]:
    """Nodes at which something is but sources against ground."""
    return {
        node
        for element in circuit.elements
        if not (isinstance(element, VoltageSource) and element.nodes[1] == "0")
        for node in (*element.nodes, *element.remote)
    }


def _fixed_sources(circuit: Circuit) -> list[VoltageSource]:
    """Sources of fixed voltages against ground at which something is joined, but for wipers, which a hand sets."""
    used = joined(circuit)
    return [
        element
        for element in circuit.elements
        if isinstance(element, VoltageSource) and element.nodes[1] == "0" and element.nodes[0] in used
        and element.name not in circuit.ammeters and not element.name.endswith(WIPER)
    ]  # fmt: skip


def references_of(circuit: Circuit) -> References | None:
    """Stages for all fixed voltages of a circuit; None where it has none, or its supply is too low for the reference.

    A voltage above that of the reference, or so small that no two resistors make it, has no stage and comes from outside.
    """
    parts, sources = circuit.parts, _fixed_sources(circuit)
    assert parts is not None
    if not sources or parts.supply < _LEAST_SUPPLY:
        return None
    taken = {node for element in circuit.elements for node in element.nodes}

    def fresh(name: str) -> str:
        found = next(n for n in itertools.chain([name], (f"{name}{k}" for k in itertools.count(2))) if n not in taken)
        taken.add(found)
        return found

    net = next((source.nodes[0] for source in sources if source.voltage == VOLTS), "") or fresh("reference")
    elements: list[Element] = []
    for source in sources:
        to, share = source.nodes[0], source.voltage / VOLTS
        ratio = share / (1 - share) if 0 < share < 1 else abs(share)
        upper, lower = divided(ratio, parts)
        if to == net or share >= 1 or abs(lower - ratio * upper) > parts.tolerances.resistor * ratio * upper:
            continue
        inner = fresh(f"{to}_set" if share > 0 else f"{to}_sum")
        if share > 0:
            elements += [
                Resistor(f"{to}_upper", (net, inner), upper),
                Resistor(f"{to}_lower", (inner, "0"), lower),
                Instance(f"{to}_follower", (inner, to, to), parts.op_amp.name),
            ]
        else:
            elements += [
                Instance(f"{to}_inverter", ("0", inner, to), parts.op_amp.name),
                Resistor(f"{to}_leg", (net, inner), upper),
                Resistor(f"{to}_back", (inner, to), lower),
            ]
    if not elements and all(source.voltage != VOLTS for source in sources):
        return None
    said = f"{VOLTS:g} V and what follows it; the simulation takes the circuit's sources in their place"
    group = Group(SHEET, said, tuple(elements))
    return References(net, dataclasses.replace(circuit, groups=(group,), readings={}, start={}, joint_rows=None))


def divided(ratio: float, parts: PartSet) -> tuple[float, float]:
    """Two resistors that are sold, ohms: the second is as near to `ratio` times the first as any, and the first small."""
    digits = sorted({*SERIES[parts.series or "E96"], *SERIES["E24"]})
    first = [value for d in digits if _LEAST <= (value := 1e2 * d) < _MOST]
    second = [1e-1 * 10.0**k * d for k in range(5) for d in digits]
    pairs = ((at, min(second, key=lambda value: abs(value - ratio * at))) for at in first)
    return min(pairs, key=lambda pair: (round(abs(pair[1] / pair[0] - ratio), 12), pair[0]))
