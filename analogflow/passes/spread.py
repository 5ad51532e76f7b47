"""The parts of a circuit, each resistor, capacitor, transistor and amplifier with a deviation of its own.

What is common to a kind of part (the lot) is drawn once for a circuit, what transistors of one package share once for each
package, and what is local once for each part. Each kind of deviation has a stream of its own, so that one more part, or one
more kind, leaves the draws of all others as they are.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit import BipolarTransistor, Capacitor, Circuit, Element, Instance, Resistor, Switch, VoltageSource
from analogflow.circuit.build import Multiplier, OpAmp, PartSet, Tolerances, thermal_voltage
from analogflow.circuit.circuit import Group
from analogflow.circuit.packing import packing_of
from analogflow.circuit.trimmers import WIPER
from analogflow.errors import BadInput
from analogflow.noise import PARAMETERS, check_sample, standard_normal
from analogflow.passes.pipeline import Brief, Pass, Passed

__all__ = ["SPREAD", "SingleDraws", "amplifier_parameters", "matched", "sample_parts"]

_LEAST = 1e-3

_KINDS = (
    "resistor",
    "resistor lot",
    "capacitor",
    "capacitor lot",
    "junction",
    "junction package",
    "junction lot",
    "area",
    "temperature",
    "multiplier",
    "offset",
    "offset drift",
    "common mode",
    "bias current",
    "leakage",
    "reference",
    "reference drift",
)
"""Kinds of deviation, by the number of their stream. New ones go to the end."""

_PER_KELVIN = 2e-3
"""Volts by which a junction's voltage falls with each kelvin, at any current it carries here."""


def matched(parts: PartSet, mismatch: float) -> PartSet:
    """The same parts with one relative σ for all resistors, capacitors and emitter areas, and no other deviation."""
    tolerances = Tolerances(resistor=mismatch, capacitor=mismatch, area=mismatch, junction=0.0)
    exact = {"offset": 0.0, "gain_error": 0.0}
    return dataclasses.replace(
        parts,
        tolerances=tolerances,
        op_amp=parts.op_amp.alike(),
        multiplier=dataclasses.replace(parts.multiplier, **exact),
        divider=dataclasses.replace(parts.divider, **exact),
        switch=dataclasses.replace(parts.switch, leakage=0.0),
        reference=dataclasses.replace(parts.reference, tolerance=0.0, drift=0.0),
    )


def sample_parts(circuit: Circuit, parts: PartSet | None = None, *, seed: int | None = None, sample: int = 0) -> Circuit:
    """One circuit of the lot: the same topology, each part with a deviation of its own.

    Parameters
    ----------
    circuit : Circuit
        Of a technology that has parts.
    parts : PartSet, optional
        Whose tolerances and offsets are drawn; those the circuit was built from if not given.
    seed : int, optional
        Of every deviation; that of the circuit's noise if not given.
    sample : int
        Which circuit of the lot; decides the deviations too, as does the place of a part in the circuit.

    Raises
    ------
    BadInput
        The circuit is built from ideal elements, its noise has another seed, or the sample is not a whole number from 0.
    """
    parts = parts or circuit.parts
    if circuit.parts is None or parts is None:
        raise BadInput(
            f"the technology {circuit.technology!r} has no parts that could deviate; take 'opamp' or 'translinear', or the "
            "imperfection mismatch."
        )
    sample, noise = check_sample(sample), circuit.noise
    if noise.plays and seed not in (None, noise.seed):
        raise BadInput(f"seed: {seed!r} is not that of the circuit's noise, {noise.seed}; one seed decides both.")
    noise = noise if seed is None else dataclasses.replace(noise, seed=seed)
    draws = _Draws(noise.seed, sample, circuit)
    groups = tuple(
        Group(group.block, group.source, tuple(_varied(group.elements, draws, parts, circuit))) for group in circuit.groups
    )
    conditions = dataclasses.replace(circuit.conditions, noise=noise, sample=sample, lot=parts)
    return dataclasses.replace(circuit, groups=groups, conditions=conditions)


def _spread(brief: Brief) -> Passed | None:
    given, circuit = brief.conditions, brief.circuit
    assert circuit is not None  # it stands after the pass that makes it
    mismatch = given.imperfections.mismatch
    if brief.build.parts is None or not (mismatch or given.lot):
        return None
    lot = matched(brief.parts, mismatch) if mismatch else given.lot
    drawn = sample_parts(circuit, lot, seed=given.noise.seed, sample=given.sample)
    said = f"mismatch {mismatch:g}" if mismatch else "the tolerances of the parts"
    note = f"{said}, seed {given.noise.seed}, sample {given.sample}"
    return Passed(brief.graph, note, found={"circuit": drawn})


