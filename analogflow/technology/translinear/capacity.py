"""The capacity flow in transistors: an emitter-coupled array is the distribution, transdiodes are its logarithms.

1. Collector currents of transistors with common emitters and bases u_i are I z_i, z = softmax(u/V_T).
2. Each feeds common-base transistors of areas p_ij; collectors of equal j are joined: I_j = I Σ_i p_ij z_i = I q_j.
3. A transdiode makes V_j = V_T ln(I_j/I_S).
4. A resistive crossbar integrates Σ_j p_ij V_j, and from two reference diodes what makes up for the entropies of the rows.
5. A loop holds the common emitters; its output is the capacity in units of V_T.

τ = R C: temperature, I_S and I cancel.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import softmax, xlogy

from analogflow.blocks.block import frozen
from analogflow.circuit.build import thermal_voltage
from analogflow.circuit.circuit import Group, JointRows, Reading, Realisation
from analogflow.circuit.elements import BipolarTransistor, Element, VoltageSource
from analogflow.digits import quiet
from analogflow.passes import Brief
from analogflow.passes.whole_areas import offered
from analogflow.technology.compensation import collector_capacitance
from analogflow.technology.translinear import stages
from analogflow.technology.translinear.crossbar import ResistiveCrossbar, capacity_crossbar
from analogflow.technology.translinear.stages import Bias, assembled
from analogflow.technology.translinear.strings import WIDEST_SPAN, TappedString, kernel_group

__all__ = ["ENTROPY_RATIO", "capacity"]

ENTROPY_RATIO = 10.0
"""Ratio of the currents of the two reference diodes: a decade is what resistors of any series make exactly."""

_SETTLED = 8
"""Decimals of the answer that the crossbar is rounded for; the further ones hang on the steps of the run."""

_EXTINCT = 1e-6
"""Probability below which an input counts as one that dies out."""

_UNITS = 10.0
"""Unit transistors in one splitter."""

_LINE = 300.0
"""Ohms of a string of bases: what they draw bends a longer one."""

_REPLICA_BASE = -1.2
"""Volts at the base of the replica branch: where the bases of the array are."""


def capacity(brief: Brief) -> Realisation:
    """Circuit of the log-domain capacity flow of a channel, n available inputs and m outputs."""
    parts = brief.parts
    P = np.asarray(brief.flow.constants["P"])
    start = np.asarray(brief.flow.states["u"])
    inputs, outputs = P.shape
    bias = Bias.of(max(inputs, outputs))
    entropy = -xlogy(P, P).sum(axis=1)
    legs = quiet(entropy - entropy.min(), entropy.max()) / math.log(ENTROPY_RATIO)
    loads = (float(legs.sum()), float((legs.max() - legs).sum()))
    v_t = thermal_voltage(brief.build.temperature_kelvin)
    alike = float((P[:, -1] - P[:, -1].mean()) @ legs) > 0
    references = tuple(_references(brief, bias, outputs, loads, smaller_first=alike))
    line = _line(P)
    taps = line.taps if line else ["0"] * P.size
    splitters = [
        tuple(_branch(i, P[i], brief, taps[i * outputs : (i + 1) * outputs], units=line is not None)) for i in range(inputs)
    ]
    groups = [
        Group("tail", "current of the whole distribution", tuple(_tail(brief, bias))),
        *(Group(f"z{i}", "emitter-coupled array and splitter", elements) for i, elements in enumerate(splitters)),
        *(kernel_group([line], brief) if line else []),
        *(Group(f"log{j}", "ln q", tuple(_logarithm(j, P, brief, bias))) for j in range(outputs)),
        Group("references", "entropies of the rows", references),
    ]
    common = _common_mode(P, start, legs, brief, bias)
    groups += stages.integrator_noise(brief, [f"u{i}" for i in range(inputs)], v_t, bias)
    for i in range(inputs):
        weights = {f"v{j}": float(P[i, j]) for j in range(outputs)}
        weights |= {"va": float(legs[i]), "vb": float(legs.max() - legs[i])}
        row = stages.integrator(f"u{i}", weights, "vr", v_t * float(start[i] - start.max()) + common, parts, bias)
        groups.append(Group(f"u{i}", "crossbar row and integrator", tuple(row)))
    groups.append(Group("loop", "common mode", tuple(stages.common_mode_loop("vr", "ve", parts, bias))))
    mean = np.eye(inputs) - 1 / inputs
    pulled = -(1 + legs.max())
    read_out = np.array([[1.0, legs.max(), pulled] if legs.max() > 0 else [1.0, pulled]]) / v_t
    readings = {
        "u": Reading(tuple(f"u{i}" for i in range(inputs)), frozen(mean / v_t)),
        "z": Reading(tuple(f"i(vz{i})" for i in range(inputs)), frozen(np.ones(inputs)), shares=bias.tail),
        "capacity_readout": Reading(
            ("v0r", "vb", "vr") if legs.max() > 0 else ("v0r", "vr"),
            frozen(read_out),
            frozen([math.log(outputs) - entropy.min()]),
        ),
    }
    columns = [*(f"v{j}" for j in range(outputs)), "va", "vb"]
    rows = JointRows(
        "the channel's crossbar in transistors",
        "z",
        tuple(tuple(f"u{i}_{column}" for column in columns) for i in range(inputs)),
        ("tail_sink_e", "sink_a_e", "sink_b_e"),
        functools.partial(_crossbar, P),
        arrays=tuple(tuple(f"split{i}_{j}" for j in range(outputs)) for i in range(inputs)) if line is None else (),
        shares=frozen(P) if line is None else None,
    )
    least, first = (float((z @ P).min()) for z in (np.full(inputs, 1 / inputs), softmax(start)))
    built = assembled(brief, groups, readings, bias, bias.time_constant, v_t, least, first)
    return dataclasses.replace(built, joint_rows=rows)


def _crossbar(transition: np.ndarray, settled: np.ndarray) -> ResistiveCrossbar:
    """The crossbar's weights, and what their errors do where z is `settled`."""
    settled = np.round(settled, _SETTLED)
    # An input that dies out has no say in the answer.
    used = np.where(settled > _EXTINCT, settled, 0.0)
    return capacity_crossbar(transition, used / used.sum(), ENTROPY_RATIO)


