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
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import integrate
from analogflow.circuit import BipolarTransistor, Capacitor, Circuit, Element, Instance, Resistor, VoltageSource
from analogflow.circuit.circuit import PassRecord
from analogflow.circuit.rounding import round_jointly
from analogflow.circuit.values import check_series, nearest, neighbours, rounding_error
from analogflow.digits import SAME
from analogflow.errors import BadInput
from analogflow.graph import restarted
from analogflow.passes.limits import limits_of
from analogflow.passes.pipeline import Brief, Pass, Passed
from analogflow.passes.whole_areas import AreasFound, currents_moved, drive_kept, whole_areas
from analogflow.run import RESTING_SPEED, longest_run

__all__ = ["CHOOSE", "choose_values"]

Array = NDArray[np.float64]

_SCALES, _CHOICES, _KEPT = 240, 256, 60
"""Scales tried for a network, ways of rounding up or down for each, and how many of all these are kept."""

_REFINED = 4
"""Of all that was tried, how many are then stepped value by value."""

_SWEEPS = 8

_DECIMALS = 9
"""Of an error, below which two are the same; then what was tried first is taken, which is what lies nearest in scale."""

_STEP = {"E12": 0.21, "E24": 0.1, "E96": 0.024, "E192": 0.012}
"""One step of a series, relative."""

_SMALL = 0.1
"""Part of an amplifier's largest gain below which a gain need not be as exact, relative to itself."""

_MIRRORED = (-0.1, 0.4)
"""Decades by which the emitter resistors of current sinks may be scaled: the voltage across them is 0.16 to 0.5 V then."""

_LENGTHS = (-0.3, 0.2)
"""Decades by which a string with taps may be scaled: what bases draw bends a long one, and a short one draws much."""

_COMMON = 1.0
"""Weight of an error that all legs share: junctions are told apart by millivolts on top of 0.6 V."""

_LARGEST = 1e12
"""Ohm: no resistor is larger, and board and air leak more."""

_TOO_SMALL = "set the problem's smallest coefficients (or probabilities) to 0, or take the technology 'ideal'."

_CAPACITORS = "E12"

