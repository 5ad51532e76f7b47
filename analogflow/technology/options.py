"""What may be said of a circuit's parts: which options each technology heeds, and their temperature in kelvin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analogflow.blocks.imperfections import NOMINAL_TEMPERATURE
from analogflow.errors import BadInput

__all__ = ["celsius_of", "kelvin_of", "refuse_idle"]

_FREEZING = 273.15
_COLDEST, _HOTTEST = -100.0, 200.0
"""°C that a circuit could be at."""

_HEEDED: Mapping[str, tuple[str, ...]] = {
    "ideal": ("scaled",),
    "opamp": ("parts", "temperature_celsius", "loop_delay"),
    "translinear": ("parts", "temperature_celsius"),
}
_WHY = {
    "parts": "which has no parts",
    "temperature_celsius": "which has no parts; the temperature of its junctions is an imperfection, in kelvin",
    "loop_delay": "which chooses its time constant without it",
    "scaled": "which has scales of its own",
}


def refuse_idle(technology: str, given: Mapping[str, Any]) -> None:
    """Refuse options that `technology` would not heed.

    Parameters
    ----------
    technology : str
    given : mapping of name to value
        Options; None, and False, is one that was not given.

    Raises
    ------
    BadInput
        An option was given that decides nothing.
    """
    for name, value in given.items():
        if value is None or value is False or name in _HEEDED.get(technology, tuple(given)):
            continue
        others = [repr(other) for other, heeded in _HEEDED.items() if name in heeded]
        raise BadInput(
            f"{name} has no effect in the technology {technology!r}, {_WHY[name]}; leave it out, or take "
            f"{' or '.join(others)}."
        )


def kelvin_of(temperature_celsius: float | None) -> float:
    """Kelvin of a temperature in °C; 300.15 if none is given.

    Raises
    ------
    BadInput
        It is none that a circuit could be at.
    """
    value = temperature_celsius
    if value is None:
        return NOMINAL_TEMPERATURE
    if isinstance(value, bool) or not isinstance(value, int | float) or not _COLDEST <= value <= _HOTTEST:
        raise BadInput(
            f"temperature_celsius: {value!r} is not a temperature from {_COLDEST:g} to {_HOTTEST:g} °C; a room has 27."
        )
    return value + _FREEZING


def celsius_of(temperature_kelvin: float) -> float:
    """°C of a temperature in kelvin."""
    return temperature_kelvin - _FREEZING
