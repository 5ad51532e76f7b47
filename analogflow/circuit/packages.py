"""What is ordered for a part, and which pin of its package is which: reads ``packages.toml`` beside this file."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

__all__ = ["Package", "Series", "packages", "series_of"]


@dataclasses.dataclass(frozen=True)
class Package:
    """A package with sections that are alike.

    Parameters
    ----------
    key : str
        Name of the macro-model or kind of part that a section stands for.
    number, maker, about : str
        Manufacturer's part number, manufacturer, and what it is.
    package, footprint : str
        Outline, and its footprint in KiCad's standard libraries.
    units : tuple of mapping of terminal to pin
    supplies : mapping of ``V+``, ``V-`` and ``GND`` to pin
    open : tuple of str
        Pins that stay unconnected.
    ground, output : mapping of pin to name
        Pins that a use ties to ground, and to the output of the only section.
    """

    key: str
    number: str
    maker: str
    about: str
    package: str
    footprint: str
    units: tuple[Mapping[str, str], ...]
    supplies: Mapping[str, str] = dataclasses.field(default_factory=dict)
    open: tuple[str, ...] = ()
    ground: Mapping[str, str] = dataclasses.field(default_factory=dict)
    output: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def pins(self) -> list[str]:
        """All pins, by number."""
        found = [pin for unit in self.units for pin in unit.values()]
        return sorted([*found, *self.supplies.values(), *self.open, *self.ground, *self.output], key=int)


@dataclasses.dataclass(frozen=True)
class Series:
    """Resistors or capacitors whose order numbers follow a rule.

    Parameters
    ----------
    kind : str
        ``resistor``, ``capacitor``, ``decoupling`` or ``bulk``.
    start : float
        Relative tolerance from which on it is coarse enough to be taken.
    number, maker, about, package : str
        Rule of the order number, manufacturer, what it is, and its outline.
    least, most : float
        Ohms or farads that it has.
    """

    kind: str
    start: float
    number: str
    maker: str
    about: str
    package: str
    least: float
    most: float

    def order(self, value: float) -> str:
        """Order number of a value; empty where the series has none."""
        if not self.least * (1 - 1e-9) <= value <= self.most * (1 + 1e-9):
            return ""
        return self.number.format(ohms=_ohms(value), picofarads=_picofarads(value))


def _ohms(value: float) -> str:
    """Three digits with the prefix in the place of the point: 3.65 kΩ is ``3K65``."""
    for letter, unit in (("M", 1e6), ("K", 1e3), ("R", 1.0)):
        if value >= 0.9999999 * unit:
            whole, _, part = f"{value / unit:.4g}".partition(".")
            return f"{whole}{letter}{part}"
    return f"R{value:.3g}"


def _picofarads(value: float) -> str:
    """Two digits and the power of ten."""
    digits, _, power = f"{1e12 * value:.1e}".partition("e")
    return f"{digits.replace('.', '')}{int(power) - 1}" if int(power) > 0 else f"{digits.replace('.', '')}9"


@functools.cache
def _content() -> dict[str, Any]:
    return tomllib.loads(resources.files("analogflow.circuit").joinpath("packages.toml").read_text(encoding="utf-8"))


def series_of(kind: str, tolerance: float) -> Series | None:
    """Series of the finest tolerance that is not finer than needed; None where no series is of this kind."""
    known = [Series(start=row["from"], **{k: v for k, v in row.items() if k != "from"}) for row in _content()["series"]]
    return next((one for one in known if one.kind == kind and tolerance >= one.start * (1 - 1e-9)), None)


@functools.cache
def packages() -> dict[str, Package]:
    """Packages by what their sections stand for."""
    listed = ("units", "open")
    found: dict[str, Package] = {}
    for key, table in _content().items():
        if key != "series":
            told: dict[str, Any] = {name: tuple(value) if name in listed else value for name, value in table.items()}
            found[key] = Package(key=key, **told)
    return found
