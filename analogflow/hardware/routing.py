"""Routes couplings over the lanes of a crossbar: a lane takes one source, with one coefficient, to one sink."""

from __future__ import annotations

import dataclasses

import networkx as nx

from analogflow.errors import BadInput
from analogflow.hardware.boards import Board
from analogflow.hardware.fitting import ONE
from analogflow.hardware.fitting.scaling import Scaled

__all__ = ["CONSTANT_OUTPUTS", "FRONT_PANEL", "MULTIPLIER_OUTPUT", "Route", "route"]

MULTIPLIER_OUTPUT = 8
"""Number of the first multiplier's output, and of its first input; before it are the integrators (REV1)."""

CONSTANT_OUTPUTS = (15, 14)
"""Output that carries the constant on lanes 0 to 15 and on lanes 16 to 31."""

FRONT_PANEL = 24
"""First of the lanes that the front panel can use: they are taken last."""

_HALF = 16


@dataclasses.dataclass(frozen=True)
class Route:
    """A lane: from output `source`, 0 to 15, with `weight` to input `sink`, 0 to 15, in machine units.

    The weight is the one the lane is set to: integrators negate, so that it is minus the coefficient of the rate there.
    """

    lane: int
    source: int
    sink: int
    weight: float


def route(scaled: Scaled, board: Board) -> tuple[Route, ...]:
    """Give every coupling a lane that works, the lowest first; the front panel's are taken last.

    Raises
    ------
    BadInput
        There are more couplings than lanes, or elements than places.

    Notes
    -----
    An assignment problem: couplings on one side, working lanes on the other, and the number of a lane as its cost.
    """
    couplings = scaled.couplings
    places = {number: k for k, number in enumerate(couplings.of("integrator"))}
    products = {number: k for k, number in enumerate(couplings.of("multiplier"))}
    faults = [
        f"{len(found)} {name} for {board.has[name]}"
        for name, found in (("integrators", places), ("multipliers", products))
        if len(found) > board.has[name]
    ]
    wanted: list[tuple[int, int, float]] = []
    for number, ports in enumerate(scaled.weights):
        for p, form in enumerate(ports):
            sink = places[number] if number in places else MULTIPLIER_OUTPUT + 2 * products[number] + p
            sign = -1.0 if number in places else 1.0
            wanted += [(source, sink, sign * float(weight)) for source, weight in form.items()]
    lanes = [lane for lane in range(int(board.units["lanes"].value)) if lane not in board.broken_lanes]
    if len(wanted) > len(lanes):
        faults.append(f"{len(wanted)} couplings for {len(lanes)} lanes")
    if faults:
        raise BadInput(f"{board.title} can not hold {', '.join(faults)}; ask whether a flow fits before it is routed.")
    graph = nx.Graph()
    for k in range(len(wanted)):
        graph.add_edges_from((("coupling", k), ("lane", lane), {"weight": float(lane)}) for lane in lanes)
    rows = [("coupling", k) for k in range(len(wanted))]
    matched = nx.bipartite.minimum_weight_full_matching(graph, top_nodes=rows) if wanted else {}
    taken = sorted(matched[row][1] for row in rows)
    # Equal costs leave the order open; the order of the couplings is the one a person can follow.
    return tuple(
        Route(lane, _output(source, lane, places, products), sink, weight)
        for lane, (source, sink, weight) in zip(taken, wanted, strict=True)
    )


def _output(source: int, lane: int, places: dict[int, int], products: dict[int, int]) -> int:
    if source == ONE:
        return CONSTANT_OUTPUTS[lane >= _HALF]
    number = source - 1
    return places[number] if number in places else MULTIPLIER_OUTPUT + products[number]
