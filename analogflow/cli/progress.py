"""Progress on standard error: bars that are removed at the end and hidden where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["fraction_bar", "time_counter"]


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
