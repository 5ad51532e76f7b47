"""Chooses which outputs carry a signal and which its negative where sums invert, such that few have to be inverted."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

from analogflow.hardware.fitting.forms import ONE, Form
from analogflow.hardware.fitting.scaling import Scaled

__all__ = ["Polarity", "polarity"]

_MOST_TRIED = 6
"""Integrators up to which every choice of signs is tried."""


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


def polarity(scaled: Scaled) -> Polarity:
    """Signs of integrators by trial, and of summers as they come, so that few outputs have to be inverted."""
    held = scaled.couplings.of("integrator")
    trials = itertools.product((1, -1), repeat=len(held)) if len(held) <= _MOST_TRIED else [(1,) * len(held)]
    return min((_with(scaled, dict(zip(held, signs, strict=True))) for signs in trials), key=lambda p: len(p.inverted))


def _with(scaled: Scaled, signs: Mapping[int, int]) -> Polarity:
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
