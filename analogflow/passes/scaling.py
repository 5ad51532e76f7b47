"""Amplitude scaling: chooses how many machine units each signal is per flow unit, and rewrites the graph in them.

The choice is a mixed-integer linear programme. In logarithms of the scales, ranges are bounds, products are equalities, and
the smallest signal-to-error ratio is the objective; a multiplier's gain is 1 or 11, which is what makes it mixed-integer.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any, cast

import numpy as np
import scipy

from analogflow.blocks import (
    Block,
    Constant,
    Crossbar,
    Gain,
    Integrator,
    Multiplier,
    NoiseSource,
    Normaliser,
    PositivePart,
    Scaled,
    Sum,
    Switch,
    Wire,
)
from analogflow.blocks.block import frozen
from analogflow.digits import significant
from analogflow.errors import AnalogflowError
from analogflow.flows import Flow
from analogflow.graph import BlockGraph, GraphBuilder, restarted, rewritten
from analogflow.passes.drift import drift_of
from analogflow.passes.pipeline import Brief, Pass, Passed
from analogflow.passes.ranges import reach

__all__ = ["FILL", "SCALE", "SCALE_BLOCKS", "ScaledGraph", "pruned", "rescaled", "scale", "unfolded"]

FILL = 0.8
"""Part of a machine unit that a signal at its largest fills."""

GAIN = 11.0
"""Gain that a product may get: 1 + 10, which two resistors of one decade make exactly."""

_ROUNDING = 1e-12
_DIGITS = 4
"""Of the size of a signal."""
_ROOM = 0.05
"""Part of the sum of its inputs' ranges that a sum has at least."""

_LARGEST_GAIN = 300.0
"""Largest gain of a summing amplifier."""

_WIDEST = 6.0
"""Decades that a scale may be from 1."""

_MOST_NODES = 20_000
"""Nodes of the programme's tree that are looked at: a limit of time would make scales depend on the machine's speed."""


@dataclasses.dataclass(frozen=True, eq=False)
class ScaledGraph:
    """Result of `scale`.

    Parameters
    ----------
    graph : BlockGraph
        In machine units.
    scales : mapping of node to float
        Machine units per flow unit.
    used : mapping of node to float
        Part of a machine unit that each node fills at its largest.
    limits : mapping of node to float
        Flow units at which integrators are clamped.
    fastest : float
        Largest rate on the flow's own path, per τ.
    covered : float
        Time in τ that the ranges hold for.
    exponents : mapping of node to float
        Largest exponent of every softmax, nats above the middle of its offsets.
    tightest : str
        Node whose signal fills least of its range, constants and wires left out.
    note : str
        One sentence.
    """

    graph: BlockGraph
    scales: Mapping[str, float]
    used: Mapping[str, float]
    limits: Mapping[str, float]
    fastest: float
    covered: float
    exponents: Mapping[str, float]
    tightest: str
    note: str