_TRIMMED = 1.5
"""Resistance, over that wanted, of the larger share of two in parallel at most: the other one is then three times it."""


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
        The circuit is built from ideal elements, the series is not known, or a coefficient is smaller than parts make.
    """
    if circuit.parts is None:
        raise BadInput(f"the technology {circuit.technology!r} has no parts; take 'opamp' or 'translinear'.")
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
    close: dict[str, float] = {}
    amplifiers = [e for e in circuit.elements if isinstance(e, Instance) and e.macro == parts.op_amp.name]
    for amplifier in amplifiers:
        together, off = _amplifier(amplifier, at, series)
        chosen |= together
        close |= dict.fromkeys(together, off) if off <= tolerance else {}
    beside: dict[str, float] = {}
    if circuit.joint_rows is None:
        charged = {e.nodes for e in circuit.elements if isinstance(e, Capacitor)}
        for amplifier in amplifiers:
            values, second = _summed(amplifier, charged, at, series, tolerance)
            chosen |= values
            beside |= second
    for string in _strings(circuit, at):
        values, second = _divided(string, series, tolerance)
        chosen |= values
        beside |= second
    mirrors, left, sunk = _mirrored(resistors, series, found.taken, _reference_volts(circuit))
    chosen |= mirrors
    rows, shift, alone = _jointly(circuit, resistors, series, sunk)
    chosen |= rows
    if circuit.follows_path and not mirrors and circuit.joint_rows is None:
        single = {name: e.resistance for name, e in resistors.items() if name not in close}
        chosen |= {name: float(nearest(value, series)) for name, value in single.items()}
        pairs = {n: _paired(value, series) for n, value in single.items() if abs(chosen[n] / value - 1) > tolerance}
        chosen |= {name: first for name, (first, _) in pairs.items()}
        beside = {name: second for name, (_, second) in pairs.items()}
        residues = (abs(_parallel(chosen[n], beside.get(n, math.inf)) / value - 1) for n, value in single.items())
        left = max(*close.values(), *residues, 0.0)
    made = {name: _parallel(value, beside.get(name, math.inf)) for name, value in chosen.items()}
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


def _parallel(first: Any, second: Any) -> Any:
    """Resistance of two in parallel."""
    return 1 / (1 / first + 1 / second)


def _paired(resistance: float, series: str) -> tuple[float, float]:
    """Two preferred values whose parallel connection is nearest to a resistance, the smaller one first."""
    first = np.unique(nearest(resistance * np.linspace(1.0, _TRIMMED, _SCALES), series))
    first = first[first > resistance * (1 + SAME)]
    second = nearest(1 / (1 / resistance - 1 / first), series)
    off = np.round(abs(_parallel(first, second) / resistance - 1), _DECIMALS)
    best = int(off.argmin())
    return float(first[best]), float(second[best])


def _amplifier(amplifier: Instance, at: Mapping[str, list[Resistor]], series: str) -> tuple[dict[str, float], float]:
    """Values of the resistors at the inputs of one amplifier, of those `at` each node, and how far its gains are then off.

    The distance is infinite where only ratios of legs were looked at, or nothing was.
    """
    plus, minus, output = amplifier.nodes
    if minus == output:  # a follower has no resistors of its own
        return {}, math.inf
    legs = at[minus] if minus != "0" else []
    feedback = [e for e in legs if output in e.nodes]
    inverting = [e for e in legs if output not in e.nodes]
    other = at[plus] if plus != "0" else []
    if not feedback:
        return _ratios(inverting, series) if plus == "0" else {}, math.inf
    if len(feedback) > 1 or not (inverting or other):
        return {}, math.inf
    first, second = [*feedback, *inverting], other
    below = np.array([e.resistance for e in first])
    above = np.array([e.resistance for e in second])
    wanted = _gains(below, above)
    # A leg to ground carries no signal; it is there for the others' sake.
    signal = np.array(["0" not in e.nodes for e in (*inverting, *second)])
    allowed = np.maximum(abs(wanted), _SMALL * abs(wanted[signal]).max(initial=0.0))[signal]

    def error(n_values: Array, p_values: Array) -> Array:
        off = (_gains(n_values, p_values) - wanted)[..., signal]
        common = abs(off.sum(axis=-1)) / allowed.max(initial=1e-300)
        return np.round((abs(off) / allowed).max(axis=-1, initial=0.0) + _COMMON * common, _DECIMALS)

    def closed(values: Array) -> Array:
        return values[..., :1] / values[..., 1:]

    def shares(values: Array) -> Array:
        return (1 / values) / (1 / values).sum(axis=-1, keepdims=True)

    n_values = _candidates(below, closed, series)
    p_values = _candidates(above, shares, series) if second else np.zeros((1, 0))
    errors = error(n_values[:, None, :], p_values[None, :, :])
    pairs = np.unravel_index(np.argsort(errors, axis=None, kind="stable")[:_REFINED], errors.shape)
    best = [np.concatenate([n_values[i], p_values[j]]) for i, j in zip(*pairs, strict=True)]

    def total(values: Array) -> float:
        return float(error(values[: len(first)], values[len(first) :]))

    values = min((_refined(start, total, series) for start in best), key=total)
    return dict(zip((e.name for e in (*first, *second)), values.tolist(), strict=True)), total(values)


def _candidates(
    exact: Array, ratios: Callable[[Array], Array], series: str, decades: tuple[float, float] = (-0.3, 1.0)
) -> Array:
    """Preferred values of one network, shape (candidates, legs), whose ratios are near those of the exact ones."""
    rng = np.random.default_rng(len(exact))  # the same choice on every machine
    factors = np.linspace(*decades, _SCALES)
    scaled = exact * 10.0 ** factors[np.argsort(abs(factors), kind="stable")][:, None]
    low, high = neighbours(scaled, series)
    up = rng.random((_CHOICES, len(exact))) < 0.5
    if 2 ** len(exact) <= _CHOICES:
        up = (np.arange(2 ** len(exact))[:, None] >> np.arange(len(exact))) & 1 > 0
    tried = np.where(up, high[:, None, :], low[:, None, :]).reshape(-1, len(exact))
    wanted = ratios(exact)
    off = np.round(abs(ratios(tried) / wanted - 1).max(axis=-1, initial=0.0), _DECIMALS)
    return tried[np.argsort(off, kind="stable")[:_KEPT]]


def _refined(values: Array, error: Callable[[Array], float], series: str) -> Array:
    """Values from which no single step up or down brings a smaller error."""
    best, least = values, error(values)
    for _ in range(_SWEEPS):
        before = least
        for k in range(len(best)):
            for factor in (1 + _STEP[series], 1 / (1 + _STEP[series])):
                other = best.copy()
                other[k] = _stepped(float(other[k]), factor, series)
                if (found := error(other)) < least:
                    best, least = other, found
        if least > 0.98 * before:
            break
    return best


@functools.lru_cache(maxsize=1 << 14)
def _stepped(value: float, factor: float, series: str) -> float:
    """Preferred value nearest to a multiple of another, of which there are few: each is asked for again and again."""
    return float(nearest(value * factor, series))


def _gains(below: Array, above: Array) -> Array:
    """Gain, with its sign, from each inverting and non-inverting leg; the feedback resistor comes first in `below`."""
    inverse = 1 / below
    negative = -inverse[..., 1:] / inverse[..., :1]
    closed = 1 - negative.sum(axis=-1, keepdims=True)
    if not above.shape[-1]:
        return np.broadcast_to(negative, (*np.broadcast_shapes(below.shape[:-1], above.shape[:-1]), negative.shape[-1]))
    conductance = 1 / above
    positive = conductance / conductance.sum(axis=-1, keepdims=True) * closed
    shape = np.broadcast_shapes(negative.shape[:-1], positive.shape[:-1])
    parts = [np.broadcast_to(part, (*shape, part.shape[-1])) for part in (negative, positive)]
    return np.concatenate(parts, axis=-1)


def _ratios(legs: list[Resistor], series: str, decades: tuple[float, float] = (-0.3, 1.0)) -> dict[str, float]:
    """Values whose ratios are nearest, for the legs of an integrator: a common factor only changes its rate."""
    if len(legs) < 2:
        return {}
    exact = np.array([e.resistance for e in legs])
    wanted = (1 / exact) / (1 / exact).sum()

    def error(values: Array) -> Array:
        shares = (1 / values) / (1 / values).sum(axis=-1, keepdims=True)
        return np.round(abs(shares / wanted - 1).max(axis=-1), _DECIMALS)

    values = _candidates(exact, lambda v: (1 / v) / (1 / v).sum(axis=-1, keepdims=True), series, decades)
    best = _refined(values[int(error(values).argmin())], lambda v: float(error(v)), series)
    return dict(zip((e.name for e in legs), best.tolist(), strict=True))


def _summed(
    amplifier: Instance, charged: set[tuple[str, ...]], at: Mapping[str, list[Resistor]], series: str, tolerance: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Values of an integrator's legs and of others in parallel, where one value each would leave a ratio off its tolerance.

    Those of capacitors are `charged`. Where an integrator rests its legs cancel, and what their ratios are off stays.
    """
    plus, minus, output = amplifier.nodes
    legs = at[minus] if plus == "0" and (minus, output) in charged else []
    if len(legs) < 2:
        return {}, {}
    single = _ratios(legs, series)
    factors = np.array([single[e.name] / e.resistance for e in legs])
    if float(factors.max() / factors.min()) - 1 <= tolerance:
        return single, {}
    # A leg far larger than the smallest need not be as exact, relative to itself.
    least = min(e.resistance for e in legs) / _SMALL
    values = {e.name: float(nearest(e.resistance, series)) for e in legs}
    off = {e.name: abs(values[e.name] / e.resistance - 1) * min(1.0, least / e.resistance) for e in legs}
    pairs = {e.name: _paired(e.resistance, series) for e in legs if off[e.name] > tolerance}
    return values | {name: first for name, (first, _) in pairs.items()}, {n: second for n, (_, second) in pairs.items()}


