"""How fast an op-amp circuit may be run: delays of its cells, and the time constant at which they cost a stated error."""

from __future__ import annotations

import numpy as np

from analogflow.blocks import (
    Comparator,
    Crossbar,
    Divider,
    Exp,
    Gain,
    Integrator,
    Log,
    MatrixProduct,
    Multiplier,
    NoiseSource,
    Normaliser,
    PositivePart,
    Softmax,
    SquareRoot,
    Sum,
    Switch,
    Tanh,
    Wire,
)
from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit.build import PartSet, thermal_voltage
from analogflow.graph import BlockGraph
from analogflow.technology.compensation import junction_conductance, loop_delay
from analogflow.technology.opamp.bench import MACHINE_UNIT, converter_capacitance, leg_resistance, noise_gain, pole, scales
from analogflow.technology.opamp.cells import FULL_RESISTANCE, JUNCTION_DRIVE, transdiode_capacitance
from analogflow.technology.opamp.wiring import Wiring, wiring_of

__all__ = ["delays", "time_constant"]

_SMALL = 1 / 40
"""Part of its full current at which a junction's delay counts."""


def delays(wiring: Wiring, parts: PartSet) -> dict[str, float]:
    """Delay from the states to every node along the slowest path, seconds."""
    graph = wiring.graph
    total: dict[str, float] = {}
    for node in graph.order():
        if isinstance(graph.block(node), Integrator) or node in graph.timed:
            total[node] = 0.0
            continue
        before = max((total[origin] for origin in graph.inputs(node)), default=0.0)
        total[node] = before + (0.0 if node in wiring.absorbed or _adds_noise(node, graph) else _delay(node, wiring, parts))
    return total


def _adds_noise(node: str, graph: BlockGraph) -> bool:
    """Whether a node adds noise to one signal: assumed noise makes no circuit slower."""
    inputs = graph.inputs(node)
    noises = [isinstance(graph.block(origin), NoiseSource) for origin in inputs]
    return isinstance(graph.block(node), Sum) and any(noises) and len(inputs) - sum(noises) == 1


def _delay(node: str, wiring: Wiring, parts: PartSet) -> float:
    inner, output, inputs = scales(wiring.graph.block(node))
    amplifier, multiplier = pole(parts.op_amp.bandwidth), pole(parts.multiplier.bandwidth)
    converter = converter_capacitance(parts, FULL_RESISTANCE) * FULL_RESISTANCE
    match inner:
        case Sum() | Gain() | Crossbar():
            rows = [wiring.leads(node, index) for index in range(inner.size)]
            built = [[gain * wiring.factor(origin) for (origin, _), gain in row.items()] for row in rows]
            return amplifier * max(noise_gain(gains) for gains in built)
        case Multiplier() | Switch():
            return multiplier + (0.0 if node in wiring.bare else 10 * amplifier)
        case MatrixProduct():
            return multiplier + 2 * inner.inner * amplifier
        case Divider() | SquareRoot():
            return 10 * pole(parts.divider.bandwidth) + 2 * amplifier
        case Log():
            return _logarithm_delay(parts, MACHINE_UNIT * output) + 32 * amplifier
        case Exp() | Softmax() | Tanh():
            return converter + 4 * amplifier
        case PositivePart():
            # Its rectifier has the gain of the scales, and crosses from one diode to the other in about as long again.
            return amplifier * (2 + 2 * noise_gain([-output / inputs[0]]))
        case Comparator():
            return 4 * amplifier
        case Normaliser():
            return 10 * pole(parts.divider.bandwidth) + 8 * amplifier
        case Wire():
            return 0.0
    return 0.0


def _logarithm_delay(parts: PartSet, volts: float) -> float:
    """Seconds of a transdiode that carries little, where `volts` are read for each nat of it."""
    v_t = thermal_voltage(NOMINAL_KELVIN)
    load, full = 1 / leg_resistance(parts, volts / v_t), MACHINE_UNIT / FULL_RESISTANCE
    little = junction_conductance(_SMALL * full, v_t, JUNCTION_DRIVE, load)
    return loop_delay(parts.op_amp, transdiode_capacitance(parts, full, load), little)


def time_constant(graph: BlockGraph, parts: PartSet, delay_fraction: float, fastest: float, drift: float = 0.0) -> float:
    """τ in seconds, 1, 2 or 5 times a power of ten: the shortest at which delays are `delay_fraction` of 1/`fastest`.

    Of a motion to whose orbit nothing leads back they are that part of 1/`drift` too.
    """
    # With every block for itself: what is not built makes the path more exact, and not the circuit faster.
    wanted = _longest(Wiring(graph), parts) * fastest / delay_fraction
    if drift:
        wanted = max(wanted, _longest(wiring_of(graph), parts) * drift / delay_fraction)
    decade = 10.0 ** np.floor(np.log10(wanted))
    return float(next(step * decade for step in (1.0, 2.0, 5.0, 10.0) if step * decade >= wanted * (1 - 1e-9)))


def _longest(wiring: Wiring, parts: PartSet) -> float:
    """Longest delay of a loop through an integrator and its amplifier, seconds."""
    slowest = delays(wiring, parts)
    return max((slowest[wiring.graph.rate(state)] for state in wiring.graph.states), default=0.0) + pole(
        parts.op_amp.bandwidth
    )
