"""Our own record of a circuit: elements, nodes and what they stand for. Every writer and counter reads this."""

from analogflow.circuit.build import Build, ConditionOptions, Conditions, Units
from analogflow.circuit.circuit import Circuit, Group, PassRecord, Reading, direct
from analogflow.circuit.elements import (
    Behavioural,
    BipolarTransistor,
    Capacitor,
    CurrentSource,
    Diode,
    Element,
    Instance,
    Macro,
    Model,
    NoiseVoltage,
    Resistor,
    Row,
    StepVoltage,
    Switch,
    Transconductance,
    VoltageSource,
)
from analogflow.circuit.made import Made

__all__ = [
    "Behavioural",
    "BipolarTransistor",
    "Build",
    "Capacitor",
    "Circuit",
    "ConditionOptions",
    "Conditions",
    "CurrentSource",
    "Diode",
    "Element",
    "Group",
    "Instance",
    "Macro",
    "Made",
    "Model",
    "NoiseVoltage",
    "PassRecord",
    "Reading",
    "Resistor",
    "Row",
    "StepVoltage",
    "Switch",
    "Transconductance",
    "Units",
    "VoltageSource",
    "direct",
]
