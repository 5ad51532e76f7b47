"""Stages of translinear circuits: sinks, emitter-coupled arrays, transdiodes, crossbar integrators, the loop of the bases.

Every stage yields elements. Currents come from collectors, voltages are those of junctions: 26 mV are one nat.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit.build import PartSet, Units, thermal_voltage
from analogflow.circuit.circuit import Group, Reading, Realisation
from analogflow.circuit.elements import (
    BipolarTransistor,
    Capacitor,
    Element,
    Instance,
    Model,
    NoiseVoltage,
    Resistor,
    StepVoltage,
    Transconductance,
    VoltageSource,
)
from analogflow.circuit.loads import Levels, check_loads
from analogflow.errors import BadInput
from analogflow.passes import Brief
from analogflow.passes.device_noise import saturation_current
from analogflow.technology.compensation import across_transistor, collector_capacitance, junction_conductance
from analogflow.technology.macros import op_amp_macro
from analogflow.technology.part_sets import bias_error, junction_error

__all__ = [
    "Bias",
    "array",
    "assembled",
    "common_mode_loop",
    "integrator",
    "integrator_noise",
    "junction",
    "loop_capacitance",
    "rails",
    "reset",
    "sink",
    "sink_reference",
    "transdiode",
]

LOW_RAIL = -5.0
"""Volts of the rail that current sinks draw to."""

_DRIVE = 0.1
"""Volts across what lies between an amplifier and the emitter that it drives, at the largest current: four times kT/q."""

_LOOP_RESISTANCE, _LEAST_CAPACITANCE = 100e3, 20e-12

_DEGENERATION = 0.2
"""Volts across the emitter resistors of current sinks: mismatch of their junctions is divided by 1 + 0.2 V/V_T."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bias:
    """Operating point of a translinear circuit.

    Parameters
    ----------
    tail : float
        Current of the whole distribution, amperes. Below 10 µA the logarithms are slow, above 100 µA the resistances of the
        junctions bend them.
    resistance : float
        Of a crossbar leg of weight 1, ohms.
    capacitance : float
        Of an integrator, farads; resistance × capacitance is the time constant.
    emitter : float
        Voltage at which the loop holds the common emitters.
    """

    tail: float = 30e-6
    resistance: float = 10e3
    capacitance: float = 10e-9
    emitter: float = -1.8

    @classmethod
    def of(cls, branches: int) -> Bias:
        """Operating point at which `branches` logarithms are fast beside the time constant: 5 µA each, 30 µA at least."""
        return cls(tail=max(30e-6, 5e-6 * branches))

    @property
    def time_constant(self) -> float:
        """R C in seconds."""
        return self.resistance * self.capacitance


def integrator_noise(brief: Brief, names: Sequence[str], volts_per_unit: float, bias: Bias) -> list[Group]:
    """Noise of the conditions at inverting integrators, as a group; none without noise.

    It is a current into the summing node: a leg from a source at ground would carry half a volt across its resistor besides,
    and what that resistor is off its value would be a bias of the row. `volts_per_unit` is what one flow unit of the rate
    is at a leg of weight 1.
    """
    sigma = brief.conditions.noise.sigma
    made: list[Element] = []
    for k, name in enumerate(names if sigma else ()):
        made.append(NoiseVoltage(f"noise{k}", (f"noise{k}",), k, -sigma * volts_per_unit))
        made.append(Transconductance(f"noise{k}", ("0", f"{name}_sum"), f"noise{k}", 1 / bias.resistance))
    return [Group("noise", "", tuple(made))] if made else []


def rails(parts: PartSet) -> Iterator[Element]:
    """Supplies that transistors are joined to; op-amps have their own inside their models."""
    yield VoltageSource("vlow", ("vlow", "0"), LOW_RAIL)


def junction(model: Model, current: float, temperature_kelvin: float) -> float:
    """Volts across a junction of unit area that carries `current` at a temperature, without what its resistances add."""
    return thermal_voltage(temperature_kelvin) * math.log(current / saturation_current(model, temperature_kelvin))


