"""Hands a circuit over as a PySpice subcircuit, or InSpice's, to be placed in the user's own design."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from analogflow.bridge import bridge
from analogflow.circuit import (
    Behavioural,
    Capacitor,
    Circuit,
    CurrentSource,
    NoiseVoltage,
    Resistor,
    Transconductance,
    VoltageSource,
)
from analogflow.digits import significant
from analogflow.errors import BadInput
from analogflow.names import identifier
from analogflow.netlister.plain import DIALECTS, definitions, writer
from analogflow.netlister.spice import current_of

if TYPE_CHECKING:
    from PySpice.Spice.Netlist import SubCircuit

__all__ = ["subcircuit"]


def subcircuit(circuit: Circuit, *, name: str = "analogflow") -> SubCircuit:
    """PySpice subcircuit with one external node for each element of each state and observable.

    Place it with ``design.subcircuit(sub)`` and ``design.X("1", sub.name, *nodes)``; its pins, in order, are
    ``sub.external_nodes``. Run the design with initial conditions in force (``use_initial_condition=True``), since an
    integrator has no operating point of its own. Parts, their models and what plays an input are lines of ``sub.raw_spice``,
    as a plain deck writes them.

    Raises
    ------
    BadInput
        `name` may not stand in a netlist, or an element plays noise.
    """
    pins = dict.fromkeys(node for nodes in circuit.signals.values() for node in nodes if current_of(node) is None)
    netlists, _ = bridge("Spice.Netlist")
    sub = netlists.SubCircuit(identifier(name), *pins)
    write, lines = writer(circuit, DIALECTS["ngspice"]), list[str]()
    for element in circuit.elements:
        part, (plus, minus) = element.name, (*element.nodes, "0")[:2]
        match element:
            case Resistor():
                sub.R(part, plus, minus, significant(element.resistance))
            case Capacitor():
                sub.C(part, plus, minus, significant(element.capacitance), initial_condition=significant(element.initial))
            case Transconductance():
                sub.VCCS(part, plus, minus, element.control, "0", transconductance=significant(element.gain))
            case CurrentSource():
                sub.I(part, plus, minus, significant(element.current))
            case VoltageSource():
                sub.V(part, plus, minus, significant(element.voltage))
            case Behavioural():
                sub.B(part, plus, minus, current_expression=re.sub(" ", "", element.expression))
            case NoiseVoltage():
                raise BadInput(
                    f"element {element.name!r} plays noise from a file, which a PySpice subcircuit can not carry; "
                    "hand over the circuit without noise."
                )
            case _:
                lines.append(write(element))
    sub.raw_spice = "\n".join([*definitions(circuit, DIALECTS["ngspice"]), *lines])
    return sub
