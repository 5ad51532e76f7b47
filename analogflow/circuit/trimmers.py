"""Trimmers that are set by hand: a wiper that drives the summing node of an integrator through one large resistor."""

from __future__ import annotations

import dataclasses

from analogflow.circuit.circuit import Circuit, Group
from analogflow.circuit.elements import Capacitor, Element, Instance, Resistor, VoltageSource
from analogflow.circuit.wipers import Trimmers
from analogflow.errors import BadInput

__all__ = ["ALL", "FOLLOWED", "LARGEST", "STEP", "WIPER", "summing_nodes", "with_trimmers"]

ALL = "all"
"""Instead of a number of trimmers: one at each integrator."""

LARGEST, STEP = 2.0, 4e-3
"""Volts that a wiper goes to on both sides, and from one of its thousand places to the next."""

FOLLOWED = 0.5
"""Part of a change of absolute temperature that the wipers' reference follows.

What junctions differ by is in proportion to absolute temperature, and what a warmer package makes of them is not: equal
parts of a voltage that is and of one that is not leave half of either.
"""

WIPER = "_wiper"
"""Ending of the names of what stands for a wiper."""

_OHMS = 4.99e6
"""Between a wiper and a summing node, where 10 kilohms are a leg of weight 1: 2 V are 4 mV there."""


def summing_nodes(circuit: Circuit) -> dict[str, str]:
    """Summing node of each integrator of a state, by the node of its output.

    Raises
    ------
    BadInput
        A state is held by what is no amplifier with a capacitor, or the circuit has no parts.
    """
    if circuit.parts is None:
        raise BadInput(f"the technology {circuit.technology!r} has no parts to trim; take 'opamp' or 'translinear'.")
    joined = {frozenset(e.nodes) for e in circuit.elements if isinstance(e, Capacitor)}
    outputs = {node for state in circuit.flow.states for node in circuit.readings[state].vectors}
    found = {
        e.nodes[2]: e.nodes[1]
        for e in circuit.elements
        if isinstance(e, Instance) and e.macro == circuit.parts.op_amp.name and frozenset(e.nodes[1:]) in joined
    }
    if missing := sorted(outputs - set(found)):
        raise BadInput(f"no trimmer can be joined to what holds {missing[0]!r}: it is no amplifier with a capacitor.")
    return {node: found[node] for node in found if node in outputs}


def with_trimmers(circuit: Circuit, trimmers: Trimmers) -> Circuit:
    """The circuit with a resistor to the summing node of each integrator: from a wiper, or from ground where none is set.

    Summing nodes are not at ground everywhere: a resistor at some of them alone would bias what others have not. The wipers'
    reference follows part of the circuit's temperature, `FOLLOWED`.
    """
    warmer = 1 + FOLLOWED * (circuit.temperature_kelvin / trimmers.kelvin - 1)
    volts, elements = dict(trimmers.volts), list[Element]()
    for node, summing in summing_nodes(circuit).items():
        wiper = f"{node}{WIPER}" if node in volts else "0"
        if node in volts:
            elements.append(VoltageSource(wiper, (wiper, "0"), warmer * volts[node]))
        elements.append(Resistor(f"{node}_trim", (wiper, summing), _OHMS))
    group = Group("trimmers", "bias of each integrator, set by hand", tuple(elements))
    conditions = dataclasses.replace(circuit.conditions, trimmers=trimmers)
    return dataclasses.replace(circuit, groups=(*circuit.groups, group), conditions=conditions)
