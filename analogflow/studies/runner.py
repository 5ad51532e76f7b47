"""Runs a study: hands its chunks to workers, writes what comes back, and goes on where an earlier run stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analogflow.errors import AnalogflowError, AssumptionWarning, BadInput, StudyStopped
from analogflow.run import Run
from analogflow.simulators import engine_versions
from analogflow.solution import versions
from analogflow.studies.dataset import open_study
from analogflow.studies.design import Chunk, Condition, Study, missing_chunks
from analogflow.studies.sampling import compute, ended_badly, paths, prepare, sample_alone
from analogflow.studies.store import RESUME, Corrupt, Store, opened, read_manifest, unlike
from analogflow.studies.workers import local_workers

if TYPE_CHECKING:
    import xarray

__all__ = ["Progress", "repeat_sample", "run_study", "sample_paths"]

_AHEAD = 64
"""Chunks handed out before the first comes back: enough for a cluster, few enough to cancel."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a study is, in samples.

    Parameters
    ----------
    done, total : int
        Of all samples of all conditions.
    kept : int
        Of those done, how many an earlier run had left.
    failed : int
        Of those done, how many did not end as they were asked to.
    """

    done: int
    total: int
    kept: int
    failed: int


def run_study(
    study: Study,
    store: str | Path,
    executor: Executor | None = None,
    *,
    workers: int | None = None,
    resume: bool = True,
    on_progress: Callable[[Progress], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> xarray.Dataset:
    """Compute what is lacking of `study` in the directory `store`, and open it.

    The same study gives the same bytes, whoever computes it, and however often it was stopped and resumed.

    Parameters
    ----------
    study : Study
    store : path
        Made if it is not there.
    executor : Executor, optional
        Where chunks are computed, such as ``distributed.Client(…).get_executor()``; local processes if not given. A script
        that leaves it out calls this under ``if __name__ == "__main__":``, because these processes import the script.
    workers : int, optional
        Number of local processes; one for each core if not given.
    resume : bool
        If false, a directory that holds this study already is refused.
    on_progress : callable, optional
        Called with a `Progress`.
    on_note : callable, optional
        Called with a sentence on a file that was found damaged and is computed again; written on standard error if not
        given.

    Returns
    -------
    xarray.Dataset
        As `open_study` returns it.

    Raises
    ------
    BadInput, NoCell, UnstableManifold
        The study can not be run, or the directory is not for it.
    StudyStopped
        The disk is full or a worker was killed; what is finished is kept.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise BadInput(
            "run_study: each worker process imports the script that started it, and so would begin this study again; "
            'put the call under if __name__ == "__main__":, or give an executor.'
        )
    if workers is not None and (executor is not None or workers < 1):
        raise BadInput(f"run_study: workers is {workers!r}; give a number from 1, or an executor, and not both.")
    prepare(study)
    with opened(store, study, versions() | engine_versions(study.engine), resume=resume) as held:
        job = _Job(study, held, on_progress or _ignore, on_note or _say)
        job.read()
        missing = job.missing()
        if missing:
            own = local_workers(min(workers or os.cpu_count() or 1, len(missing)))
            with own if executor is None else contextlib.nullcontext(executor) as pool:
                while missing:
                    job.compute(pool, missing)
                    missing = job.missing()
    return open_study(store)


def repeat_sample(store: str | Path, condition: int, sample: int) -> tuple[Condition, dict[str, np.ndarray]]:
    """One sample of the study in a directory, computed again alone: its condition, and its results by name.

    ``passed`` is among them, unless its run broke down: whether it ended well and passes the checks of `solve`.

    Warns
    -----
    AssumptionWarning
        Other programs, or another evaluator, made what is stored.

    Raises
    ------
    BadInput
        The directory holds no study, or that has no such condition or sample.
    """
    study, manifest = read_manifest(store)
    if not 0 <= condition < len(study.conditions) or not 0 <= sample < study.samples:
        raise BadInput(
            f"{str(store)!r}: there is no condition {condition} with a sample {sample}; conditions are numbered from 0 to "
            f"{len(study.conditions) - 1} and samples to {study.samples - 1}."
        )
    for said, remedy in unlike(manifest["versions"], versions() | engine_versions(study.engine)):
        warnings.warn(
            f"{str(store)!r} {said}, so that this may differ from what is stored in its last digits; to repeat it "
            f"to the last, {remedy}.",
            AssumptionWarning,
            stacklevel=2,
        )
    return study.conditions[condition], sample_alone(study, study.conditions[condition], sample, certified=True)


