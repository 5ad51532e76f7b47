"""A circuit with component values that are sold: resistors of one amplifier are rounded together, so that ratios stay right.

What a summing amplifier computes are ratios of its resistors. Each of its two networks may be scaled as a whole, and of all
scales the one is taken whose rounded values give the nearest gains. In a row of a transistor circuit's crossbar the ratios
are chosen so that the errors cancel at the answer (`analogflow.circuit.rounding`).

Preferred values lie on a geometric grid, and so do their ratios: no scale of a network makes every gain exact. An answer
that is a path adds up what gains are off, so that there a resistor which would be off by more than its tolerance is two in
parallel.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import integrate
from analogflow.circuit import BipolarTransistor, Capacitor, Circuit, Element, Instance, Resistor, VoltageSource
from analogflow.circuit.circuit import PassRecord
from analogflow.circuit.rounding import round_jointly
from analogflow.circuit.values import check_series, nearest, rounding_error
from analogflow.errors import BadInput
from analogflow.graph import restarted
from analogflow.passes.limits import limits_of
from analogflow.passes.networks import (
    amplifier_values,
    paired,
    parallel,
    ratios,
    string_values,
    tapped_strings,
)
from analogflow.passes.pipeline import Brief, Pass, Passed
from analogflow.passes.whole_areas import AreasFound, currents_moved, drive_kept, whole_areas
from analogflow.run import RESTING_SPEED, longest_run

__all__ = ["CHOOSE", "choose_values"]

Array = NDArray[np.float64]

_MIRRORED = (-0.1, 0.4)
"""Decades by which the emitter resistors of current sinks may be scaled: the voltage across them is 0.16 to 0.5 V then."""

_LARGEST = 1e12
"""Ohm: no resistor is larger, and board and air leak more."""

_TOO_SMALL = "set the problem's smallest coefficients (or probabilities) to 0, or take the technology 'ideal'."

_CAPACITORS = "E12"


def choose_values(circuit: Circuit, series: str | None = None) -> Circuit:
    """The same circuit with resistors of a series of preferred values, and capacitors of E12.

    Parameters
    ----------
    circuit : Circuit
        Of a technology that has parts.
    series : str, optional
        "E12", "E24", "E96" or "E192"; that of the circuit's parts if not given. Empty: exact values, nothing is changed.

    Returns
    -------
    Circuit
        Where the answer is a path, with a further resistor in parallel to each that one value would leave off by more than
        its tolerance.

    Raises
    ------
    BadInput
        The circuit is built from ideal elements or switched on already, the series is not known, or a coefficient is smaller
        than parts make.
    """
    if circuit.parts is None:
        raise BadInput(f"the technology {circuit.technology!r} has no parts; take 'opamp' or 'translinear'.")
    if circuit.conditions.start_up is not None:
        raise BadInput("the circuit is switched on already; choose the values of what compile returned.")
    series = circuit.parts.series if series is None else series
    if not series:
        return circuit
    check_series(series)
    found = whole_areas(circuit)
    given, parts, circuit = circuit, circuit.parts, found.circuit
    resistors = {e.name: e for e in circuit.elements if isinstance(e, Resistor)}
    largest = max((e.resistance for e in resistors.values()), default=0.0)
    if largest > _LARGEST:
        raise BadInput(f"a resistor of {largest:.4g} ohm is needed, and {_LARGEST:.4g} are the most; {_TOO_SMALL}")
    chosen = {name: float(value) for name, value in _all_nearest(resistors, series).items()}
    at: dict[str, list[Resistor]] = defaultdict(list)
    for resistor in resistors.values():
        for node in dict.fromkeys(resistor.nodes):
            at[node].append(resistor)
    tolerance = parts.tolerances.resistor
    mirrors, left, sunk = _mirrored(resistors, series, found.taken, _reference_volts(circuit))
    paths = circuit.follows_path and not mirrors and circuit.joint_rows is None
    # Values of paths and of rows that cancel at the answer are chosen below.
    parallels = tolerance if circuit.joint_rows is None and not paths else math.inf
    close: dict[str, float] = {}
    beside: dict[str, float] = {}

    def take(values: Mapping[str, float], second: Mapping[str, float]) -> None:
        chosen.update(values)
        for name in values:
            beside.pop(name, None)
        beside.update(second)

    amplifiers = [e for e in circuit.elements if isinstance(e, Instance) and e.macro == parts.op_amp.name]
    charged = {e.nodes for e in circuit.elements if isinstance(e, Capacitor)}
    for amplifier in amplifiers:
        values, second, off = amplifier_values(amplifier, charged, at, series, parallels)
        take(values, second)
        close |= dict.fromkeys(values, off) if off <= tolerance else {}
    for string in tapped_strings(circuit, at):
        take(*string_values(string, series, tolerance))
    chosen |= mirrors
    rows, shift, alone = _jointly(circuit, resistors, series, sunk)
    chosen |= rows
    if paths:
        single = {name: e.resistance for name, e in resistors.items() if name not in close}
        chosen |= {name: float(nearest(value, series)) for name, value in single.items()}
        pairs = {n: paired(value, series) for n, value in single.items() if abs(chosen[n] / value - 1) > tolerance}
        chosen |= {name: first for name, (first, _) in pairs.items()}
        beside = {name: second for name, (_, second) in pairs.items()}
        residues = (abs(parallel(chosen[n], beside.get(n, math.inf)) / value - 1) for n, value in single.items())
        left = max(*close.values(), *residues, 0.0)
    made = {name: parallel(value, beside.get(name, math.inf)) for name, value in chosen.items()}
    moved = max((abs(math.log(made[name] / e.resistance)) for name, e in resistors.items()), default=0.0)

    def changed(element: Element) -> tuple[Element, ...]:
        if isinstance(element, Resistor):
            first = dataclasses.replace(element, resistance=chosen[element.name])
            if element.name not in beside:
                return (first,)
            return first, Resistor(f"{element.name}_t", element.nodes, beside[element.name])
        if isinstance(element, Capacitor):
            return (dataclasses.replace(element, capacitance=float(nearest(element.capacitance, _CAPACITORS))),)
        return (element,)

    groups = tuple(
        dataclasses.replace(g, elements=tuple(each for element in g.elements for each in changed(element)))
        for g in circuit.groups
    )
    note = f"resistors of {series}, capacitors of {_CAPACITORS}; a value moved by {100 * moved:.2g}% at most"
    note += f"; {len(beside)} resistors are two in parallel" if beside else ""
    note += _area_note(found, given, shift, alone)
    accuracy = circuit.accuracy + (left if shift is None else shift)
    history = (*circuit.history, PassRecord("values", note, len(circuit.graph)))
    build = dataclasses.replace(circuit.build, values=functools.partial(choose_values, series=series))
    return dataclasses.replace(circuit, build=build, groups=groups, accuracy=accuracy, history=history)


def _area_note(found: AreasFound, given: Circuit, shift: float | None, alone: float) -> str:
    """What whole units of transistors cost, in words; empty where all areas are whole already."""
    note = ""
    if found.circuit is not given:
        note += f"; areas in whole units, whose ratios are {100 * math.expm1(found.off):.2g}% off at most"
        if shift is not None:
            note += f" and alone move the answer by {alone:.2g}; the crossbar's rows make up for all but {shift:.2g}"
    if found.left:
        note += f"; {len(found.left)} areas are none that an array offers"
    return note


def _chosen(brief: Brief) -> Passed | None:
    choose, circuit = brief.build.values, brief.circuit
    assert circuit is not None  # it stands after the pass that makes it
    if choose is None or circuit.build.values is not None:
        return None
    chosen = choose(circuit)
    if chosen is circuit:
        return None
    said = chosen.history[len(circuit.history) :]
    note = said[-1].note if said else "as a function of one's own chose them"
    return Passed(brief.graph, note, found={"circuit": chosen})


CHOOSE = Pass("values", _chosen, keeps_flow=False, heeds=("values",))
"""Chooses the values of the parts, as the build says, where they are exact."""


def _all_nearest(resistors: dict[str, Resistor], series: str) -> dict[str, Array]:
    values = nearest(np.array([e.resistance for e in resistors.values()]), series)
    return dict(zip(resistors, values, strict=True))


def _mirrored(
    resistors: dict[str, Resistor], series: str, taken: Mapping[str, float], volts: float
) -> tuple[dict[str, float], float, dict[str, float]]:
    """Values of the emitter resistors of current sinks, the largest relative error of two currents, and nats of each error.

    Ratios to that of the reference are the shares of a tail. What a common scale adds to the reference's voltage is taken
    from the resistor that sets its current. Those that make up for areas, `taken`, follow the others; `volts` are those that
    the reference's two resistors share.
    """
    legs = [e for e in resistors.values() if "vlow" in e.nodes]
    base = legs[0].name.removesuffix("_e") if legs else ""
    if f"{base}_set" not in resistors or len(legs) < 2:
        return {}, rounding_error(series), {}
    chosen = ratios([e for e in legs if e.name not in taken], series, _MIRRORED)
    scale = chosen[legs[0].name] / legs[0].resistance if chosen else 1.0
    chosen = chosen or {legs[0].name: float(nearest(legs[0].resistance, series))}
    setting = resistors[f"{base}_set"].resistance + legs[0].resistance - chosen[legs[0].name]
    drop = volts * chosen[legs[0].name] / (setting + chosen[legs[0].name])
    exact = {e.name: scale * e.resistance * (1 + taken.get(e.name, 0.0) / drop) for e in legs}
    chosen |= {name: float(nearest(exact[name], series)) for name in taken}
    factors = np.array([chosen[name] / value for name, value in exact.items()])
    # A junction takes its share of what a resistor is off.
    off = dict(zip(exact, (-drop / (drop + _THERMAL) * np.log(factors)).tolist(), strict=True))
    chosen[f"{base}_set"] = float(nearest(setting, series))
    return chosen, float(np.ptp(factors) / factors.min()), off


def _reference_volts(circuit: Circuit) -> float:
    """Volts that the low rail leaves to the resistors of a mirror's reference."""
    rail = next((abs(e.voltage) for e in circuit.elements if isinstance(e, VoltageSource) and e.name == "vlow"), 0.0)
    return rail - _JUNCTION


