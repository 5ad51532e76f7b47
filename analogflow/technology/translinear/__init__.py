"""The translinear technology: transistors whose currents are the distribution, op-amps where voltages are integrated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from analogflow.circuit.circuit import Realisation
from analogflow.errors import NoCell
from analogflow.passes import CHECK, CHOOSE, DEVICE_NOISE, FUSE, NOISE, REALISE, SPREAD, STABILISE, TRACE, Brief
from analogflow.technology.part_sets import DEFAULT_PARTS
from analogflow.technology.technology import Technology
from analogflow.technology.translinear.capacity import capacity
from analogflow.technology.translinear.rate_distortion import rate_distortion
from analogflow.technology.translinear.transport import transport

__all__ = ["TRANSLINEAR", "realise"]

_CARRIED: dict[tuple[str, str], Callable[[Brief], Realisation]] = {
    ("capacity", "logdomain"): capacity,
    ("rate-distortion", "logarithmic"): rate_distortion,
    ("transport", "scaling"): transport,
}
"""Flows, by family and form, that emitter-coupled arrays carry."""


def realise(brief: Brief) -> Realisation:
    """Build the flow from transistors.

    Raises
    ------
    NoCell
        The structure does not carry this flow.
    BadInput
        It would take areas of transistors, or resistors, in too large a ratio, or the supply is too low.
    """
    flow = brief.flow
    build = _CARRIED.get((flow.family, flow.form))
    if build is None or "price" in flow.states:
        known = ", ".join(f"{family} ({form})" for family, form in _CARRIED)
        raise NoCell(
            f"the technology {TRANSLINEAR.name!r} does not carry the {flow.family} flow in the form {flow.form!r}"
            f"{' with a cost' if build else ''}; it carries: {known}. Take the technology 'opamp'."
        )
    realised = build(brief)
    kinds = [element.letter for group in realised.groups for element in group.elements]
    note = (
        f"{kinds.count('Q')} transistors, {kinds.count('X')} op-amps {brief.parts.op_amp.name}, "
        f"{kinds.count('R')} resistors; τ = RC is {realised.units.time_constant:g} s"
    )
    return dataclasses.replace(realised, note=note)


TRANSLINEAR = Technology(
    name="translinear",
    realise=realise,
    passes=(TRACE, CHECK, STABILISE, FUSE, NOISE, REALISE, CHOOSE, SPREAD, DEVICE_NOISE),
    parts=DEFAULT_PARTS,
    carries=dict(_CARRIED.keys()),
    summary="transistors in emitter-coupled arrays with preferred values, in ngspice",
)
"""Circuits of emitter-coupled arrays."""
