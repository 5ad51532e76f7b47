"""A program in a process of its own: an empty home, limits of time, memory and files, and its last words."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

from analogflow.errors import SimulationFailed
from analogflow.simulators.vacask.program import surroundings

__all__ = ["Ended", "run_child"]

_MEMORY = 8 * 2**30
_LARGEST_FILE = 4 * 2**30
_PAUSE = 0.02
"""Seconds between two looks at what a child has written; the first come sooner."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status, whether we stopped it because we had enough, and what it said last."""

    status: int
    enough: bool
    words: str

    @property
    def crashed(self) -> str:
        """Name of the signal that ended it; empty if none did, or if it was ours."""
        if self.status >= 0 or self.enough:
            return ""
        return next((known.name for known in signal.Signals if known == -self.status), f"signal {-self.status}")


def run_child(
    command: Sequence[str], folder: str, *, time_limit: float, what: str, enough: Callable[[], bool] | None = None
) -> Ended:
    """Run `command` in `folder`, which is its home too, until it ends or `enough` says so.

    Raises
    ------
    SimulationFailed
        It could not be started, or did not finish within the time limit.
    """
    log = os.path.join(folder, "said.txt")
    deadline = time.monotonic() + time_limit
    with open(log, "wb") as said:
        try:
            child = subprocess.Popen(
                list(command),
                cwd=folder,
                env=surroundings(folder),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as fault:
            raise SimulationFailed(
                f"{what} could not be started ({fault.strerror}); the doctor says how to mend it.", words=["the doctor"]
            ) from None
    stopped = False
    try:
        _limit(child.pid, time_limit)
        pause = 1e-3
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=pause)
                break
            pause = min(1.5 * pause, _PAUSE)
            if enough is not None and enough():
                stopped = True
                break
            if time.monotonic() > deadline:
                raise SimulationFailed(
                    f"{what} did not finish within the time limit of {time_limit:g} s and was stopped; "
                    "raise time_limit, shorten the run, or take larger steps."
                )
    finally:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return Ended(child.returncode, stopped, _last_words(log))


def _limit(process: int, time_limit: float) -> None:
    """Bound memory, files and processor time of a process that has just been started: it can not outlive us for long."""
    try:
        import resource

        setter = resource.prlimit
    except (ImportError, AttributeError):  # not Linux
        return
    seconds = int(time_limit) + 5 if time_limit < 1e9 else resource.RLIM_INFINITY
    limits = (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
    )
    for kind, most in limits:
        with contextlib.suppress(ValueError, OSError):
            setter(process, kind, (most, most))


def _last_words(log: str) -> str:
    """End of what the program said, without its greeting."""
    with contextlib.suppress(OSError), open(log, "rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - 4000, 0))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]
        told = [line for line in lines if line and not line.startswith(("OpenBLAS CPUs", "CPUs used", "Available CPUs"))]
        return " / ".join(told[-4:])[:400]
    return ""
