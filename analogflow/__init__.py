"""analogflow: compile continuous-time flows into analog circuits, simulate them, and prove what they compute.

    import analogflow as af
    channel = af.Channel([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])
    print(af.solve(channel))

Importing the package loads nothing else: what is used is loaded on first use. Public names stand in ``__init__.pyi``.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any

_STUB = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
_MODULE_OF = {name: module for module, name in re.findall(r"^from (\S+) import (\w+) as", _STUB, re.MULTILINE)}

__all__ = sorted(_MODULE_OF)  # pyright: ignore[reportUnsupportedDunderAll]  type checkers read the stub


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        value = metadata.version("analogflow")
    elif name in _MODULE_OF and _MODULE_OF[name] != __name__:
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    elif not name.startswith("_") and importlib.util.find_spec(f"analogflow.{name}"):
        value = importlib.import_module(f"analogflow.{name}")
    else:
        raise AttributeError(f"module 'analogflow' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
