"""Transistor areas in whole units: what can be soldered are transistors in parallel, so many of one array.

Only ratios of areas count where transistors share an emitter node. In a mirror, what a ratio is off is made up for by the
emitter resistor, at the temperature the circuit is built for. Rows of a crossbar that read the currents of such arrays are
changed with them, so that the answer stays where it is (`analogflow.passes.preferred`).
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import BipolarTransistor, Circuit, Element, Resistor
from analogflow.circuit.build import thermal_voltage
from analogflow.circuit.packing import whole_units

__all__ = ["MOST_UNITS", "AreasFound", "currents_moved", "drive_kept", "offered", "whole_areas"]

Array = NDArray[np.float64]

MOST_UNITS, _MIRROR = 24, 40
"""Unit transistors of one array at most, and of one mirror: what its ratios are off changes with temperature."""

_NEAR = 0.01
"""Logarithm of a ratio of two areas that is near enough for no more units to be taken."""

_SAME = 1e-6

_FARTHEST = math.log(1.5)
"""Of a ratio that whole units may be off: beyond it, no array has the area."""


@dataclasses.dataclass(frozen=True, eq=False)
class AreasFound:
    """A circuit with areas in whole units.

    Parameters
    ----------
    circuit : Circuit
    off : float
        Largest logarithm of a ratio of areas over what it should be.
    left : tuple of str
        Transistors whose areas no number of units makes, which stay as they were.
    taken : mapping of str to float
        Volts that emitter resistors of mirrors need more than in proportion, by their names: what areas are off there.
    """

    circuit: Circuit
    off: float
    left: tuple[str, ...]
    taken: Mapping[str, float] = dataclasses.field(default_factory=dict)


def offered(shares: Array) -> bool:
    """Whether some number of units of an array comes near shares, shape (m,)."""
    return _units(shares / shares.sum(), MOST_UNITS, np.zeros(len(shares), dtype=bool)) is not None


def whole_areas(circuit: Circuit) -> AreasFound:
    """The circuit with the areas of its arrays and mirrors in whole units, where there are some that come near enough."""
    transistors = [e for e in circuit.elements if isinstance(e, BipolarTransistor)]
    legs = {e.nodes[0]: e for e in circuit.elements if isinstance(e, Resistor) and "vlow" in e.nodes}
    together: dict[tuple[str, str], list[BipolarTransistor]] = defaultdict(list)
    for transistor in transistors:
        _, base, emitter = transistor.nodes
        together[transistor.model, base if emitter in legs else emitter].append(transistor)
    read = circuit.joint_rows.sinks if circuit.joint_rows else ()
    areas: dict[str, float] = {}
    taken: dict[str, float] = {}
    off, left, v_t = 0.0, [], thermal_voltage(circuit.temperature_kelvin)
    for members in together.values():
        if all(whole_units(e.area) for e in members):
            continue
        wanted = np.array([e.area for e in members])
        mirrored = [legs.get(e.nodes[2]) for e in members]
        wanted_most = np.array([leg is not None and leg.name in read for leg in mirrored])
        units = _units(wanted / wanted.sum(), _MIRROR if all(mirrored) else MOST_UNITS, wanted_most)
        if units is None:
            left += [e.name for e in members if not whole_units(e.area)]
            continue
        error = np.log(units / units.sum() / (wanted / wanted.sum()))
        areas |= {e.name: float(k) for e, k in zip(members, units, strict=True)}
        if all(mirrored):
            pairs = zip(mirrored, error - error[0], strict=True)
            taken |= {leg.name: v_t * more for leg, more in pairs if leg and abs(more) > _SAME}
        else:
            off = max(off, float(np.ptp(error)))
    if not areas:
        return AreasFound(circuit, 0.0, tuple(left))

    def changed(element: Element) -> Element:
        if isinstance(element, BipolarTransistor) and element.name in areas:
            return dataclasses.replace(element, area=areas[element.name])
        return element

    groups = tuple(dataclasses.replace(g, elements=tuple(map(changed, g.elements))) for g in circuit.groups)
    return AreasFound(dataclasses.replace(circuit, groups=groups), off, tuple(left), taken)


def _units(shares: Array, most: int, first: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """Fewest units whose ratios come near the shares, or those that come nearest; None if none come near enough.

    Equal shares get equal numbers. What the ratios of the `first` are off counts ten times.
    """
    if shares.min() * most * math.exp(_FARTHEST) < 1:
        return None
    scales = np.unique(np.round(np.concatenate([k / shares for k in range(1, most + 1)]), 9))
    tried = [units for s in scales if (units := np.maximum(np.round(shares * s), 1)).sum() <= most]
    best, least = None, _FARTHEST
    for units in sorted(tried, key=lambda units: float(units.sum())):
        errors = np.log(units / shares)
        error = float(max(np.ptp(errors), 10 * np.ptp(errors[first]) if first.any() else 0.0))
        if error < least - _SAME:
            best, least = units.astype(int), error
        if least < _NEAR:
            break
    return best


def currents_moved(areas: Array, shares: Array, distribution: Array) -> Array:
    """Nats by which the currents differ that arrays make, from those of arrays as wanted, shape (m,).

    Parameters
    ----------
    areas, shares : arrays, shape (n, m)
        Areas of each row's transistors, and the shares of its current that they should take.
    distribution : array, shape (n,)
        Share of the current that flows into each row where the circuit settles.
    """
    made = areas / areas.sum(axis=1, keepdims=True)
    return np.log((distribution @ made) / (distribution @ shares))


def drive_kept(weights: Array, voltages: Array, shifts: Array) -> tuple[Array, Array, Array]:
    """Weights of a crossbar whose voltages are shifted, so that each row is at rest as it was, by the smallest changes.

    Parameters
    ----------
    weights : array, shape (n, k)
    voltages, shifts : arrays, shape (k,)
        Nats.

    Returns
    -------
    weights, voltages, biases : arrays, shapes (n, k), (k,), (n,)
        The changed ones, and nats that the shifts would add to each row if its weights stayed.
    """
    grounds = weights @ voltages / weights.sum(axis=1)
    levers = weights * (voltages + shifts - grounds[:, None])
    residues, norms = levers.sum(axis=1), (levers**2).sum(axis=1)
    factors = np.divide(residues, norms, out=np.zeros_like(residues), where=norms > 0)
    return weights * (1 - factors[:, None] * levers), voltages + shifts, -residues
