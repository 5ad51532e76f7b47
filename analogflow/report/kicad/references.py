"""What makes the fixed voltages of a circuit on its board: one reference, and amplifiers that divide, follow or invert it.

The circuit's own sources of these voltages stay for the simulation alone, at the same nets.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from analogflow.circuit import Circuit, Element, Instance, Resistor, VoltageSource
from analogflow.circuit.build import PartSet
from analogflow.circuit.circuit import Group
from analogflow.circuit.trimmers import WIPER
from analogflow.circuit.values import SERIES

__all__ = ["SHEET", "References", "divided", "joined", "references_of"]

SHEET = "references"
"""Name of the sheet."""

_NEAR = 1e-5
"""Relative error of a ratio above which two resistors in parallel make it."""

_SOME = 12
"""Values above what is meant that a second one in parallel is tried with."""

_LEAST, _MOST = 30e3, 300e3
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
    volts : mapping of net to float
        What the nominal values of their resistors make.
    """

    net: str
    circuit: Circuit
    volts: Mapping[str, float]

    @property
    def package(self) -> str:
        """Key of the reference's package."""
        assert self.circuit.parts is not None
        return self.circuit.parts.reference.name.replace("_own", "")

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
    if not sources or parts.supply < parts.reference.least_supply:
        return None
    output = parts.reference.output
    taken = {node for element in circuit.elements for node in element.nodes}

    def fresh(name: str) -> str:
        found = next(n for n in itertools.chain([name], (f"{name}{k}" for k in itertools.count(2))) if n not in taken)
        taken.add(found)
        return found

    net = next((source.nodes[0] for source in sources if source.voltage == output), "") or fresh("reference")
    elements: list[Element] = []
    volts = {net: output}
    for source in sources:
        to, share = source.nodes[0], source.voltage / output
        ratio = share / (1 - share) if 0 < share < 1 else abs(share)
        upper, lower = divided(ratio, parts)
        made = parallel(lower)
        if to == net or share >= 1 or abs(made - ratio * upper) > parts.tolerances.resistor * ratio * upper:
            continue
        inner = fresh(f"{to}_set" if share > 0 else f"{to}_sum")
        volts[to] = output * made / (upper + made) if share > 0 else -output * made / upper
        end, nodes = ("0", (inner, to, to)) if share > 0 else (to, ("0", inner, to))
        elements += [
            Instance(f"{to}_amplifier", nodes, parts.op_amp.name),
            Resistor(f"{to}_upper", (net, inner), upper),
            *(Resistor(f"{to}_lower{k}", (inner, end), value) for k, value in enumerate(lower)),
        ]
    if not elements and all(source.voltage != output for source in sources):
        return None
    said = f"{output:g} V and what follows it; the simulation takes the circuit's sources in their place"
    group = Group(SHEET, said, tuple(elements))
    return References(net, dataclasses.replace(circuit, groups=(group,), readings={}, start={}, joint_rows=None), volts)


def parallel(ohms: Sequence[float]) -> float:
    """Resistance of resistors in parallel."""
    return 1 / sum(1 / value for value in ohms)


def divided(ratio: float, parts: PartSet) -> tuple[float, tuple[float, ...]]:
    """Resistors that are sold, ohms: one, and one or two in parallel that make `ratio` times as much.

    There are two where no single one comes near enough; of several that are as near, the first is small.
    """
    digits = sorted({*SERIES[parts.series or "E96"], *SERIES["E24"]})
    first = [value for k in (1e2, 1e3) for d in digits if _LEAST <= (value := k * d) < _MOST]
    known = [1e-1 * 10.0**k * d for k in range(5) for d in digits]

    def near(value: float) -> float:
        return min(known, key=lambda one: abs(one - value))

    def order(pair: tuple[float, tuple[float, ...]]) -> tuple[float, float]:
        return max(round(abs(parallel(pair[1]) / pair[0] / ratio - 1), 12) if ratio else 1.0, _NEAR), pair[0]

    best = min(((at, (near(ratio * at),)) for at in first), key=order)
    if order(best)[0] <= _NEAR:
        return best
    above = ((at, one) for at in first for one in [v for v in known if v > ratio * at > 0][:_SOME])
    pairs = [(at, (lower, near(1 / (1 / (ratio * at) - 1 / lower)))) for at, lower in above]
    return min([best, *pairs], key=order)
