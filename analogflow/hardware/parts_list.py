"""What to buy for a circuit: every part with its value, count, tolerance and current, and the static power of it all."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Mapping

from analogflow.circuit import (
    Behavioural,
    BipolarTransistor,
    Capacitor,
    Circuit,
    CurrentSource,
    Diode,
    Instance,
    NoiseVoltage,
    PlayedVoltage,
    Resistor,
    StepVoltage,
    Switch,
    TimedVoltage,
    Transconductance,
    VoltageSource,
)
from analogflow.circuit.build import PartSet
from analogflow.circuit.loads import loads
from analogflow.circuit.noise_generator import noise_generator, noises_of_the_flow
from analogflow.circuit.packing import packing_of
from analogflow.circuit.trimmers import WIPER
from analogflow.compiler import charged
from analogflow.digits import PREFIXES, engineering
from analogflow.errors import BadInput
from analogflow.passes import DEVICE_GROUP

__all__ = ["PartsLine", "PartsList", "parts_list", "tolerance_of"]


@dataclasses.dataclass(frozen=True)
class PartsLine:
    """One line of a parts list.

    Parameters
    ----------
    part : str
        Kind or name.
    value : str
        With its unit; empty where the name says it all.
    count : int
    tolerance : str
        Deviation from part to part, one σ.
    current : float
        Supply current of all of them, amperes; 0 for passive parts.
    """

    part: str
    value: str
    count: int
    tolerance: str = ""
    current: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class PartsList:
    """Parts of a circuit.

    Parameters
    ----------
    entries : tuple of PartsLine
    power : float
        Static, watts: the supply currents of amplifiers and multipliers at both rails, and what their outputs deliver at
        most from one of them. Beside that junctions draw little.
    load : float
        The part of it that outputs deliver at most, watts: every signal at its largest.
    packages : mapping of str to int
        Packages of several sections by their manufacturer's number, as `analogflow.circuit.packing` fills them.
    """

    entries: tuple[PartsLine, ...]
    power: float
    packages: Mapping[str, int] = dataclasses.field(default_factory=dict)
    load: float = 0.0

    def to_csv(self) -> str:
        """Text with a header line."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["part", "value", "count", "tolerance", "supply_current_amperes"])
        for entry in self.entries:
            writer.writerow([entry.part, entry.value, entry.count, entry.tolerance, f"{entry.current:g}"])
        return text.getvalue()

    def count(self, part: str) -> int:
        """How many of a part there are."""
        return sum(entry.count for entry in self.entries if entry.part == part)


def parts_list(circuit: Circuit) -> PartsList:
    """List the parts of a circuit, all that its schematic shows but for ammeters: these only measure.

    Noise that is part of what is computed has a generator, with what it must deliver and what makes it; noise that
    conditions assume at the integrators is named as such.

    Raises
    ------
    BadInput
        The circuit is built from ideal elements.
    """
    circuit, parts = charged(circuit), circuit.parts
    if parts is None:
        raise BadInput(f"the technology {circuit.technology!r} has no parts to list; take 'opamp' or 'translinear'.")
    counts: Counter[tuple[str, str]] = Counter()
    currents: dict[tuple[str, str], float] = {}
    needed = {source.name for source in noises_of_the_flow(circuit)}
    built = [element for group in circuit.groups if group.block != DEVICE_GROUP for element in group.elements]
    noises = {source.nodes[0] for source in circuit.noises()}
    driven = {
        node
        for element in built
        if not isinstance(element, TimedVoltage | PlayedVoltage)
        for node in (*element.nodes, *element.remote)
    }
    for element in built:
        match element:
            case Resistor():
                counts["resistor", f"{engineering(element.resistance)}Ω"] += 1
            case Capacitor():
                counts["capacitor", f"{engineering(element.capacitance)}F"] += 1
            case BipolarTransistor():
                kind = "NPN" if element.model == parts.npn.name else "PNP"
                counts[f"{kind} transistor", "" if element.area == 1 else f"area {element.area:.4g}"] += 1
            case Instance():
                counts[element.macro, ""] += 1
            case Diode():
                counts["switching diode", ""] += 1
            case Switch():
                counts["analog switch", ""] += 1
            case StepVoltage():
                counts["hold signal", ""] += 1
            case VoltageSource() if element.name.endswith(WIPER):
                counts["trimmer", ""] += 1
            case VoltageSource() if element.name not in circuit.ammeters:
                name = "reference or rail" if element.nodes[1] == "0" else "start voltage"
                counts[name, f"{round(element.voltage, 9) + 0.0:.4g} V"] += 1
            case TimedVoltage() | PlayedVoltage() if element.nodes[0] in driven:
                counts["signal generator", ""] += 1
            case CurrentSource():
                counts["current source", f"{engineering(element.current)}A"] += 1
            case Behavioural() if not element.remote:
                counts["limiter", ""] += 1
            case Transconductance() if element.control in noises:
                pass  # the current of a noise that is assumed
            case Behavioural() | Transconductance():
                counts["controlled source", ""] += 1
            case NoiseVoltage(of_part=False):
                made = noise_generator(circuit, element)
                bought = element.name in needed
                key = ("noise generator", f"{made.demand}; {made.making}") if bought else ("assumed noise", made.demand)
                counts[key] += 1
                currents[key] = made.stages * parts.op_amp.supply_current if bought else 0.0
            case _:
                pass
    entries = tuple(
        PartsLine(
            part, value, count, tolerance_of(part, parts), count * currents.get((part, value), _supply_current(part, parts))
        )
        for (part, value), count in sorted(counts.items(), key=_order)
    )
    active = sum(entry.current for entry in entries)
    packages = Counter(package.number for package in packing_of(circuit).packages)
    delivered = sum(loads(built, circuit.levels, parts.op_amp.name).values()) if circuit.levels else 0.0
    load = parts.supply * delivered
    return PartsList(entries, 2 * parts.supply * active + load, dict(packages), load)


def _order(item: tuple[tuple[str, str], int]) -> tuple[int, str, float, str]:
    (part, value), _ = item
    passive = {"resistor": 1, "capacitor": 2}.get(part, 0)
    digits = value.rstrip("ΩF")
    scale = {prefix: 10.0**power for power, prefix in PREFIXES.items() if prefix}
    number = float(digits[:-1]) * scale[digits[-1]] if passive and digits[-1] in scale else 0.0
    return passive, part, number or (float(digits) if passive else 0.0), value


def tolerance_of(part: str, parts: PartSet) -> str:
    """Deviation of a part from its fellows, one σ, in words; empty where the set does not say it."""
    limits = parts.tolerances
    if part == "resistor":
        return f"{100 * limits.resistor:g}%"
    if part == "capacitor":
        return f"{100 * limits.capacitor:g}%"
    if part.endswith("transistor"):
        apart = f", {1e6 * limits.junction_package:g} µV between packages" if limits.junction_package else ""
        return f"{1e6 * limits.junction:g} µV between junctions{apart}"
    if part == parts.op_amp.name:
        return f"{1e6 * parts.op_amp.offset:g} µV offset"
    for multiplier in (parts.multiplier, parts.divider):
        if part.startswith(multiplier.name):
            return f"{100 * multiplier.gain_error:g}% gain, {1e3 * multiplier.offset:g} mV offset"
    return ""


def _supply_current(part: str, parts: PartSet) -> float:
    if part == parts.op_amp.name:
        return parts.op_amp.supply_current
    for multiplier in (parts.multiplier, parts.divider):
        if part.startswith(multiplier.name):
            return multiplier.supply_current
    return 0.0
