"""A SPICE deck: text that ngspice runs, with what is needed to read its vectors back as the model's variables."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import Circuit, NoiseVoltage, Reading
from analogflow.contents import refuse_existing, write_text
from analogflow.names import identifier, number

__all__ = ["Deck", "noise_table", "table_text"]


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
    body : sequence of str
        Element, option, save and analysis lines: what a simulator needs.
    script : sequence of str
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
    body: Sequence[str]
    script: Sequence[str]
    readings: Mapping[str, Reading]
    end_time: float
    largest_step: float
    tables: Mapping[str, NDArray[np.float64]] = dataclasses.field(default_factory=dict)

    @property
    def text(self) -> str:
        """The whole file: runs alone with ``ngspice -b``."""
        return "".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for line in chain((self.title,), self.header, self.body, self.script, (".end",)):
            yield f"{line}\n"

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
        return write_text(path, self._lines(), force=force)

    def __repr__(self) -> str:
        return f"Deck({self.circuit!r}, {self.end_time:g} s, {len(self.body)} lines)"


def _holds(path: Path, text: str) -> bool:
    """Whether a file is there and is this text in ASCII."""
    try:
        return path.stat().st_size == len(text) and path.read_bytes() == text.encode("ascii")
    except OSError:
        return False


# ngspice's own transient noise can not be seeded, and piecewise-linear sources are thirty times slower than a code model
# that plays a file.
_COLUMNS = 16
"""Sources in one file: ngspice 39 reads its lines through a buffer of 512 characters and misreads longer ones."""


def noise_table(circuit: Circuit, time_constants: float) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
    """Lines that play the noise of `circuit`, and the tables they read by file name; both empty without noise.

    A table's first column is the time in seconds; the others are standard normal numbers, one column for each source. The
    name of the file comes from its content, so that decks written to one folder can not take each other's noise.
    """
    sources = circuit.noises()
    lines: list[str] = []
    tables: dict[str, NDArray[np.float64]] = {}
    for number_of_file, first in enumerate(range(0, len(sources), _COLUMNS)):
        some = sources[first : first + _COLUMNS]
        table = _table(circuit, some, time_constants)
        name = f"noise-{hashlib.sha256(table.tobytes()).hexdigest()[:12]}.txt"
        nodes = " ".join(_poles(source) for source in some)
        scale = " ".join(number(circuit.noise.amplitude(source.density)) for source in some)
        player = f"noise_player{number_of_file}"
        # The bracket that the model opens is closed by its player: ngspice takes both for blanks, and spicelib, which knows
        # no element A but LTspice's, the two for one line that it leaves as it is.
        lines += [
            f'.model {player} filesource(file="{name}" amploffset=[{" ".join("0" for _ in some)}] amplscale=[{scale}] '
            "timeoffset=0 timescale=1 timerelative=false amplstep=false",
            f"a{player} %vd([{nodes}])) {player}",
        ]
        tables[name] = table
    return lines, tables


def _poles(source: NoiseVoltage) -> str:
    plus, minus = source.ends
    return f"{identifier(plus)} {minus if minus == '0' else identifier(minus)}"


def _table(circuit: Circuit, sources: Sequence[NoiseVoltage], time_constants: float) -> NDArray[np.float64]:
    noise = circuit.noise
    streams, corners = [source.stream for source in sources], [source.corner for source in sources]
    spacing = noise.step * circuit.units.time_constant
    knots = noise.played(circuit.sample, streams, corners, spacing, time_constants)
    table = np.column_stack([circuit.release + noise.knot_times(time_constants) * circuit.units.time_constant, knots])
    if circuit.release > 0:
        # Before its first row ngspice 39 reads what lies before the table, and crashes where that is another's memory.
        table = np.concatenate([np.concatenate([[0.0], table[0, 1:]])[None], table])
    return table


def table_text(table: NDArray[np.float64]) -> str:
    """Table as text from which every number is read back as it was."""
    rows: Sequence[Sequence[float]] = table.tolist()
    return "".join(" ".join(map(repr, row)) + "\n" for row in rows)
