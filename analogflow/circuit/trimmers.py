"""Trimmers that are set by hand: a wiper that drives the summing node of an integrator through one large resistor."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from analogflow.circuit.circuit import Circuit, Group
from analogflow.circuit.elements import Capacitor, Instance, Resistor, VoltageSource
from analogflow.errors import BadInput

__all__ = ["FOLLOWED", "LARGEST", "STEP", "WIPER", "summing_nodes", "with_trimmers"]

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


def with_trimmers(circuit: Circuit, volts: Mapping[str, float]) -> Circuit:
    """The circuit with a trimmer at each of some integrators: volts of its wiper by the node of the integrator."""
    sums = summing_nodes(circuit)
    elements = [
        element
        for node, value in volts.items()
        for element in (
            VoltageSource(f"{node}{WIPER}", (f"{node}{WIPER}", "0"), value),
            Resistor(f"{node}_trim", (f"{node}{WIPER}", sums[node]), _OHMS),
        )
    ]
    group = Group("trimmers", "bias of each integrator, set by hand", tuple(elements))
    return dataclasses.replace(circuit, groups=(*circuit.groups, group))
