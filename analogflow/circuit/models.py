"""What elements refer to by name: device models with their parameters, and macro-models made of elements."""

from __future__ import annotations

import dataclasses

from analogflow.circuit.elements import Element

__all__ = ["Macro", "Model"]


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """Device model: its name, its kind (``npn``, ``pnp``, ``d``, ``sw``) and its parameters in SI units."""

    name: str
    kind: str
    parameters: tuple[tuple[str, float], ...]
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Macro:
    """Macro-model of a part: elements between local nodes, of which `ports` are joined to a circuit.

    Formulas may name the parameters as ``({name})``; an instance that sets none takes these defaults.
    """

    name: str
    ports: tuple[str, ...]
    elements: tuple[Element, ...]
    parameters: tuple[tuple[str, float], ...] = ()
    note: str = ""
