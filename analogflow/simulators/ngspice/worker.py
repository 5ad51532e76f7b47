"""The process that owns ngspice: ``python -m …ngspice.worker MEMORY_LIMIT PARENT`` serves its standard input.

It runs one transient at a time through the bridge of PySpice, or of InSpice, and checks what came out. It does
not know flows or circuits, and it is started, limited and replaced by `analogflow.simulators.ngspice.session`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from analogflow.bridge import bridge
from analogflow.errors import BadInput
from analogflow.simulators.ngspice.protocol import (
    FrameError,
    Request,
    first_wild,
    for_version,
    read_frame,
    vector_key,
    write_frame,
)

_shared, _BRIDGE = bridge("Spice.NgSpice.Shared")
ffi = _shared.ffi

__all__ = ["Rejected", "Simulator", "main"]

_FIRST_LOOK = 16  # points; later looks follow the density of points
_FEWEST_POINTS = 8
_MOST_STALLS = 3
_STUCK_POINTS, _LEAST_PROGRESS = 2000, 1e-6  # so many points within such a share of the run: it would not end
_PROGRESS_INTERVAL = 0.05  # seconds

_CHATTER = re.compile(
    r"condition met|pause requested|simulation interrupted|^Trying gmin|^Note:|^Supplies reduced|^Using |^\s*$",
    re.IGNORECASE,
)
_FAULT = re.compile(r"^\s*(pt)?error|fatal|can't find model|unknown subckt", re.IGNORECASE)
_LAST_WORDS = re.compile(r"awaits to be (reset or )?detached")
_NODE = re.compile(r'trouble with node "([^"]+)"')
_INSTANCE = re.compile(r"trouble with \S+instance (\S+)")
_ELEMENT = re.compile(r"^in line (\S+)$")

_Answer = tuple[dict[str, Any], dict[str, NDArray[np.float64]]]

_LARGEST_FILE = 2**26
"""Bytes of any one file: noise tables, and anything ngspice could be made to write."""


class Rejected(Exception):
    """ngspice did not take the deck, so there is no run to report on."""


class Simulator(_shared.NgSpiceShared):
    """ngspice in this process, with every line it says kept and none taken for success or failure by itself.

    Parameters
    ----------
    path : str
        The shared library, as the loader takes it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.messages: list[str] = []
        self.exiting = False
        super().__init__()
        self._functions = cast(Any, self._ngspice_shared)

    @property
    def library_path(self) -> str:
        """The library; PySpice would format the path, and InSpice look for another of that name."""
        return self._path

    @staticmethod
    def _send_char(message_c: Any, ngspice_id: int, user_data: Any) -> int:
        self = ffi.from_handle(user_data)
        text = cast(bytes, ffi.string(message_c)).decode("utf-8", "replace")
        stream, _, content = text.partition(" ")
        if stream == "stderr":
            self._stderr.append(content)
            if not _CHATTER.search(content) and content not in self.messages[-2:]:
                self.messages.append(content)
                if len(self.messages) > 40:
                    del self.messages[20]
        else:
            self._stdout.append(content)
        return 0

    @staticmethod
    def _exit(exit_status: int, immediate_unloding: bool, quit_exit: bool, ngspice_id: int, user_data: Any) -> int:
        ffi.from_handle(user_data).exiting = True
        return exit_status

    def simulate(self, request: Request, progress: Callable[[float], None]) -> _Answer:
        """Run a request; header of the reply and its arrays (``time`` and the vectors by the request's names).

        Raises
        ------
        Rejected
            The deck was not taken, or a vector does not exist.
        """
        self.messages.clear()
        try:
            for name, table in request.tables.items():
                np.savetxt(name, table, fmt="%.17g")  # in this process's own folder, which nothing else uses
            self.load_circuit("\n".join(for_version(request.deck, self.ngspice_version)))
            if any(_FAULT.search(line) for line in self.messages):
                raise Rejected(" / ".join(self.messages[:4]))
            return self._transient(request, progress)
        except OSError as fault:
            raise Rejected(f"a noise table can not be written: {fault.strerror}") from None
        except NameError as fault:  # what PySpice raises for a return code
            said = [line for line in self.messages if not _LAST_WORDS.search(line)]
            raise Rejected(" / ".join(said[-4:]) or str(fault)) from None
        finally:
            for name in request.tables:
                with contextlib.suppress(OSError):
                    os.unlink(name)
            if not self.exiting:
                # Breakpoints, results and circuits outlive a run; memory grows without the last two.
                for command in ("delete all", "destroy all", "remcirc"):
                    with contextlib.suppress(NameError):
                        self.exec_command(command)

    def _transient(self, request: Request, progress: Callable[[float], None]) -> _Answer:
        settling = [request.vectors.index(name) for name in request.settle.vectors] if request.settle else []
        window = request.window or request.end_time
        pace = window / 4 if request.window else request.end_time / 50  # seconds between looks
        seen, look, before, stalls = 0, _FIRST_LOOK, 0.0, 0
        status, detail = "", ""
        columns, clock, values = [], np.empty(0), [np.empty(0)]
        while not status:
            # Stopping by number of points leaves the steps alone; by time, it would set a breakpoint and cut them.
            if seen:
                self.exec_command("delete all")  # not before there are points: it forgets the .save lines too
            self.exec_command(f"stop after {seen + look}")
            self.exec_command("resume" if seen else "run")
            paused = any("interrupted" in line for line in self._stderr)
            columns = columns if seen else self._columns(request)
            clock, *values = self._views(columns)
            wild = first_wild(values, seen, request.limits)
            now = float(clock[-1]) if len(clock) else 0.0
            done = now >= request.end_time * (1 - 1e-9) - request.skipped_at_the_end
            if wild is not None:
                # Nothing beyond the runaway is kept, and no number that is not finite.
                point, which, kept = wild
                status, detail = "blew up", f"{request.vectors[which]} ran away at {float(clock[point]):.6g} s"
                clock, values = clock[:kept], [value[:kept] for value in values]
            elif not paused and not done:
                status, detail = "failed", next((line for line in reversed(self.messages) if "aborted" not in line), "")
            elif request.settle and request.settle.at_rest(clock, [values[k] for k in settling], window):
                status = "settled"
            elif done:
                status = "done"  # and never resumed: that would begin the run again
            elif now > before:
                progress(now)
                density = (len(clock) - seen) / (now - before)
                look = int(min(max(density * pace, _FEWEST_POINTS), 4 * look, _STUCK_POINTS))
                seen, before, stalls = len(clock), now, 0
                if seen > _STUCK_POINTS and now - float(clock[-_STUCK_POINTS]) < _LEAST_PROGRESS * request.end_time:
                    status, detail = "failed", "its steps became so short that the run would not end"
            else:
                # A breakpoint met at the very last point of a run interrupts the next one before its first.
                stalls += 1
                status, detail = ("", "") if stalls < _MOST_STALLS else ("failed", "the simulation makes no progress")
        detail = re.sub(r"^doAnalyses:\s*(TRAN:\s*)?", "", detail).strip()
        header = {"status": status, "detail": detail, **self._trouble(status)}
        arrays = dict(zip(("time", *request.vectors), (clock, *values), strict=True))
        return header, {name: np.array(array) for name, array in arrays.items()}

    def _columns(self, request: Request) -> list[str]:
        """Names that ngspice gives to the time and of each vector asked for."""
        plot = self.last_plot
        if not plot.startswith("tran"):
            raise Rejected(" / ".join(self.messages[-4:]) or "the transient analysis did not start")
        names = self._convert_string_array(self._functions.ngSpice_AllVecs(plot.encode("ascii")))
        known = {name.lower(): f"{plot}.{name}" for name in names}
        missing = [vector for vector in request.vectors if vector_key(vector) not in known]
        if missing:
            raise Rejected(
                f"there is no vector {', '.join(missing)}: the deck has no such node, or its .save does not name it"
            )
        return [known["time"], *(known[vector_key(vector)] for vector in request.vectors)]

    def _views(self, columns: list[str]) -> list[NDArray[np.float64]]:
        """Arrays of ngspice itself, valid until its next command."""
        views = [np.empty(0) for _ in columns]
        for k, name in enumerate(columns):
            vector = self._functions.ngGet_Vec_Info(name.encode("ascii"))
            if vector != ffi.NULL and vector.v_realdata != ffi.NULL and vector.v_length > 0:
                views[k] = np.frombuffer(cast(Any, ffi.buffer(vector.v_realdata, vector.v_length * 8)), dtype=np.float64)
        points = min(map(len, views))
        return [view[:points] for view in views]

    def _trouble(self, status: str) -> dict[str, str | None]:
        """Last node and element that ngspice complained of."""
        found: dict[str, str | None] = {"node": None, "element": None}
        for line in self.messages if status in ("failed", "blew up") else ():
            for name, pattern in (("node", _NODE), ("element", _INSTANCE), ("element", _ELEMENT)):
                match = pattern.search(line)
                found[name] = match[1] if match else found[name]
        return found


