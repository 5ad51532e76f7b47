"""What may be said of how a circuit is built: the options, and which of them each technology heeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from analogflow.circuit.build import Build, kelvin_of
from analogflow.circuit.parts import PartSet
from analogflow.errors import BadInput
from analogflow.technology.parts import part_set

__all__ = ["DEFAULT_PARTS", "DEFAULT_TECHNOLOGY", "DELAY_FRACTION", "BuildOptions", "build_of", "heeded", "refuse_idle"]

DEFAULT_TECHNOLOGY = "ideal"
"""Technology of a circuit unless another is named."""

DEFAULT_PARTS = "precision"
"""Parts of a circuit of parts unless others are named."""

DELAY_FRACTION = 5e-3
"""Part of the fastest time constant of the flow that the delays of the longest path of blocks may be, unless told."""

_SHORTEST_DELAY, _LONGEST_DELAY = 1e-4, 0.25

_HEEDED: Mapping[str, tuple[str, ...]] = {
    "ideal": ("stabilise", "scaled"),
    "opamp": ("stabilise", "parts", "temperature_celsius", "delay_fraction"),
    "translinear": ("stabilise", "parts", "temperature_celsius"),
}
_WHY = {
    "parts": "which has no parts",
    "temperature_celsius": "which has no parts; the temperature of its junctions is an imperfection, in kelvin",
    "delay_fraction": "which chooses its time constant without it",
    "scaled": "which has scales of its own",
}


class BuildOptions(TypedDict, total=False):
    """Options of `compile`, where another verb passes them on; `compile` alone knows what they are if not given."""

    technology: str
    stabilise: bool
    parts: PartSet | str | None
    temperature_celsius: float | None
    scaled: bool
    delay_fraction: float | None


def heeded(technology: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `options` that `technology` heeds, for a verb that builds one flow in several technologies."""
    return {name: value for name, value in options.items() if name in _HEEDED.get(technology, tuple(options))}


def refuse_idle(technology: str, given: Mapping[str, Any], called: Mapping[str, str] | None = None) -> None:
    """Refuse options that `technology` would not heed.

    Parameters
    ----------
    technology : str
    given : mapping of name to value
        Options; None, and False, is one that was not given.
    called : mapping of name to text, optional
        What the person who gave them calls them, if not so.

    Raises
    ------
    BadInput
        An option was given that decides nothing.
    """
    for name, value in given.items():
        if value is None or value is False or name in _HEEDED.get(technology, tuple(given)):
            continue
        others, said = [repr(other) for other, names in _HEEDED.items() if name in names], (called or {}).get(name, name)
        raise BadInput(
            f"{said} has no effect in the technology {technology!r}, {_WHY[name]}; leave it out, or take "
            f"{' or '.join(others)}."
        )


def build_of(
    technology: str,
    *,
    stabilise: bool,
    parts: PartSet | str | None,
    temperature_celsius: float | None,
    scaled: bool,
    delay_fraction: float | None,
) -> Build:
    """How a circuit is to be built, from options as `compile` takes them.

    Raises
    ------
    BadInput
        An option is out of range, or decides nothing in this technology.
    """
    given = {
        "parts": parts, "temperature_celsius": temperature_celsius, "delay_fraction": delay_fraction, "scaled": scaled
    }  # fmt: skip
    refuse_idle(technology, given)
    known = _HEEDED.get(technology, tuple(given))
    fraction = DELAY_FRACTION if delay_fraction is None else delay_fraction
    if isinstance(fraction, bool) or not _SHORTEST_DELAY <= fraction <= _LONGEST_DELAY:
        raise BadInput(f"delay_fraction is {fraction!r}; give a number from {_SHORTEST_DELAY:g} to {_LONGEST_DELAY:g}.")
    return Build(
        technology=technology,
        stabilise=stabilise,
        parts=part_set(parts or DEFAULT_PARTS) if "parts" in known else None,
        temperature_kelvin=kelvin_of(temperature_celsius),
        delay_fraction=fraction,
        scaled=scaled or technology == "opamp",
    )
