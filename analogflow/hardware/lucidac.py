"""The configuration of a LUCIDAC, in the conventions of the vendor's own client, and what such a configuration computes.

Couplings are routed over the lanes of its crossbar: a lane takes one source, with one coefficient, to one sink. The
carrier's JSON is what ``set_circuit`` of lucipy takes: the matrices U (an output for each lane), C (a coefficient for each
lane), I (lanes for each input) and the block of integrators M0. REV1: integrators negate what drives them and their initial
condition, so that an output starts at −ic; multipliers do not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.hardware.boards import Board
from analogflow.hardware.couplings import ONE
from analogflow.hardware.machine import Machine, rounded
from analogflow.hardware.scaling import ScaledCouplings

__all__ = ["CONSTANT_OUTPUTS", "MULTIPLIER_OUTPUT", "Route", "configuration", "machine", "route"]

MULTIPLIER_OUTPUT = 8
"""Number of the first multiplier's output, and of its first input; before it are the integrators (REV1)."""

CONSTANT_OUTPUTS = (15, 14)
"""Output that carries the constant on lanes 0 to 15 and on lanes 16 to 31."""

_HALF = 16

Array = NDArray[np.float64]

_LANES, _ENDS, _INTEGRATORS, _MULTIPLIERS, _CONVERTERS = 32, 16, 8, 4, 8

_IDENTITIES = 4

_UPSCALED = 10.0
"""What the JSON's client, lucipy, multiplies an upscaled element by."""


@dataclasses.dataclass(frozen=True)
class Route:
    """A lane: from output `source`, 0 to 15, with `weight` to input `sink`, 0 to 15, in machine units.

    The weight is the one the lane is set to: integrators negate, so that it is minus the coefficient of the rate there.
    """

    lane: int
    source: int
    sink: int
    weight: float


def route(scaled: ScaledCouplings, board: Board) -> tuple[Route, ...]:
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
    import networkx

    graph = networkx.Graph()
    for k in range(len(wanted)):
        graph.add_edges_from((("coupling", k), ("lane", lane), {"weight": float(lane)}) for lane in lanes)
    rows = [("coupling", k) for k in range(len(wanted))]
    matched = networkx.bipartite.minimum_weight_full_matching(graph, top_nodes=rows) if wanted else {}
    taken = sorted(matched[row][1] for row in rows)
    # Equal costs leave the order open; the order of the couplings is the one a person can follow.
    return tuple(
        Route(lane, _output(source, lane, places, products), sink, weight)
        for lane, (source, sink, weight) in zip(taken, wanted, strict=True)
    )


def configuration(scaled: ScaledCouplings, board: Board) -> dict[str, Any]:
    """JSON of the carrier that computes `scaled`.

    Raises
    ------
    BadInput
        It does not fit.

    References
    ----------
    github.com/anabrid/lucipy (2025), circuits.py: ``Routing.generate``, ``MIntBlock.generate``, ``Circuit.generate``;
    simulator.py: ``Simulation.rhs`` and ``Simulation.solve_ivp``, which start the output of an integrator at −ic.
    """
    routes = route(scaled, board)
    integrators = scaled.couplings.of("integrator")
    constant = any(ONE in form for ports in scaled.weights for form in ports)
    # 0.0 − x, not −x: a start of 0 is written 0.0.
    starts = [*(0.0 - float(scaled.initial[k]) for k in integrators), *[0.0] * (_INTEGRATORS - len(integrators))]
    rate = board.rate_per_second.value
    rate = int(rate) if rate.is_integer() else rate
    carrier: dict[str, Any] = {
        "/0": {
            "/U": {"outputs": _per_lane({r.lane: r.source for r in routes}, None), "constant": constant},
            "/C": {"elements": _per_lane({r.lane: _element(r) for r in routes}, 0.0)},
            "/I": {
                "outputs": [[r.lane for r in routes if r.sink == sink] for sink in range(_ENDS)],
                "upscaling": _per_lane({r.lane: abs(r.weight) > 1 for r in routes}, False),
            },
            "/M0": {"elements": [{"k": rate, "ic": start} for start in starts]},
            "/M1": {},
        },
        "adc_channels": [k if k < len(integrators) else None for k in range(_CONVERTERS)],
    }
    return carrier


