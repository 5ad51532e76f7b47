"""The verb curve: what is traded for what, point by point."""

from __future__ import annotations

import argparse
import json

from analogflow import report
from analogflow.cli.options import (
    about_json,
    about_problem,
    count,
    fraction_bar,
    given_problem,
    nonempty,
    number,
    positive,
)
from analogflow.contents import refuse_existing, write_text
from analogflow.curves import POINTS, curve
from analogflow.errors import BadInput
from analogflow.simulators import ENGINES, SPICE
from analogflow.technology import TECHNOLOGIES

__all__ = ["about_curve", "run_curve"]


def about_curve(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow curve``."""
    about_problem(parser)
    parser.add_argument(
        "--points", type=count, metavar="N", help=f"even steps to where the curve stops to change ({POINTS})"
    )
    parser.add_argument("--at", type=_places, metavar="V,V", help="instead, mean costs or distortions")
    parser.add_argument("--cost", type=count, default=1, metavar="K", help="of several costs, the one that is traded (1)")
    parser.add_argument(
        "--engine", type=nonempty, help=f"also run a circuit for each point, in one of: {', '.join((*ENGINES, SPICE))}"
    )
    parser.add_argument("--technology", type=nonempty, help=f"of these circuits, one of: {', '.join(TECHNOLOGIES)}")
    parser.add_argument("--accuracy", type=positive, metavar="E", help="of these circuits, the largest error that passes")
    parser.add_argument("--time", type=positive, metavar="T", help="end of their runs in time constants")
    about_json(parser)
    parser.add_argument("--csv", type=nonempty, metavar="FILE", help="write the points as CSV")
    parser.add_argument("--figure", metavar="FILE", help="draw the curve (.svg, .png, .pdf)")
    parser.add_argument("--force", action="store_true", help="replace existing files")


def run_curve(options: argparse.Namespace) -> int:
    """Print the curve; 1 where a circuit's run did not pass."""
    problem = given_problem(options)
    circuits = {"form": options.form, "technology": options.technology, "accuracy": options.accuracy, "time": options.time}
    if options.engine is None and (given := [name for name, value in circuits.items() if value is not None]):
        raise BadInput(f"--{given[0]} is of circuits, and none runs; give --engine, such as block, too.")
    if options.at and options.points:
        raise BadInput("--at and --points both say where; give one of them.")
    report.check_writable(options.figure, force=options.force)
    if options.csv:
        refuse_existing(options.csv, force=options.force)
    asked = {"time_constants" if name == "time" else name: value for name, value in circuits.items() if value is not None}
    with fraction_bar(options.json, "curve") as on_progress:
        found = curve(
            problem, points=options.at or options.points or POINTS, which=options.cost - 1, engine=options.engine,
            on_progress=on_progress, **asked,
        )  # fmt: skip
    if options.json:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        report.print_curve(found)
    if options.csv:
        write_text(options.csv, found.to_csv(), force=options.force, encoding="utf-8")
    if options.figure:
        report.save_figure(report.plot_curve(found), options.figure, force=options.force)
    return 0 if found.passed else 1


def _places(text: str) -> list[float]:
    """Numbers separated by commas."""
    return [number(word) for word in text.split(",")]