def scale(graph: BlockGraph, flow: Flow, ranged_from: Mapping[str, np.ndarray] | None = None) -> ScaledGraph:
    """Scale `graph` so that every signal fills its range as far as the products allow.

    Parameters
    ----------
    graph : BlockGraph
    flow : Flow
    ranged_from : mapping of name to array, optional
        States from which the path goes that the ranges are to hold; those of `graph` if not given.

    Raises
    ------
    AnalogflowError
        No scales keep all signals in range.
    """
    if ranged_from is None:
        found = reach(graph, flow)
    else:
        own = {name: ranged_from[name] for name in flow.states}
        found = reach(restarted(graph, ranged_from), dataclasses.replace(flow, states=own))
    # What is zero but for rounding has no size that a scale could follow. A run's size is the same on every processor to
    # some digits only, and what is chosen below must not hang on the others.
    largest = {n: significant(value, _DIGITS) if value > _ROUNDING else 0.0 for n, value in found.largest.items()}
    clamped = {n: significant(value, _DIGITS) for n, value in found.clamped.items()}
    for node in graph.order():
        # A signal that should be zero, such as what restores a manifold, needs room for what it is there for.
        pairs = zip(_largest_gains(graph.block(node)), graph.inputs(node), strict=False)
        largest[node] = max(largest[node], _ROOM * sum(gain * largest[origin] for gain, origin in pairs))
    for state, node in graph.states.items():
        # A rate that is zero for good leaves its integrator a gain near 1, and not whatever the programme is free to take.
        largest[graph.rate(state)] = largest[graph.rate(state)] or largest[node]
    nodes = [node for node in graph.order() if not isinstance(graph.block(node), Wire)]
    nodes = [*(n for n in graph.states.values() if n not in nodes), *nodes]
    column = {node: k for k, node in enumerate(nodes)}
    tens = [node for node in nodes if isinstance(graph.block(node), Multiplier | Switch)]
    ten = {node: len(nodes) + k for k, node in enumerate(tens)}
    width = len(nodes) + len(tens) + 1
    rows: list[np.ndarray] = []
    lows: list[float] = []
    highs: list[float] = []

    def require(terms: Mapping[int, float], low: float, high: float) -> None:
        row = np.zeros(width)
        for k, value in terms.items():
            row[k] += value
        rows.append(row)
        lows.append(low)
        highs.append(high)

    def source(node: str) -> int:
        while isinstance(graph.block(node), Wire):
            (node,) = graph.inputs(node)
        return column[node]

    upper = np.full(width, _WIDEST)
    lower = np.full(width, -_WIDEST)
    for node in nodes:
        if largest[node] > 0:
            upper[column[node]] = min(_WIDEST, math.log10(FILL / largest[node]))
            require({column[node]: 1.0, width - 1: -1.0}, -math.log10(largest[node]), np.inf)
        inputs = [source(origin) for origin in graph.inputs(node)]
        block = graph.block(node)
        if node in ten:
            require({column[node]: 1.0, ten[node]: -math.log10(GAIN)} | _minus(inputs), 0.0, 0.0)
            upper[ten[node]], lower[ten[node]] = 1.0, 0.0
        elif isinstance(block, Normaliser):
            require({inputs[0]: 1.0, column[node]: -1.0}, -np.inf, -0.1)
        for port, gain in enumerate(_largest_gains(block)):
            if gain > 0:
                require(_plus({column[node]: 1.0}, {inputs[port]: -1.0}), -np.inf, math.log10(_LARGEST_GAIN / gain))
    lower[-1], upper[-1] = -2 * _WIDEST, 2 * _WIDEST
    objective = np.full(width, -1e-3 / len(nodes))
    objective[-1] = -1.0
    objective[len(nodes) : -1] = 1e-4
    solved = scipy.optimize.milp(
        objective,
        constraints=scipy.optimize.LinearConstraint(np.array(rows), cast(Any, lows), cast(Any, highs)) if rows else None,
        integrality=np.r_[np.zeros(len(nodes)), np.ones(len(tens)), 0],
        bounds=scipy.optimize.Bounds(cast(Any, lower), cast(Any, upper)),
        options={"node_limit": _MOST_NODES, "mip_rel_gap": 1e-3},
    )
    if solved.x is None:
        why = "" if solved.status == 2 else f" ({solved.message})"
        raise AnalogflowError(
            f"no scales keep all signals within {FILL:g} machine units{why}: a signal is too large or too small, or a "
            "product far smaller than its factors; scale the problem (masses: divide each by their sum), or take the "
            "technology 'ideal'."
        )
    scales = {node: significant(10 ** solved.x[column[node]]) for node in nodes}
    for node in graph.order():
        if isinstance(graph.block(node), Wire):
            scales[node] = scales[nodes[source(node)]]
    used = {node: scales[node] * largest[node] for node in nodes}
    active = [node for node in nodes if isinstance(graph.block(node), Integrator | Multiplier | Crossbar | Sum)]
    tightest = min(active or nodes, key=used.__getitem__)
    gains = sum(solved.x[ten[node]] > 0.5 for node in tens)
    note = (
        f"{len(nodes)} signals scaled to {FILL:g} machine units at most; the least filled is {tightest} with "
        f"{used[tightest]:.3g}"
        + (f"; {gains} of {len(tens)} multipliers with a gain of {GAIN:g}" if tens else "")
        + (f"; clamped: {', '.join(clamped)}" if clamped else "")
        + (f"; ranges hold for {found.covered:.4g} τ" if math.isfinite(found.covered) else "")
        + (f", where {', '.join(found.growing)} still grows: beyond, its amplifier meets a rail" if found.growing else "")
    )
    fastest, covered = significant(found.fastest, _DIGITS), significant(found.covered, _DIGITS)
    graph = rescaled(graph, scales, clamped)
    return ScaledGraph(graph, scales, used, clamped, fastest, covered, found.exponents, tightest, note)


def _scaled(brief: Brief) -> Passed:
    """In machine units, without observables that the answer does not need."""
    needed = pruned(brief.graph, [brief.flow.answer])
    found = scale(needed, brief.flow, brief.build.ranged_from)
    named = {**needed.states, **needed.observables}
    return Passed(
        found.graph,
        found.note,
        scales={name: frozen(np.full(needed.block(node).size, found.scales[node])) for name, node in named.items()},
        limits={state: found.limits[node] for state, node in needed.states.items() if node in found.limits},
        found={
            "used": found.used,
            "fastest": found.fastest,
            "drift": significant(drift_of(brief.graph, brief.flow), _DIGITS),
            "covered": found.covered,
            "exponents": found.exponents,
        },
    )


