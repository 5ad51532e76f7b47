"""The verb check: what others wrote, held against the problem alone."""

from __future__ import annotations

import argparse
import json

from analogflow import judgement, report
from analogflow.cli.options import about_json, nonempty, positive, show
from analogflow.contents import read_text
from analogflow.errors import BadInput
from analogflow.families.files import read_problem

__all__ = ["about_check", "run_check"]


def about_check(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow check``."""
    parser.add_argument("file", metavar="FILE", help="a certificate (.json), or with --flow a SPICE netlist")
    parser.add_argument(
        "--flow",
        nargs="+",
        metavar=("FLOW", "PROBLEM"),
        help="what the netlist should be, and the file of its problem",
    )
    parser.add_argument("--form", type=nonempty, help="of the flow")
    parser.add_argument(
        "--states",
        type=nonempty,
        metavar="C,C",
        help="capacitors that hold the states, in order; the largest if not given",
    )
    parser.add_argument(
        "--accuracy", type=positive, metavar="E", help="share of a row's rates that may be left (1e-6, of parts 0.05)"
    )
    about_json(parser)


def run_check(options: argparse.Namespace) -> int:
    """Print what was found; 1 where something differs, or where a check fails."""
    if options.flow is not None:
        return _said(options, found := _deck(options), report.deck_table(found))
    if given := [name for name in ("form", "states", "accuracy") if getattr(options, name) is not None]:
        raise BadInput(f"--{given[0]} is of a netlist; give --flow FLOW PROBLEM too, or leave it out.")
    return _said(options, found := judgement.check_certificate(options.file), report.recheck_table(found))


def _said(options: argparse.Namespace, found: judgement.DeckCheck | judgement.Recheck, table: object) -> int:
    if options.json:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        show(table)
        show(found.verdict, highlight=False)
    return 0 if found.passed else 1


def _deck(options: argparse.Namespace) -> judgement.DeckCheck:
    if len(options.flow) > 2:
        raise BadInput(f"--flow takes a flow and the file of its problem, not {len(options.flow)} words.")
    problem = read_problem(*options.flow)
    text = read_text(options.file, what="a SPICE netlist")
    states = options.states.split(",") if options.states else ()
    return judgement.check_deck(
        text, problem, form=options.form, states=states, accuracy=options.accuracy, where=repr(options.file)
    )
