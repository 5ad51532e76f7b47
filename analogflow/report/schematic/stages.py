"""Finds the stages that a circuit consists of: amplifiers with what surrounds them, arrays of transistors, and the rest.

Every element belongs to exactly one stage, whatever technology placed it; only ammeters are left out, which are wires.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from analogflow.circuit import BipolarTransistor, Circuit, Element, Instance, Resistor, VoltageSource
from analogflow.circuit.circuit import Group

__all__ = ["GROUND", "Amplifier", "Array", "Box", "Single", "Stage", "is_ammeter", "signature", "stages_of"]

GROUND = "0"
"""Name of the ground node."""

Net = Callable[[str], str]
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
    nets : tuple of str
        Straight input, inverting input, output of the stage; a net that leaves the stage is drawn with its name.
    """

    part: Instance
    inverting: tuple[tuple[Element, str], ...]
    straight: tuple[tuple[Element, str], ...]
    feedback: tuple[tuple[Element, ...], ...]
    drive: Resistor | None
    nets: tuple[str, str, str]

    @property
    def elements(self) -> tuple[Element, ...]:
        """All of them."""
        chains = [e for chain in self.feedback for e in chain]
        legs = [e for e, _ in (*self.inverting, *self.straight)]
        return (self.part, *legs, *chains, *([self.drive] if self.drive else []))


@dataclasses.dataclass(frozen=True)
class Array:
    """Transistors with one emitter node, the transistor that draws their tail current, and resistors to a rail.

    ``below`` maps a transistor's name to the resistor at its emitter and the net at the other end.
    """

    transistors: tuple[BipolarTransistor, ...]
    tail: BipolarTransistor | None
    below: tuple[tuple[str, Resistor, str], ...]
    nets: tuple[tuple[str, tuple[str, str, str]], ...]

    @property
    def elements(self) -> tuple[Element, ...]:
        """All of them."""
        return (*self.transistors, *([self.tail] if self.tail else []), *(resistor for _, resistor, _ in self.below))


@dataclasses.dataclass(frozen=True)
class Box:
    """A part with several ports that has no symbol of its own, with the nets at its ports."""

    part: Instance
    ports: tuple[str, ...]
    nets: tuple[str, ...]

    @property
    def elements(self) -> tuple[Element, ...]:
        """The part."""
        return (self.part,)


@dataclasses.dataclass(frozen=True)
class Single:
    """An element between two nets."""

    part: Element
    nets: tuple[str, str]

    @property
    def elements(self) -> tuple[Element, ...]:
        """The element."""
        return (self.part,)


Stage = Amplifier | Array | Box | Single
"""What is drawn as one picture."""


def stages_of(circuit: Circuit) -> tuple[tuple[Group, tuple[Stage, ...]], ...]:
    """Stages of every group of `circuit`, in its order."""
    elements = [element for group in circuit.groups for element in group.elements]
    wires = {e.nodes[1]: e.nodes[0] for e in elements if is_ammeter(e)}

    def net(node: str) -> str:
        while node in wires:
            node = wires[node]
        return node

    at: dict[str, list[Element]] = defaultdict(list)
    for element in elements:
        if not is_ammeter(element):
            for node in dict.fromkeys(map(net, element.nodes)):
                at[node].append(element)
    amplifier = circuit.parts.op_amp.name if circuit.parts else ""
    ports = {macro.name: macro.ports for macro in circuit.macros}
    taken: set[Element] = set()
    found: dict[Element, Stage] = {}
    for group in circuit.groups:
        own = set(group.elements)
        for element in group.elements:
            if isinstance(element, Instance) and element.macro == amplifier:
                stage = _amplifier(element, own, at, taken, net)
                taken.update(stage.elements)
                found[element] = stage
    for element in elements:
        if isinstance(element, BipolarTransistor) and element not in taken:
            stage = _array(element, at, taken, net)
            taken.update(stage.elements)
            found[stage.transistors[0]] = stage
    for element in elements:
        if element in taken or is_ammeter(element):
            continue
        nets = tuple(map(net, element.nodes))
        stage: Stage = Single(element, (nets[0], nets[1]))
        if isinstance(element, Instance):
            stage = Box(element, ports[element.macro], nets)
        taken.update(stage.elements)
        found[element] = stage
    return tuple((group, tuple(found[e] for e in group.elements if e in found)) for group in circuit.groups)


