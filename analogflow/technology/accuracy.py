"""How near circuits of nominal parts come: what their junctions and products are off, added up."""

from __future__ import annotations

import math

from analogflow.circuit.build import PartSet, thermal_voltage

__all__ = ["junction_error", "products_error"]


def junction_error(parts: PartSet, current: float, temperature: float) -> float:
    """Nats that a junction is off its logarithm where `current` is the largest: what its resistances add, over kT/q.

    Currents go from 0 to there, and what is common to all junctions cancels, so that half of it counts; of the two
    polarities the larger. The resistance of the base is divided by the current gain.
    """
    models = [dict(model.parameters) for model in (parts.npn, parts.pnp)]
    ohms = max(model.get("re", 0.0) + model.get("rb", 0.0) / model.get("bf", 100.0) for model in models)
    return current / 2 * ohms / thermal_voltage(temperature)


def products_error(parts: PartSet, count: int) -> float:
    """Machine units that `count` multipliers are off together: their nonlinearity, with signs of their own."""
    return parts.multiplier.nonlinearity * math.sqrt(count)
