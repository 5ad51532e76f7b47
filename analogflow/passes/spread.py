"""The parts of a circuit, each resistor, capacitor, transistor and amplifier with a deviation of its own.

What is common to a kind of part (the lot) is drawn once for a circuit, what is local once for each part.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit import BipolarTransistor, Capacitor, Circuit, Element, Instance, Resistor
from analogflow.circuit.build import Multiplier, PartSet, Tolerances, thermal_voltage
from analogflow.circuit.circuit import Group
from analogflow.errors import BadInput
from analogflow.noise import PARAMETERS, check_sample, standard_normal
from analogflow.passes.pipeline import Brief, Pass, Passed

__all__ = ["SPREAD", "sample_parts"]

_LOTS = 4
_LEAST = 1e-3


def _matched(parts: PartSet, mismatch: float) -> PartSet:
    """The same parts with one relative σ for all resistors, capacitors and emitter areas, and no other deviation."""
    tolerances = Tolerances(resistor=mismatch, capacitor=mismatch, area=mismatch, junction=0.0)
    exact = {"offset": 0.0, "gain_error": 0.0}
    return dataclasses.replace(
        parts,
        tolerances=tolerances,
        op_amp=dataclasses.replace(parts.op_amp, offset=0.0),
        multiplier=dataclasses.replace(parts.multiplier, **exact),
        divider=dataclasses.replace(parts.divider, **exact),
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
    counts = [_draws(element) for element in circuit.elements]
    numbers = standard_normal(noise.seed, [sample], PARAMETERS, _LOTS + sum(counts))[0]
    lots, local = numbers[:_LOTS], np.split(numbers[_LOTS:], np.cumsum(counts)[:-1])
    drawn = iter(local)
    groups = tuple(
        Group(group.block, group.source, tuple(_varied(group.elements, drawn, lots, parts, circuit)))
        for group in circuit.groups
    )
    conditions = dataclasses.replace(circuit.conditions, noise=noise, sample=sample, lot=parts)
    return dataclasses.replace(circuit, groups=groups, conditions=conditions)


def _spread(brief: Brief) -> Passed | None:
    given, circuit = brief.conditions, brief.circuit
    assert circuit is not None  # it stands after the pass that makes it
    mismatch = given.imperfections.mismatch
    if brief.build.parts is None or not (mismatch or given.lot):
        return None
    lot = _matched(brief.parts, mismatch) if mismatch else given.lot
    drawn = sample_parts(circuit, lot, seed=given.noise.seed, sample=given.sample)
    said = f"mismatch {mismatch:g}" if mismatch else "the tolerances of the parts"
    note = f"{said}, seed {given.noise.seed}, sample {given.sample}"
    return Passed(brief.graph, note, found={"circuit": drawn})


SPREAD = Pass("spread", _spread, keeps_flow=False, heeds=("imperfections", "lot"))
"""Draws the deviations of the parts, if the conditions have any."""


def _draws(element: Element) -> int:
    match element:
        case Resistor() | Capacitor():
            return 1
        case BipolarTransistor():
            return 2
        case Instance():
            return 4
    return 0


def _varied(
    elements: Sequence[Element],
    drawn: Iterator[NDArray[np.float64]],
    lots: NDArray[np.float64],
    parts: PartSet,
    circuit: Circuit,
) -> Iterator[Element]:
    """Elements with their deviations: lots are those of resistors, capacitors, NPN and PNP transistors."""
    limits, warm = parts.tolerances, circuit.temperature_kelvin - NOMINAL_KELVIN
    v_t = thermal_voltage(circuit.temperature_kelvin)
    macros = {macro.name: {name for name, _ in macro.parameters} for macro in circuit.macros}
    for element in elements:
        deviates = next(drawn)
        match element:
            case Resistor():
                common = (1 + limits.resistor_lot * lots[0]) * (1 + limits.resistor_drift * warm)
                factor = common * max(1 + limits.resistor * deviates[0], _LEAST)
                yield dataclasses.replace(element, resistance=float(element.resistance * factor))
            case Capacitor():
                factor = (1 + limits.capacitor_lot * lots[1]) * max(1 + limits.capacitor * deviates[0], _LEAST)
                yield dataclasses.replace(element, capacitance=float(element.capacitance * factor))
            case BipolarTransistor():
                lot = lots[2] if element.model == parts.npn.name else lots[3]
                volts = limits.junction_lot * lot + limits.junction * deviates[0]
                factor = max(1 + limits.area * deviates[1], _LEAST) * np.exp(volts / v_t)
                yield dataclasses.replace(element, area=float(element.area * factor))
            case Instance():
                yield dataclasses.replace(element, parameters=_deviating(element, deviates, parts, macros[element.macro]))
            case _:
                yield element


def _deviating(
    element: Instance, deviates: NDArray[np.float64], parts: PartSet, names: set[str]
) -> tuple[tuple[str, float], ...]:
    if "vos" in names:
        return (("vos", float(element.parameter("vos") + parts.op_amp.offset * deviates[0])),)
    part: Multiplier = parts.multiplier if element.macro == parts.multiplier.name else parts.divider
    shifts = {"xos": deviates[0], "yos": deviates[1], "zos": deviates[2]}
    offsets = tuple((name, float(part.offset * shift)) for name, shift in shifts.items() if name in names)
    return (("gain", float(1 + part.gain_error * deviates[3])), *offsets)
