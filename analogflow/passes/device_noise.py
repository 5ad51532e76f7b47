"""Noise of the parts of a circuit: sources beside each resistor, transistor, diode, amplifier and multiplier.

Their densities are one-sided, and those of junctions follow the voltages of the running circuit. All play seeded streams, so
that every simulator plays the same noise.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import scipy

from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit.build import PartSet, thermal_voltage
from analogflow.circuit.circuit import Circuit, Group
from analogflow.circuit.elements import (
    Behavioural,
    BipolarTransistor,
    Diode,
    Element,
    Instance,
    Model,
    NoiseVoltage,
    Resistor,
    Transconductance,
)
from analogflow.errors import BadInput
from analogflow.names import number
from analogflow.noise import DEVICE_STREAMS, DEVICES, PARAMETERS
from analogflow.passes.pipeline import Brief, Pass, Passed

__all__ = ["DEVICE_GROUP", "DEVICE_NOISE", "SOURCE_KINDS", "saturation_current", "with_device_noise"]

DEVICE_GROUP = "device_noise"
"""Name of the group of elements that play the noise of parts."""

SOURCE_KINDS: Mapping[str, tuple[str, str]] = {
    "nr": ("Resistor", "thermal noise of resistors"),
    "nc": ("BipolarTransistor", "shot noise of collector currents, and thermal noise of base and emitter"),
    "nb": ("BipolarTransistor", "shot noise of base currents"),
    "nd": ("Diode", "shot noise of diodes"),
    "ne": ("Instance", "voltage noise of amplifiers"),
    "nip": ("Instance", "current noise of amplifiers"),
    "nim": ("Instance", "current noise of amplifiers"),
    "nw": ("Instance", "output noise of multipliers"),
}
"""Kind of element that a source belongs to, and what it is, by what its name begins with: the rest is the element's name."""

