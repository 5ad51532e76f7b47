"""The grid of a study: one of its conditions, and how the values along each dimension are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from analogflow.blocks.imperfections import EFFECTS, Imperfections
from analogflow.checks import is_finite, proposal
from analogflow.circuit.build import kelvin_of
from analogflow.errors import BadInput
from analogflow.noise import Noise
from analogflow.technology import TECHNOLOGIES

__all__ = ["GRID", "Chunk", "Condition", "distinct", "effect", "names", "numbers", "sigma"]

GRID = ("problem", "form", "technology", "noise", "mismatch", "temperature")
"""Dimensions that every study has; those of further imperfections come after."""

_FURTHER = tuple(name for name in EFFECTS if name not in ("mismatch", "temperature"))


@dataclasses.dataclass(frozen=True)
class Condition:
    """One point of a study's grid.

    Parameters
    ----------
    number : int
        Its place in `Study.conditions`.
    problem, form, technology : str
        Names.
    noise : float
        σ at every integrator's input, flow units per √τ.
    mismatch : float
        Relative σ of every coefficient.
    temperature : float
        °C.
    further : mapping of name to float
        Further imperfections, in the units of `Imperfections`.
    """

    number: int
    problem: str
    form: str
    technology: str
    noise: float
    mismatch: float
    temperature: float
    further: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def imperfections(self) -> Imperfections:
        """What is wrong with the blocks; the temperature only where blocks have it, in the ideal technology."""
        values = {"mismatch": self.mismatch, **self.further}
        if not TECHNOLOGIES[self.technology].parts:
            values["temperature"] = kelvin_of(self.temperature)
        return Imperfections.from_mapping(values)

    def shown(self, dimensions: Collection[str]) -> str:
        """The condition in words, as far as `dimensions` say."""
        numbers = {"noise": self.noise, "mismatch": self.mismatch, **self.further}
        words = [getattr(self, name) for name in GRID[:3] if name in dimensions]
        words += [f"{name} {value:g}" for name, value in numbers.items() if name in dimensions]
        return ", ".join(words + ([f"{self.temperature:g} °C"] if "temperature" in dimensions else []))

    def __str__(self) -> str:
        return self.shown((*GRID, *self.further))


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Samples `first` to `last` − 1 of a condition: what is computed, stored and lost at once."""

    number: int
    condition: int
    first: int
    last: int


def distinct(values: Any, name: str) -> tuple[Any, ...]:
    """Values of one dimension, at least one and none twice; a single value counts as one."""
    items = (values,) if isinstance(values, str | int | float) else tuple(values)
    if not items:
        raise BadInput(f"study: {name} has no value; give one at least.")
    twice = [item for item in items if items.count(item) > 1]
    if twice:
        raise BadInput(f"study: {name} has {twice[0]!r} twice; give each value once.")
    return items


def names(values: Sequence[str], name: str, known: Collection[str] | None) -> tuple[str, ...]:
    """Values that are names out of `known`, or any names where that is None."""
    items = distinct(values, name)
    for item in items:
        if not isinstance(item, str):
            raise BadInput(f"study: {name} has {item!r}, which is not a name.")
        if known is not None and item not in known:
            raise BadInput(f"study: {name}: {item!r} is not known; {proposal(item, known)}")
    return items


def numbers(values: Any, name: str) -> tuple[float, ...]:
    """Values that are finite numbers."""
    items = distinct(values, name)
    for item in items:
        if not is_finite(item):
            raise BadInput(f"study: {name} has {item!r}, which is not a number.")
    return tuple(float(item) for item in items)


def sigma(value: Any) -> float:
    """σ per √τ, in flow units, of a noise that is given as such or as an SNR."""
    if isinstance(value, str):
        if "v" in value.lower():
            raise BadInput(
                f"study: noise {value!r} depends on the circuit; give σ per √τ, such as 0.01, or an SNR, such as 40dB."
            )
        return Noise.from_text(value).sigma
    return float(Noise(value).sigma)


def effect(name: str) -> str:
    """Name of a further imperfection."""
    label = str(name).replace("-", "_")
    if label in ("mismatch", "temperature"):
        raise BadInput(f"study: {label} is a dimension of its own; give it as {label} and not among the imperfections.")
    if label not in _FURTHER:
        raise BadInput(f"study: imperfection {label!r} is not known; {proposal(label, _FURTHER)}")
    return label
