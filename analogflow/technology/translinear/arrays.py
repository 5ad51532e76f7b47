"""Emitter-coupled arrays: transistors with one emitter node, whose currents are shares of its tail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit.build import PartSet
from analogflow.circuit.elements import BipolarTransistor, Element, VoltageSource
from analogflow.errors import BadInput

__all__ = ["LARGEST_RATIO", "array", "check_areas"]

LARGEST_RATIO = 1e6
"""Largest ratio of areas in one array: 14 nats, or 0.36 V between bases where areas are made by base voltages."""


def array(
    name: str,
    emitter: str,
    bases: Sequence[str],
    areas: NDArray[np.float64],
    collector: str,
    parts: PartSet,
    *,
    metered: bool = False,
) -> Iterator[Element]:
    """Transistors of one array; collector k is the node `collector` + k, through an ammeter `name` + k if `metered`."""
    for k, (base, area) in enumerate(zip(bases, areas, strict=True)):
        node = f"{collector}{k}"
        inner = f"{name}c{k}" if metered else node
        yield BipolarTransistor(f"{name}{k}", (inner, base, emitter), parts.npn.name, float(area))
        if metered:
            yield VoltageSource(f"{name}{k}", (node, inner), 0.0)


def check_areas(kernel: NDArray[np.float64], what: str, cause: str) -> None:
    """Refuse a kernel, shape (arrays, transistors), with a row whose areas are in too large a ratio.

    Raises
    ------
    BadInput
        With the row and the ratio.
    """
    ratios = kernel.max(axis=1) / np.maximum(kernel.min(axis=1), 1e-300)
    worst = int(ratios.argmax())
    if ratios[worst] > LARGEST_RATIO:
        raise BadInput(
            f"the array of {what} {worst} needs areas in a ratio of {ratios[worst]:.2g} to 1; {LARGEST_RATIO:.0e} is the "
            f"most, which is {np.log(LARGEST_RATIO):.0f} nats of {cause}. Take a smaller range, or the technology 'opamp'."
        )
