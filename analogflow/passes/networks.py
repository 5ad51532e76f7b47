"""Networks of resistors whose values are chosen together: what they compute are ratios.

Each network may be scaled as a whole, and of all scales the one is taken whose rounded values give the nearest ratios. Where
one value each would not do, two are in parallel.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import BipolarTransistor, Circuit, Instance, Resistor
from analogflow.circuit.values import nearest, neighbours
from analogflow.digits import SAME

__all__ = ["amplifier_values", "paired", "parallel", "ratios", "string_values", "tapped_strings"]


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

_SCALED = (-0.3, 1.0)
"""Decades by which the resistors of a network may be scaled together."""

_LENGTHS = (-0.3, 0.2)
"""Decades by which a string with taps may be scaled: what bases draw bends a long one, and a short one draws much."""

_RATES = (-0.01, 0.01)
"""Decades by which the legs of an integrator may be scaled, which makes that one state quicker or slower: a step of E96."""

_COMMON = 1.0
"""Weight of an error that all legs share: junctions are told apart by millivolts on top of 0.6 V."""

_TRIMMED = 1.5
"""Resistance, over that wanted, of the larger share of two in parallel at most: the other one is then three times it."""


def parallel(first: Any, second: Any) -> Any:
    """Resistance of two in parallel."""
    return 1 / (1 / first + 1 / second)


def paired(resistance: float, series: str) -> tuple[float, float]:
    """Two preferred values whose parallel connection is nearest to a resistance, the smaller one first."""
    first = np.unique(nearest(resistance * np.linspace(1.0, _TRIMMED, _SCALES), series))
    first = first[first > resistance * (1 + SAME)]
    second = nearest(1 / (1 / resistance - 1 / first), series)
    off = np.round(abs(parallel(first, second) / resistance - 1), _DECIMALS)
    best = int(off.argmin())
    return float(first[best]), float(second[best])


def amplifier_values(
    amplifier: Instance, charged: Set[tuple[str, ...]], at: Mapping[str, list[Resistor]], series: str, tolerance: float
) -> tuple[dict[str, float], dict[str, float], float]:
    """Values of the resistors at the inputs of one amplifier, of those `at` each node, and how far its gains are then off.

    Between the two are values of others in parallel, where one value each would leave a ratio off by more than `tolerance`.
    Those of capacitors are `charged`: where an integrator rests its legs cancel, and what their ratios are off stays. The
    distance is infinite where only ratios of legs were looked at, or nothing was.
    """
    plus, minus, output = amplifier.nodes
    if minus == output:  # a follower has no resistors of its own
        return {}, {}, math.inf
    legs = at[minus] if minus != "0" else []
    feedback = [e for e in legs if output in e.nodes]
    inverting = [e for e in legs if output not in e.nodes]
    other = at[plus] if plus != "0" else []
    if plus == "0" and (not feedback or (minus, output) in charged):
        return *_legs(legs, series, tolerance), math.inf
    if len(feedback) != 1 or not (inverting or other):
        return {}, {}, math.inf
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

    values, beside = min((_refined(start, total, series) for start in best), key=total), {}
    names = [e.name for e in (*first, *second)]
    if total(values) > tolerance:
        made, beside = _few_pairs(first, series, tolerance, _SCALED, output)
        others, more = _few_pairs(second, series, tolerance, _SCALED)
        made |= others
        beside |= more
        values = np.array([made[name] for name in names])
    realised = np.array([parallel(v, beside.get(name, math.inf)) for name, v in zip(names, values.tolist(), strict=True)])
    return dict(zip(names, values.tolist(), strict=True)), beside, total(realised)


def _few_pairs(
    legs: Sequence[Resistor], series: str, tolerance: float, decades: tuple[float, float], output: str = ""
) -> tuple[dict[str, float], dict[str, float]]:
    """Values of a network, scaled as a whole within `decades`, and of others in parallel to as few of them as may be.

    A ratio of two legs is off by no more than `tolerance`, but where one of them counts little. What is fed back from an
    amplifier's `output` counts. Of scales that need as few, that is taken which is nearest to 1.
    """
    if not legs:
        return {}, {}
    exact = np.array([e.resistance for e in legs])
    fed_back, grounded = (np.array([node in e.nodes for e in legs]) for node in (output, "0"))
    least = np.where(grounded, exact.min(), exact[~fed_back & ~grounded].min(initial=exact.max()))
    allowed = tolerance / 2 * np.where(fed_back, 1.0, np.maximum(1.0, _SMALL * exact / least))
    near = exact * 10.0 ** np.linspace(*decades, _SCALES)[:, None]
    scales = np.append((nearest(near, series) / exact).ravel(), 1.0)  # at each but the last some leg is one that is sold
    scales = scales[np.argsort(np.round(abs(np.log(scales)), _DECIMALS), kind="stable")]
    wanted = scales[:, None] * exact
    off = np.round(abs(nearest(wanted, series) / wanted - 1), _DECIMALS) > allowed
    best = int(off.sum(axis=1).argmin())
    values = {e.name: float(value) for e, value in zip(legs, nearest(wanted[best], series), strict=True)}
    pairs = {e.name: paired(float(wanted[best, k]), series) for k, e in enumerate(legs) if off[best, k]}
    return values | {name: first for name, (first, _) in pairs.items()}, {n: second for n, (_, second) in pairs.items()}


def _candidates(
    exact: Array, ratios: Callable[[Array], Array], series: str, decades: tuple[float, float] = _SCALED
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


def _legs(legs: Sequence[Resistor], series: str, tolerance: float) -> tuple[dict[str, float], dict[str, float]]:
    """Values of resistors whose currents add up at one node, and of others in parallel where it takes any."""
    single = ratios(legs, series, _RATES)
    factors = [single[e.name] / e.resistance for e in legs if e.name in single]
    if not factors or max(factors) / min(factors) - 1 <= tolerance:
        return single, {}
    return _few_pairs(legs, series, tolerance, _RATES)


def ratios(legs: Sequence[Resistor], series: str, decades: tuple[float, float] = _SCALED) -> dict[str, float]:
    """Values of nearest ratios, for the legs of an integrator: a common factor of these `decades` changes its rate alone."""
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


def tapped_strings(circuit: Circuit, at: Mapping[str, list[Resistor]]) -> list[list[Resistor]]:
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
            if len(string) > 1 and node in {*driven, "0"}:
                found.append(string)
    return found


def _far(resistor: Resistor, node: str) -> str:
    first, second = resistor.nodes
    return second if first == node else first


def string_values(string: Sequence[Resistor], series: str, tolerance: float) -> tuple[dict[str, float], dict[str, float]]:
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
    pairs = [paired(float(value), series) for value in exact]
    first, second = ({name: pair[k] for name, pair in zip(names, pairs, strict=True)} for k in (0, 1))
    return first, second
