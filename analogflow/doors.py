"""Doors of packages: what a package offers stands in ``__init__.pyi`` beside its door, and is loaded on first use."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["opened"]

_OFFERED = re.compile(r"^from (\S+) import (\w+) as", re.MULTILINE)


def opened(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of the package whose ``__init__.py`` is `file`; its modules are found as well."""
    stub = Path(file).with_suffix(".pyi").read_text(encoding="utf-8")
    module_of = {name: module for module, name in _OFFERED.findall(stub)}

    def found(name: str) -> Any:
        if name == "__all__":
            value: Any = sorted(module_of)
        elif name in module_of and module_of[name] != package:
            value = getattr(importlib.import_module(module_of[name]), name)
        elif not name.startswith("_") and importlib.util.find_spec(f"{package}.{name}"):
            value = importlib.import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *module_of})

    return found, listed
