"""Every exception analogflow raises on purpose: a sentence for a person, and the exit code of the command line.

So is what other people's code raises, where it is called through `call_theirs`.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "AnalogflowError",
    "AssumptionWarning",
    "BadInput",
    "MissingProgram",
    "NoCell",
    "SimulationFailed",
    "StudyStopped",
    "UnstableManifold",
    "Untraceable",
    "call_theirs",
    "printable",
]


_LONGEST, _BEGINNING = 4000, 2000


def printable(text: object) -> str:
    """The text with what can not be printed as Python writes it in quotes."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in str(text))


class AnalogflowError(Exception):
    """Root of all analogflow exceptions; its text is one sentence with the remedy, of a length that can be read.

    Parameters
    ----------
    text : object
    words : sequence of str
        Parts of the text that are said in Python, such as ``force=True``: who calls in another language says them otherwise.
    """

    exit_code = 1

    def __init__(self, text: object = "", *, words: Sequence[str] = ()) -> None:
        self.words = tuple(words)
        said = printable(text)  # what is quoted may hold line ends, or commands to a terminal
        # It may quote what it was given, which may be a file of any size.
        super().__init__(said if len(said) <= _LONGEST else f"{said[:_BEGINNING]} … {said[_BEGINNING - _LONGEST :]}")


class BadInput(AnalogflowError, ValueError):
    """What was given is not allowed: the text says what was given, what is allowed and what to do."""

    exit_code = 2


class Untraceable(BadInput):
    """A flow's function did something a block graph can not express; the text names its line, `reason` what it did."""

    reason = ""


class UnstableManifold(AnalogflowError):
    """The compiled graph leaves the manifold its answer lives on, and no restoring term was found."""


class NoCell(AnalogflowError):
    """A technology has no cell for a block; the text names block, source line and technologies that have one."""

    exit_code = 2


class SimulationFailed(AnalogflowError):
    """A simulation broke down (crash, time limit, no convergence); the text names cause and model variable."""


class StudyStopped(AnalogflowError):
    """A study came to a stop outside its samples: a full disk, a worker that was killed, a scheduler that went away.

    What was computed is kept; the text says how to go on.
    """


class MissingProgram(AnalogflowError):
    """A program or library analogflow needs is not installed, or is not what it claims to be."""

    exit_code = 3


class AssumptionWarning(UserWarning):
    """A result was asked for outside what its theorem assumes; the text says what no longer holds."""


_OURS, _PYTHON = Path(__file__).parent, Path(os.__file__).parent
_INSTALLED = {"site-packages", "dist-packages"}


def call_theirs(what: str, remedy: str, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """What `function`, which may be of a user or of another package, returns; a fault of its code is one sentence.

    A fault of our own code, also where theirs called it, stays what it is.

    Parameters
    ----------
    what, remedy : str
        The function in words, and what to do if it fails.

    Raises
    ------
    BadInput
        Their code raised what is no `AnalogflowError`, or does not take the arguments; the text names file and line.
    """
    try:
        return function(*arguments, **keywords)
    except (AnalogflowError, MemoryError, RecursionError):
        raise
    except Exception as fault:
        if place := _place(fault, function):
            raise BadInput(f"{place}: {what} failed ({type(fault).__name__}: {fault}); {remedy}.") from fault
        raise


def _place(fault: Exception, function: Callable[..., Any]) -> str:
    """Where the innermost line of code that is no library's raised `fault`; empty if that line is ours."""
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(fault.__traceback__)][1:]
    if not lines and (code := getattr(function, "__code__", None)):  # it does not take what it was called with
        lines = [(code.co_filename, code.co_firstlineno)]
    for file, line in reversed(lines):
        path = Path(file)
        # What Python, NumPy and SciPy raise is about what they were asked for.
        of_python = _PYTHON in path.parents and not _INSTALLED.intersection(path.parts)
        if not (of_python or file.startswith("<frozen") or {"numpy", "scipy"}.intersection(path.parts)):
            return "" if _OURS in path.parents else f"{file}:{line}"
    return ""
