"""What is ordered for a part, and which pin of its package is which: reads ``packages.toml`` beside this file."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from analogflow.circuit.values import SERIES

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
    supplies : mapping of ``V+``, ``V-``, ``VL`` and ``GND`` to pin
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
    """Parts whose order numbers follow a rule.

    Parameters
    ----------
    kind : str
        Such as ``resistor``, ``decoupling``, ``header`` or ``test point``.
    start : float
        Relative tolerance from which on it is coarse enough to be taken.
    number, maker, about, package, footprint : str
        Rule of the order number, manufacturer, what it is, its outline, and its footprint in KiCad's standard libraries.
    least, most : float
        Ohms, farads or pins that it has.
    tolerance : str
        Its own, in percent or picofarads.
    """

    kind: str
    start: float
    number: str
    maker: str
    about: str
    package: str
    least: float
    most: float
    tolerance: str = ""
    footprint: str = ""

    def has(self, value: float) -> bool:
        """Whether a value is in its range."""
        return self.least * (1 - 1e-9) <= value <= self.most * (1 + 1e-9)

    def deviation(self, value: float) -> float:
        """Relative tolerance at a value; 0 where none is told."""
        if self.tolerance.endswith("pF"):
            return float(self.tolerance.removesuffix("pF")) * 1e-12 / value
        return float(self.tolerance.rstrip("%") or 0) / 100

    def order(self, value: float) -> Series:
        """The part of a value, with what its rules make of it; its number is empty where no such value is sold."""
        pins = f"{round(value):02d}"
        filled = {name: getattr(self, name).format(pins=pins, ohms="", point="", picofarads="")
                  for name in ("package", "footprint")}  # fmt: skip
        sold = self.kind not in ("resistor", "capacitor") or _sold(value)
        number = self.number.format(ohms=_ohms(value), point=_point(value), picofarads=_picofarads(value), pins=pins)
        return dataclasses.replace(self, number=number if sold else "", **filled)


def _sold(value: float) -> bool:
    """Whether a value is one of E24, E96 or E192."""
    digits, _, _ = f"{value:.12e}".partition("e")
    return any(abs(100 * float(digits) - known) < 1e-6 for series in ("E24", "E192") for known in SERIES[series])


def _ohms(value: float) -> str:
    """Three digits with the prefix in the place of the point: 3.65 kΩ is ``3K65``."""
    for letter, unit in (("M", 1e6), ("K", 1e3), ("R", 1.0)):
        if value >= 0.9999999 * unit:
            whole, _, part = f"{value / unit:.4g}".partition(".")
            return f"{whole}{letter}{part}"
    return f"R{value:.3g}"


def _point(value: float) -> str:
    """Three digits and the prefix, in four characters: 2 MΩ is ``2M00``, 383 MΩ ``383M``."""
    letter, unit = next(
        (known for known in (("G", 1e9), ("M", 1e6), ("K", 1e3)) if value >= 0.9999999 * known[1]), ("R", 1.0)
    )
    whole = f"{value / unit:.0f}{letter}"
    return whole if len(whole) > 3 else f"{value / unit:.{4 - len(whole)}f}".replace(".", letter)


def _picofarads(value: float) -> str:
    """Two digits and the power of ten."""
    digits, _, power = f"{1e12 * value:.1e}".partition("e")
    return f"{digits.replace('.', '')}{int(power) - 1}" if int(power) > 0 else f"{digits.replace('.', '')}9"


@functools.cache
def _content() -> dict[str, Any]:
    return tomllib.loads(resources.files("analogflow.circuit").joinpath("packages.toml").read_text(encoding="utf-8"))


@functools.cache
def series_of(kind: str, tolerance: float, value: float) -> Series | None:
    """What is ordered of a kind, at a relative tolerance and of a value; None where no series has it."""
    known = [Series(start=row["from"], **{k: v for k, v in row.items() if k != "from"}) for row in _content()["series"]]
    rows = (one for one in known if one.kind == kind and tolerance >= one.start * (1 - 1e-9) and one.has(value))
    return next((one.order(value) for one in rows), None)


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