def _strings(circuit: Circuit, at: Mapping[str, list[Resistor]]) -> list[list[Resistor]]:
    """Resistors from one amplifier's output to another's with bases of transistors between them, from end to end."""
    driven = {e.nodes[-1] for e in circuit.elements if isinstance(e, Instance)}
    bases = {e.nodes[1] for e in circuit.elements if isinstance(e, BipolarTransistor)}
    elsewhere = {
        node
        for e in circuit.elements
        if not isinstance(e, Resistor)
        for node in (e.nodes[::2] if isinstance(e, BipolarTransistor) else e.nodes)
    }
    taps = {node for node in bases - elsewhere - driven if len(at[node]) == 2}
    found, taken = [], set[str]()
    for end in sorted(driven):
        for first in at[end]:
            string, node = [first], _far(first, end)
            while node in taps and node not in taken:
                taken.add(node)
                string.append(next(e for e in at[node] if e is not string[-1]))
                node = _far(string[-1], node)
            if len(string) > 1 and node in driven:
                found.append(string)
    return found


def _far(resistor: Resistor, node: str) -> str:
    first, second = resistor.nodes
    return second if first == node else first


def _divided(string: Sequence[Resistor], series: str, tolerance: float) -> tuple[dict[str, float], dict[str, float]]:
    """Values of a string of resistors whose taps are nearest to where they should be, and of others in parallel to them.

    There are others where a tap would be off by more than `tolerance` of the string.
    """
    exact = np.array([e.resistance for e in string])

    def places(values: Array) -> Array:
        return np.cumsum(values, axis=-1)[..., :-1] / values.sum(axis=-1, keepdims=True)

    def error(values: Array) -> Array:
        return np.round(abs(places(values) - places(exact)).max(axis=-1), _DECIMALS)

    values = _candidates(exact, places, series, _LENGTHS)
    best = _refined(values[int(error(values).argmin())], lambda v: float(error(v)), series)
    names = [e.name for e in string]
    if error(best) <= tolerance:
        return dict(zip(names, best.tolist(), strict=True)), {}
    pairs = [_paired(float(value), series) for value in exact]
    first, second = ({name: pair[k] for name, pair in zip(names, pairs, strict=True)} for k in (0, 1))
    return first, second


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
    chosen = _ratios([e for e in legs if e.name not in taken], series, _MIRRORED)
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
