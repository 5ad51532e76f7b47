"""Entropic transport in transistors: one emitter-coupled array for each row, one integrator for each column.

Array i has the tail a_i I, so rows hold by Kirchhoff. Transistors have unit area, and
that of row i and column j its base −C_ij/ε nats beside u_j, at a tap of a string of resistors. Collectors of equal j are
joined, and their current, made a voltage, is integrated against a reference that is the same for all columns. The loop that
holds the common mode sets this reference, so columns come out in the ratio of b whatever is lost in bases.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from analogflow.blocks.block import frozen
from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit.build import PartSet, thermal_voltage
from analogflow.circuit.circuit import Group, Reading, Realisation
from analogflow.circuit.elements import Capacitor, Element, Instance, Resistor, VoltageSource
from analogflow.errors import BadInput
from analogflow.passes import Brief
from analogflow.technology.compensation import across_resistor, collector_capacitance
from analogflow.technology.translinear import stages
from analogflow.technology.translinear.stages import Bias, array, assembled
from analogflow.technology.translinear.strings import gauged, kernel_group, strings_of

__all__ = ["transport"]

_FULL = 2.0
"""Volts that the whole mass makes at a column's converter."""

_EMITTER = -0.6
"""Volts at which the loop holds the emitters: a junction below ground, where the bases start."""

_RESISTANCE, _CAPACITANCE = 100e3, 47e-9
"""Of an integrator: larger than in the other circuits, since its input is volts and its output 26 mV for each nat."""

_LOOP_RESISTANCE = 10e3
"""Ohms across which the loop of the common mode sees what the emitters are off."""

_WIDEST = 1e3
"""Largest ratio of column marginals, which is that of the resistors of the integrators."""


def transport(brief: Brief) -> Realisation:
    """Circuit of the transport flow that carries u = g/ε at a fixed temperature, n rows and m columns.

    τ is R C V_T over the voltage of the whole mass: it is proportional to absolute temperature.

    Raises
    ------
    BadInput
        The kernel needs bases too far apart, or the marginals resistors in a ratio that they do not come in.
    """
    parts, flow = brief.parts, brief.flow
    C, row, column = (np.asarray(flow.constants[name]) for name in ("C", "a", "b"))
    mass = float(row.sum())
    row, column = row / mass, column / mass
    exponents, gauge = gauged(-C / float(flow.constants["epsilon"]), "the cost over epsilon")
    if column.max() / column.min() > _WIDEST:
        raise BadInput(
            f"the column marginals are in a ratio of {column.max() / column.min():.3g} to 1, and so would be the resistors "
            f"of the integrators; they may differ by a factor of {_WIDEST:g}. Take the technology 'opamp'."
        )
    rows, columns = C.shape
    bias = dataclasses.replace(Bias.of(max(rows, columns)), resistance=_RESISTANCE, capacitance=_CAPACITANCE)
    v_t = thermal_voltage(brief.build.temperature_kelvin)
    start = np.asarray(flow.states["u"]) - gauge
    common = _common_mode(np.exp(exponents[0]), float(row[0]), start, brief, bias)
    bases = [f"u{j}" for j in range(columns)]
    strings = strings_of(bases, exponents)
    groups = [Group("tail", "currents of the rows", tuple(_tails(row, bias, brief)))]
    for i in range(rows):
        taps = [string.taps[i] for string in strings]
        elements = array(f"p{i}_", f"e{i}", taps, np.isfinite(exponents[i]).astype(float), "s", parts, metered=True)
        groups.append(Group(f"row{i}", f"emitter-coupled array of row {i}", tuple(elements)))
    groups += stages.integrator_noise(brief, [f"u{j}" for j in range(columns)], _FULL, bias)
    for j in range(columns):
        legs = {f"v{j}": float(1 / column[j]), "mass": 1.0}
        elements = (
            *_converter(f"v{j}", f"s{j}", rows, bias, parts),
            *stages.integrator(f"u{j}", legs, "0", v_t * float(start[j]) + common, parts, bias),
        )
        groups.append(Group(f"u{j}", f"sum and integrator of column {j}", elements))
    groups += kernel_group(strings, brief)
    groups.append(Group("loop", "common mode", tuple(_mass_loop(parts, bias))))
    mean = np.eye(columns) - column
    # Σ b u stays where it starts, whatever the common mode of the bases is.
    offset = gauge + float(column @ start)
    plan = tuple(f"i(vp{i}_{j})" for i in range(rows) for j in range(columns))
    readings = {
        "u": Reading(tuple(bases), frozen(mean / v_t), frozen(offset)),
        "scaled": Reading(tuple(bases), frozen(mass * column[:, None] * mean / v_t), frozen(mass * column * offset)),
        "plan": Reading(plan, frozen(np.full(rows * columns, mass)), shares=bias.tail),
    }
    return assembled(brief, groups, readings, bias, bias.time_constant * v_t / _FULL, _FULL, _FULL)


def _common_mode(areas: np.ndarray, share: float, start: np.ndarray, brief: Brief, bias: Bias) -> float:
    """Volts, common to the bases, at which the emitters of the first row are where the loop will hold them."""
    kelvin = brief.build.temperature_kelvin
    above = np.log(areas @ np.exp(start))
    return _EMITTER + stages.junction(brief.parts.npn, bias.tail * share, kelvin) - thermal_voltage(kelvin) * float(above)


def _tails(row: np.ndarray, bias: Bias, brief: Brief) -> Iterator[Element]:
    yield from stages.sink_reference("tail", bias.tail, brief.parts, brief.build.temperature_kelvin)
    for i, share in enumerate(row):
        yield from stages.sink(f"sink{i}", f"e{i}", "tail", float(share), bias.tail, brief.parts)


def _converter(name: str, summing: str, collectors: int, bias: Bias, parts: PartSet) -> Iterator[Element]:
    """Voltage at `name` proportional to the current that `collectors` transistors draw out of `summing`."""
    resistance = _FULL / bias.tail
    capacitance = across_resistor(parts.op_amp, resistance, collectors * collector_capacitance(parts.npn))
    yield Instance(f"{name}_amp", ("0", summing, name), parts.op_amp.name)
    yield Resistor(f"{name}_f", (summing, name), resistance)
    yield Capacitor(f"{name}_f", (summing, name), capacitance, 0.0)


def _mass_loop(parts: PartSet, bias: Bias) -> Iterator[Element]:
    """Reference voltage, some −2 V, that rises while the emitters of the first row are too high.

    Integrators follow it, so that it is in proportion to what the emitters are off, and integrates that besides: the loop is
    crossed at 1/τ, and an integral that takes four times as long leaves it critically damped. An integral alone would ring.
    It is held like the integrators, or it would run into a rail while they can not follow it.
    """
    gain = _FULL / thermal_voltage(NOMINAL_KELVIN)
    resistance = gain * _LOOP_RESISTANCE
    yield VoltageSource("mass_set", ("mass_set", "0"), _EMITTER)
    yield Resistor("mass_in", ("mass_set", "mass_sum"), _LOOP_RESISTANCE)
    yield Resistor("mass_f", ("mass_sum", "mass_z"), resistance)
    yield Capacitor("mass_c", ("mass_z", "mass"), 4 * bias.time_constant / gain / resistance, 0.0)
    yield parts.switch.between("mass_hold", ("mass_sum", "mass"))
    yield Instance("mass_amp", ("e0", "mass_sum", "mass"), parts.op_amp.name)
