"""The translinear technology: transistors whose currents are the distribution, op-amps where voltages are integrated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from analogflow.circuit.circuit import Realisation
from analogflow.errors import NoCell
from analogflow.flows import Flow
from analogflow.passes import CHECK, CHOOSE, DEVICE_NOISE, FUSE, NOISE, REALISE, SPREAD, STABILISE, TRACE, TRIM, Brief, Pass
from analogflow.technology.part_sets import DEFAULT_PARTS
from analogflow.technology.start_up import START_UP
from analogflow.technology.technology import Technology
from analogflow.technology.translinear.capacity import capacity
from analogflow.technology.translinear.rate_distortion import rate_distortion
from analogflow.technology.translinear.transport import transport

__all__ = ["CARRY", "TRANSLINEAR", "builder_of", "realise"]

_CARRIED: dict[tuple[str, str], Callable[[Brief], Realisation]] = {
    ("capacity", "logdomain"): capacity,
    ("rate-distortion", "logarithmic"): rate_distortion,
    ("transport", "scaling"): transport,
}
"""Flows, by family and form, that emitter-coupled arrays carry."""


_REASONS = {
    "attention": "its scores are products of signals of either sign, and the currents of an array have one",
    "hopfield": "its sums have weights of either sign, and its states are no shares of a current",
    "langevin": "its states have either sign and no upper end, and are no shares of a current",
}
"""Why flows of a family are not carried."""


def builder_of(flow: Flow) -> Callable[[Brief], Realisation]:
    """What builds a flow; refused before anything is computed if nothing does.

    Raises
    ------
    NoCell
        The structure does not carry this flow.
    """
    build, why = _CARRIED.get((flow.family, flow.form)), _REASONS.get(flow.family, "")
    which = f"the {flow.family} flow in the form {flow.form!r}"
    if build is not None and "price" in flow.states:
        which, why = f"{which} with a cost", "its price multiplies signals"
    elif build is not None and "epsilon" in flow.states:
        which, why = f"{which} with a schedule", "ε is in its strings of resistors, which do not move"
    elif build is not None:
        return build
    known = ", ".join(f"{family} ({form})" for family, form in _CARRIED)
    raise NoCell(
        f"the technology {TRANSLINEAR.name!r} does not carry {which}{f', since {why}' if why else ''}; it carries: {known}. "
        "Take the technology 'opamp'."
    )


def _refused(brief: Brief) -> None:
    builder_of(brief.flow)


CARRY = Pass("carry", _refused, keeps_flow=False)
"""Refuses what the structure does not carry before anything is computed."""


def realise(brief: Brief) -> Realisation:
    """Build the flow from transistors.

    Raises
    ------
    NoCell
        The structure does not carry this flow.
    BadInput
        It would take areas of transistors, bases or resistors too far apart, or the supply is too low.
    """
    build = builder_of(brief.flow)
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
    passes=(CARRY, TRACE, CHECK, STABILISE, FUSE, NOISE, REALISE, CHOOSE, SPREAD, TRIM, DEVICE_NOISE, START_UP),
    parts=DEFAULT_PARTS,
    carries=dict(_CARRIED.keys()),
    summary="transistors in emitter-coupled arrays with preferred values, in ngspice",
)
"""Circuits of emitter-coupled arrays."""