def sink_reference(name: str, current: float, parts: PartSet, temperature_kelvin: float) -> Iterator[Element]:
    """Diode-connected transistor at node `name` through which `current` flows: what every `sink` mirrors."""
    drop = -LOW_RAIL - _DEGENERATION - junction(parts.npn, current, temperature_kelvin)
    yield Resistor(f"{name}_set", ("0", name), drop / current)
    yield BipolarTransistor(f"{name}_diode", (name, name, f"{name}_e"), parts.npn.name)
    yield Resistor(f"{name}_e", (f"{name}_e", "vlow"), _DEGENERATION / current)


def sink(name: str, node: str, reference: str, share: float, current: float, parts: PartSet) -> Iterator[Element]:
    """Transistor that draws `share` of the reference current `current` out of `node`."""
    yield BipolarTransistor(name, (node, reference, f"{name}_e"), parts.npn.name, share)
    yield Resistor(f"{name}_e", (f"{name}_e", "vlow"), _DEGENERATION / (share * current))


def transdiode(
    name: str, summing: str, parts: PartSet, current: float, *, load: float = 0.0, stray: float = 0.0
) -> Iterator[Element]:
    """Voltage V_T ln(I/I_S) at node `name` from the current I drawn out of node `summing`, which it holds at ground.

    The op-amp drives the emitter, the base is grounded: the offset of the op-amp is no part of the voltage. The resistor
    between amplifier and emitter makes the gain of the loop nearly the same at every current, so that the capacitor which
    keeps it stable may be smaller, and the logarithm is faster.

    Parameters
    ----------
    name, summing : str
    parts : PartSet
    current : float
        The largest, amperes.
    load : float
        Conductance that hangs on the node, siemens.
    stray : float
        Capacitance of what else is joined to the summing node, farads.
    """
    v_t, drive = thermal_voltage(NOMINAL_KELVIN), _DRIVE / current
    conductance = junction_conductance(current, v_t, drive, load)
    capacitance = across_transistor(parts.op_amp, conductance, stray + collector_capacitance(parts.pnp))
    yield Instance(f"{name}_amp", ("0", summing, f"{name}_drive"), parts.op_amp.name)
    yield Resistor(f"{name}_drive", (f"{name}_drive", name), drive)
    yield BipolarTransistor(f"{name}_log", (summing, "0", name), parts.pnp.name)
    yield Capacitor(f"{name}_c", (summing, f"{name}_drive"), capacitance, 0.0)


def integrator(
    name: str, legs: Mapping[str, float], reference: str, initial: float, parts: PartSet, bias: Bias
) -> Iterator[Element]:
    """Node `name` that falls at Σ w (V − V_reference)/(R C) over `legs`, from node to weight w; zero weights have no leg.

    While the node ``hold`` is high, a switch puts `initial` volts across the capacitor.
    """
    virtual = f"{name}_sum"
    for node, weight in legs.items():
        if weight > 0:
            yield Resistor(f"{name}_{node}", (node, virtual), bias.resistance / weight)
    yield Instance(f"{name}_amp", (reference, virtual, name), parts.op_amp.name)
    yield Capacitor(f"{name}_c", (virtual, name), bias.capacitance, -initial)
    yield parts.switch.between(f"{name}_hold", (virtual, f"{name}_set"))
    yield VoltageSource(f"{name}_set", (name, f"{name}_set"), initial)


def common_mode_loop(name: str, emitter: str, parts: PartSet, bias: Bias) -> Iterator[Element]:
    """Node `name` that is driven until node `emitter`, the log-sum-exp of the bases, is at its set voltage.

    An input that dies out slides to a rail and does not drag the others along, as a mean of the bases would.
    """
    yield VoltageSource(f"{name}_set", (f"{name}_set", "0"), bias.emitter)
    yield Resistor(f"{name}_in", (emitter, f"{name}_sum"), _LOOP_RESISTANCE)
    yield Capacitor(f"{name}_c", (f"{name}_sum", name), loop_capacitance(parts), 0.0)
    yield Instance(f"{name}_amp", (f"{name}_set", f"{name}_sum", name), parts.op_amp.name)


def loop_capacitance(parts: PartSet) -> float:
    """Farads with which a loop through an integrator and a follower is crossed a decade below their bandwidth.

    20 pF at least: less would be no more than what a board has anyway.
    """
    return max(10 / (2 * math.pi * parts.op_amp.bandwidth * _LOOP_RESISTANCE), _LEAST_CAPACITANCE)


