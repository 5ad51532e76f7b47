"""Writes a run as a binary raw file, which ngspice and viewers of waveforms load."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from analogflow.contents import refuse_existing, whole_file
from analogflow.names import comment
from analogflow.solution import Solution

__all__ = ["write_raw"]


def write_raw(solution: Solution, path: str | Path, *, force: bool = False) -> Path:
    """Write the signals of a solution's run as ngspice's binary raw file; of several chains, the first.

    Its vectors are ``time`` in seconds, from where the circuit is let go, and each element of each state and observable in
    flow units: ``z_0``, ``z_1``, … of several, the name alone of one. They are announced as voltages, since readers know
    no other kind: 1 V is a flow unit. The bytes depend on the run alone, so the header has no date.

    Parameters
    ----------
    solution : Solution
    path : path
        Usually ending in ``.raw``.
    force : bool
        Whether an existing file is replaced.

    Raises
    ------
    BadInput
        The file exists and `force` is false, or it can not be written.
    """
    path = Path(path)
    refuse_existing(path, force=force)
    run = solution.run
    columns = {"time": run.time * solution.circuit.units.time_constant}
    for name, values in run.values.items():
        label = re.sub("[^a-z0-9_]", "_", name.lower())
        for k, column in enumerate(values.T):
            vector = label if values.shape[-1] == 1 else f"{label}_{k}"
            while vector in columns:
                vector += "_"
            columns[vector] = column
    flow = solution.flow
    title = comment(f"analogflow: {flow.family} {flow.form}, technology {solution.circuit.technology}, {solution.engine}")
    header = [f"Title: {title}", "Plotname: Transient Analysis", "Flags: real", f"No. Variables: {len(columns)}",
              f"No. Points: {len(run.time)}", "Variables:",
              *(f"\t{k}\t{name}\t{'voltage' if k else 'time'}" for k, name in enumerate(columns)), "Binary:"]  # fmt: skip
    table = np.column_stack(list(columns.values())).astype("<f8")
    with whole_file(path) as part, part.open("wb") as file:
        file.write("".join(f"{line}\n" for line in header).encode("ascii"))
        file.write(table.tobytes())
    return path
