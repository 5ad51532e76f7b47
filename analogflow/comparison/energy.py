"""What work and time cost in energy: prices with their sources, from ``energy.toml`` beside this file or from the user's."""

from __future__ import annotations

import dataclasses
import functools
import math
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from analogflow.checks import is_positive, near_names
from analogflow.comparison.solvers import Work
from analogflow.contents import read_keys
from analogflow.errors import BadInput

__all__ = ["Price", "Prices", "prices"]

_STORES = (("cache_8_kB", 2.0**13), ("cache_32_kB", 2.0**15), ("cache_1_MB", 2.0**20), ("dram", math.inf))
"""Stores by name and bytes, the nearest first."""


@dataclasses.dataclass(frozen=True)
class Price:
    """One number with its unit and where it comes from."""

    value: float
    unit: str
    source: str


@dataclasses.dataclass(frozen=True, eq=False)
class Prices:
    """All prices by name, as in ``energy.toml``."""

    table: Mapping[str, Price]

    def __getitem__(self, name: str) -> float:
        """Value of a price in its unit."""
        return self.table[name].value

    def operations(self, work: Work) -> float:
        """Multiply-adds, with functions counted as many of them."""
        return work.multiply_adds + self["function"] * work.functions

    def of_operations(self, work: Work) -> float:
        """Joules that arithmetic and fetching the problem's words need, without instructions, leakage and waiting.

        It is a lower bound for a machine of these prices, and favours the digital side.
        """
        store = next(name for name, size in _STORES if 8 * work.stored <= size)
        return self["multiply_add"] * self.operations(work) + self[store] * work.words

    def of_processor(self, seconds: float) -> float:
        """Joules that a processor takes in a time."""
        return self["processor"] * seconds

    def chip_power(self, elements: int) -> float:
        """Watts of a chip with a branch for each of `elements` elements."""
        return elements * self["chip_supply"] * self["chip_branch_current"]

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Name to value, unit and source."""
        return {name: dataclasses.asdict(price) for name, price in self.table.items()}


def prices(path: str | Path | None = None) -> Prices:
    """Prices of the package, or those of a TOML file with tables of the same names; what it leaves out is the package's.

    Raises
    ------
    BadInput
        The file can not be read, or says something that is not allowed.
    """
    own = _own()
    if path is None:
        return own
    given = read_keys(path, what="a TOML file of prices")
    faults = []
    for name, entry in given.items():
        if name not in own.table:
            faults.append(f"{name!r} is not known, the nearest is {near_names(name, own.table)[0]!r}")
        elif (
            not isinstance(entry, dict)
            or not set(entry) <= {"value", "unit", "source"}
            or not is_positive(entry.get("value"))
        ):
            faults.append(f"[{name}] must have a positive value, and a source as text")
        elif entry.get("unit", own.table[name].unit) != own.table[name].unit:
            faults.append(f"[{name}] is in {own.table[name].unit}, not in {entry['unit']}")
    if faults:
        raise BadInput(f"{str(path)!r}: {'; '.join(faults)}; known are: {', '.join(own.table)}.")
    changed = {
        name: Price(float(entry["value"]), own.table[name].unit, str(entry.get("source", f"given in {Path(path).name}")))
        for name, entry in given.items()
    }
    return Prices(MappingProxyType({**own.table, **changed}))


@functools.cache
def _own() -> Prices:
    text = resources.files("analogflow.comparison").joinpath("energy.toml").read_text(encoding="utf-8")
    return Prices(MappingProxyType({name: Price(**entry) for name, entry in tomllib.loads(text).items()}))
