"""How fast an op-amp circuit may be run: delays of its cells, and the time constant at which they cost a stated error."""

from __future__ import annotations

import numpy as np

from analogflow.blocks import (
    Block,
    Comparator,
    Crossbar,
    Divider,
    Exp,
    Gain,
    Integrator,
    Log,
    MatrixProduct,
    Multiplier,
    Normaliser,
    PositivePart,
    Softmax,
    SquareRoot,
    Sum,
    Switch,
    Tanh,
    Wire,
)
from analogflow.circuit.build import PartSet
from analogflow.graph import BlockGraph
from analogflow.technology.opamp.bench import noise_gain, pole, scales

__all__ = ["delays", "flipped_nodes", "time_constant"]

_JUNCTION_DELAY = 4e-6
"""Seconds: a junction at a fortieth of its full current, half a microampere, with 30 pF, and its converter's pole."""


def flipped_nodes(graph: BlockGraph) -> frozenset[str]:
    """Linear blocks that one integrator alone reads: they may as well have the other sign, which saves an inverter."""
    integrators = set(graph.states.values())
    read = set(graph.observables.values())
    return frozenset(
        node
        for node in graph
        if isinstance(graph.block(node), Sum | Gain | Crossbar)
        and node not in read
        and node not in graph.timed
        and len(graph.readers(node)) == 1
        and set(graph.readers(node)) <= integrators
    )


def delays(graph: BlockGraph, parts: PartSet) -> dict[str, float]:
    """Delay from the states to every node along the slowest path, seconds."""
    total: dict[str, float] = {}
    for node in graph.order():
        if isinstance(graph.block(node), Integrator) or node in graph.timed:
            total[node] = 0.0
            continue
        before = max((total[origin] for origin in graph.inputs(node)), default=0.0)
        total[node] = before + _delay(graph.block(node), parts)
    return total


def _delay(block: Block, parts: PartSet) -> float:
    inner, output, inputs = scales(block)
    amplifier, multiplier = pole(parts.op_amp.bandwidth), pole(parts.multiplier.bandwidth)
    match inner:
        case Sum():
            return amplifier * noise_gain(inner.coefficients)
        case Gain():
            return amplifier * noise_gain([float(max(inner.coefficients, key=abs))])
        case Crossbar():
            return amplifier * max(noise_gain(row) for row in inner.weight.reshape(-1, inner.weight.shape[-1]).tolist())
        case Multiplier() | Switch():
            return multiplier + 10 * amplifier
        case MatrixProduct():
            return multiplier + 2 * inner.inner * amplifier
        case Divider() | SquareRoot():
            return 10 * pole(parts.divider.bandwidth) + 2 * amplifier
        case Log():
            return _JUNCTION_DELAY + 32 * amplifier
        case Exp() | Softmax() | Tanh():
            return _JUNCTION_DELAY + 4 * amplifier
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


def time_constant(graph: BlockGraph, parts: PartSet, delay_fraction: float, fastest: float) -> float:
    """τ in seconds, 1, 2 or 5 times a power of ten: the shortest at which delays are `delay_fraction` of 1/`fastest`."""
    slowest = delays(graph, parts)
    longest = max((slowest[graph.rate(state)] for state in graph.states), default=0.0) + pole(parts.op_amp.bandwidth)
    wanted = longest * fastest / delay_fraction
    decade = 10.0 ** np.floor(np.log10(wanted))
    return float(next(step * decade for step in (1.0, 2.0, 5.0, 10.0) if step * decade >= wanted * (1 - 1e-9)))
