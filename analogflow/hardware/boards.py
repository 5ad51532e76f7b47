"""Boards: what an analog computer holds, each number with where it comes from; read from the package or a user's file."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from analogflow.checks import is_finite, near_names, refuse_faults
from analogflow.contents import read_keys
from analogflow.errors import BadInput
from analogflow.passes import FUSE, STABILISE, TRACE
from analogflow.registry import Registry

__all__ = ["BOARDS", "COUNTED", "KINDS", "LAID_OUT", "Board", "Figure", "board_of", "load_board"]

COUNTED = (TRACE, dataclasses.replace(FUSE, keeps_flow=False))
"""What a flow goes through before its elements are counted; many are refused there, so that none is followed yet."""

LAID_OUT = (STABILISE, FUSE)
"""What it goes through from there, while it may fit, before it is taken apart and laid out."""

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "crossbar": ("integrators", "multipliers", "lanes"),
        "patch": (
            "integrators", "multipliers", "summers", "inverters", "potentiometers",
            "comparators",
            "inputs_of_integrator", "inputs_of_summer",
        ),
        "chip": ("integrators", "multipliers", "fanouts", "tables"),
        "parts": ("integrators", "multipliers", "summers", "tables"),
    }
)  # fmt: skip
"""How a board is wired, and what is counted on one of that kind."""

_OPTIONAL = {"comparators": 0.0}
"""Units that a file need not name, and how many there are then."""

_NUMBERS = ("largest_coefficient", "coefficient_bits", "rate_per_second", "machine_unit_volts")
_ROOM: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "crossbar": {"integrators": 8, "multipliers": 4, "lanes": 32, "largest_coefficient": 10},
        "patch": {"inputs_of_integrator": 5, "inputs_of_summer": 7, "largest_coefficient": 10},
    }
)
"""Most of each that the configuration of a board of that kind has room for."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number, where it comes from, and whether that is the vendor's own word."""

    value: float
    source: str
    verified: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Board:
    """An analog computer.

    Parameters
    ----------
    name, title : str
    kind : str
        A key of `KINDS`: how elements are joined, and so what is counted.
    units : mapping of name to Figure
        How many there are.
    largest_coefficient : Figure
        Of one coupling.
    coefficient_bits : Figure
        Resolution of a coefficient, relative to its range.
    rate_per_second : Figure
        k0: rate of an integrator's output, in machine units per second, at an input of one.
    machine_unit_volts : Figure
        Volts of one machine unit.
    broken_lanes : tuple of int
        Lanes of a crossbar not to be used.
    """

    name: str
    title: str
    kind: str
    units: Mapping[str, Figure]
    largest_coefficient: Figure
    coefficient_bits: Figure
    rate_per_second: Figure
    machine_unit_volts: Figure
    broken_lanes: tuple[int, ...] = ()

    @property
    def has(self) -> dict[str, int]:
        """Number of each unit; lanes without the broken ones."""
        counts = {name: int(figure.value) for name, figure in self.units.items()}
        if "lanes" in counts:
            counts["lanes"] -= len(self.broken_lanes)
        return counts

    @property
    def functions(self) -> bool:
        """Whether it holds functions of a signal other than products."""
        return "tables" in self.units

    @property
    def comparators(self) -> bool:
        """Whether it holds comparators, which pass one of two signals."""
        return self.has.get("comparators", 0) > 0

    @property
    def range_step(self) -> float:
        """Ratio of the ranges that a coefficient is set in: what an upscaled lane of a crossbar multiplies by, else 10.

        A LUCIDAC's client of 2026 upscales eight times and that of 2025 ten times, and neither can set more than that.
        """
        return 8.0 if self.kind == "crossbar" and self.largest_coefficient.value <= 8 else 10.0

    def figures(self) -> dict[str, Figure]:
        """Every number by name."""
        return {**self.units, **{name: getattr(self, name) for name in _NUMBERS}}


def _own_boards() -> tuple[Board, ...]:
    """The boards of ``boards.toml`` beside this file."""
    text = resources.files("analogflow.hardware").joinpath("boards.toml").read_text(encoding="utf-8")
    return tuple(board_of(name, table) for name, table in tomllib.loads(text).items())


BOARDS: Registry[Board] = Registry("analogflow.boards", Board, _own_boards)
"""Board by name; other packages bring boards of their own under the group of entry points ``analogflow.boards``."""