def reset(release: float, parts: PartSet) -> Iterator[Element]:
    """Control voltage that holds the integrators until `release` seconds, less the time in which the switches open."""
    yield StepVoltage("hold", ("hold", "0"), 1.0, 0.0, release - parts.switch.off_time)


def assembled(
    brief: Brief,
    groups: Sequence[Group],
    readings: Mapping[str, Reading],
    bias: Bias,
    time_constant: float,
    input_volts: float,
    least_share: float = 1.0,
    first_share: float = 1.0,
) -> Realisation:
    """Realisation of stages that stand: with rails, the reset, models and what a simulator needs to know.

    `least_share` is the smallest part of the tail's current in a transdiode where all states are alike, and `first_share`
    that at the start: that one finds its voltage last.

    Raises
    ------
    BadInput
        The supply is above the rail of the tails, or an output would have to deliver more than it is rated for.
    """
    parts, kelvin = brief.parts, brief.build.temperature_kelvin
    if parts.supply < -LOW_RAIL:
        raise BadInput(
            f"supply: node 'vlow', on which the tails of the arrays stand, is at {LOW_RAIL:g} V, and the negative supply "
            f"at -{parts.supply:g} V; give a supply of at least {-LOW_RAIL:g} V."
        )
    release = max(0.2 * time_constant, round(_SETTLED + _charging(bias, first_share, groups), 6))
    supplies = Group("supplies", "", (*rails(parts), *reset(release, parts)))
    levels = Levels(others=_APART / 2, junction=_APART / 2, current=bias.tail)
    check_loads([element for group in groups for element in group.elements], levels, parts)
    return Realisation(
        (supplies, *groups),
        readings,
        start={},
        units=Units(None, time_constant, inputs=dict.fromkeys(brief.graph.states, input_volts)),
        graph=brief.graph,
        models=(parts.npn, parts.pnp, parts.switch.model),
        macros=(op_amp_macro(parts.op_amp, parts.supply, kelvin),),
        release=release,
        derived_from=brief.graph,
        step=0.05,
        options=_OPTIONS,
        levels=levels,
        accuracy=junction_error(parts, bias.tail, kelvin) + bias_error(parts, least_share * bias.tail, kelvin),
    )


_SETTLED = 20e-6
"""Seconds after which the op-amps have found their operating point, with the integrators held."""

_APART = 0.36
"""Volts between nodes that a resistor joins, at most: 14 nats, beyond which strings of bases are refused."""

_JUNCTION, _LEAST_SHARE = 1.0, 0.03
"""Volts that a transdiode's capacitor is charged to at most, and the least share of the current that is waited for."""


def _charging(bias: Bias, share: float, groups: Sequence[Group]) -> float:
    """Seconds in which the least current at the start charges the capacitor of its transdiode, whole microseconds."""
    elements = [element for group in groups for element in group.elements]
    drives = {e.nodes[0] for e in elements if isinstance(e, Resistor) and e.name.endswith("_drive")}
    held = max((e.capacitance for e in elements if isinstance(e, Capacitor) and e.nodes[1] in drives), default=0.0)
    return math.ceil(1e6 * _JUNCTION * held / (bias.tail * max(share, _LEAST_SHARE))) / 1e6


_OPTIONS = ".options method=gear reltol=1e-5 vntol=1e-8 abstol=1e-14 gmin=1e-15 itl4=100"
"""Simulator options for currents that go down to picoamperes."""


def array(
    name: str,
    emitter: str,
    bases: Sequence[str],
    areas: NDArray[np.float64],
    collector: str,
    parts: PartSet,
    *,
    metered: bool = False,
) -> Iterator[Element]:
    """Transistors of one array; collector k is the node `collector` + k, through an ammeter `name` + k if `metered`.

    Where an area is 0 there is none, and the ammeter shows no current.
    """
    for k, (base, area) in enumerate(zip(bases, areas, strict=True)):
        node = f"{collector}{k}"
        inner = f"{name}c{k}" if metered else node
        if area > 0:
            yield BipolarTransistor(f"{name}{k}", (inner, base, emitter), parts.npn.name, float(area))
        if metered:
            yield VoltageSource(f"{name}{k}", (node, inner), 0.0)
