"""A SPICE deck: text that ngspice runs, with what is needed to read its vectors back as the model's variables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import Circuit, Reading
from analogflow.netlister.noise_table import table_text
from analogflow.problems.contents import refuse_existing, write_text

__all__ = ["Deck"]


@dataclasses.dataclass(frozen=True, eq=False)
class Deck:
    """Deck of a circuit.

    Parameters
    ----------
    circuit : Circuit
    title : str
        First line, a comment.
    header : tuple of str
        Comment lines for people: problem, equations, scale, expected answer, how to run.
    body : tuple of str
        Element, option, save and analysis lines: what a simulator needs.
    script : tuple of str
        Commands that run the deck and print its answer when it runs alone; never sent to an embedded simulator.
    readings : mapping of name to Reading
        How every state and observable that the circuit builds is read from the vectors saved.
    end_time, largest_step : float
        Seconds.
    tables : mapping of file name to array
        Noise that the deck plays from files beside it: the time in seconds, then one column for each source.
    """

    circuit: Circuit
    title: str
    header: tuple[str, ...]
    body: tuple[str, ...]
    script: tuple[str, ...]
    readings: Mapping[str, Reading]
    end_time: float
    largest_step: float
    tables: Mapping[str, NDArray[np.float64]] = dataclasses.field(default_factory=dict)

    @property
    def text(self) -> str:
        """The whole file: runs alone with ``ngspice -b``."""
        return "\n".join((self.title, *self.header, *self.body, *self.script, ".end", ""))

    @property
    def embedded(self) -> tuple[str, ...]:
        """Lines for an embedded simulator: no comments and no script."""
        return (self.title, *(line for line in self.body if not line.startswith("*")), ".end")

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the whole file, and the table of its noise beside it if it has any.

        Raises
        ------
        BadInput
            The file exists and `force` is false, or it can not be written.
        """
        path = Path(path)
        refuse_existing(path, force=force)
        for name, table in self.tables.items():
            # The name is a digest of the content: what is there already is the same, or somebody else's.
            beside, text = path.parent / name, table_text(table)
            if not _holds(beside, text):
                write_text(beside, text, force=force)
        return write_text(path, self.text, force=force)

    def __repr__(self) -> str:
        return f"Deck({self.circuit!r}, {self.end_time:g} s, {len(self.body)} lines)"


def _holds(path: Path, text: str) -> bool:
    """Whether a file is there and is this text in ASCII."""
    try:
        return path.stat().st_size == len(text) and path.read_bytes() == text.encode("ascii")
    except OSError:
        return False
