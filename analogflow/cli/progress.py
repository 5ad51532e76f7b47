"""Progress on standard error: bars that are removed at the end and hidden where nobody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["fraction_bar", "study_bar", "time_counter"]


@contextmanager
def fraction_bar(quiet: bool, what: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error with the time left, removed at the end."""
    hidden = quiet or not sys.stderr.isatty()
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def time_counter(quiet: bool) -> Iterator[Callable[[float], None]]:
    """A line on standard error that counts the simulated time, removed at the end."""
    hidden = quiet or not sys.stderr.isatty()
    columns = (TextColumn("simulated {task.completed:.0f} τ"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as progress:
        task = progress.add_task("simulating", total=None)
        yield lambda time: progress.update(task, completed=time)


@contextmanager
def study_bar() -> Iterator[Callable[[int, int, int], None]]:
    """A bar for samples done, of all, and failed, with their rate and the time left."""
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn(
            "{task.completed:.0f} of {task.total:.0f} samples, {task.fields[rate]:.3g}/s, {task.fields[failed]} failed"
        ),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("samples", total=None, rate=0.0, failed=0)
        begun: list[tuple[float, int]] = []

        def show(done: int, total: int, failed: int) -> None:
            begun.append((time.monotonic(), done))
            seconds = max(begun[-1][0] - begun[0][0], 1e-3)
            del begun[1:]
            progress.update(task, completed=done, total=total, failed=failed, rate=(done - begun[0][1]) / seconds)

        yield show