def load_board(name: str | Path) -> Board:
    """Board by name, or from a TOML file of your own.

    Parameters
    ----------
    name : str or path
        One of `BOARDS`, or a file ``*.toml`` with the keys of the package's own ``boards.toml`` at its top level; a number
        may stand by itself there.

    Raises
    ------
    BadInput
        No such board or file, or with every key and number in it that is not allowed.
    """
    text = str(name)
    if text in BOARDS:
        return BOARDS[text]
    path = Path(name)
    if path.suffix.lower() != ".toml":
        raise BadInput(
            f"board {text!r} is not known{_nearest(text, BOARDS)}; known are: {', '.join(BOARDS)}; or give the path of a "
            "file ending in .toml."
        )
    table = read_keys(path, what="a TOML file of a board")
    return board_of(path.stem, table, f"board file {text!r}")


def board_of(name: str, table: Mapping[str, Any], where: str = "") -> Board:
    """Board from the keys of its file.

    Raises
    ------
    BadInput
        With every key and number that is not allowed, and `where` they stand.
    """
    where = where or f"board {name!r}"
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadInput(f"{where}: kind is {kind!r}{_nearest(kind, KINDS)}; it must be one of: {', '.join(KINDS)}.")
    units = table.get("units", {})
    if not isinstance(units, Mapping):
        raise BadInput(f"{where}: units is {units!r}; give a table with {', '.join(KINDS[kind])}.")
    faults = _unknown(table, ("title", "kind", "units", "broken_lanes", *_NUMBERS), "") + _unknown(
        units, KINDS[kind], "units."
    )
    figures: dict[str, Figure] = {}
    for group, names, prefix in ((units, KINDS[kind], "units."), (table, _NUMBERS, "")):
        for key in names:
            if key not in group and key in _OPTIONAL:
                figures[key] = Figure(_OPTIONAL[key], "not given in the file", False)
                continue
            if key not in group:
                faults.append(f"{prefix}{key} is missing")
                continue
            figure, fault = _figure(key, group[key])
            figures[key] = figure
            faults += [f"{prefix}{key} {fault}"] if fault else []
    for key, most in _ROOM.get(kind, {}).items():
        if key in figures and figures[key].value > most:
            where_it_is = "" if key in _NUMBERS else "units."
            article = "a crossbar" if kind == "crossbar" else "a patch panel"
            faults.append(
                f"{where_it_is}{key} is {figures[key].value:g}, but the configuration of {article} has room for {most}"
            )
    broken, fault = _lanes(table.get("broken_lanes", []), kind, figures)
    faults += [fault] if fault else []
    refuse_faults(where, faults)
    title = str(table.get("title", name))
    numbers = {key: figures[key] for key in _NUMBERS}
    held = MappingProxyType({key: figures[key] for key in KINDS[kind]})
    return Board(name, title, kind, held, broken_lanes=broken, **numbers)


def _figure(key: str, given: Any) -> tuple[Figure, str]:
    table = given if isinstance(given, Mapping) else {"value": given, "source": "given by the user", "verified": False}
    fault = "; ".join(_unknown(table, ("value", "source", "verified"), f"{key}."))
    value = table.get("value")
    whole = key not in ("largest_coefficient", "rate_per_second", "machine_unit_volts")
    if not is_finite(value) or value < 0:
        return Figure(0.0, "", False), f"is {value!r}, but must be a number of 0 or more"
    if whole and value != int(value):
        fault = f"is {value!r}, but must be a whole number"
    if key in _NUMBERS and value <= 0:
        fault = f"is {value!r}, but must be positive"
    if key == "coefficient_bits" and not 1 <= value <= 52:
        fault = f"is {value!r}, but must be from 1 to 52"
    if not isinstance(table.get("source"), str) or not isinstance(table.get("verified"), bool):
        fault = fault or "needs a source (text) and verified (true or false) beside its value"
    return Figure(float(value), str(table.get("source")), bool(table.get("verified"))), fault


def _lanes(given: Any, kind: str, figures: Mapping[str, Figure]) -> tuple[tuple[int, ...], str]:
    if kind != "crossbar":
        return (), "broken_lanes is for a crossbar only" if given else ""
    lanes = int(figures["lanes"].value) if "lanes" in figures else 0
    good = (
        isinstance(given, list) and all(type(k) is int and 0 <= k < lanes for k in given) and len(set(given)) == len(given)
    )
    return (
        (tuple(given), "")
        if good
        else ((), f"broken_lanes is {given!r}, but must list lanes from 0 to {lanes - 1} once each")
    )


def _unknown(table: Mapping[str, Any], known: Iterable[str], prefix: str) -> list[str]:
    known = tuple(known)
    return [
        f"{prefix}{key} is not known{_nearest(key, known)}; known are: {', '.join(known)}"
        for key in table
        if key not in known
    ]


def _nearest(name: object, known: Iterable[str]) -> str:
    close = near_names(name, known, likeness=0.6)
    return f", did you mean {close[0]!r}?" if close else ""