SPREAD = Pass("spread", _spread, keeps_flow=False, heeds=("imperfections", "lot"))
"""Draws the deviations of the parts, if the conditions have any."""


class _Draws:
    """Standard normal numbers of each kind of deviation, one after the other."""

    def __init__(self, seed: int, sample: int, circuit: Circuit) -> None:
        self.seed, self.sample = seed, sample
        self.most = 4 + 2 * sum(4 + round(getattr(element, "area", 0.0)) for element in circuit.elements)
        self.packages = _packages(circuit)
        self.drawn: dict[str, list[float]] = {}
        self.used: Counter[str] = Counter()

    def number(self, kind: str, place: int) -> float:
        """One of a kind, by its place among them."""
        if kind not in self.drawn:
            stream = PARAMETERS + _KINDS.index(kind)
            self.drawn[kind] = standard_normal(self.seed, [self.sample], stream, self.most)[0].tolist()
        return self.drawn[kind][place]

    def next(self, kind: str) -> float:
        """The next of a kind."""
        self.used[kind] += 1
        return self.number(kind, self.used[kind] - 1)


class _Single(_Draws):
    """All numbers are 0, but for one of them."""

    def __init__(self, packages: dict[Element, list[int]], draw: tuple[str, int], size: float) -> None:
        self.packages, self.draw, self.size = packages, draw, size
        self.used = Counter()
        self.asked: dict[tuple[str, int], None] = {}

    def number(self, kind: str, place: int) -> float:
        """`size` where it is the one, else 0."""
        self.asked[kind, place] = None
        return self.size if (kind, place) == self.draw else 0.0


class SingleDraws:
    """The circuits of a lot of which one deviation alone is drawn.

    Parameters
    ----------
    circuit : Circuit
        Of a technology that has parts.
    parts : PartSet
        Whose tolerances and offsets are drawn.
    """

    def __init__(self, circuit: Circuit, parts: PartSet) -> None:
        self.circuit, self.parts, self._packages = circuit, parts, _packages(circuit)

    @functools.cached_property
    def draws(self) -> tuple[tuple[str, int], ...]:
        """Kind of each deviation, and its place among them."""
        asked = _Single(self._packages, ("", 0), 0.0)
        for group in self.circuit.groups:
            for _ in _varied(group.elements, asked, self.parts, self.circuit):
                pass
        return tuple(asked.asked)

    def drawn(self, draw: tuple[str, int], size: float) -> Circuit:
        """The circuit where the number drawn is `size`, and all others are 0."""
        only = _Single(self._packages, draw, size)
        groups = tuple(
            Group(group.block, group.source, tuple(_varied(group.elements, only, self.parts, self.circuit)))
            for group in self.circuit.groups
        )
        return dataclasses.replace(self.circuit, groups=groups)


def _packages(circuit: Circuit) -> dict[Element, list[int]]:
    """Number of the package of each unit of every transistor: even ones for one polarity, odd ones for the other.

    A transistor that no package is known for has one to itself.
    """
    packing, found = packing_of(circuit), dict[Element, list[int]]()
    numbers: dict[str, dict[object, int]] = {}
    for element in circuit.elements:
        if isinstance(element, BipolarTransistor):
            known = numbers.setdefault(element.model, {})
            parity = list(numbers).index(element.model)
            own: list[object] = [place.package for place in packing.of.get(element, ())] or [element]
            found[element] = [2 * known.setdefault(package, len(known)) + parity for package in own]
    return found


