"""Technologies, one record each, what may be said of how a circuit is built, and which of it each technology heeds.

A technology maps a graph of blocks to groups of elements, cell by cell. Other packages bring technologies of their own
under the group of entry points ``analogflow.technologies``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.checks import is_number, refuse_unknown
from analogflow.circuit.build import DELAY_FRACTION, Build, PartSet, check_kelvin, kelvin_of
from analogflow.circuit.circuit import Realisation
from analogflow.errors import BadInput
from analogflow.passes import Brief
from analogflow.registry import Registry
from analogflow.technology.ideal import IDEAL
from analogflow.technology.macros import op_amp_macro
from analogflow.technology.part_sets import DEFAULT_PARTS, PART_SETS, part_set
from analogflow.technology.technology import Site, Technology

__all__ = [
    "DEFAULT_PARTS",
    "DEFAULT_TECHNOLOGY",
    "DELAY_FRACTION",
    "PART_SETS",
    "TECHNOLOGIES",
    "Brief",
    "BuildOptions",
    "PartSet",
    "Realisation",
    "Site",
    "Technology",
    "build_of",
    "check_build",
    "heeded",
    "known_technology",
    "op_amp_macro",
    "part_set",
    "refuse_idle",
]

TECHNOLOGIES: Registry[Technology] = Registry(
    "analogflow.technologies",
    Technology,
    {name: f"analogflow.technology.{name}:{name.upper()}" for name in ("ideal", "opamp", "translinear")},
)
"""Technology by name; each is loaded when it is asked for."""

DEFAULT_TECHNOLOGY = IDEAL.name
"""Technology of a circuit unless another is named."""

_SHORTEST_DELAY, _LONGEST_DELAY = 1e-4, 0.25

_WHY = {
    "stabilise": "which mends no manifold",
    "parts": "which has no parts",
    "temperature_celsius": "which has no parts; the temperature of its junctions is an imperfection, in kelvin",
    "delay_fraction": "which chooses its time constant without it",
    "scaled": "which has scales of its own",
}


def known_technology(name: str) -> Technology:
    """The technology of that name.

    Raises
    ------
    BadInput
        There is none.
    """
    refuse_unknown(name, TECHNOLOGIES, "technology")
    return TECHNOLOGIES[name]


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
    known = known_technology(technology).heeded
    return {name: value for name, value in options.items() if name in known}


def refuse_idle(technology: str, given: Mapping[str, Any], called: Mapping[str, str] | None = None) -> None:
    """Refuse options that `technology` would not heed.

    Parameters
    ----------
    technology : str
    given : mapping of name to value
        Options; None is one that was not given, and so is False, but True of ``stabilise``.
    called : mapping of name to text, optional
        What the person who gave them calls them, if not so.

    Raises
    ------
    BadInput
        The technology is not known, or an option was given that decides nothing.
    """
    known = known_technology(technology)
    for name, value in given.items():
        if value is None or value is (name == "stabilise") or name in known.heeded:
            continue
        others = [repr(other.name) for other in TECHNOLOGIES.values() if name in other.heeded]
        said = (called or {}).get(name, name)
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
        The technology is not known, or an option is out of range or decides nothing in it.
    """
    given = {
        "stabilise": stabilise, "parts": parts, "temperature_celsius": temperature_celsius,
        "delay_fraction": delay_fraction, "scaled": scaled,
    }  # fmt: skip
    refuse_idle(technology, given)
    known = TECHNOLOGIES[technology]
    build = Build(
        technology=technology,
        stabilise=stabilise,
        parts=part_set(parts or known.parts) if known.parts else None,
        temperature_kelvin=kelvin_of(temperature_celsius),
        delay_fraction=DELAY_FRACTION if delay_fraction is None else delay_fraction,
        scaled=scaled or known.scaled,
    )
    check_build(build)
    return build


def check_build(build: Build) -> None:
    """Refuse a build that `build_of` would not make, whoever made it.

    Raises
    ------
    BadInput
        Its technology is not known, what that needs is missing, or a number is out of range or decides nothing in it.
    """
    known, fraction, parts = known_technology(build.technology), build.delay_fraction, build.parts
    if not is_number(fraction) or not _SHORTEST_DELAY <= fraction <= _LONGEST_DELAY:
        raise BadInput(f"delay_fraction is {fraction!r}; give a number from {_SHORTEST_DELAY:g} to {_LONGEST_DELAY:g}.")
    check_kelvin(build.temperature_kelvin)
    given = {
        "stabilise": build.stabilise,
        "parts": parts,
        "temperature_celsius": None if build.temperature_kelvin == NOMINAL_KELVIN else build.temperature_kelvin,
        "delay_fraction": None if fraction == DELAY_FRACTION else fraction,
        "scaled": build.scaled and not known.scaled,
    }
    refuse_idle(known.name, given, {"temperature_celsius": "temperature_kelvin"})
    if known.parts and not isinstance(parts, PartSet):
        raise BadInput(f"parts is {parts!r}, and the technology {known.name!r} is made of parts; give a PartSet.")
    if known.scaled and not build.scaled:
        raise BadInput(f"scaled is False, and the technology {known.name!r} is built in machine units; give scaled=True.")