def _common_mode(P: np.ndarray, start: np.ndarray, legs: np.ndarray, brief: Brief, bias: Bias) -> float:
    """Volts across the integrators' capacitors at which the loop is at rest when the run starts.

    From elsewhere the loop would take a time constant to charge them, and rows whose resistors were rounded differently
    would not be charged alike: the path would be another.
    """
    parts = brief.parts
    z = softmax(start)

    def log(share: float) -> float:
        return stages.junction(parts.pnp, bias.tail * share, brief.build.temperature_kelvin)

    level = float(z @ P @ [log(share) for share in z @ P])
    level += float(z @ legs) * log(1.0) + float(legs.max() - z @ legs) * log(1 / ENTROPY_RATIO)
    base = bias.emitter + stages.junction(parts.npn, bias.tail * float(z.max()), brief.build.temperature_kelvin)
    return base - level / (1 + float(legs.max()))


def _tail(brief: Brief, bias: Bias) -> Iterator[Element]:
    yield from stages.sink_reference("tail", bias.tail, brief.parts, brief.build.temperature_kelvin)
    yield from stages.sink("tail_sink", "ve", "tail", 1.0, bias.tail, brief.parts)


def _line(P: np.ndarray) -> TappedString | None:
    """String below ground with a tap for each probability of a channel, in nats below the largest of its row.

    None where arrays have areas in these ratios, and where bases would be too far apart.
    """
    with np.errstate(divide="ignore"):
        nats = np.log(P / P.max(axis=1, keepdims=True))
    span = float(-nats[np.isfinite(nats)].min())
    if span > WIDEST_SPAN or all(offered(row[row > 0]) for row in P):
        return None
    return TappedString("0", nats.ravel(), span, name="base", ohms=_LINE)


def _branch(i: int, row: np.ndarray, brief: Brief, bases: Sequence[str], *, units: bool) -> Iterator[Element]:
    """Transistor of input i, an ammeter in its collector, and its splitter: by areas, or by bases of unit transistors."""
    yield BipolarTransistor(f"z{i}", (f"c{i}", f"u{i}", "ve"), brief.parts.npn.name)
    yield VoltageSource(f"z{i}", (f"d{i}", f"c{i}"), 0.0)
    for j, share in enumerate(row):
        if share > 0:
            yield BipolarTransistor(
                f"split{i}_{j}", (f"s{j}", bases[j], f"d{i}"), brief.parts.npn.name, 1.0 if units else float(_UNITS * share)
            )


def _logarithm(j: int, P: np.ndarray, brief: Brief, bias: Bias) -> Iterator[Element]:
    """Transdiode of output j, which at most carries the whole current, and on which the legs of all rows hang."""
    column = float(P[:, j].sum())
    stray = _UNITS * column * collector_capacitance(brief.parts.npn)
    yield from stages.transdiode(f"v{j}", f"s{j}", brief.parts, bias.tail, load=column / bias.resistance, stray=stray)


def _references(
    brief: Brief, bias: Bias, outputs: int, loads: tuple[float, float], *, smaller_first: bool
) -> Iterator[Element]:
    """Reference diodes at I and I/10, and the replica of a branch whose logarithm carries I/m, as those of the outputs do.

    `loads` are the weights of all legs that hang on the two diodes; there is no diode without any. What the resistances of
    the junctions add to a logarithm is then in the read-out of the capacity twice, with either sign. The first of the two
    is packed with the last output's logarithm, where outputs are odd in number: what the rows weigh differently of one
    should not add to the other.
    """
    parts = brief.parts
    if any(loads):
        smaller = bias.tail / ENTROPY_RATIO
        pair = (
            (
                *stages.sink("sink_a", "sa", "tail", 1.0, bias.tail, parts),
                *stages.transdiode("va", "sa", parts, bias.tail, load=loads[0] / bias.resistance),
            ),
            (
                *stages.sink("sink_b", "sb", "tail", 1 / ENTROPY_RATIO, bias.tail, parts),
                *stages.transdiode("vb", "sb", parts, smaller, load=loads[1] / bias.resistance),
            ),
        )
        for elements in reversed(pair) if smaller_first else pair:
            yield from elements
    yield from stages.sink("sink_r", "er", "tail", 1 / outputs, bias.tail, parts)
    yield VoltageSource("replica", ("br", "0"), _REPLICA_BASE)
    yield BipolarTransistor("replica", ("cr", "br", "er"), parts.npn.name)
    yield BipolarTransistor("replica_split", ("sr", "0", "cr"), parts.npn.name, _UNITS)
    stray = _UNITS * collector_capacitance(parts.npn)
    yield from stages.transdiode("v0r", "sr", parts, bias.tail / outputs, stray=stray)