def _scaled_blocks(brief: Brief) -> Passed | None:
    """The same with every scaled block taken apart into gains and a plain one, where machine units were asked for."""
    if not brief.build.scaled:
        return None
    done = _scaled(brief)
    return dataclasses.replace(done, graph=unfolded(done.graph))


SCALE = Pass("scale", _scaled)
"""Chooses units in which every signal fills its range."""

SCALE_BLOCKS = Pass("scale", _scaled_blocks)
"""The same for blocks that have no scales of their own, if the build says so."""


def _minus(columns: list[int]) -> dict[int, float]:
    terms: dict[int, float] = {}
    for k in columns:
        terms[k] = terms.get(k, 0.0) - 1.0
    return terms


def _plus(first: dict[int, float], second: dict[int, float]) -> dict[int, float]:
    return {k: first.get(k, 0.0) + second.get(k, 0.0) for k in {**first, **second}}


def _largest_gains(block: Block) -> list[float]:
    """Largest coefficient of each port of a block that is linear, or nowhere steeper, in flow units."""
    match block:
        case Crossbar():
            return [float(abs(block.weight).max())]
        case Sum():
            return [abs(c) for c in block.coefficients]
        case Gain():
            return [float(abs(block.coefficients).max())]
        case PositivePart():
            return [1.0]  # one that stays at zero would leave its amplifier whatever gain the programme is free to take
    return []


def rescaled(graph: BlockGraph, scales: Mapping[str, float], limits: Mapping[str, float]) -> BlockGraph:
    """The same flow between signals in other units.

    Parameters
    ----------
    graph : BlockGraph
    scales : mapping of node to float
        New units per old unit of every node; a wire has that of what drives it.
    limits : mapping of node to float
        Old units at which integrators are clamped.
    """

    def visit(builder: GraphBuilder, node: str, inputs: tuple[str, ...]) -> str:
        block = _in_units(graph, node, graph.block(node), scales, limits.get(node, np.inf))
        return builder.adopt(graph, node, inputs, block)

    return rewritten(graph, visit)


def _in_units(graph: BlockGraph, node: str, block: Block, scales: Mapping[str, float], limit: float) -> Block:
    own = scales[node]
    given = [own / scales[origin] for origin in graph.inputs(node)]
    match block:
        case Wire():
            return block
        case Constant():
            return dataclasses.replace(block, values=frozen(block.values * own))
        case NoiseSource():
            return dataclasses.replace(block, density=frozen(block.density * own))
        case Crossbar():
            return dataclasses.replace(block, weight=frozen(block.weight * given[0]))
        case Gain():
            return dataclasses.replace(block, coefficients=frozen(block.coefficients * given[0]))
        case Sum():
            coefficients = tuple(c * ratio for c, ratio in zip(block.coefficients, given, strict=True))
            return dataclasses.replace(block, coefficients=coefficients)
        case Integrator():
            return dataclasses.replace(
                block,
                initial=frozen(np.clip(block.initial, -limit, limit) * own),
                gain=frozen(block.gain * given[0]),
                limit=min(block.limit, limit) * own,
            )
    return Scaled(size=block.size, block=block, output=own, inputs=tuple(own / ratio for ratio in given))


def unfolded(graph: BlockGraph) -> BlockGraph:
    """The same graph with every scaled block between gains: what a technology without scales of its own can build."""

    def visit(builder: GraphBuilder, node: str, inputs: tuple[str, ...]) -> str:
        block = graph.block(node)
        if not isinstance(block, Scaled):
            return builder.adopt(graph, node, inputs, block)
        before = tuple(
            builder.insert(graph, node, (name,), _gain(builder.block(name).size, 1 / s))
            for name, s in zip(inputs, block.inputs, strict=True)
        )
        inner = builder.insert(graph, node, before, block.block)
        return builder.insert(graph, node, (inner,), _gain(block.size, block.output))

    return rewritten(graph, visit)


def pruned(graph: BlockGraph, keep: Collection[str]) -> BlockGraph:
    """The graph with the observables in `keep` and those others that cost no block, without what only the rest needs."""
    roots = {*graph.states.values(), *(graph.observables[name] for name in keep if name in graph.observables)}
    needed = graph.needed_by(roots)
    return rewritten(graph, observables=[name for name, node in graph.observables.items() if node in needed])


def _gain(size: int, factor: float) -> Gain:
    return Gain(size=size, coefficients=frozen(np.full(size, factor)))
