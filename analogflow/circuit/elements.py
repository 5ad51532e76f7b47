"""The kinds of element in a circuit, and the models they name, in SI units.

Node "0" is ground; sources push current from first to second node.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit.made import Made

__all__ = [
    "Behavioural",
    "BipolarTransistor",
    "Capacitor",
    "CurrentSource",
    "DelayLine",
    "Diode",
    "Element",
    "Instance",
    "Macro",
    "Model",
    "NoiseVoltage",
    "PlayedVoltage",
    "Resistor",
    "Row",
    "StepVoltage",
    "Switch",
    "TimedVoltage",
    "Transconductance",
    "VoltageSource",
    "simulated",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Element:
    """One part: a name unique within its kind, and the nodes it joins."""

    letter: ClassVar[str] = ""
    name: str
    nodes: tuple[str, ...]

    @property
    def remote(self) -> frozenset[str]:
        """Nodes beside its own whose voltages decide its current: those of a controlled source."""
        return frozenset()


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

    @property
    def remote(self) -> frozenset[str]:
        """The node that controls it."""
        return frozenset((self.control,)) - {*self.nodes}


class Row(Made[Element]):
    """Transconductances into one node from ground, number b named ``NODE_b``: a weight of 0 has none.

    A crossbar of 1024 by 1024 has a million of them, which a writer of text need not have as elements.

    Parameters
    ----------
    node : str
    controls : sequence of str
        Node that controls each.
    gains : array, shape (controls,)
        Siemens.
    """

    def __init__(self, node: str, controls: Sequence[str], gains: NDArray[np.float64]) -> None:
        super().__init__(self._elements)
        self.node, self.controls, self.gains = node, controls, gains

    def __len__(self) -> int:
        return int(np.count_nonzero(self.gains))

    def _elements(self) -> Iterator[Transconductance]:
        ends = ("0", self.node)
        for b, (control, gain) in enumerate(zip(self.controls, self.gains.tolist(), strict=True)):
            if gain:
                yield Transconductance(f"{self.node}_{b}", ends, control, gain)


@dataclasses.dataclass(frozen=True, slots=True)
class Behavioural(Element):
    """Current, amperes, given by `expression`: a formula of node voltages, written by a technology and nobody else."""

    letter: ClassVar[str] = "B"
    expression: str

    @property
    def remote(self) -> frozenset[str]:
        """Nodes that the formula reads; none of a part with two terminals, such as a limiter."""
        return frozenset(re.findall(r"v\((\w+)\)", self.expression)) - {*self.nodes}


@dataclasses.dataclass(frozen=True, slots=True)
class NoiseVoltage(Element):
    """White noise of `density`, volts per √τ, from its node to ground, or to a second one.

    It plays the stream numbered `stream` of a sample. Below `corner`, in hertz, its density rises like 1/f. If `of_part`, it
    is the noise of a part, which the part's own model makes where a simulator works out small-signal noise.
    """

    letter: ClassVar[str] = "A"
    stream: int
    density: float
    corner: float = 0.0
    of_part: bool = False

    @property
    def ends(self) -> tuple[str, str]:
        """Its two nodes."""
        return self.nodes[0], (*self.nodes, "0")[1]


@dataclasses.dataclass(frozen=True, slots=True)
class BipolarTransistor(Element):
    """Bipolar transistor with nodes collector, base and emitter, of a named model and an `area` relative to it."""

    letter: ClassVar[str] = "Q"
    model: str
    area: float = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Diode(Element):
    """Diode from anode to cathode, of a named model."""

    letter: ClassVar[str] = "D"
    model: str


@dataclasses.dataclass(frozen=True, slots=True)
class Switch(Element):
    """Switch between two nodes, closed while node `control` is above the threshold of its model.

    One that has two thresholds, further apart than anything that rings, remembers: between them it is as it was, and
    `closed` at the start. `leak` amperes flow out of its first node, and an edge of one volt of its control takes `charge`
    coulombs from there, with a time constant of `lag` seconds: `strays` are what does so.
    """

    letter: ClassVar[str] = "S"
    control: str
    model: str
    closed: bool = False
    leak: float = 0.0
    charge: float = 0.0
    lag: float = 0.0

    @property
    def strays(self) -> tuple[Element, ...]:
        """What a simulator sees of it beside a switch: parts of its model, which nobody buys."""
        at, gate = self.nodes[0], f"{self.name}_gate" if self.lag else self.control
        found: list[Element] = []
        if self.charge and self.lag:
            found.append(Resistor(f"{self.name}_gate", (self.control, gate), self.lag / self.charge))
        if self.charge:
            found.append(Capacitor(f"{self.name}_charge", (gate, at), self.charge, 0.0))
        if self.leak:
            found.append(CurrentSource(f"{self.name}_leak", (at, "0"), self.leak))
        return tuple(found)


def simulated(elements: Iterable[Element]) -> Iterator[Element]:
    """The elements, and after each switch what else a simulator sees of it."""
    for element in elements:
        yield element
        if isinstance(element, Switch):
            yield from element.strays


@dataclasses.dataclass(frozen=True, slots=True)
class DelayLine(Element):
    """Lossless line of 1 ohm and `delay` seconds between two ports, nodes 0 and 2 against nodes 1 and 3.

    Both ends are to have 1 ohm, so that nothing comes back. Before t = 0 the first port was at `initial` volts.
    """

    letter: ClassVar[str] = "T"
    delay: float
    initial: float


@dataclasses.dataclass(frozen=True, slots=True)
class StepVoltage(Element):
    """Voltage that is `before` volts until `time` seconds, and `after` from then on."""

    letter: ClassVar[str] = "V"
    before: float
    after: float
    time: float


@dataclasses.dataclass(frozen=True, slots=True)
class TimedVoltage(Element):
    """Voltage given by `expression`: a formula of ``time`` in seconds and of other such voltages, by a technology."""

    letter: ClassVar[str] = "B"
    expression: str


@dataclasses.dataclass(frozen=True, slots=True)
class PlayedVoltage(Element):
    """Voltage on straight lines between points, `times` in seconds and `volts`; the first before them, the last after."""

    letter: ClassVar[str] = "V"
    times: tuple[float, ...]
    volts: tuple[float, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Instance(Element):
    """One part described by a macro-model: nodes in the order of the macro's ports, and what sets this one apart."""

    letter: ClassVar[str] = "X"
    macro: str
    parameters: tuple[tuple[str, float], ...] = ()

    def parameter(self, name: str, default: float = 0.0) -> float:
        """Value of a parameter, `default` if this part does not set it."""
        return dict(self.parameters).get(name, default)


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """Device model: its name, its kind (``npn``, ``pnp``, ``d``, ``sw``) and its parameters in SI units."""

    name: str
    kind: str
    parameters: tuple[tuple[str, float], ...]
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Macro:
    """Macro-model of a part: elements between local nodes, of which `ports` are joined to a circuit.

    Formulas may name the parameters as ``({name})``; an instance that sets none takes these defaults.
    """

    name: str
    ports: tuple[str, ...]
    elements: tuple[Element, ...]
    parameters: tuple[tuple[str, float], ...] = ()
    note: str = ""