def is_ammeter(element: Element) -> bool:
    """Whether an element only measures: a source of no volts between two nodes of the circuit."""
    return isinstance(element, VoltageSource) and element.voltage == 0 and GROUND not in element.nodes


def _amplifier(part: Instance, own: set[Element], at: Nodes, taken: set[Element], net: Net) -> Amplifier:
    straight, inverting, output = map(net, part.nodes)

    def free(node: str, kind: type = Element) -> Iterator[Element]:
        return (e for e in at[node] if e in own and e not in taken and e is not part and isinstance(e, kind))

    ends = {other(e, inverting, net) for e in free(inverting)} - {output}
    drive = next(
        (e for e in free(output, Resistor) if other(e, output, net) in ends and _is_driven(e, output, at, net)), None
    )
    stage_output = other(drive, output, net) if drive else output
    used: set[Element] = {drive} if drive else set()
    feedback, legs = [], []
    for element in [e for e in free(inverting) if e not in used]:
        if isinstance(element, Instance):
            continue
        if isinstance(element, BipolarTransistor):
            if net(element.nodes[2]) == stage_output:
                feedback.append((element,))
                used.add(element)
            continue
        end = other(element, inverting, net)
        if end == stage_output:
            feedback.append((element,))
            used.add(element)
            continue
        second = [e for e in free(end) if e not in used and e is not element and other(e, end, net) == stage_output]
        if len(at[end]) == 2 and second:
            feedback.append((element, second[0]))
            used.update((element, second[0]))
            continue
        legs.append((element, end))
        used.add(element)
    straight_legs = []
    if straight != GROUND:
        for element in free(straight, Resistor):
            if element not in used and _belongs(straight, part):
                straight_legs.append((element, other(element, straight, net)))
    nets = (straight, inverting, stage_output)
    kept = drive if isinstance(drive, Resistor) else None
    return Amplifier(part, tuple(legs), tuple(straight_legs), tuple(feedback), kept, nets)


def _is_driven(resistor: Element, output: str, at: Nodes, net: Net) -> bool:
    """Whether a resistor is all that hangs on an op-amp's output."""
    return len(at[output]) == 2 and output in map(net, resistor.nodes)


def _belongs(node: str, part: Instance) -> bool:
    """Whether a node is named after the amplifier that it is an input of."""
    return node.startswith(part.name.removesuffix("_amp"))


def _array(first: BipolarTransistor, at: Nodes, taken: set[Element], net: Net) -> Array:
    emitter = net(first.nodes[2])
    fellows = [e for e in at[emitter] if isinstance(e, BipolarTransistor) and e not in taken and net(e.nodes[2]) == emitter]
    tails = [e for e in at[emitter] if isinstance(e, BipolarTransistor) and e not in taken and net(e.nodes[0]) == emitter]
    tail = tails[0] if len(tails) == 1 and tails[0] not in fellows else None
    below = []
    for transistor in (tail,) if tail else fellows[:1]:
        node = net(transistor.nodes[2])
        resistors = [e for e in at[node] if isinstance(e, Resistor) and e not in taken]
        if len(at[node]) == 2 and resistors:
            below.append((transistor.name, resistors[0], other(resistors[0], node, net)))
    members = (*fellows, *((tail,) if tail else ()))
    nets = tuple((t.name, tuple(map(net, t.nodes))) for t in members)
    return Array(tuple(fellows), tail, tuple(below), nets)  # pyright: ignore[reportArgumentType]


def other(element: Element, node: str, net: Net) -> str:
    """Net at the other end of a two-terminal element (of its first two terminals)."""
    first, second = (net(n) for n in element.nodes[:2])
    return second if first == node else first


def signature(stages: Sequence[Stage]) -> tuple:
    """What two groups of stages must share to be drawn once: kinds and numbers of elements, whatever their values."""
    return tuple((type(stage).__name__, *(type(e).__name__ for e in stage.elements)) for stage in stages)
