"""Compiles Verilog-A modules with OpenVAF, each once: the file of a module is named by what is in it.

The files are native code that is loaded, so they lie in a folder of this process alone, which ends with it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable

from analogflow.errors import SimulationFailed
from analogflow.netlister.verilog_modules import HEADER, Module
from analogflow.simulators.vacask.child import run_child
from analogflow.simulators.vacask.program import Programs

__all__ = ["compiled"]

_SECONDS = 120.0


def compiled(modules: Iterable[Module], programs: Programs) -> tuple[str, ...]:
    """Paths of files that together hold the compiled modules.

    Raises
    ------
    SimulationFailed
        The compiler refused a module, or crashed.
    """
    return _cache_of(os.getpid()).files(tuple(modules), programs)


class _Cache:
    """A private folder of compiled modules. Those that are missing are compiled together: most of the time is the start."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="analogflow-verilog-a-")
        self._file_of: dict[str, str] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _forget, self.folder, os.getpid())

    def files(self, modules: tuple[Module, ...], programs: Programs) -> tuple[str, ...]:
        with self._lock:
            missing = tuple(module for module in modules if module.text not in self._file_of)
            if missing:
                made = self._compile(missing, programs)
                self._file_of.update({module.text: made for module in missing})
            return tuple(dict.fromkeys(self._file_of[module.text] for module in modules))

    def _compile(self, modules: tuple[Module, ...], programs: Programs) -> str:
        source = "\n".join((HEADER, *(module.text for module in modules)))
        finished = os.path.join(self.folder, f"{hashlib.sha256(source.encode()).hexdigest()[:20]}.osdi")
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            written, made = os.path.join(folder, "modules.va"), os.path.join(folder, "modules.osdi")
            with open(written, "w", encoding="ascii") as file:
                file.write(source)
            command = [programs.compiler, written, "-o", made, "--target_cpu", "generic"]
            ended = run_child(command, folder, time_limit=_SECONDS, what="the Verilog-A compiler OpenVAF")
            if ended.status or not os.path.exists(made):
                names = ", ".join(module.name for module in modules)
                raise SimulationFailed(
                    f"the Verilog-A compiler OpenVAF did not take {names} ({ended.crashed or ended.words or ended.status}); "
                    "take the engine ngspice or block."
                )
            os.replace(made, finished)
        return finished


def _forget(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked child leaves it alone
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _cache_of(process: int) -> _Cache:
    return _Cache()
