"""Chooses speed and amplitudes such that the coefficients a board can be set to lie close to those that are wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analogflow.hardware.fitting.couplings import FUNCTIONS, Couplings
from analogflow.hardware.fitting.forms import Form, value_of
from analogflow.hardware.fitting.machine import decade, rounded
from analogflow.hardware.fitting.scaling import Scaled, reach, scale

__all__ = ["finer", "turned"]

Array = NDArray[np.float64]

_SPEEDS = 60
_SLOWEST = 0.2
"""Largest coefficient of the slowest machine that is tried: slower ones take long, and drift."""

_TRIALS = 240
_WIDEST = 1.3
"""By how much an amplitude may be larger than the signal asks for."""

_BETTER = 1e-6
"""By how much a trial has to be better: rounding must not decide."""

_SEEN = 60
"""Points of the nominal run at which rates are compared."""


def finer(couplings: Couplings, states: Array, largest_coefficient: float, bits: int) -> tuple[Scaled, ...]:
    """Scalings of `couplings` along nominal `states` whose rounded coefficients turn the rates least, of about 300 tried.

    The best is first; after it each that was the best until then, for what turns the rates least on the whole may still be
    off at one time. Speeds are tried in a row, then amplitudes by chance, from a fixed seed. Signals may be smaller by a
    factor of 1.3.
    """
    seen = states[np.unique(np.linspace(0, len(states) - 1, _SEEN).astype(int))]
    reached = reach(couplings, states)
    plain = scale(couplings, reached, largest_coefficient)
    fastest = max((abs(w) for k in couplings.of("integrator") for w in plain.weights[k][0].values()), default=1.0)
    speeds = [*np.geomspace(_SLOWEST, largest_coefficient, _SPEEDS), 1.0, largest_coefficient]
    best, least, speed = [plain], turned(plain, seen, bits), 1.0
    for trial in (float(wanted) / fastest for wanted in speeds):
        scaled = scale(couplings, reached, largest_coefficient, speed=trial)
        cost = turned(scaled, seen, bits)
        if cost < least * (1 - _BETTER):
            least, speed = cost, trial
            best.insert(0, scaled)
    random = np.random.default_rng(1)
    stretch = dict.fromkeys(couplings.of("integrator"), 1.0)
    for _ in range(_TRIALS):
        chosen = {k: float(random.uniform(1.0, _WIDEST)) if random.random() < 0.5 else v for k, v in stretch.items()}
        trial = speed * float(random.uniform(0.8, 1.25))
        scaled = scale(couplings, reached, largest_coefficient, stretch=chosen, speed=trial)
        cost = turned(scaled, seen, bits)
        if abs(scaled.coefficients()).max(initial=0.0) <= largest_coefficient * (1 + 1e-12) and cost < least * (1 - _BETTER):
            least, speed, stretch = cost, trial, chosen
            best.insert(0, scaled)
    return tuple(best)


def turned(scaled: Scaled, states: Array, bits: int) -> float:
    """By how much coefficients of so many bits turn the rates along `states`, to first order: r.m.s., per τ."""
    couplings = scaled.couplings
    values = [value / size for value, size in zip(couplings.values(states), scaled.scales, strict=True)]
    errors = [np.zeros_like(values[0]) for _ in values]

    def off(form: Form) -> Array:
        total = np.zeros_like(values[0])
        for source, weight in form.items():
            total = total + (rounded(weight, bits, decade(weight)) - weight) * values[source] + weight * errors[source]
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
