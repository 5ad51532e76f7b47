"""Brings a flow into machine units: signals within their range, coefficients within the board's and close to its grid.

Element k delivers Y = y/S. An integrator holds Ẏ = Σ w Y with w = λ c S_source/S, where 1/λ is by how much the flow is
slowed down. A port of a multiplier receives F = f/a, so that the scale of a product follows from those of its ports. Where
sums invert, an output may carry the negative of its signal.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.digits import quiet, significant
from analogflow.hardware.couplings import FUNCTIONS, ONE, Couplings, Form, value_of
from analogflow.hardware.machine import decade, rounded

__all__ = ["MARGIN", "Polarity", "Reached", "ScaledCouplings", "finer", "polarity", "reach", "scale", "turned", "unscaled"]

Array = NDArray[np.float64]

MARGIN = 0.8
"""Share of a machine unit that the largest value of a signal fills."""

_TENS_OF_INTEGRATOR, _TENS_OF_SUMMER = 2, 3
"""Inputs of weight 10 where coefficients are patched: no more coefficients of a sum may exceed 1."""

_DIGITS = 6
"""Of the size of a signal, rounded up: the further ones of a run hang on its steps and on the processor."""

_UPWARDS = 0.5 * 10.0 ** (1 - _DIGITS)

_SMALLEST = 1e-9
"""Share of the largest state: a signal that stays below is what rounding left of 0, and scaled as if it reached this.

