"""Every exception analogflow raises on purpose: a sentence for a person, and the exit code of the command line."""

from __future__ import annotations

from collections.abc import Sequence

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
]


_LONGEST, _BEGINNING = 4000, 2000


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
        # What is quoted may hold line ends, or commands to a terminal.
        said = "".join(character if character.isprintable() else repr(character)[1:-1] for character in str(text))
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
