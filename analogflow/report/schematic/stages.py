"""Finds the stages that a circuit consists of: amplifiers with what surrounds them, arrays of transistors, and the rest.

Every element belongs to exactly one stage, whatever technology placed it.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping

from analogflow.circuit import BipolarTransistor, Circuit, Diode, Element, Instance, Resistor, VoltageSource
from analogflow.circuit.circuit import Group

__all__ = ["GROUND", "Amplifier", "Array", "Single", "Stage", "other", "stages_of"]

GROUND = "0"
"""Name of the ground node."""

Nodes = Mapping[str, list[Element]]


@dataclasses.dataclass(frozen=True)
class Amplifier:
    """An op-amp with its networks.

    Parameters
    ----------
    part : Instance
        Non-inverting input, inverting input, output.
    inverting, straight : tuple of (Element, str)
        What joins each input, and the net at its other end.
    feedback : tuple of tuple of Element
        Chains from the inverting input to the stage's output.
    drive : Resistor, optional
        Between the op-amp's output and that of the stage.
    inner : tuple of Element
        From the inverting input to the op-amp's own output, before the drive.
    nets : tuple of str
        Straight input, inverting input, output of the stage; a net that leaves the stage is drawn with its name.
    """

    part: Instance
    inverting: tuple[tuple[Element, str], ...]
    straight: tuple[tuple[Element, str], ...]
    feedback: tuple[tuple[Element, ...], ...]
    drive: Resistor | None
    inner: tuple[Element, ...]
    nets: tuple[str, str, str]

    @property
    def elements(self) -> tuple[Element, ...]:
        """All of them."""
        chains = [e for chain in self.feedback for e in chain]
        legs = [e for e, _ in (*self.inverting, *self.straight)]
        return (self.part, *legs, *chains, *self.inner, *([self.drive] if self.drive else []))


@dataclasses.dataclass(frozen=True)
class Array:
    """Transistors with one emitter node, and what hangs on it.

    Parameters
    ----------
    transistors : tuple of BipolarTransistor
    meters : mapping of a transistor's name to VoltageSource
        Ammeters in collectors.
    tail : BipolarTransistor, optional
        Draws the current of all of them.
    below : Resistor, optional
        From the emitter of the tail, or without a tail from the emitter node.
    """

    transistors: tuple[BipolarTransistor, ...]
    meters: Mapping[str, VoltageSource]
    tail: BipolarTransistor | None
    below: Resistor | None

    @property
    def elements(self) -> tuple[Element, ...]:
        """All of them."""
        return (*self.transistors, *self.meters.values(), *filter(None, (self.tail, self.below)))


@dataclasses.dataclass(frozen=True)
class Single:
    """An element that stands alone."""

    part: Element

    @property
    def elements(self) -> tuple[Element, ...]:
        """The element."""
        return (self.part,)


Stage = Amplifier | Array | Single
"""What is drawn as one picture."""


def stages_of(circuit: Circuit) -> tuple[tuple[Group, tuple[Stage, ...]], ...]:
    """Stages of every group of `circuit`, in its order."""
    elements = circuit.elements
    at: dict[str, list[Element]] = defaultdict(list)
    for element in elements:
        for node in dict.fromkeys(element.nodes):
            at[node].append(element)
    amplifier = circuit.parts.op_amp.name if circuit.parts else ""
    taken: set[Element] = set()
    found: dict[Element, Stage] = {}
    for group in circuit.groups:
        own = set(group.elements)
        for element in group.elements:
            if isinstance(element, Instance) and element.macro == amplifier:
                found[element] = _amplifier(element, own, at, taken)
                taken.update(found[element].elements)
    meters = circuit.ammeters
    for element in elements:
        if isinstance(element, BipolarTransistor) and element not in taken:
            stage = _array(element, at, taken, meters)
            found[stage.transistors[0]] = stage
            taken.update(stage.elements)
    found |= {element: Single(element) for element in elements if element not in taken}
    return tuple((group, tuple(found[e] for e in group.elements if e in found)) for group in circuit.groups)


def _amplifier(part: Instance, own: set[Element], at: Nodes, taken: set[Element]) -> Amplifier:
    straight, inverting, output = part.nodes

    def free(node: str) -> Iterator[Element]:
        """Elements with two terminals that the stage may have."""
        for element in at[node]:
            if element in own and element not in taken and len(element.nodes) == 2 and not isinstance(element, Instance):
                yield element

    # A follower's inverting input is its output, and what hangs there is what it drives.
    around = [*free(inverting)] if inverting not in (GROUND, output) else []
    inner = tuple(e for e in around if other(e, inverting) == output)
    ends = {other(e, inverting) for e in around} - {output}
    ends |= {e.nodes[2] for e in at[inverting] if isinstance(e, BipolarTransistor) and e in own and e.nodes[0] == inverting}
    alone = len(at[output]) == 2 + len(inner)
    drives = [e for e in free(output) if isinstance(e, Resistor) and e not in inner and alone and other(e, output) in ends]
    drive = drives[0] if drives else None
    stage_output = other(drive, output) if drive else output
    inner = inner if drive else ()
    used: set[Element] = {drive, *inner} if drive else set()
    feedback: list[tuple[Element, ...]] = [
        (e,) for e in at[inverting] if isinstance(e, BipolarTransistor) and e in own and e not in taken
        and e.nodes == (inverting, GROUND, stage_output) and inverting != GROUND
    ]  # fmt: skip
    legs = []
    for element in around:
        if element in used:
            continue
        used.add(element)
        end = other(element, inverting)
        if end == stage_output:
            feedback.append((element,))
            continue
        second = [e for e in free(end) if e not in used and other(e, end) == stage_output]
        if second and (len(at[end]) == 2 or isinstance(second[0], Diode)):
            feedback.append((element, second[0]))
            used.add(second[0])
        else:
            legs.append((element, end))
    straight_legs = []
    # A node between resistors is the amplifier's own; what else is at an input comes from another stage.
    if straight != GROUND and all(e is part or isinstance(e, Resistor) for e in at[straight]):
        straight_legs = [(e, other(e, straight)) for e in free(straight) if e not in used]
    nets = (straight, inverting, stage_output)
    return Amplifier(part, tuple(legs), tuple(straight_legs), tuple(feedback), drive, inner, nets)


def _array(first: BipolarTransistor, at: Nodes, taken: set[Element], ammeters: frozenset[str]) -> Array:
    emitter = first.nodes[2]
    free = [e for e in at[emitter] if isinstance(e, BipolarTransistor) and e not in taken]
    fellows = tuple(e for e in free if e.nodes[2] == emitter)
    tails = [e for e in free if e.nodes[0] == emitter and e not in fellows]
    tail = tails[0] if len(tails) == 1 else None
    foot = tail.nodes[2] if tail else emitter
    resistors = [e for e in at[foot] if isinstance(e, Resistor) and e not in taken]
    below = resistors[0] if len(at[foot]) == 2 and resistors else None
    meters = {
        t.name: e
        for t in fellows
        for e in at[t.nodes[0]]
        if isinstance(e, VoltageSource) and e.name in ammeters and e.nodes[1] == t.nodes[0] and len(at[t.nodes[0]]) == 2
    }
    return Array(fellows, meters, tail, below)


def other(element: Element, node: str) -> str:
    """Node at the other end of an element with two terminals."""
    first, second = element.nodes
    return second if first == node else first
