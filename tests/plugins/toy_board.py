"""A board of another package, in one file."""

from __future__ import annotations

from analogflow.hardware import board_of

__all__ = ["BREADBOARD"]

BREADBOARD = board_of(
    "breadboard",
    {
        "title": "what is left in the drawer",
        "kind": "parts",
        "units": {"integrators": 4, "multipliers": 2, "summers": 6, "tables": 4},
        "largest_coefficient": 10.0,
        "coefficient_bits": 10,
        "rate_per_second": 1000.0,
        "machine_unit_volts": 5.0,
    },
)
