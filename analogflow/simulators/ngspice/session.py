"""Runs requests in a worker process that has limits, an empty home, and a successor whenever it breaks.

This process never loads ngspice: a crash, a hang or a leak there is a sentence here. What runs inside the worker it does not
know: it knows its surroundings, its pipes, its last words and its death.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import numpy as np
from numpy.typing import NDArray

from analogflow.checks import is_positive
from analogflow.errors import BadInput, MissingProgram, SimulationFailed
from analogflow.simulators.ngspice.library import require_library
from analogflow.simulators.ngspice.protocol import FrameError, Reply, Request, read_frame, write_frame

__all__ = ["TIME_LIMIT", "NgspiceSession", "default_session", "session_in_use"]

TIME_LIMIT = 600.0
"""Seconds of real time after which a run of any engine is stopped, unless another limit is given."""

_START_SECONDS = 120.0
_GIBIBYTE = 2**30
_UNREAD = re.compile(r"no such function|syntax error|circuit not parsed")

_Frame = tuple[dict[str, Any], dict[str, NDArray[np.float64]]]
"""Header and arrays of one message."""

# What a worker may know of our surroundings: where programs, libraries and ngspice's own set-up files are.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SPICE_LIB_DIR", "SPICE_SCRIPTS", "SYSTEMROOT", "CONDA_PREFIX")


_IN_USE: contextvars.ContextVar[NgspiceSession | None] = contextvars.ContextVar("session", default=None)


class NgspiceSession:
    """ngspice, ready to run requests one after another; use it in a ``with`` statement, or close it.

    Nothing starts before the first run. Threads may share a session: their runs wait for each other. For runs side by side
    take one session for each. After a fork the child starts a worker of its own.

    Parameters
    ----------
    time_limit : float
        Seconds of wall-clock time for one run.
    memory_limit : int
        Bytes of address space of the worker; enforced where the system can.
    runs_per_worker : int
        A worker is replaced after that many runs, so that nothing small that ngspice leaks grows large.

    Raises
    ------
    BadInput
        A limit is not positive.
    """

    def __init__(
        self, *, time_limit: float = TIME_LIMIT, memory_limit: int = 4 * _GIBIBYTE, runs_per_worker: int = 200
    ) -> None:
        for name, value in (
            ("time_limit", time_limit),
            ("memory_limit", memory_limit),
            ("runs_per_worker", runs_per_worker),
        ):
            if not is_positive(value, finite=False):
                raise BadInput(f"{name}: {value!r} must be positive.")
        self.time_limit = time_limit
        self.memory_limit = int(memory_limit)
        self.runs_per_worker = runs_per_worker
        self._worker: _WorkerProcess | None = None
        self._stop: Callable[[], object] | None = None  # also called when the session is forgotten or Python ends
        self._lock = threading.Lock()

    def run(
        self, request: Request, *, on_progress: Callable[[float], object] | None = None, time_limit: float | None = None
    ) -> Reply:
        """Run a request and wait for its reply.

        Parameters
        ----------
        request : Request
        on_progress : callable, optional
            Called about twenty times a second with the simulated time reached, in seconds.
        time_limit : float, optional
            Seconds, in place of the session's.

        Raises
        ------
        MissingProgram
            There is no ngspice library.
        SimulationFailed
            ngspice refused the deck, crashed, or reached a limit. A run that ngspice gave up is a reply, not an error.
        """
        seconds = self.time_limit if time_limit is None else time_limit
        if not is_positive(seconds, finite=False):
            raise BadInput(f"time_limit: {seconds!r} must be positive.")
        with self._lock:
            worker = self._ready()
            worker.runs += 1
            try:
                header, arrays = self._exchange(worker, request, on_progress, seconds)
            except BaseException:
                # Whatever interrupted us (Ctrl-C too), what the worker says next would answer the wrong question.
                self._discard()
                raise
            if header.get("exiting") or header.get("kind") == "memory":
                self._discard()
        return self._judged(header, arrays, worker.versions)

    @property
    def versions(self) -> Mapping[str, str]:
        """``ngspice``, ``PySpice``, ``numpy`` and ``library`` of the worker, which is started if need be."""
        with self._lock:
            return dict(self._ready().versions)

    @property
    def process_id(self) -> int | None:
        """Process of the worker; None while there is none."""
        worker = self._worker
        return worker.process.pid if worker is not None and worker.alive else None

    def close(self) -> None:
        """End the worker at once; a run under way in another thread fails. A later run starts a new one."""
        self._discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"NgspiceSession(time_limit={self.time_limit:g}, process_id={self.process_id})"

    def _ready(self) -> _WorkerProcess:
        """A worker fit for one more run."""
        if self._worker is not None and (self._worker.runs >= self.runs_per_worker or not self._worker.alive):
            self._discard()
        if self._worker is not None:
            return self._worker
        worker = self._worker = _WorkerProcess(require_library().path, self.memory_limit)
        self._stop = weakref.finalize(self, worker.stop)
        try:
            with _Deadline(worker, _START_SECONDS):
                header, _ = worker.receive()
            if header.get("kind") == "missing":
                raise MissingProgram(f"ngspice can not be loaded: {header.get('detail')}. See ngspice_setup.md.")
            worker.versions = dict(header["versions"])
        except (EOFError, FrameError, KeyError, OSError, ValueError):
            raise SimulationFailed(f"ngspice's process did not start{worker.last_words()}.") from None
        finally:
            if not worker.versions:
                self._discard()
        return worker

    def _discard(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None and self._stop is not None:
            self._stop()

    def _exchange(
        self, worker: _WorkerProcess, request: Request, on_progress: Callable[[float], object] | None, seconds: float
    ) -> _Frame:
        with _Deadline(worker, seconds) as deadline:
            try:
                worker.send(request)
                header, arrays = worker.receive()
                while header.get("kind") == "progress":
                    if on_progress is not None:
                        on_progress(float(header["time"]))
                    header, arrays = worker.receive()
            except (EOFError, FrameError, OSError, ValueError) as fault:
                if worker is not self._worker:
                    raise SimulationFailed("the session was closed while ngspice ran; run again.") from None
                if deadline.passed:
                    raise SimulationFailed(
                        f"ngspice did not finish within the time limit of {seconds:g} s and was stopped; "
                        "raise time_limit, shorten the run, or take larger steps."
                    ) from None
                raise SimulationFailed(worker.death(fault)) from None
        return header, arrays

    def _judged(self, header: dict[str, Any], arrays: dict[str, NDArray[np.float64]], versions: Mapping[str, str]) -> Reply:
        kind, detail = header.get("kind"), str(header.get("detail"))
        # ngspice 44 ends after a formula that it can not read, where 39 refuses the deck and lives on.
        unread = kind == "rejected" and _UNREAD.search(detail) is not None
        if (header.get("exiting") and not unread) or kind == "memory":
            raise SimulationFailed(
                f"ngspice gave up ({detail or 'it did not say why'}); its memory limit is "
                f"{self.memory_limit / _GIBIBYTE:.3g} GiB. Raise memory_limit, shorten the run, or take larger steps."
            )
        if kind == "rejected" and ("MIF-ERROR" in detail or "Unknown model type filesource" in detail):
            raise MissingProgram(
                "ngspice runs, but its XSPICE code models (analog.cm), which play the noise, are not loaded; install the "
                "package ngspice, which brings them and the spinit that loads them; see ngspice_setup.md."
            )
        if kind == "rejected":
            raise SimulationFailed(f"ngspice did not take the deck: {detail}.")
        if kind != "reply":
            raise SimulationFailed(f"ngspice's process refused the request: {detail}.")
        return Reply(
            status=str(header["status"]),
            time=arrays.pop("time"),
            vectors=arrays,
            detail=detail,
            node=header["node"],
            element=header["element"],
            messages=tuple(map(str, header["messages"])),
            versions=dict(versions),
        )


@functools.cache
def _session_of(process: int) -> NgspiceSession:
    return NgspiceSession()


def default_session() -> NgspiceSession:
    """The session that loops share, so that only the first run pays for a start; it ends with this process.

    Within `session_in_use` it is that one.
    """
    return _IN_USE.get() or _session_of(os.getpid())


@contextlib.contextmanager
def session_in_use(session: NgspiceSession) -> Iterator[None]:
    """Let what this thread runs meanwhile use a session of its own, beside those of other threads."""
    token = _IN_USE.set(session)
    try:
        yield
    finally:
        _IN_USE.reset(token)


class _WorkerProcess:
    """One worker process, its pipes and its empty home."""

    def __init__(self, library: str, memory_limit: int) -> None:
        self.owner = os.getpid()
        self.runs = 0
        self.versions: dict[str, str] = {}
        self.home = tempfile.mkdtemp(prefix="analogflow-")
        self.errors = tempfile.TemporaryFile()
        folders = [str(Path(__file__).parents[3]), *(os.path.abspath(folder) for folder in sys.path)]
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

    def receive(self) -> _Frame:
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


class _Deadline:
    """Kills a worker unless the block ends in time; ``passed`` says whether it did."""

    def __init__(self, worker: _WorkerProcess, seconds: float) -> None:
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
