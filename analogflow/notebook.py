"""How an object draws itself in a notebook: what draws is loaded when one is shown."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["shown"]


def shown(language: str) -> Callable[[Any], str | None]:
    """Method that draws an object in "html" or "svg"; a class names it ``_repr_html_`` or ``_repr_svg_``."""

    def draw(thing: Any) -> str | None:
        return getattr(importlib.import_module("analogflow.report.pages"), f"shown_{language}")(thing)

    return draw