def machine(
    carrier: Mapping[str, Any], *, rate_per_second: float = 10_000.0, bits: int | None = None, range_step: float = 8.0
) -> Machine:
    """What a carrier's configuration computes, with coefficients and starts of so many bits; exact if None.

    Parameters
    ----------
    carrier : mapping
        As `configuration` returns it or lucipy generates it.
    rate_per_second : float
        k0 that the machine's time is counted in; integrators with another k are so much faster or slower.
    bits : int, optional
    range_step : float
        What an upscaled lane multiplies by on the device, whose converter's grid is therefore so many times as coarse there;
        in the JSON an upscaled element is a tenth of its weight whatever the device.

    Raises
    ------
    BadInput
        A part of it is missing, a matrix has another shape than the vendor's, or the front panel drives a lane.
    """
    try:
        cluster = carrier["/0"]
        sources, elements = cluster["/U"]["outputs"], cluster["/C"]["elements"]
        sinks, upscaling = cluster["/I"]["outputs"], cluster["/I"]["upscaling"]
        settings = cluster["/M0"]["elements"]
    except (KeyError, TypeError) as fault:
        raise BadInput(f"carrier: {fault} is missing; give what `configuration` returns or lucipy generates.") from fault
    if (len(sources), len(elements), len(upscaling), len(sinks)) != (_LANES, _LANES, _LANES, _ENDS):
        raise BadInput(f"carrier: U, C and I must have {_LANES} lanes and {_ENDS} inputs.")
    if "external" in carrier.get("acl_select", ()):
        raise BadInput(
            "carrier: a lane is driven from the front panel, whose signal is not in the configuration; leave it out."
        )
    matrix, constant = np.zeros((_ENDS, _ENDS)), np.zeros(_ENDS)
    level = float(cluster["/U"].get("constant") or 0.0)
    for sink, lanes in enumerate(sinks):
        for lane in lanes or ():
            full = range_step if upscaling[lane] else 1.0
            weight = rounded(float(elements[lane]) * (_UPSCALED if upscaling[lane] else 1.0), bits, full)
            if level and sources[lane] == CONSTANT_OUTPUTS[lane >= _LANES // 2]:
                constant[sink] += weight * level
            elif sources[lane] is not None:
                matrix[sink, sources[lane]] += weight
    speeds = np.array([setting["k"] for setting in settings], dtype=float) / rate_per_second
    products = slice(MULTIPLIER_OUTPUT, MULTIPLIER_OUTPUT + _MULTIPLIERS)
    identities = slice(_ENDS - _IDENTITIES, _ENDS)

    def received(outputs: Array) -> Array:
        ends = np.zeros(_ENDS)
        ends[:_INTEGRATORS] = outputs
        # Products and identities may follow one another, but not in a circle: after as many sweeps all have settled.
        for _ in range(_MULTIPLIERS + _IDENTITIES):
            inputs = (matrix @ ends + constant)[MULTIPLIER_OUTPUT:]
            before = ends.copy()
            ends[products] = inputs.reshape(_MULTIPLIERS, 2).prod(axis=1)
            # The other outputs of the block repeat its first inputs.
            ends[identities] = inputs[:_IDENTITIES]
            if np.array_equal(before, ends):
                break
        return matrix @ ends + constant

    def signals(outputs: Array) -> dict[str, float]:
        factors = received(outputs)[MULTIPLIER_OUTPUT:]
        found = {f"INT{k}": float(value) for k, value in enumerate(outputs)}
        found |= {f"MUL{k // 2}.{'ab'[k % 2]}": float(value) for k, value in enumerate(factors)}
        return found | {f"MUL{k}": float(factors[2 * k] * factors[2 * k + 1]) for k in range(_MULTIPLIERS)}

    starts = np.array([0.0 - rounded(float(setting["ic"]), bits) for setting in settings])
    return Machine(starts, lambda outputs: -speeds * received(outputs)[:_INTEGRATORS], signals)


def _output(source: int, lane: int, places: dict[int, int], products: dict[int, int]) -> int:
    if source == ONE:
        return CONSTANT_OUTPUTS[lane >= _HALF]
    number = source - 1
    return places[number] if number in places else MULTIPLIER_OUTPUT + products[number]


def _element(lane: Route) -> float:
    return lane.weight / _UPSCALED if abs(lane.weight) > 1 else lane.weight


def _per_lane(values: Mapping[int, Any], default: Any) -> list[Any]:
    return [values.get(lane, default) for lane in range(_LANES)]