def _serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until the other side is gone."""
    simulator = _load()
    if isinstance(simulator, str):
        write_frame(replies, {"kind": "missing", "detail": simulator})
        return
    versions = {
        "ngspice": str(simulator.ngspice_version),
        **_BRIDGE,
        "numpy": np.__version__,
        "library": os.environ.get("NGSPICE_LIBRARY_PATH", ""),
    }
    write_frame(replies, {"kind": "ready", "versions": versions})
    pending: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, pending), daemon=True).start()
    if sys.platform != "win32":  # where a virtual environment's python is a launcher, and the parent never changes
        threading.Thread(target=_watch_parent, args=(int(sys.argv[2]),), daemon=True).start()
    while not simulator.exiting:
        question = pending.get()
        last_word = time.monotonic()

        def progress(reached: float) -> None:
            nonlocal last_word
            if time.monotonic() - last_word > _PROGRESS_INTERVAL:
                last_word = time.monotonic()
                write_frame(replies, {"kind": "progress", "time": reached})

        answer: dict[str, Any]
        arrays: dict[str, NDArray[np.float64]] = {}
        try:
            answer, arrays = simulator.simulate(Request.from_frame(*question), progress)
            answer = {"kind": "reply", **answer, "messages": [line[:300] for line in simulator.messages]}
        except Rejected as fault:
            answer = {"kind": "rejected", "detail": str(fault)}
        except (BadInput, KeyError, TypeError) as fault:
            answer = {"kind": "refused", "detail": str(fault)}
        except MemoryError:
            answer = {"kind": "memory", "detail": "the results do not fit in memory"}
        answer["exiting"] = simulator.exiting
        write_frame(replies, answer, arrays)


def _load() -> Simulator | str:
    """ngspice, or the reason why it can not be loaded."""
    for name in _BRIDGE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # PySpice calls every version newer than 34 unsupported
    try:
        return Simulator(os.environ.get("NGSPICE_LIBRARY_PATH", "libngspice.so.0"))
    except (OSError, AttributeError, NameError) as fault:
        return str(fault)


def _listen(requests: BinaryIO, pending: queue.SimpleQueue[_Answer]) -> None:
    with contextlib.suppress(EOFError, FrameError, OSError):
        while True:
            pending.put(read_frame(requests))
    _leave()


def _watch_parent(parent: int) -> None:
    """Leave when the parent dies although a forked child of it still holds our standard input open."""
    while os.getppid() == parent:
        time.sleep(1)
    _leave()


def _leave() -> None:
    """End at once, and take along the folder that was made for this process alone, with tables of a run under way."""
    if os.environ["HOME"] == os.environ["TMPDIR"] and os.path.basename(os.environ["HOME"]).startswith("analogflow-"):
        shutil.rmtree(os.environ["HOME"], ignore_errors=True)
    os._exit(0)


def _limit_process(memory: int) -> None:
    """Bound the address space of this process to `memory` bytes, and what it may write; no core dumps."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, _LARGEST_FILE), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def main() -> None:
    """Serve on a private copy of standard input and output; whatever the library prints goes to standard error."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    _limit_process(int(sys.argv[1]))
    with contextlib.suppress(BrokenPipeError):
        _serve(requests, replies)
    _leave()


if __name__ == "__main__":
    main()