_JUNCTION, _THERMAL = 0.6, 0.026
"""Volts across a junction, and of one nat of its current, near enough."""


def _jointly(
    circuit: Circuit, resistors: dict[str, Resistor], series: str, sunk: Mapping[str, float]
) -> tuple[dict[str, float], float | None, float]:
    """Values of the rows that are best chosen together, the shift of the answer that they leave, and that of areas alone.

    They are rounded so that their errors cancel at the answer, and with them what areas and sinks are off: by `sunk` nats of
    the currents that a row's last legs stand for. Empty and None for a circuit that has no such rows.
    """
    rows = circuit.joint_rows
    if rows is None:
        return {}, None, 0.0
    first = circuit.build.ranged_from
    rested = integrate(
        circuit.graph if first is None else restarted(circuit.graph, first),
        longest_run(circuit.flow),
        rests=[rows.answer],
        tolerances=limits_of(circuit, 1e-9, 1e-12, RESTING_SPEED),
    )
    try:
        crossbar = rows.weigh(rested.final[rows.answer])
    except BadInput:  # several answers are optimal, so none is to be kept
        return {}, None, 0.0
    kept = np.asarray(rested.final[rows.answer])
    first, *others = (sunk.get(name, 0.0) for name in rows.sinks)
    shifts = np.zeros(len(crossbar.voltages))
    shifts[len(shifts) - len(others) :] = np.array(others) - first
    if rows.shares is not None:
        shifts[: rows.shares.shape[1]] = currents_moved(_areas(circuit, rows.arrays), rows.shares, kept / kept.sum())
    weights, voltages, moved_by = drive_kept(crossbar.weights, crossbar.voltages, shifts)
    units = (
        resistors[name].resistance * weight
        for row, weights in zip(rows.legs, crossbar.weights, strict=True)
        for name, weight in zip(row, weights, strict=True)
        if weight
    )
    try:
        rounding = round_jointly(weights, next(units), series, voltages, crossbar.sensitivity)
    except BadInput as fault:
        given = str(fault).partition(";")[0]
        raise BadInput(f"{rows.what}: {given}; {_TOO_SMALL}") from None
    values = {
        name: float(value)
        for row, values in zip(rows.legs, rounding.parts, strict=True)
        for name, value in zip(row, values, strict=True)
        if name in resistors and np.isfinite(value)
    }
    alone = float(abs(crossbar.sensitivity @ moved_by).max())
    return values, float(abs(rounding.shift).max()), alone


def _areas(circuit: Circuit, arrays: Sequence[Sequence[str]]) -> Array:
    """Areas of the transistors named, 0 where none is."""
    area = {e.name: e.area for e in circuit.elements if isinstance(e, BipolarTransistor)}
    return np.array([[area.get(name, 0.0) for name in row] for row in arrays])
