"""Makes the manifold an answer lives on attract: measures the rate of return on the graph, and mends it if need be."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from analogflow.block_engine import VectorField
from analogflow.blocks import Constant
from analogflow.blocks.block import frozen
from analogflow.errors import UnstableManifold
from analogflow.flows import Invariant
from analogflow.graph import BlockGraph, GraphBuilder, rewritten
from analogflow.graph.signal import SourceLine
from analogflow.passes.pipeline import Brief, Pass, Passed

__all__ = ["ACCEPTED_RATE", "STABILISE", "TARGET_RATE", "Return", "return_rates", "stabilise"]

ACCEPTED_RATE = 0.25
"""Smallest rate of return, per τ, that is left as it is."""

TARGET_RATE = 1.0
"""Rate of return, per τ, that mending aims at: deviations shrink as fast as the integrators can follow."""


@dataclasses.dataclass(frozen=True)
class Return:
    """Rates, per τ, at which a graph returns to a manifold along a nominal orbit; negative where the manifold repels."""

    invariant: Invariant
    slowest: float
    fastest: float

    def __str__(self) -> str:
        verb = "repels at" if self.slowest < -1e-9 else "is neutral, rate" if self.slowest < 1e-9 else "attracts at"
        return f"{self.invariant.name} of {self.invariant.state} {verb} {abs(self.slowest):.4g} per τ"


def return_rates(graph: BlockGraph | VectorField, keeps: tuple[Invariant, ...], orbit: NDArray[np.float64]) -> list[Return]:
    """Rate of return to each manifold, from the graph's Jacobian J along `orbit`: −(n·J e)/(n·e), normal n, transverse e.

    Because the manifold is invariant, n·J v = 0 for every tangent v, so the choice of the transverse direction is free.
    A manifold of several constraints has a normal for each; each is kept on its own, so that one direction e which leaves
    all of them tells every rate.
    """
    field = VectorField.of(graph)
    returns = []
    for kept in keeps:
        rates: list[float] = []
        for y in orbit:
            state = field.unpack(y)[kept.state]
            normals = _placed(field, kept.state, np.atleast_2d(kept.normal(state)))
            transverse = _placed(field, kept.state, kept.transverse(state))
            rates += (-(normals @ field.directional(y, transverse)) / (normals @ transverse)).tolist()
        returns.append(Return(kept, min(rates), max(rates)))
    return returns


def stabilise(
    graph: BlockGraph | VectorField, keeps: tuple[Invariant, ...], orbit: NDArray[np.float64], *, gauge: str, mend: bool
) -> tuple[BlockGraph, str]:
    """Return a graph whose manifolds attract, and a sentence on what was measured and added.

    Parameters
    ----------
    graph : BlockGraph or VectorField
        Or what was worked out of it already.
    keeps : tuple of Invariant
        Manifolds the exact flow stays on.
    orbit : array, shape (points, size)
        States along which the rates are measured, as `nominal_orbit` gives them.
    gauge : str
        Label of a constant that acts off the manifold only; the cheapest remedy. Empty if there is none.
    mend : bool
        If false, only measure and say.

    Raises
    ------
    UnstableManifold
        Neither the gauge nor a restoring term makes a manifold attract.
    """
    field = VectorField.of(graph)
    graph = field.graph
    if not keeps:
        return graph, "no invariant manifold named"
    before = return_rates(field, keeps, orbit)
    said = "; ".join(map(str, before))
    if not mend:
        warning = " (kept as it is: a deviation will grow)" if min(r.slowest for r in before) < ACCEPTED_RATE else ""
        return graph, said + warning
    for found in before:
        if found.slowest >= ACCEPTED_RATE:
            continue
        remedy = "gauge" if gauge else "restoring term"
        if gauge:
            graph, value = _regauged(graph, gauge, found, orbit)
            said += f"; {gauge} set to {value:.4g}"
        else:
            strength = TARGET_RATE - found.slowest
            graph = _restored(graph, found.invariant, strength)
            said += f"; added {strength:.4g}·({found.invariant.restoring_term}) to {found.invariant.state}"
        (after,) = return_rates(graph, (found.invariant,), orbit)
        if after.slowest < ACCEPTED_RATE:
            raise UnstableManifold(
                f"the {after.invariant.name} of state {after.invariant.state!r} returns at {after.slowest:.3g} per τ only, "
                f"even with a {remedy}; check that the flow really keeps it, or compile with stabilise=False to see it fail."
            )
        said += f", so that it attracts at {after.slowest:.4g} per τ"
    return graph, said


def _stabilised(brief: Brief) -> Passed:
    flow, mend = brief.flow, brief.build.stabilise and brief.flow.mend
    return Passed(*stabilise(brief.field, flow.keeps, brief.orbit, gauge=flow.gauge, mend=mend))


STABILISE = Pass("stabilise", _stabilised)
"""Makes the manifolds of the flow attract, if the build says so."""


def _placed(field: VectorField, state: str, vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """State vector, or rows of them, that is `vector` in one state and zero in all others."""
    parts = {name: np.zeros((*vector.shape[:-1], part.size)) for name, part in field.unpack(np.zeros(field.size)).items()}
    return field.pack({**parts, state: vector})


def _regauged(graph: BlockGraph, label: str, found: Return, orbit: NDArray[np.float64]) -> tuple[BlockGraph, float]:
    """Graph with the gauge at which the slowest return is the target; the return is affine in the gauge."""
    node = graph.labelled_constant(label)
    block = graph.block(node) if node is not None else None
    if not isinstance(block, Constant):
        return graph, np.nan
    value = float(block.values[0])
    (shifted,) = return_rates(_with_constant(graph, label, value + 1), (found.invariant,), orbit)
    slope = shifted.slowest - found.slowest
    if abs(slope) < 1e-9:
        return graph, value
    value += (TARGET_RATE - found.slowest) / slope
    return _with_constant(graph, label, value), value


def _with_constant(graph: BlockGraph, label: str, value: float) -> BlockGraph:
    def visit(builder: GraphBuilder, node: str, inputs: tuple[str, ...]) -> str:
        block = graph.block(node)
        if isinstance(block, Constant) and block.label == label:
            block = dataclasses.replace(block, values=frozen([value]))
        return builder.adopt(graph, node, inputs, block)

    return rewritten(graph, visit)


def _restored(graph: BlockGraph, invariant: Invariant, strength: float) -> BlockGraph:
    builder = GraphBuilder.extending(graph)
    builder.source = SourceLine(
        f"keeps the {invariant.name} of {invariant.state}: {strength:.4g}·({invariant.restoring_term})"
    )
    rates = {state: builder.signal(graph.rate(state), graph.shapes[state]) for state in graph.states}
    rate = rates[invariant.state]
    restoring_term = invariant.restore(builder.signal(graph.states[invariant.state], graph.shapes[invariant.state]))
    rates[invariant.state] = rate + strength * restoring_term
    observables = {name: builder.signal(node, graph.shapes[name]) for name, node in graph.observables.items()}
    return builder.finish(rates, observables)
