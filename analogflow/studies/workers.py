"""Processes that compute chunks: local ones that end with this process, however it ends, and those of a Dask cluster.

It does not know what is computed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from multiprocessing.reduction import ForkingPickler
from typing import Any

from threadpoolctl import threadpool_limits

from analogflow.block_engine import EVALUATOR
from analogflow.errors import AnalogflowError, BadInput, MissingProgram
from analogflow.simulators import engine_versions
from analogflow.solution import versions
from analogflow.studies.store import DECISIVE, EVALUATED

__all__ = ["dask_workers", "local_workers"]

_PATIENCE = 6.0
"""Seconds that a scheduler may take to answer."""

_ARRIVAL = 6.0
"""Seconds that the first of a scheduler's workers may take to come."""


@contextlib.contextmanager
def local_workers(count: int) -> Iterator[Executor]:
    """`count` processes, started afresh and never forked: a library that is loaded here would not survive a fork.

    They end with this process, however it ends, and at once where it leaves the block by an exception. Ctrl-C is for this
    process alone. Where one of them is killed, at whatever moment, its future and all later ones raise `BrokenExecutor`.
    """
    pool = _LocalPool(count)
    try:
        yield pool
    except BaseException:
        pool.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_ABRUPT = "a worker process ended abruptly"

_Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _LocalPool(Executor):
    """Processes that each have a pipe and a thread of their own.

    With one pipe for all results, as the standard library's pool has it, a process that dies while it writes leaves half a
    result there and holds the others up for ever; here its pipe ends with it.
    """

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._tasks: queue.SimpleQueue[tuple[Future[Any], _Call] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._broken = self._closed = False
        self._workers: list[tuple[Any, Any]] = []
        # A process inherits what is blocked: Ctrl-C would interrupt its imports.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if sys.platform != "win32" else ()
        try:
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs,), daemon=True)
                process.start()
                theirs.close()
                self._workers.append((process, ours))
        finally:
            if sys.platform != "win32":
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._threads = [threading.Thread(target=self._attend, args=worker, daemon=True) for worker in self._workers]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the workers have been told to end; nothing can be handed to them.")
            if self._broken:
                raise BrokenExecutor(_ABRUPT)
            self._tasks.put((future, (function, arguments, keywords)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            self._closed = True
            for future in self._waiting() if cancel_futures else ():
                future.cancel()
                future.set_running_or_notify_cancel()
            for _ in self._threads:
                self._tasks.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def kill(self) -> None:
        """End all processes at once; what they were computing is lost."""
        for process, _ in self._workers:
            process.kill()

    def _attend(self, process: Any, pipe: Any) -> None:
        """Hand one process a task after another, until there are none or it is dead."""
        while (task := self._tasks.get()) is not None:
            future, call = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                pipe.send(call)
                done, value = pipe.recv()
            except (EOFError, OSError):
                future.set_exception(BrokenExecutor(_ABRUPT))
                with self._lock:
                    self._broken = True
                    for other in self._waiting():
                        if other.set_running_or_notify_cancel():
                            other.set_exception(BrokenExecutor(_ABRUPT))
                break
            except Exception as fault:  # noqa: BLE001 - what can not be sent is that task's fault
                future.set_exception(fault)
            else:
                (future.set_result if done else future.set_exception)(value)
        pipe.close()
        process.join()

    def _waiting(self) -> list[Future[Any]]:
        """Take all futures that no process has begun."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                if (task := self._tasks.get_nowait()) is not None:
                    found.append(task[0])
        return found


def _serve(pipe: Any) -> None:
    """Compute what comes through a pipe until it ends; what a worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, arguments, keywords = pipe.recv()
            try:
                answer = ForkingPickler.dumps((True, function(*arguments, **keywords)))
            except Exception as fault:  # noqa: BLE001 - it is raised again where the result is asked for
                answer = ForkingPickler.dumps((False, fault))
            pipe.send_bytes(answer)


def _end_with_parent() -> None:
    """End this process when its parent is gone, whatever it is computing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def dask_workers(address: str, *, engine: str = "block") -> Iterator[Executor]:
    """The workers of the Dask scheduler at `address`, such as ``tcp://host:8786``, that run studies in `engine`.

    Raises
    ------
    MissingProgram
        Dask's distributed scheduler is not installed.
    BadInput
        The scheduler does not answer, has no workers, or these compute with other versions than this process, of what
        the engine needs.
    """
    try:
        from distributed import Client
    except ImportError:
        raise MissingProgram(
            "dask_workers needs Dask's scheduler; install it with: pip install 'analogflow[cluster]'", words=["dask_workers"]
        ) from None
    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except Exception as fault:  # noqa: BLE001 - whatever else may listen there answers in words that Dask does not know
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise BadInput(
            f"dask: no scheduler answers at {address!r} within {_PATIENCE:g} s ({reason}); give its address, such as "
            "tcp://127.0.0.1:8786, or leave dask_workers out.",
            words=["dask_workers"],
        ) from None
    try:
        _check_workers(client, address, engine)
        yield client.get_executor()
    finally:
        client.close()


def _decisive(engine: str) -> dict[str, str] | str:
    """What decides last digits here; or why the engine can not run."""
    try:
        return versions() | engine_versions(engine)
    except AnalogflowError as fault:
        return str(fault)


def _check_workers(client: Any, address: str, engine: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_ARRIVAL)
    except TimeoutError:
        raise BadInput(
            f"dask: the scheduler at {address!r} has no workers; start some with: dask worker {address}"
        ) from None
    try:
        found: Mapping[str, Mapping[str, str] | str] = client.run(_decisive, engine)
    except Exception as fault:  # noqa: BLE001 - whatever a worker's environment does
        raise BadInput(f"dask: the workers can not import analogflow ({fault}); install it there in this version.") from None
    ours = versions() | engine_versions(engine)
    for worker, theirs in found.items():
        if isinstance(theirs, str):
            raise BadInput(f"dask: the worker {worker} can not run the engine {engine!r}: {theirs}")
        for name in (EVALUATED, *DECISIVE):
            # One that names no evaluator has but one; an engine that has none is not asked for it.
            their = theirs.get(name, "numpy" if name == EVALUATED and name in ours else None)
            if their != ours.get(name):
                remedy = f"give all a C compiler, or all {EVALUATOR}=numpy" if name == EVALUATED else "install one version"
                raise BadInput(
                    f"dask: the worker {worker} has {name} {their} and this process {ours.get(name)}; results would not "
                    f"be the same everywhere: {remedy}."
                )
