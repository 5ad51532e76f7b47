"""Circuits of parts as they are switched on: supplies rise, references follow, integrators are held, then released.

A circuit as it is realised begins with its supplies up and its integrators charged. Here every capacitor is empty and every
source at zero; a fixed source is a reference, which follows the supply until it has its value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from analogflow.circuit.build import PartSet
from analogflow.circuit.circuit import Circuit, Group
from analogflow.circuit.elements import (
    Capacitor,
    Element,
    Instance,
    Macro,
    PlayedVoltage,
    StepVoltage,
    Switch,
    TimedVoltage,
    VoltageSource,
)
from analogflow.circuit.start_up import RISE, StartUp
from analogflow.errors import BadInput
from analogflow.names import number
from analogflow.passes import Brief, Pass, Passed
from analogflow.technology.macros import divider_macro, multiplier_macro, op_amp_macro, root_macro

__all__ = ["START_UP", "started"]

_SETTLED, _RESET = 1e-3, 1e-3
"""Seconds at the rails once supplies are up, and for which integrators are held beyond a start with supplies that are up.

Amplifiers that were at a rail have to come back meanwhile, and the least currents to charge what the logarithms hold.
"""

_STEP = 1e-6
"""Seconds in which what holds the integrators goes from a rail to their start."""

_SUPPLY = "vcc"
"""Node of the positive supply; the negative one mirrors it."""


def started(circuit: Circuit, how: StartUp) -> Circuit:
    """The circuit as it is switched on; its flow begins when the integrators are released.

    Raises
    ------
    BadInput
        `how` tells the rails of another number of integrators.
    """
    assert circuit.parts is not None  # technologies of ideal elements have no pass that comes here
    sources = {element.nodes[1] for element in circuit.elements if isinstance(element, Switch) and element.control == "hold"}
    held = [e.name for e in circuit.elements if isinstance(e, VoltageSource) and sources & {*e.nodes}]
    if len(how.rails) not in (0, 1, len(held)):
        raise BadInput(
            f"start_up: {how} tells the rails of {len(how.rails)} integrators, and the circuit has {len(held)}; give one "
            "for each, or one for all."
        )
    up = RISE + (_SETTLED if how.rails else 0.0)
    release = up + (circuit.release + _RESET if how.held else 0.0)
    rails = dict(zip(held, how.rails * len(held) if len(how.rails) == 1 else how.rails, strict=False))
    change = _Change(circuit, circuit.parts, how, rails, up, release)
    supply = PlayedVoltage("supply", (_SUPPLY, "0"), (0.0, RISE), (0.0, circuit.parts.supply))
    first, *others = circuit.groups
    groups = [dataclasses.replace(first, elements=(supply, *map(change.of, first.elements)))]
    groups += [Group(group.block, group.source, tuple(map(change.of, group.elements))) for group in others]
    return dataclasses.replace(
        circuit,
        groups=tuple(groups),
        macros=tuple(_powered(circuit)),
        release=release,
        conditions=dataclasses.replace(circuit.conditions, start_up=how),
    )


@dataclasses.dataclass(frozen=True)
class _Change:
    """What becomes of each element: `rails` by the name of the source that holds an integrator, times in seconds."""

    circuit: Circuit
    parts: PartSet
    how: StartUp
    rails: dict[str, int]
    up: float
    release: float

    def of(self, element: Element) -> Element:
        """The element of the circuit that is switched on."""
        later = self.release - self.circuit.release
        match element:
            case Capacitor():
                return dataclasses.replace(element, initial=0.0)
            case Instance():
                return dataclasses.replace(element, nodes=(*element.nodes, _SUPPLY))
            case StepVoltage(name="hold"):
                return self._hold(element)
            case VoltageSource() if element.name in self.rails:
                return self._from_rail(element, self.rails[element.name])
            case VoltageSource() if element.voltage:
                risen = RISE * min(abs(element.voltage) / self.parts.supply, 1.0)
                return PlayedVoltage(element.name, element.nodes, (0.0, risen), (0.0, element.voltage))
            case PlayedVoltage():
                return dataclasses.replace(element, times=tuple(time + later for time in element.times))
            case TimedVoltage():
                text = element.expression.replace(f"time-{number(self.circuit.release)}", f"time-{number(self.release)}")
                return dataclasses.replace(element, expression=text)
        return element

    def _hold(self, element: StepVoltage) -> Element:
        if self.how.held or self.rails:
            return dataclasses.replace(element, time=element.time + self.release - self.circuit.release)
        return VoltageSource(element.name, element.nodes, element.after)

    def _from_rail(self, element: VoltageSource, rail: int) -> Element:
        volts = rail * self.parts.swing
        times, values = (0.0, RISE), (0.0, volts)
        if self.how.held:
            times, values = (*times, self.up, self.up + _STEP), (*values, volts, element.voltage)
        return PlayedVoltage(element.name, element.nodes, times, values)


def _powered(circuit: Circuit) -> Iterator[Macro]:
    """Macro-models of the circuit with the supply as a further port."""
    parts = circuit.parts
    assert parts is not None
    known = {
        macro.name: macro
        for macro in (
            op_amp_macro(parts.op_amp, parts.supply, circuit.temperature_kelvin, powered=True),
            multiplier_macro(parts.multiplier, powered_by=parts.supply),
            divider_macro(parts.divider, powered_by=parts.supply),
            root_macro(parts.divider, powered_by=parts.supply),
        )
    }
    return (known[macro.name] for macro in circuit.macros)


def _started(brief: Brief) -> Passed | None:
    how, circuit = brief.conditions.start_up, brief.circuit
    assert circuit is not None  # it stands after the pass that makes it
    if how is None:
        return None
    made = started(circuit, how)
    note = f"{how}: supplies rise in {RISE:g} s, the flow begins after {made.release:.4g} s"
    return Passed(brief.graph, note, found={"circuit": made})


START_UP = Pass("start-up", _started, keeps_flow=False, heeds=("start_up",))
"""Switches the circuit on, if the conditions say how."""
