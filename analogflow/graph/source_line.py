"""Finds the line of the user's function that is being traced, for messages and for the netlist."""

from __future__ import annotations

import dataclasses
import linecache
import sys
from pathlib import Path

__all__ = ["SourceLine", "calling_line"]

_OUR_FOLDER = str(Path(__file__).parent)


@dataclasses.dataclass(frozen=True)
class SourceLine:
    """A line of source: its text without comment, its file and its number (0 where unknown)."""

    text: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        """Text and place, with the file's name only: the same on every machine."""
        return f"{self.text}   ({Path(self.file).name}:{self.line})" if self.line else self.text

    @property
    def place(self) -> str:
        """Clickable place, ``file:line``; says so if it is unknown."""
        return f"{self.file}:{self.line}" if self.line else "a line that can not be located"


def calling_line() -> SourceLine:
    """Innermost line outside this folder and NumPy that is now executing."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_OUR_FOLDER) and "numpy" not in Path(file).parts:
            text = linecache.getline(file, frame.f_lineno, frame.f_globals).split("#")[0].strip()
            return SourceLine(text, file, frame.f_lineno)
        frame = frame.f_back
    return SourceLine()
