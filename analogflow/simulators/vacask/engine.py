"""The VACASK engine: writes a deck as a test bench, runs it in a process of its own, and judges the run by its data.

The raw file is read while the simulator still writes it, and nothing that it announces is believed.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analogflow.circuit import Circuit
from analogflow.errors import BadInput, SimulationFailed
from analogflow.netlister import Deck, netlist
from analogflow.netlister.verilog_a import ANALYSIS, VerilogBench, write_bench
from analogflow.run import Run
from analogflow.simulators.ngspice.protocol import Reply, Settle, first_wild
from analogflow.simulators.readout import limit_of, run_of, settle_of, states_of, vectors_of, window_of
from analogflow.simulators.vacask.program import Ended, compiled, find_programs, run_child

__all__ = ["Rows", "refusal", "run"]

_LONGEST_HEADER = 2**26

_END = b"Binary:\n"


def run(deck: Deck, *, resting_speed: float, time_limit: float, on_progress: Callable[[float], None] | None = None) -> Run:
    """Simulate `deck` to its end, or until the answer settles.

    Raises
    ------
    SimulationFailed
        VACASK crashed, ran past the time limit or found no solution, or its compiler refused a module.
    MissingProgram
        The optional extra is not installed.
    """
    programs = find_programs()
    written = write_bench(deck, distinct=True)
    loads = compiled(written.modules, programs)
    watch = _Watch(deck, written, settle_of(deck, resting_speed), on_progress)
    with tempfile.TemporaryDirectory(prefix="analogflow-") as folder:
        with open(os.path.join(folder, "bench.sim"), "w", encoding="ascii") as file:
            file.write(written.text(loads))
        with open(os.path.join(folder, "empty.toml"), "w", encoding="ascii"):
            pass  # instead of the settings that the simulator would look for
        watch.rows = Rows(os.path.join(folder, f"{ANALYSIS}.raw"))
        # Neither files embedded in a bench nor programs it names are ever unpacked or run.
        command = [programs.simulator, "--quiet-progress", "--skip-embed", "--skip-postprocess", "--tomlfile", "empty.toml"]
        ended = run_child([*command, "bench.sim"], folder, time_limit=time_limit, what="VACASK", enough=watch.enough)
        reply = watch.judged(ended)
    return run_of(deck, reply, {"engine": "vacask", "versions": programs.versions}, asked=bool(resting_speed))


def refusal(circuit: Circuit) -> str:
    """Why no test bench can be written of a circuit: a sentence, empty where one can."""
    try:
        write_bench(netlist(circuit))
    except BadInput as fault:
        return str(fault)
    return ""


class _Watch:
    """Looks at the growing results: whether something ran away or came to rest, and how far they are.

    Rest is judged at the first rows past multiples of a quarter of the window, so that the result does not depend on when
    the file was looked at.
    """

    rows: Rows

    def __init__(
        self, deck: Deck, written: VerilogBench, settle: Settle | None, on_progress: Callable[[float], None] | None
    ) -> None:
        self.deck, self.settle, self.on_progress = deck, settle, on_progress
        self.vectors = vectors_of(deck)
        self.columns = [written.columns[vector] for vector in self.vectors]
        states = states_of(deck)
        self.window = window_of(deck)
        self.limits = [limit_of(deck) if vector in states else np.inf for vector in self.vectors]
        self.seen, self.told = 0, 0.0
        self.mark = self.window
        self.found: tuple[str, int, str] | None = None

    def enough(self) -> bool:
        """Whether the rest of the run is not needed."""
        if self.rows.read() > self.seen:
            self._look()
        return self.found is not None

    def _look(self) -> None:
        """Judge the rows that are new."""
        clock, values = self._data()
        wild = first_wild(values, max(self.seen - 1, 0), self.limits)
        stop = len(clock) if wild is None else wild[0]
        if self.settle is not None:
            settling = [values[self.vectors.index(name)] for name in self.settle.vectors]
            while True:
                at = int(np.searchsorted(clock[:stop], self.mark))
                if at >= stop:
                    break
                if self.settle.at_rest(clock[: at + 1], [value[: at + 1] for value in settling], self.window):
                    self.found = ("settled", at + 1, "")
                    return
                self.mark = float(clock[at]) + self.window / 4
        if wild is not None:
            point, which, kept = wild
            self.found = ("blew up", kept, f"{self.vectors[which]} ran away at {float(clock[point]):.6g} s")
        self.seen = len(self.rows.table)
        if self.on_progress is not None and len(clock) and float(clock[-1]) > self.told:
            self.told = float(clock[-1])
            self.on_progress(self.told / self.deck.circuit.units.time_constant)

    def _data(self) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
        """Time and vectors without the row at t = 0, where only what was set has its value."""
        clock = self.rows.column("time")
        first = int(len(clock) > 0 and clock[0] == 0)
        return clock[first:], [self.rows.column(name)[first:] for name in self.columns]

    def judged(self, ended: Ended) -> Reply:
        """The run as its data show it: an exit status alone is believed in neither direction.

        Raises
        ------
        SimulationFailed
            The simulator crashed, or refused the bench, so that there are no data.
        """
        count = self.rows.read()
        if not self.rows.names or not count:
            raise SimulationFailed(
                f"VACASK did not take the bench ({ended.crashed or ended.words or f'exit status {ended.status}'}); "
                "take the engine ngspice or block."
            )
        if self.found is None:
            self._look()
        clock, values = self._data()
        if self.found is not None:
            status, kept, detail = self.found
        elif ended.crashed:
            raise SimulationFailed(
                f"VACASK crashed ({ended.crashed}) at {float(clock[-1]):.6g} s, after saying {ended.words!r}; "
                "take a smaller largest step, another form, or another engine."
            )
        else:
            kept = len(clock)
            done = ended.status == 0 and self.rows.finish() == count
            done = done and kept > 0 and float(clock[-1]) >= self.deck.end_time * (1 - 1e-9)
            status, detail = ("done", "") if done else ("failed", ended.words)
        named = {name: value[:kept].copy() for name, value in zip(self.vectors, values, strict=True)}
        return Reply(status=status, time=clock[:kept].copy(), vectors=named, detail=detail)


class Rows:
    """Rows of a raw file that grows: call `read` for what is new.

    Parameters
    ----------
    path : str
        The file need not exist yet.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.names: tuple[str, ...] = ()
        self.table = np.empty((0, 0))
        self._start = 0

    def read(self) -> int:
        """Take in what was written since the last call; the number of whole rows so far.

        Raises
        ------
        SimulationFailed
            The file is not a raw file of real numbers.
        """
        try:
            with open(self.path, "rb") as file:
                if not self.names and not self._header(file.read(_LONGEST_HEADER)):
                    return 0
                row = 8 * len(self.names)
                whole = (os.fstat(file.fileno()).st_size - self._start) // row
                fresh = whole - len(self.table)
                if fresh > 0:
                    file.seek(self._start + row * len(self.table))
                    data = np.frombuffer(file.read(row * fresh), dtype="<f8").reshape(-1, len(self.names))
                    self.table = np.concatenate([self.table, data]) if len(self.table) else data.astype(np.float64)
        except FileNotFoundError:
            return 0
        except (OSError, ValueError) as fault:
            raise SimulationFailed(f"VACASK's results can not be read ({fault}).") from None
        return len(self.table)

    def finish(self) -> int | None:
        """Number of rows that the header announces once the simulator is done; None if it does not say."""
        try:
            with open(self.path, "rb") as file:
                found = re.search(rb"No\. Points:\s*([0-9]+)\s", file.read(4096))
        except OSError:
            return None
        return int(found[1]) if found else None

    def column(self, name: str) -> NDArray[np.float64]:
        """Values of one vector.

        Raises
        ------
        SimulationFailed
            It was not saved.
        """
        if name not in self.names:
            raise SimulationFailed(f"VACASK did not save {name!r}; what it saved is {', '.join(self.names[:8])}.")
        return self.table[:, self.names.index(name)]

    def _header(self, data: bytes) -> bool:
        """Whether the header is complete; takes the names of the columns."""
        end = data.find(_END)
        if end < 0:
            if len(data) == _LONGEST_HEADER:
                raise ValueError("its header does not end")
            return False
        lines = data[:end].decode("ascii", "replace").splitlines()
        flags = next((line for line in lines if line.startswith("Flags:")), "")
        count = next((line.split(":")[1].strip() for line in lines if line.startswith("No. Variables:")), "")
        listed = [line.split() for line in lines[lines.index("Variables:") + 1 :]]
        names = tuple(words[1] if len(words) > 1 else "" for words in listed)
        if (
            "real" not in flags.split()
            or count != str(len(names))
            or len({*names, ""}) <= len(names)
            or names[:1] != ("time",)
        ):
            raise ValueError("its header is not that of a transient")
        self.names, self._start = names, end + len(_END)
        self.table = np.empty((0, len(names)))
        return True
