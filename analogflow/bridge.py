"""PySpice or InSpice, its fork, whichever is there: what analogflow uses of either, and which it is.

PySpice comes with analogflow. InSpice, which goes on where PySpice's releases ended, is taken where PySpice is not there or
can not be loaded; from 1.7 on it does what is asked here, on Python 3.12 and newer.
"""

from __future__ import annotations

import importlib
import warnings
from importlib import metadata
from typing import Any

__all__ = ["bridge", "bridge_version"]

_PACKAGES = ("PySpice", "InSpice")


def bridge(module: str) -> tuple[Any, dict[str, str]]:
    """A module of the first package that has it, such as ``Spice.Netlist``, and the package's version by its name.

    Raises
    ------
    ImportError
        Neither package can be loaded; the sentence says why, for each.
    """
    faults = []
    for name in _PACKAGES:
        with warnings.catch_warnings():
            # PySpice 1.5 has invalid escape sequences in string literals, which newer Pythons warn about.
            warnings.simplefilter("ignore")
            try:
                return importlib.import_module(f"{name}.{module}"), {name: metadata.version(name)}
            except (ImportError, SyntaxError) as fault:  # InSpice 1.6 has a string that Python 3.11 can not read
                faults.append(f"{name}: {fault}")
    raise ImportError(f"neither PySpice nor InSpice can be loaded ({'; '.join(faults)}); pip install PySpice==1.5")


def bridge_version() -> dict[str, str]:
    """Version of the first of the two that is installed, by its name, without loading it; empty if neither is."""
    for name in _PACKAGES:
        try:
            return {name: metadata.version(name)}
        except metadata.PackageNotFoundError:
            continue
    return {}