_MOST = (PARAMETERS // 2 - DEVICES) // DEVICE_STREAMS
"""Sources that have streams: those of every second chain begin at half of all."""

_HIGHEST = 1.0
"""Volts across a junction beyond which its noise grows no further: a simulator's guesses go there, no circuit does."""


def saturation_current(model: Model, kelvin: float) -> float:
    """I_S of a junction at a temperature, amperes: I_S (T/T₀)^XTI exp((T/T₀ − 1) E_G q/(kT)), for N = 1.

    As SPICE has it (Antognetti and Massobrio, Semiconductor Device Modeling with SPICE, 1988, sections 1.7 and 2.6), with
    T₀ of 27 °C.
    """
    values = dict(model.parameters)
    ratio = kelvin / NOMINAL_KELVIN
    exponent = (ratio - 1) * values.get("eg", 1.11) / thermal_voltage(kelvin)
    power = values.get("xti", 3.0)
    if model.kind == "d":
        exponent, power = exponent / values.get("n", 1.0), power / values.get("n", 1.0)
    return values.get("is", 1e-14 if model.kind == "d" else 1e-16) * ratio**power * math.exp(exponent)


@dataclasses.dataclass
class _Sources:
    """Makes the elements that play noise, and counts their streams."""

    circuit: Circuit
    parts: PartSet
    made: list[Element] = dataclasses.field(default_factory=list)
    count: int = 0

    @functools.cached_property
    def models(self) -> Mapping[str, Model]:
        """Models by their names."""
        return {model.name: model for model in self.circuit.models}

    @property
    def kelvin(self) -> float:
        """Temperature of all parts."""
        return self.circuit.temperature_kelvin

    def voltage(self, name: str, nodes: tuple[str, ...], density: float, corner: float = 0.0) -> None:
        """A source of `density` V/√Hz, one-sided, whose power rises like 1/f below `corner` hertz."""
        if self.count >= _MOST:
            raise BadInput(
                f"noise: the circuit has more than {_MOST} sources of noise in its parts; take a smaller problem."
            )
        stream = DEVICES + DEVICE_STREAMS * self.count
        self.count += 1
        # White noise of one-sided density S has the power S²/2 per second on either side, so that S²/(2τ) is that per τ.
        per_root_tau = density / math.sqrt(2 * self.circuit.units.time_constant)
        self.made.append(NoiseVoltage(name, nodes, stream, per_root_tau, corner, True))

    def current(self, name: str, nodes: tuple[str, str], density: float) -> None:
        """White noise of `density` A/√Hz, one-sided, from the first node to the second."""
        if nodes[0] != nodes[1]:
            self.voltage(name, (name,), 1.0)
            self.made.append(Transconductance(name, nodes, name, density))

    def modulated(self, name: str, nodes: tuple[str, str], power: str) -> None:
        """A current whose density squared, A²/Hz, is a formula of node voltages."""
        if nodes[0] != nodes[1]:
            self.voltage(name, (name,), 1.0)
            self.made.append(Behavioural(name, nodes, f"v({name})*sqrt({power})"))


def _difference(plus: str, minus: str) -> str:
    """Formula of the voltage between two nodes."""
    return "-".join(f"v({node})" if node != "0" else "0" for node in (plus, minus))


def _exponential(across: str, scale: float) -> str:
    return f"exp(min({across},{number(_HIGHEST)})*{number(1 / scale)})"


def _resistor(element: Resistor, sources: _Sources) -> Element:
    """Thermal noise of density √(4kT/R)."""
    density = math.sqrt(4 * scipy.constants.Boltzmann * sources.kelvin / element.resistance)
    sources.current(f"nr_{element.name}", (element.nodes[0], element.nodes[1]), density)
    return element


def _transistor(element: BipolarTransistor, sources: _Sources) -> Element:
    """Shot noise 2qI_C from collector to emitter and 2qI_B from base to emitter, I_C and I_B of the voltages of its nodes.

    Thermal noise of the resistances of base and emitter moves the collector current by I_C/V_T of its voltage. Knee currents
    and saturation are left out, as is what the resistances drop: the density of 1 mA is 1 % too high, that of 100 µA 0.1 %.
    """
    model, kelvin = sources.models[element.model], sources.kelvin
    values, v_t, area = dict(model.parameters), thermal_voltage(kelvin), element.area
    collector, base, emitter = element.nodes
    forward, back = _difference(base, emitter), _difference(collector, base)
    if model.kind == "pnp":
        forward, back = _difference(emitter, base), _difference(base, collector)
    saturation = saturation_current(model, kelvin) * area
    ideal = _exponential(forward, values.get("nf", 1.0) * v_t)
    early = [f"max({back},0)*{number(1 / values['vaf'])}"] if values.get("vaf") else []
    late = [f"min(max({forward},0),{number(_HIGHEST)})*{number(1 / values['var'])}"] if values.get("var") else []
    current = f"{number(saturation)}*{ideal}*({'-'.join(['+'.join(['1', *early]), *late])})"
    shot = 2 * scipy.constants.e
    ohms = (values.get("rb", 0.0) + values.get("re", 0.0)) / area
    thermal = 4 * scipy.constants.Boltzmann * kelvin * ohms / v_t**2
    ends = (collector, emitter)
    sources.modulated(f"nc_{element.name}", ends, f"{current}*({number(shot)}+{number(thermal)}*{current})")
    based = [f"{number(shot * saturation / values.get('bf', 100.0))}*{ideal}"]
    if leak := values.get("ise", 0.0):
        slope = values.get("ne", 1.5)
        warmer = (saturation_current(model, kelvin) / values["is"]) ** (1 / slope)
        based.append(f"{number(shot * leak * warmer * area)}*{_exponential(forward, slope * v_t)}")
    sources.modulated(f"nb_{element.name}", (base, emitter), "+".join(based))
    return element


def _diode(element: Diode, sources: _Sources) -> Element:
    """Shot noise 2q(I + 2I_S), of the voltage across the diode and its resistance."""
    model, kelvin = sources.models[element.model], sources.kelvin
    anode, cathode = element.nodes
    saturation = saturation_current(model, kelvin)
    across = _exponential(_difference(anode, cathode), dict(model.parameters).get("n", 1.0) * thermal_voltage(kelvin))
    scale = number(2 * scipy.constants.e * saturation)
    sources.modulated(f"nd_{element.name}", (anode, cathode), f"{scale}*({across}+1)")
    return element


def _instance(element: Instance, sources: _Sources) -> Element:
    """Voltage noise in series with the input + of an amplifier and current noise at both; noise in series with an output."""
    parts = sources.parts
    if element.macro == parts.op_amp.name:
        (plus, minus, output), part = element.nodes, parts.op_amp
        for end, node in (("p", plus), ("m", minus)):
            if part.current_noise and node != "0":
                sources.current(f"ni{end}_{element.name}", (node, "0"), part.current_noise)
        if not part.noise:
            return element
        inner = f"ne_{element.name}"
        sources.voltage(inner, (inner, plus), part.noise, part.noise_corner)
        return dataclasses.replace(element, nodes=(inner, minus, output))
    part = parts.multiplier if element.macro == parts.multiplier.name else parts.divider
    if not part.noise:
        return element
    *inputs, output = element.nodes
    inner = f"nw_{element.name}"
    sources.voltage(inner, (output, inner), part.noise)
    return dataclasses.replace(element, nodes=(*inputs, inner))


_KINDS: Mapping[type[Element], Callable[..., Element]] = {
    Resistor: _resistor,
    BipolarTransistor: _transistor,
    Diode: _diode,
    Instance: _instance,
}
"""What makes the noise of an element, by its kind, and returns it, joined to what is in series with it."""


def _noisy(elements: Sequence[Element], sources: _Sources) -> Iterator[Element]:
    for element in elements:
        noise = _KINDS.get(type(element))
        yield element if noise is None else noise(element, sources)


def with_device_noise(circuit: Circuit) -> Circuit:
    """The circuit with the noise of its parts, in a group of its own after all others.

    Parameters
    ----------
    circuit : Circuit
        Of a technology that has parts; its temperature is that of their noise.

    Raises
    ------
    BadInput
        It is built from ideal elements, or has more sources than there are streams.
    """
    if circuit.parts is None:
        raise BadInput(f"noise: the technology {circuit.technology!r} has no parts whose noise could be played.")
    sources = _Sources(circuit, circuit.parts)
    groups = tuple(Group(group.block, group.source, tuple(_noisy(group.elements, sources))) for group in circuit.groups)
    own = Group(DEVICE_GROUP, "noise of the parts", tuple(sources.made))
    return dataclasses.replace(circuit, groups=(*groups, own))


def _played(brief: Brief) -> Passed | None:
    circuit = brief.circuit
    assert circuit is not None  # it stands after the pass that makes it
    if not brief.conditions.device_noise or brief.build.parts is None:
        return None
    noisy = with_device_noise(dataclasses.replace(circuit, conditions=brief.conditions))
    count = sum(isinstance(element, NoiseVoltage) and element.of_part for element in noisy.groups[-1].elements)
    note = f"{count} sources of noise in its parts, at {circuit.temperature_kelvin:g} K"
    return Passed(brief.graph, note, found={"circuit": noisy})


DEVICE_NOISE = Pass("device noise", _played, keeps_flow=False, heeds=("device_noise",))
"""Adds the noise of the parts, if the conditions have it."""
