"""The verb report: one HTML page of a study's directory."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from analogflow import report
from analogflow.cli.options import positive, repeating

__all__ = ["about_report", "run_report"]


def about_report(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow report``."""
    parser.add_argument("folder", metavar="DIR", help="directory of a study")
    parser.add_argument("-o", "--output", metavar="FILE", help="page to write (DIR/report.html)")
    parser.add_argument("--limit", type=positive, metavar="E", help="largest acceptable error: shows the yield within it")
    parser.add_argument("--force", action="store_true", help="replace an existing page")


def run_report(options: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    path = Path(options.output or Path(options.folder) / "report.html")
    if path.parent.is_dir() or options.output:  # a study that is not there is named by what reads it
        report.check_page(path, force=options.force)
    page = report.study_page(
        options.folder, report.PLOTS, limit=options.limit, repeating=repeating,
        command=shlex.join(["analogflow", "study", "experiment.toml", "-o", str(options.folder)]),
    )  # fmt: skip
    print(report.write_page(page, path, force=options.force))
    return 0
