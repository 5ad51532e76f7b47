"""The verb reproduce: a figure of a source paper, its data, and what the paper says beside what we find."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from analogflow import report
from analogflow.cli.options import fraction_bar, show
from analogflow.contents import refuse_existing, write_text
from analogflow.errors import BadInput

if TYPE_CHECKING:
    from analogflow.papers import Reproduction

__all__ = ["about_reproduce", "run_reproduce"]


def about_reproduce(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow reproduce``."""
    parser.add_argument("figure", metavar="FIGURE", nargs="?", help="name of a figure, or 'all'")
    parser.add_argument("-o", "--output", metavar="DIR", help="directory for the figure, its data and the findings")
    parser.add_argument("--list", action="store_true", help="list the figures and stop")
    parser.add_argument("--force", action="store_true", help="replace existing files")


def run_reproduce(options: argparse.Namespace) -> int:
    """Compute, write and show figures.

    A claim that is wrong as docs/errata.md says it is no failure, nor is one that nothing here can judge. A difference that
    is not explained is one, and makes the exit code 1.
    """
    from analogflow.papers import FIGURES, figure_named
    from analogflow.papers.result import DIFFERS, VERDICTS

    if options.list and (options.figure or options.output):
        raise BadInput("reproduce: --list computes nothing; leave out FIGURE and -o, or --list.")
    if options.list:
        for name, compute in FIGURES.items():
            about, *_ = (inspect.getdoc(compute) or "").splitlines() or [""]
            print(f"{name:24} {about}")
        return 0
    if options.figure is None or options.output is None:
        raise BadInput("reproduce: give FIGURE and -o DIR; analogflow reproduce --list shows the figures.")
    names = list(FIGURES) if options.figure == "all" else [options.figure]
    figures = [figure_named(name) for name in names]  # a wrong name is refused before anything is made
    folder = Path(options.output)
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{str(folder)!r} is a file; name a directory.")
    paths = {name: [folder / f"{name}.{ending}" for ending in ("svg", "csv", "md")] for name in names}
    for some in paths.values():
        for path in some:
            refuse_existing(str(path), force=options.force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise BadInput(f"{str(folder)!r} can not be made ({fault.strerror}); name another directory.") from None
    from analogflow.papers.drawing import lines_table, plot_reproduction

    found: list[Reproduction] = []
    with fraction_bar(False, "reproducing") as on_progress:
        for k, (compute, (figure, data, text)) in enumerate(zip(figures, paths.values(), strict=True)):
            one = _computed(compute, lambda done, k=k: on_progress((k + done) / len(paths)))
            report.save_figure(plot_reproduction(one), figure, force=options.force)
            write_text(data, one.to_csv(), force=options.force, encoding="utf-8")
            write_text(text, one.to_markdown(), force=options.force, encoding="utf-8")
            found.append(one)
            on_progress((k + 1) / len(paths))
    for one in found:
        show(lines_table(one))
    lines = [(one.name, line) for one in found for line in one.lines]
    counts = Counter(line.verdict for _, line in lines)
    told = "; ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    print(f"{len(lines)} lines: {told}.")
    print(f"written to {folder}")
    for name, line in lines:
        if line.verdict == DIFFERS:
            print(f"reproduce: {name}: {line.claim}: this difference is not explained by docs/errata.md.", file=sys.stderr)
    return 1 if counts[DIFFERS] else 0


def _computed(compute: Callable[..., Reproduction], on_progress: Callable[[float], None]) -> Reproduction:
    """The figure; one that takes long says how far it is."""
    if "on_progress" in inspect.signature(compute).parameters:
        return compute(on_progress=on_progress)
    return compute()
