"""Bits beside nats, wherever a person reads nats."""

from __future__ import annotations

import math

__all__ = ["beside_nats", "in_bits", "said_in_nats"]


def in_bits(nats: float) -> float:
    """The same amount of information in bits."""
    return nats / math.log(2)


def beside_nats(nats: float, form: str) -> str:
    """What stands behind a number of nats: the unit, and the same in bits, in the format `form`."""
    return f"nat = {in_bits(nats):{form}} bit"


def said_in_nats(unit: str) -> str:
    """A unit as a note gives it, with how many bits it is where it is the nat."""
    return f"{unit} (1 nat = {in_bits(1):.4f} bit)" if unit in ("nat", "nats") else unit
