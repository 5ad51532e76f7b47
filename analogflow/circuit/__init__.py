"""Our own record of a circuit: elements, nodes and what they stand for. Every writer and counter reads this."""

from analogflow.circuit.circuit import Circuit, Step
from analogflow.circuit.elements import (
    Behavioural,
    Capacitor,
    CurrentSource,
    Element,
    NoiseVoltage,
    Resistor,
    Transconductance,
    VoltageSource,
)

__all__ = [
    "Behavioural",
    "Capacitor",
    "Circuit",
    "CurrentSource",
    "Element",
    "NoiseVoltage",
    "Resistor",
    "Step",
    "Transconductance",
    "VoltageSource",
]
