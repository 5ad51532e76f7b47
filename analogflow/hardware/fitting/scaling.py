"""Brings a flow into machine units: every signal within its range, every coefficient within the board's.

Element k delivers Y = y/S. An integrator holds Ẏ = Σ w Y with w = λ c S_source/S, where 1/λ is by how much the flow is
slowed down. A port of a multiplier receives F = f/a, so that the scale of a product follows from those of its ports.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analogflow.digits import quiet, significant
from analogflow.hardware.fitting.couplings import Couplings
from analogflow.hardware.fitting.forms import ONE, Form, value_of

__all__ = ["MARGIN", "Reached", "Scaled", "reach", "scale", "unscaled"]

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


@dataclasses.dataclass(frozen=True, eq=False)
class Scaled:
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
) -> Scaled:
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
    return Scaled(couplings, scales, tuple(spans), tuple(weights), initial, slowing, sizes / scales)


def unscaled(couplings: Couplings) -> Scaled:
    """Couplings as if a flow unit were a machine unit: what can be counted where there is no run to scale to."""
    ports = tuple(element.ports for element in couplings.elements)
    spans = tuple((1.0,) * len(forms) for forms in ports)
    ones = np.ones(len(couplings.elements) + 1)
    initial = np.array([element.initial for element in couplings.elements])
    return Scaled(couplings, ones, spans, ports, initial, 1.0, ones)


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
