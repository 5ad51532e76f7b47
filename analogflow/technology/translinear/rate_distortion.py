"""The rate-distortion flow in transistors: one emitter-coupled array for q, and one for each symbol of the source.

The array of symbol x has the tail p_x I, and its bases are those of q with the nats of the Gibbs kernel A_xy added, so that
its collectors deliver p_x q_y A_xy/Z_x, and joining those of equal y sums T(q)_y. The logarithm of q_y comes from a
transdiode, that of T(q)_y with the other sign from a diode that hangs from a fixed voltage, and an inverting integrator
adds the two: u̇_y = ln T(q)_y − ln q_y, with τ = R C at every temperature.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import softmax

from analogflow.blocks.block import frozen
from analogflow.circuit.build import thermal_voltage
from analogflow.circuit.circuit import Group, Reading, Realisation
from analogflow.circuit.elements import BipolarTransistor, Element, Instance, Model, VoltageSource
from analogflow.passes import Brief
from analogflow.technology.compensation import collector_capacitance
from analogflow.technology.translinear import stages
from analogflow.technology.translinear.stages import Bias, array, assembled
from analogflow.technology.translinear.strings import gauged, kernel_group, strings_of

__all__ = ["rate_distortion"]

_HANGER = 1.2
"""Volts from which the diodes of T hang: two junctions, so that both logarithms are near the same voltage."""


def rate_distortion(brief: Brief) -> Realisation:
    """Circuit of the logarithmic rate-distortion flow, n source symbols and m reproductions.

    Raises
    ------
    BadInput
        The Gibbs kernel needs bases too far apart.
    """
    parts = brief.parts
    kernel, source = np.asarray(brief.flow.constants["A"]), np.asarray(brief.flow.constants["p"])
    start = np.asarray(brief.flow.states["u"])
    symbols, size = kernel.shape
    distortion = float(brief.flow.constants["beta"]) * np.asarray(brief.flow.constants["d"])
    exponents, gauge = gauged(np.vstack([-distortion, np.zeros(size)]), "beta times the distortion")
    bias, v_t = Bias.of(size), thermal_voltage(brief.build.temperature_kelvin)
    bases = [f"u{y}" for y in range(size)]
    strings = strings_of(bases, exponents)
    taps = [[string.taps[x] for string in strings] for x in range(symbols + 1)]
    groups = [
        Group("tail", "currents of q and of every source symbol", tuple(_tails(source, bias, brief))),
        Group(
            "q",
            "emitter-coupled array of q",
            tuple(array("q", "eq", taps[symbols], np.ones(size), "sq", parts, metered=True)),
        ),
    ]
    for x in range(symbols):
        elements = array(f"t{x}", f"et{x}", taps[x], np.isfinite(exponents[x]).astype(float), "st", parts)
        groups.append(Group(f"t{x}", f"array of source symbol {x}", tuple(elements)))
    groups.append(Group("hanger", "", (VoltageSource("hanger", ("hanger", "0"), _HANGER),)))
    for y in range(size):
        log = stages.transdiode(
            f"lq{y}", f"sq{y}", parts, bias.tail, load=1 / bias.resistance, stray=collector_capacitance(parts.npn)
        )
        both = (*log, *_hanging(f"lt{y}", f"st{y}", brief))
        groups.append(Group(f"log{y}", "ln q and -ln T", both))
    common = _common_mode(kernel, source, np.exp(exponents[symbols]), start, brief, bias)
    first, start = float(softmax(start).min()), start - gauge
    groups += stages.integrator_noise(brief, [f"u{y}" for y in range(size)], v_t, bias)
    for y in range(size):
        legs = {f"lq{y}": 1.0, f"lt{y}": 1.0}
        row = stages.integrator(f"u{y}", legs, "vr", v_t * float(start[y] - start.max()) + common, parts, bias)
        groups.append(Group(f"u{y}", "integrator", tuple(row)))
    groups += kernel_group(strings, brief)
    groups.append(Group("loop", "common mode", tuple(stages.common_mode_loop("vr", "eq", parts, bias))))
    readings = {
        "u": Reading(tuple(bases), frozen((np.eye(size) - 1 / size) / v_t), frozen(gauge - gauge.mean())),
        "q": Reading(tuple(f"i(vq{y})" for y in range(size)), frozen(np.ones(size)), shares=bias.tail),
    }
    return assembled(brief, groups, readings, bias, bias.time_constant, v_t, 1 / size, first)


def _common_mode(
    kernel: np.ndarray, source: np.ndarray, shares: np.ndarray, start: np.ndarray, brief: Brief, bias: Bias
) -> float:
    """Volts across the integrators' capacitors at which the loop is at rest when the run starts."""
    parts = brief.parts
    q = softmax(start)
    mapped = source @ (kernel * q / (kernel @ q)[:, None])

    def log(model: Model, share: float) -> float:
        return stages.junction(model, bias.tail * share, brief.build.temperature_kelvin)

    pairs = [log(parts.pnp, own) + _HANGER - log(parts.npn, image) for own, image in zip(q, mapped, strict=True)]
    return bias.emitter + log(parts.npn, float((q / shares).max())) - float(q @ pairs) / 2


def _tails(source: np.ndarray, bias: Bias, brief: Brief) -> Iterator[Element]:
    yield from stages.sink_reference("tail", bias.tail, brief.parts, brief.build.temperature_kelvin)
    yield from stages.sink("sink_q", "eq", "tail", 1.0, bias.tail, brief.parts)
    for x, share in enumerate(source):
        if share > 0:
            yield from stages.sink(f"sink{x}", f"et{x}", "tail", float(share), bias.tail, brief.parts)


def _hanging(name: str, node: str, brief: Brief) -> Iterator[Element]:
    """Voltage that falls with the logarithm of the current drawn out of `node`: a diode, and a follower that reads it."""
    yield BipolarTransistor(f"{name}_diode", ("hanger", "hanger", node), brief.parts.npn.name)
    yield Instance(f"{name}_amp", (node, name, name), brief.parts.op_amp.name)
