"""The knots of a circuit's noise as a table that ngspice's code model ``filesource`` plays.

ngspice's own transient noise can not be seeded, and piecewise-linear sources are thirty times slower.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import Circuit, NoiseVoltage
from analogflow.names import identifier, number

__all__ = ["noise_table", "table_text"]


_COLUMNS = 16
"""Sources in one file: ngspice 39 reads its lines through a buffer of 512 characters and misreads longer ones."""


def noise_table(circuit: Circuit, time_constants: float) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
    """Lines that play the noise of `circuit`, and the tables they read by file name; both empty without noise.

    A table's first column is the time in seconds; the others are standard normal numbers, one column for each source. The
    name of the file comes from its content, so that decks written to one folder can not take each other's noise.
    """
    sources = [element for element in circuit.elements if isinstance(element, NoiseVoltage)]
    lines: list[str] = []
    tables: dict[str, NDArray[np.float64]] = {}
    for number_of_file, first in enumerate(range(0, len(sources), _COLUMNS)):
        some = sources[first : first + _COLUMNS]
        table = _table(circuit, some, time_constants)
        name = f"noise-{hashlib.sha256(table.tobytes()).hexdigest()[:12]}.txt"
        nodes = " ".join(f"{identifier(source.nodes[0])} 0" for source in some)
        scale = " ".join(number(source.density / np.sqrt(circuit.noise.step)) for source in some)
        player = f"noise_player{number_of_file}"
        lines += [
            f"a{player} %vd([{nodes}]) {player}",
            f'.model {player} filesource(file="{name}" amploffset=[{" ".join("0" for _ in some)}] amplscale=[{scale}] '
            "timeoffset=0 timescale=1 timerelative=false amplstep=false)",
        ]
        tables[name] = table
    return lines, tables


def _table(circuit: Circuit, sources: Sequence[NoiseVoltage], time_constants: float) -> NDArray[np.float64]:
    noise = circuit.noise
    (knots,) = noise.knots([circuit.sample], [source.stream for source in sources], time_constants)
    return np.column_stack([circuit.release + noise.knot_times(time_constants) * circuit.time_constant, knots])


def table_text(table: NDArray[np.float64]) -> str:
    """Table as text from which every number is read back as it was."""
    rows: Sequence[Sequence[float]] = table.tolist()
    return "".join(" ".join(map(repr, row)) + "\n" for row in rows)
