"""The verb verify: solve, push the answer away, run again, and say whether it stands."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from analogflow import report
from analogflow.cli.options import imperfections_of, positive
from analogflow.cli.progress import time_counter
from analogflow.cli.solving import about_solve
from analogflow.problems.files import read_problem
from analogflow.simulators import default_engine
from analogflow.solution import family_of
from analogflow.validation.restart import DELTA, TOLERANCE
from analogflow.verification import verify

__all__ = ["about_verify", "run_verify"]


def about_verify(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow verify``: those of solve, and how far and how near."""
    about_solve(parser)
    parser.add_argument(
        "--delta", type=positive, default=DELTA, metavar="D", help=f"share of the way to the middle ({DELTA:g})"
    )
    parser.add_argument(
        "--tolerance", type=positive, default=TOLERANCE, metavar="E", help=f"distance of equal answers ({TOLERANCE:g})"
    )


def run_verify(options: argparse.Namespace) -> int:
    """Print the solution and the verdict; 1 where the answer does not stand."""
    problem = read_problem(options.flow, options.problem)
    report.check_writable(options.figure, force=options.force)
    with time_counter(options.json) as on_progress:
        found = verify(
            problem, delta=options.delta, tolerance=options.tolerance, form=options.form, technology=options.technology,
            engine=options.engine or default_engine(), time_constants=options.time, noise=options.noise, seed=options.seed,
            imperfections=imperfections_of(options), accuracy=options.accuracy, parts=options.parts,
            temperature=options.temperature, on_progress=on_progress,
        )  # fmt: skip
    if options.json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        report.print_solution(found.solution, None)
        Console().print(f"{found.verdict} The two answers differ by {found.verdict.distance:.2g}.", highlight=False)
    if options.figure:
        report.save_figure(report.PLOTS[family_of(problem)](found.solution), options.figure, force=options.force)
    return 0 if found.passed else 1
