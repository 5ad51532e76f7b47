"""Volts at the wipers of the trimmers of a board; what they are joined to is in `analogflow.circuit.trimmers`."""

from __future__ import annotations

import dataclasses

__all__ = ["Trimmers"]


@dataclasses.dataclass(frozen=True)
class Trimmers:
    """Trimmers as they are set.

    Parameters
    ----------
    volts : tuple of (str, float)
        Node of an integrator, and volts at the wiper that trims it; empty of a board that has none.
    kelvin : float
        At which they were set.
    """

    volts: tuple[tuple[str, float], ...]
    kelvin: float
