"""The kinds of element in a circuit, in SI units. Node "0" is ground; sources push current from first to second node."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

__all__ = [
    "Behavioural",
    "Capacitor",
    "CurrentSource",
    "Element",
    "NoiseVoltage",
    "Resistor",
    "Transconductance",
    "VoltageSource",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Element:
    """One part: a name unique within its kind, and the nodes it joins."""

    letter: ClassVar[str] = ""
    name: str
    nodes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Resistor(Element):
    """Resistance in ohms between two nodes."""

    letter: ClassVar[str] = "R"
    resistance: float


@dataclasses.dataclass(frozen=True, slots=True)
class Capacitor(Element):
    """Capacitance in farads between two nodes, charged to `initial` volts at t = 0."""

    letter: ClassVar[str] = "C"
    capacitance: float
    initial: float


@dataclasses.dataclass(frozen=True, slots=True)
class VoltageSource(Element):
    """Fixed voltage, volts."""

    letter: ClassVar[str] = "V"
    voltage: float


@dataclasses.dataclass(frozen=True, slots=True)
class CurrentSource(Element):
    """Fixed current, amperes."""

    letter: ClassVar[str] = "I"
    current: float


@dataclasses.dataclass(frozen=True, slots=True)
class Transconductance(Element):
    """Current `gain` (siemens) times the voltage of node `control` against ground."""

    letter: ClassVar[str] = "G"
    control: str
    gain: float


@dataclasses.dataclass(frozen=True, slots=True)
class Behavioural(Element):
    """Current, amperes, given by `expression`: a formula of node voltages, written by a technology and nobody else."""

    letter: ClassVar[str] = "B"
    expression: str


@dataclasses.dataclass(frozen=True, slots=True)
class NoiseVoltage(Element):
    """White noise of `density`, volts per √τ, from the node to ground: it plays the stream numbered `stream` of a sample."""

    letter: ClassVar[str] = "A"
    stream: int
    density: float
