"""Which KiCad is installed, and whether it reads what is written."""

from __future__ import annotations

import re
import shutil
import subprocess

__all__ = ["OLDEST_KICAD", "installed_kicad"]

OLDEST_KICAD = 8
"""Major version of the oldest KiCad that reads a project."""

_SECONDS = 20


def installed_kicad() -> str:
    """Version that ``kicad-cli`` says it is; empty where there is none, or it says nothing."""
    program = shutil.which("kicad-cli")
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, "version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.match(r"\s*(\d+\.[\d.]*\d)", done.stdout.decode("utf-8", "replace"))
    return found[1] if found else ""
