"""A worker's process as its owner sees it: surroundings, pipes, last words, death. It knows nothing of what runs inside."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import numpy as np
from numpy.typing import NDArray

from analogflow.simulators.ngspice.frames import FrameError, read_frame, write_frame
from analogflow.simulators.ngspice.protocol import Request

__all__ = ["Deadline", "Frame", "WorkerProcess"]

Frame = tuple[dict[str, Any], dict[str, NDArray[np.float64]]]
"""Header and arrays of one message."""

# What a worker may know of our surroundings: where programs, libraries and ngspice's own set-up files are.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SPICE_LIB_DIR", "SPICE_SCRIPTS", "SYSTEMROOT", "CONDA_PREFIX")


class WorkerProcess:
    """One worker process, its pipes and its empty home."""

    def __init__(self, library: str, memory_limit: int) -> None:
        self.owner = os.getpid()
        self.runs = 0
        self.versions: dict[str, str] = {}
        self.home = tempfile.mkdtemp(prefix="analogflow-")
        self.errors = tempfile.TemporaryFile()
        folders = [str(Path(__file__).parents[2]), *(os.path.abspath(folder) for folder in sys.path)]
        surroundings = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {
            "HOME": self.home,
            "USERPROFILE": self.home,
            "SPICE_USERINIT_DIR": self.home,
            "TMPDIR": self.home,
            "LC_ALL": "C.UTF-8",
            "NGSPICE_LIBRARY_PATH": library,
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(folders)),
            "PYTHONNOUSERSITE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",  # a thread's stacks count against the memory limit
            "OMP_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "analogflow.simulators.ngspice.worker", str(memory_limit), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            cwd=self.home,
            env=surroundings,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether the process runs and is ours: after a fork it is the parent's."""
        return self.owner == os.getpid() and self.process.poll() is None

    def send(self, request: Request) -> None:
        """Hand over a request."""
        write_frame(cast(BinaryIO, self.process.stdin), *request.to_frame())

    def receive(self) -> Frame:
        """Wait for the next message."""
        return read_frame(cast(BinaryIO, self.process.stdout))

    def kill(self) -> None:
        """End the process and all it started, at once."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL) if hasattr(os, "killpg") else self.process.kill()

    def wait(self) -> int | None:
        """Exit status of a process that is about to end; None if it does not."""
        try:
            return self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return None

    def last_words(self) -> str:
        """End of what the process wrote on standard error."""
        with contextlib.suppress(OSError, ValueError):
            self.errors.seek(max(os.fstat(self.errors.fileno()).st_size - 2000, 0))
            lines = self.errors.read().decode("utf-8", "replace").split("\n")
            said = [line.strip() for line in lines if line.strip()][-3:]
            if said:
                return f", after saying {' / '.join(said)!r}"
        return ""

    def death(self, fault: Exception) -> str:
        """Sentence on how the process ended, after `fault` in talking to it."""
        code = self.wait()
        words = self.last_words()
        if isinstance(fault, FrameError):
            return f"ngspice's process said something that is not a reply ({fault}){words}."
        if code is not None and code < 0:
            name = next((s.name for s in signal.Signals if s == -code), f"signal {-code}")
            return (
                f"ngspice crashed ({name}){words}; the next run starts a new process. Simplify the circuit or its formulas."
            )
        return f"ngspice's process ended unexpectedly (exit status {code}){words}; the next run starts a new one."

    def stop(self) -> None:
        """Kill the process if it is ours, and let go of everything; in a forked child only let go."""
        self.kill()
        if self.owner == os.getpid():
            self.process.wait()
            shutil.rmtree(self.home, ignore_errors=True)
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            with contextlib.suppress(OSError, ValueError):
                stream.close() if stream is not None else None


class Deadline:
    """Kills a worker unless the block ends in time; ``passed`` says whether it did."""

    def __init__(self, worker: WorkerProcess, seconds: float) -> None:
        self.passed = False
        self._worker = worker
        self._lock = threading.Lock()
        self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *fault: object) -> None:
        with self._lock:
            self._timer.cancel()

    def _expire(self) -> None:
        with self._lock:
            if not self._timer.finished.is_set():
                self.passed = True
                self._worker.kill()