def sample_paths(store: str | Path, condition: int, count: int = 100) -> Run:
    """Signals of the first samples of a condition of the study in a directory, over time, computed anew by the block engine.

    Raises
    ------
    BadInput
        The directory holds no study, it has no such condition, or that is a circuit of parts.
    """
    study, _ = read_manifest(store)
    if not 0 <= condition < len(study.conditions):
        raise BadInput(
            f"{str(store)!r}: there is no condition {condition}; they are numbered from 0 to {len(study.conditions) - 1}."
        )
    return paths(study, study.conditions[condition], count)


class _Job:
    """A study under way."""

    def __init__(
        self, study: Study, store: Store, on_progress: Callable[[Progress], None], on_note: Callable[[str], None]
    ) -> None:
        self.study, self.store, self.on_progress, self.on_note = study, store, on_progress, on_note
        self.progress = Progress(0, len(study.conditions) * study.samples, 0, 0)
        self.errors: dict[int, np.ndarray] = {}

    def read(self) -> None:
        """Find the chunks that are there and whole."""
        for chunk in self.study.chunks:
            try:
                rows = self.store.read(chunk.number)
            except Corrupt as fault:
                self.on_note(f"{str(self.store.path(chunk.number))!r} {fault}; it is computed again.")
                continue
            if rows is not None:
                self._count(chunk, rows, kept=True)

    def missing(self) -> list[Chunk]:
        """Chunks to be computed next; none where every condition has samples enough."""
        missing, total = missing_chunks(self.study, self.errors)
        self.progress = dataclasses.replace(self.progress, total=max(total, self.progress.done))
        self.on_progress(self.progress)
        return missing

    def compute(self, pool: Executor, chunks: list[Chunk]) -> None:
        """Compute chunks and write each as it comes."""
        text, waiting = self.study.text, iter(chunks)
        under_way: dict[Future[Any], Chunk] = {}
        try:
            while True:
                while len(under_way) < _AHEAD and (chunk := next(waiting, None)) is not None:
                    under_way[pool.submit(compute, text, chunk)] = chunk
                if not under_way:
                    return
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    chunk = under_way.pop(future)
                    rows = self._result(future, chunk)
                    self.store.write(chunk.number, rows)
                    self._count(chunk, rows)
                    self.on_progress(self.progress)
        except (BrokenExecutor, MemoryError):
            raise StudyStopped(
                f"a worker process was killed or could not go on, perhaps for want of memory, after {self.progress.done} of "
                f"{self.progress.total} samples; they are kept: go on with {RESUME} and fewer workers.",
                words=[RESUME],
            ) from None
        finally:
            for future in under_way:
                future.cancel()

    def _result(self, future: Future[Any], chunk: Chunk) -> dict[str, np.ndarray]:
        try:
            return future.result()
        except AnalogflowError as fault:
            raise type(fault)(f"{self.study.conditions[chunk.condition]}: {fault}") from None

    def _count(self, chunk: Chunk, rows: dict[str, np.ndarray], *, kept: bool = False) -> None:
        size = chunk.last - chunk.first
        failed = int(ended_badly(rows["outcome"], rows["reason"]).sum())
        self.errors[chunk.number] = rows["error"]
        before = self.progress
        self.progress = Progress(
            before.done + size, before.total, before.kept + (size if kept else 0), before.failed + failed
        )


def _ignore(progress: Progress) -> None:
    pass


def _say(note: str) -> None:
    sys.stderr.write(f"analogflow: {note}\n")
