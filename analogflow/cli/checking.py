"""The verb check: what others wrote, held against the problem alone."""

from __future__ import annotations

import argparse
import json

from analogflow import judgement, report
from analogflow.cli.options import about_json, show

__all__ = ["about_check", "run_check"]


def about_check(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow check``."""
    parser.add_argument("file", metavar="FILE.json", help="a certificate, as solve --certificate writes it")
    about_json(parser)


def run_check(options: argparse.Namespace) -> int:
    """Print what is stated beside what comes out now; 1 where they differ, or where a check fails."""
    found = judgement.check_certificate(options.file)
    if options.json:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        show(report.recheck_table(found))
        show(found.verdict, highlight=False)
    return 0 if found.passed else 1