Where all states stay at 0, every signal is scaled as if it reached 1, since coefficients of a board will not leave it there.
"""

_MOST_TRIED = 6
"""Integrators up to which every choice of signs is tried."""

_SPEEDS = 60

_SLOWEST = 0.2
"""Largest coefficient of the slowest machine that is tried: slower ones take long, and drift."""

_TRIALS = 480

_WIDEST = 1.3
"""By how much an amplitude may be larger than the signal asks for."""

_BETTER = 1e-6
"""By how much a trial has to be better: rounding must not decide."""

_SEEN = 60
"""Points of the nominal run at which rates are compared."""


@dataclasses.dataclass(frozen=True, eq=False)
class ScaledCouplings:
    """Couplings in machine units.

    Parameters
    ----------
    couplings : Couplings
        In flow units.
    scales : array, shape (elements + 1,)
        S of each source, flow units per machine unit; 1 for the constant.
    spans : tuple of tuple of float
        a of each port of each element, flow units; λ⁻¹S for integrators.
    weights : tuple of tuple of Form
        Coefficients of each port in machine units.
    initial : array, shape (elements,)
        Start of each integrator in machine units.
    slowing : float
        λ: time of the flow, in τ, that passes in one 1/k0 of the machine.
    largest : array, shape (elements + 1,)
        Largest |Y| of each source along the nominal run.
    """

    couplings: Couplings
    scales: Array
    spans: tuple[tuple[float, ...], ...]
    weights: tuple[tuple[Form, ...], ...]
    initial: Array
    slowing: float
    largest: Array

    def coefficients(self) -> Array:
        """Every coefficient, one after another."""
        return np.array([w for ports in self.weights for form in ports for w in form.values()])


@dataclasses.dataclass(frozen=True, eq=False)
class Reached:
    """How far couplings go along a run: what every scaling of them begins with.

    Parameters
    ----------
    sources : array, shape (elements + 1,)
        Largest |value| of each source.
    ports : tuple of tuple of float
        The same of each port of each element but integrators.
    smallest : float
        What a signal that stays below is scaled as if it reached.
    """

    sources: Array
    ports: tuple[tuple[float, ...], ...]
    smallest: float


def reach(couplings: Couplings, states: Array) -> Reached:
    """How far `couplings` go along nominal `states`, shape (points, integrators)."""
    values = couplings.values(states)
    smallest = _SMALLEST * float(abs(states).max(initial=0.0)) or 1.0
    ports = tuple(
        () if element.kind == "integrator" else tuple(float(abs(value_of(form, values)).max()) for form in element.ports)
        for element in couplings.elements
    )
    return Reached(np.array([float(abs(value).max()) for value in values]), ports, smallest)


def scale(
    couplings: Couplings,
    along: Array | Reached,
    largest_coefficient: float,
    *,
    whole: bool = False,
    stretch: Mapping[int, float] | None = None,
    speed: float = 1.0,
) -> ScaledCouplings:
    """Scale `couplings` to what they reach.

    Parameters
    ----------
    couplings : Couplings
    along : array, shape (points, integrators), or Reached
        Nominal states, or how far the couplings go along them.
    largest_coefficient : float
        The flow is slowed down, and ports are weakened, until no coefficient exceeds it.
    whole : bool
        Whether ports and speed are chosen such that as many coefficients as possible are 1 or 10, which cost nothing where
        a coefficient is a potentiometer; otherwise such that signals are as large as can be, and the largest coefficient
        of an integrator is from 1 to `largest_coefficient`.
    stretch : mapping of element to number of 1 or more, optional
        By how much an integrator's scale is larger than its range asks for.
    speed : float
        By how much the machine is faster than it would be; slower if less than 1.
    """
    reached = along if isinstance(along, Reached) else reach(couplings, along)
    smallest, sizes = reached.smallest, reached.sources
    scales = np.ones(len(couplings.elements) + 1)
    spans: list[tuple[float, ...]] = []
    weights: list[tuple[Form, ...]] = []
    for k, element in enumerate(couplings.elements):
        if element.kind == "integrator":
            scales[k + 1] = _upwards(sizes[k + 1], smallest) / MARGIN * (stretch or {}).get(k, 1.0)
    for k, element in enumerate(couplings.elements):
        if element.kind == "integrator":
            spans.append((scales[k + 1],))
            continue
        ports = tuple(
            _span(form, scales, _upwards(size, smallest), largest_coefficient, whole)
            for form, size in zip(element.ports, reached.ports[k], strict=True)
        )
        spans.append(ports)
        # A comparator that is patched passes what it receives, or a whole machine unit.
        if element.kind == "multiplier" or (whole and element.kind == "positive_part"):
            scales[k + 1] = float(np.prod(ports))
        else:
            scales[k + 1] = 1.0 if whole and element.kind == "step" else _upwards(sizes[k + 1], smallest) / MARGIN
    for element, ports in zip(couplings.elements, spans, strict=True):
        weights.append(
            tuple(
                {s: significant(c * scales[s] / span) for s, c in form.items()}
                for form, span in zip(element.ports, ports, strict=True)
            )
        )
    driving = [sorted((abs(w) for w in weights[k][0].values()), reverse=True) for k in couplings.of("integrator")]
    slowing = speed * _slowing(driving, largest_coefficient, whole)
    for k in couplings.of("integrator"):
        weights[k] = ({s: significant(slowing * w) for s, w in weights[k][0].items()},)
        spans[k] = (spans[k][0] / slowing,)
    starts = quiet([element.initial for element in couplings.elements], scales[1:]) / scales[1:]
    initial = np.array([significant(start) for start in starts])
    return ScaledCouplings(couplings, scales, tuple(spans), tuple(weights), initial, slowing, sizes / scales)


def unscaled(couplings: Couplings) -> ScaledCouplings:
    """Couplings as if a flow unit were a machine unit: what can be counted where there is no run to scale to."""
    ports = tuple(element.ports for element in couplings.elements)
    spans = tuple((1.0,) * len(forms) for forms in ports)
    ones = np.ones(len(couplings.elements) + 1)
    initial = np.array([element.initial for element in couplings.elements])
    return ScaledCouplings(couplings, ones, spans, ports, initial, 1.0, ones)


@dataclasses.dataclass(frozen=True, eq=False)
class Polarity:
    """Signs of outputs, and what inverting sums receive.

    Parameters
    ----------
    outputs : mapping of source to ±1
        −1 where the output is the negative of the signal.
    sums : mapping of (element, port) to Form
        What an inverting sum receives of the outputs: an integrator, or a summer before a multiplier's port. A negative
        coefficient is one that needs the inverted output.
    wires : mapping of (element, port) to (source, coefficient)
        What a port receives that needs no sum.
    inverted : frozenset of int
        Sources whose inverted output is needed.
    """

    outputs: Mapping[int, int]
    sums: Mapping[tuple[int, int], Form]
    wires: Mapping[tuple[int, int], tuple[int, float]]
    inverted: frozenset[int]


def polarity(scaled: ScaledCouplings) -> Polarity:
    """Signs of integrators by trial, and of summers as they come, so that few outputs have to be inverted."""
    held = scaled.couplings.of("integrator")
    trials = itertools.product((1, -1), repeat=len(held)) if len(held) <= _MOST_TRIED else [(1,) * len(held)]
    return min((_with(scaled, dict(zip(held, signs, strict=True))) for signs in trials), key=lambda p: len(p.inverted))


def finer(
    couplings: Couplings, states: Array, largest_coefficient: float, bits: int, step: float = 10.0
) -> tuple[ScaledCouplings, ...]:
    """Scalings of `couplings` along nominal `states` whose rounded coefficients turn the rates least, of about 540 tried.

    The best is first; after it each that was the best until then, for what turns the rates least on the whole may still be
    off at one time. Speeds are tried in a row, then amplitudes by chance, from a fixed seed. Signals may be smaller by a
    factor of 1.3.
    """
    seen = states[np.unique(np.linspace(0, len(states) - 1, _SEEN).astype(int))]
    reached = reach(couplings, states)
    plain = scale(couplings, reached, largest_coefficient)
    fastest = max((abs(w) for k in couplings.of("integrator") for w in plain.weights[k][0].values()), default=1.0)
    speeds = [*np.geomspace(_SLOWEST, largest_coefficient, _SPEEDS), 1.0, largest_coefficient]
    best, least, speed = [plain], turned(plain, seen, bits, step), 1.0
    for trial in (float(wanted) / fastest for wanted in speeds):
        scaled = scale(couplings, reached, largest_coefficient, speed=trial)
        cost = turned(scaled, seen, bits, step)
        if cost < least * (1 - _BETTER):
            least, speed = cost, trial
            best.insert(0, scaled)
    random = np.random.default_rng(1)
    stretch = dict.fromkeys(couplings.of("integrator"), 1.0)
    for _ in range(_TRIALS):
        chosen = {k: float(random.uniform(1.0, _WIDEST)) if random.random() < 0.5 else v for k, v in stretch.items()}
        trial = speed * float(random.uniform(0.8, 1.25))
        scaled = scale(couplings, reached, largest_coefficient, stretch=chosen, speed=trial)
        cost = turned(scaled, seen, bits, step)
        if abs(scaled.coefficients()).max(initial=0.0) <= largest_coefficient * (1 + 1e-12) and cost < least * (1 - _BETTER):
            least, speed, stretch = cost, trial, chosen
            best.insert(0, scaled)
    return tuple(best)


def turned(scaled: ScaledCouplings, states: Array, bits: int, step: float = 10.0) -> float:
    """By how much coefficients of so many bits turn the rates along `states`, to first order: r.m.s., per τ.

    They are set in ranges of ±1, ±`step` and so on.
    """
    couplings = scaled.couplings
    values = [value / size for value, size in zip(couplings.values(states), scaled.scales, strict=True)]
    errors = [np.zeros_like(values[0]) for _ in values]

    def off(form: Form) -> Array:
        total = np.zeros_like(values[0])
        for source, weight in form.items():
            total = total + (rounded(weight, bits, decade(weight, step)) - weight) * values[source] + weight * errors[source]
        return total

    def received(form: Form) -> Array:
        return value_of(form, values)

    for k, element in enumerate(couplings.elements):
        if element.kind == "multiplier":
            a, b = scaled.weights[k]
            errors[k + 1] = off(a) * received(b) + received(a) * off(b)
        elif element.kind in FUNCTIONS:
            span, size, x, step = scaled.spans[k][0], scaled.scales[k + 1], received(scaled.weights[k][0]), 1e-6
            ahead, behind = (FUNCTIONS[element.kind](span * (x + d)) / size for d in (step, -step))
            errors[k + 1] = off(scaled.weights[k][0]) * (ahead - behind) / (2 * step)
    rates = np.array([off(scaled.weights[k][0]) for k in couplings.of("integrator")]) / scaled.slowing
    return float(np.sqrt((rates**2).sum(axis=0).mean()))


def _upwards(size: float, smallest: float) -> float:
    return max(significant(size * (1 + _UPWARDS), _DIGITS), smallest)


def _span(form: Form, scales: Array, size: float, most: float, whole: bool) -> float:
    """Scale of a port that receives up to `size`: signals fill their range, and no coefficient is above `most`."""
    reached = [abs(c) * scales[source] for source, c in form.items()]
    least = max([size / MARGIN, *(part / most for part in reached)])
    if not whole:
        return least
    least = max([least, *sorted(reached, reverse=True)[_TENS_OF_SUMMER:]])
    if len(reached) == 1 and ONE not in form:
        return reached[0]
    fitting = [span for part in reached for span in (part, part / 10) if span >= least * (1 - 1e-12)]
    return min(fitting, default=least)


def _slowing(driving: list[list[float]], most: float, whole: bool) -> float:
    every = [w for weights in driving for w in weights]
    largest = max(every, default=1.0)
    if not whole:
        return min(most, max(largest, 1.0)) / largest
    limits = [1 / w for weights in driving for w in weights[_TENS_OF_INTEGRATOR:]]
    fastest = min([most / largest, *limits])
    trials = [v / w for w in every for v in (1.0, 10.0) if 1e-3 * fastest <= v / w <= fastest * (1 + 1e-12)]

    def plain(trial: float) -> tuple[int, float]:
        return sum(any(abs(trial * w / v - 1) < 1e-9 for v in (1.0, 10.0)) for w in every), trial

    return max(trials, key=plain, default=fastest)


def _with(scaled: ScaledCouplings, signs: Mapping[int, int]) -> Polarity:
    outputs = {ONE: 1} | {k + 1: sign for k, sign in signs.items()}
    sums: dict[tuple[int, int], Form] = {}
    wires: dict[tuple[int, int], tuple[int, float]] = {}
    inverted: set[int] = set()
    for k, ports in enumerate(scaled.weights):
        if k in signs:
            continue
        total = 1
        for p, form in enumerate(ports):
            sign = 1
            if len(form) == 1 and ONE not in form:
                (source, weight), *_ = form.items()
                sign = outputs[source] * (1 if weight > 0 else -1)
                wires[k, p] = source, abs(weight)
            else:
                choices = {trial: _received(form, outputs, trial) for trial in (1, -1)}
                sign = min(choices, key=lambda trial: len(_negative(choices[trial]) - inverted))
                sums[k, p] = choices[sign]
                inverted |= _negative(choices[sign])
            total *= sign
        outputs[k + 1] = total
    for k, sign in signs.items():
        sums[k, 0] = _received(scaled.weights[k][0], outputs, sign)
        inverted |= _negative(sums[k, 0])
    return Polarity(outputs, sums, wires, frozenset(inverted))


def _received(form: Form, outputs: Mapping[int, int], sign: int) -> Form:
    """What an inverting sum whose result is to have this sign receives of the outputs."""
    return {source: -sign * outputs[source] * weight for source, weight in form.items()}


def _negative(form: Form) -> set[int]:
    return {source for source, weight in form.items() if weight < 0 and source != ONE}