def _varied(elements: Sequence[Element], draws: _Draws, parts: PartSet, circuit: Circuit) -> Iterator[Element]:
    """Elements with their deviations."""
    limits, kelvin = parts.tolerances, circuit.temperature_kelvin
    warm = kelvin - NOMINAL_KELVIN
    reference = 1 + parts.reference.tolerance * draws.number("reference", 0)
    reference += parts.reference.drift * warm * draws.number("reference drift", 0)
    macros = {macro.name: {name for name, _ in macro.parameters} for macro in circuit.macros}
    for element in elements:
        match element:
            case Resistor():
                common = (1 + limits.resistor_lot * draws.number("resistor lot", 0)) * (1 + limits.resistor_drift * warm)
                factor = common * max(1 + limits.resistor * draws.next("resistor"), _LEAST)
                yield dataclasses.replace(element, resistance=float(element.resistance * factor))
            case Capacitor():
                factor = max(1 + limits.capacitor * draws.next("capacitor"), _LEAST)
                factor *= 1 + limits.capacitor_lot * draws.number("capacitor lot", 0)
                yield dataclasses.replace(element, capacitance=float(element.capacitance * factor))
            case BipolarTransistor():
                lot = draws.number("junction lot", 0 if element.model == parts.npn.name else 1)
                yield dataclasses.replace(element, area=_drawn_area(element, lot, draws, parts, circuit))
            case Instance():
                yield dataclasses.replace(
                    element, parameters=_deviating(element, draws, parts, macros[element.macro], kelvin)
                )
            case VoltageSource(nodes=(_, "0")) if element.name not in circuit.ammeters and not element.name.endswith(WIPER):
                yield dataclasses.replace(element, voltage=element.voltage * reference)
            case Switch() if parts.switch.leakage:
                yield dataclasses.replace(element, leak=parts.switch.leakage * draws.next("leakage"))
            case _:
                yield element


def _drawn_area(element: BipolarTransistor, lot: float, draws: _Draws, parts: PartSet, circuit: Circuit) -> float:
    """Area that stands for the deviations of a transistor's units: those of their currents, which add up.

    A current that is off is so at every temperature, as two areas differ; a package that is warmer is off by volts.
    """
    limits = parts.tolerances
    packages = draws.packages[element]
    total = 0.0
    for package in packages:
        shared = draws.number("junction package", package)
        volts = limits.junction_lot * lot + limits.junction_package * shared + limits.junction * draws.next("junction")
        warmer = limits.gradient * draws.number("temperature", package)
        nats = volts / thermal_voltage(NOMINAL_KELVIN)
        nats += _PER_KELVIN * warmer / thermal_voltage(circuit.temperature_kelvin)
        total += max(1 + limits.area * draws.next("area"), _LEAST) * math.exp(nats)
    return element.area * total / len(packages)


def amplifier_parameters(
    op_amp: OpAmp, names: Collection[str], standard: Mapping[str, float], temperature_kelvin: float, volts: float = 0.0
) -> tuple[tuple[str, float], ...]:
    """Parameters of one amplifier of a lot.

    Parameters
    ----------
    op_amp : OpAmp
    names : collection of str
        Parameters that its macro-model has.
    standard : mapping of str to float
        Standard normal numbers, 0 where one is missing: ``offset``, ``drift``, ``common`` of the common-mode error, ``plus``
        and ``minus`` of the currents of the inputs.
    temperature_kelvin : float
        Of the circuit.
    volts : float
        Of offset that the amplifier has anyway.
    """
    number = {name: standard.get(name, 0.0) for name in ("offset", "drift", "common", "plus", "minus")}
    warmed, warm = op_amp.warmed(temperature_kelvin), temperature_kelvin - NOMINAL_KELVIN
    found = {
        "vos": volts + op_amp.offset * number["offset"] + op_amp.offset_drift * number["drift"] * warm,
        "cm": number["common"] / op_amp.cmrr,
        "ibp": warmed * (op_amp.bias_current + op_amp.bias_spread * number["plus"]),
        "ibn": warmed * (op_amp.bias_current + op_amp.bias_spread * number["minus"]),
    }
    return tuple((name, value) for name, value in found.items() if name in names)


def _deviating(
    element: Instance, draws: _Draws, parts: PartSet, names: set[str], kelvin: float
) -> tuple[tuple[str, float], ...]:
    if "vos" in names:
        kinds = {
            "offset": "offset",
            "drift": "offset drift",
            "common": "common mode",
            "plus": "bias current",
            "minus": "bias current",
        }
        standard = {name: draws.next(kind) for name, kind in kinds.items()}
        return amplifier_parameters(parts.op_amp, names, standard, kelvin, element.parameter("vos"))
    part: Multiplier = parts.multiplier if element.macro == parts.multiplier.name else parts.divider
    *offsets, gain = [draws.next("multiplier") for _ in range(4)]
    shifted = ((name, part.offset * shift) for name, shift in zip(("xos", "yos", "zos"), offsets, strict=True))
    return (("gain", 1 + part.gain_error * gain), *(pair for pair in shifted if pair[0] in names))
