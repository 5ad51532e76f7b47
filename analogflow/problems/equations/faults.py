"""What can be wrong with tables of equations, each fault a phrase; readers of their numbers."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_positive, real_array
from analogflow.errors import BadInput
from analogflow.problems.equations.expression import FUNCTIONS, NAME

__all__ = ["MANIFOLDS", "fits", "misfits", "name_faults", "read_numbers", "read_table"]

MANIFOLDS = ("simplex", "sphere", "mean")
"""Manifolds a state may be said to stay on: Σx = 1; every row of length 1; a mean that nothing depends on."""

Array = NDArray[np.float64]


def read_table(key: str, value: Any) -> dict[str, Any]:
    """The table, empty if there is none."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadInput(f"{key}: a table of names and values is needed, not {type(value).__name__}.")
    return {str(name): item for name, item in value.items()}


def name_faults(tables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names that can not be used, and names used twice."""
    faults: list[str] = []
    seen: dict[str, str] = {}
    for kind in ("states", "constants", "definitions", "observables", "conserved"):
        for name in tables[kind]:
            if not NAME.fullmatch(name):
                faults.append(
                    f"{kind}: {name[:40]!r} is no name; take a letter, then at most 30 letters, digits or underscores"
                )
            elif name in FUNCTIONS or keyword.iskeyword(name):
                faults.append(f"{kind}: {name!r} is the name of a function or a word of Python; take another")
            elif name.lower() in seen:
                faults.append(f"{name!r} is named under {seen[name.lower()]} and under {kind} (circuits do not tell case)")
            seen[name.lower()] = kind
    return faults


def read_numbers(value: Any, where: str, faults: list[str]) -> Array:
    """Array of finite numbers; a scalar 0 and a fault if it is none."""
    if isinstance(value, bool | str):
        faults.append(f"{where}: {value!r} is neither a number nor an array of numbers")
        return np.zeros(())
    try:
        array = real_array(value, where, "a number or an array of numbers")
    except BadInput as fault:
        faults.append(str(fault).rstrip("."))
        return np.zeros(())
    if array.ndim > 2 or array.size == 0 or not np.isfinite(array).all():
        faults.append(f"{where} must hold finite numbers: one, a row of them, or a matrix")
        return np.zeros(())
    return array


def fits(value: Any, shape: tuple[int, ...], where: str, faults: list[str]) -> bool:
    """Whether a value is one number or has the shape of its state."""
    given = np.shape(read_numbers(value, where, unread := []))
    if unread:
        faults += unread
        return False
    if given in ((), shape):
        return True
    faults.append(f"{where} has shape {given}; give one number, or as many as the state has, {shape}")
    return False


def misfits(
    tables: Mapping[str, Mapping[str, Any]], starts: Mapping[str, Array], answer: str | None, time: Any
) -> list[str]:
    """What is said of states that do not exist, or does not hold of them."""
    faults = [
        f"{kind}.{key} is about no state; there are {', '.join(starts)}"
        for kind in ("manifolds", "noise")
        for key in tables[kind]
        if key not in starts
    ]
    for key, manifold in tables["manifolds"].items():
        if manifold not in MANIFOLDS:
            faults.append(f"manifolds.{key}: {manifold!r} is not known; known are {', '.join(MANIFOLDS)}")
        elif key in starts and manifold == "simplex" and (abs(starts[key].sum() - 1) > 1e-9 or starts[key].ndim != 1):
            faults.append(f"manifolds.{key}: the initial values do not sum to 1")
        elif key in starts and manifold == "sphere" and (abs((starts[key] ** 2).sum(axis=-1) - 1) > 1e-9).any():
            faults.append(f"manifolds.{key}: the initial rows do not have length 1")
    if answer is not None and (not isinstance(answer, str) or answer not in {**starts, **tables["observables"]}):
        faults.append(f"answer: {answer!r} is neither a state nor an observable")
    if time is not None and not is_positive(time):
        faults.append(f"time is {time!r}; give a positive number of time constants")
    return faults
