"""Processes that compute chunks: local ones that end with this process, however it ends, and those of a Dask cluster.

It does not know what is computed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any

from threadpoolctl import threadpool_limits

from analogflow.errors import BadInput, MissingProgram
from analogflow.solution import versions

__all__ = ["dask_workers", "local_workers"]

_PATIENCE = 6.0
"""Seconds that a scheduler and its workers may take to answer."""

_GRACE = 5.0
"""Seconds that a worker which is to end may take to hand over a result that is finished."""


@contextlib.contextmanager
def local_workers(count: int) -> Iterator[Executor]:
    """`count` processes, started afresh and never forked: a library that is loaded here would not survive a fork.

    Each holds one end of a pipe, whose other end closes when this process leaves the block by an exception or is killed:
    they then end at once. Ctrl-C is for this process alone.
    """
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    executor = _LocalPool(count, mp_context=context, initializer=_begin, initargs=(theirs,))
    try:
        yield executor
    except BaseException:
        ours.close()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        ours.close()
        theirs.close()


class _LocalPool(ProcessPoolExecutor):
    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        # Submitting may start a process, which inherits what is blocked: Ctrl-C would interrupt its imports.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            return super().submit(_mortal, function, *arguments, **keywords)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


_SENDING = threading.Lock()
"""Held by a worker's main thread wherever it is not computing."""


def _begin(lifeline: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    _SENDING.acquire()
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _mortal(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call `function` in a worker, which may be ended meanwhile."""
    _SENDING.release()
    try:
        return function(*arguments, **keywords)
    finally:
        _SENDING.acquire()


def _end_with(lifeline: Any) -> None:
    with contextlib.suppress(OSError, EOFError):
        lifeline.poll(None)
    # Half a result in the pipe would keep its reader waiting for ever, as the reader holds the pipe's other end as well.
    _SENDING.acquire(timeout=_GRACE)
    os._exit(1)


@contextlib.contextmanager
def dask_workers(address: str) -> Iterator[Executor]:
    """The workers of the Dask scheduler at `address`, such as ``tcp://host:8786``.

    Raises
    ------
    MissingProgram
        Dask's distributed scheduler is not installed.
    BadInput
        The scheduler does not answer, has no workers, or these compute with other versions than this process.
    """
    try:
        from distributed import Client
    except ImportError:
        raise MissingProgram("--dask needs Dask's scheduler; install it with: pip install 'analogflow[cluster]'") from None
    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as fault:
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise BadInput(
            f"dask: no scheduler answers at {address!r} within {_PATIENCE:g} s ({reason}); give its address, such as "
            "tcp://127.0.0.1:8786, or leave --dask out."
        ) from None
    try:
        _check_workers(client, address)
        yield client.get_executor()
    finally:
        client.close()


def _check_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError:
        raise BadInput(
            f"dask: the scheduler at {address!r} has no workers; start some with: dask worker {address}"
        ) from None
    try:
        found: Mapping[str, Mapping[str, str]] = client.run(versions)
    except Exception as fault:  # noqa: BLE001 - whatever a worker's environment does
        raise BadInput(f"dask: the workers can not import analogflow ({fault}); install it there in this version.") from None
    ours = versions()
    for worker, theirs in found.items():
        for name in ("analogflow", "numpy", "scipy"):
            if theirs[name] != ours[name]:
                raise BadInput(
                    f"dask: the worker {worker} has {name} {theirs[name]} and this process {ours[name]}; results would not "
                    "be the same everywhere: install one version."
                )
