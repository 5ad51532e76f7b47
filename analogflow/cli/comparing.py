"""The verb compare: one problem, every circuit and every digital solver, at one delivered accuracy."""

from __future__ import annotations

import argparse
import json
import shlex

from analogflow import report
from analogflow.circuit.build import NOMINAL_CELSIUS
from analogflow.cli.options import (
    PROBLEM,
    about_conditions,
    about_table,
    celsius,
    fraction_bar,
    given_problem,
    imperfections_of,
    positive,
    table_words,
)
from analogflow.comparison import SECONDS, Comparison, Contender, compare, contenders_of, prices
from analogflow.errors import BadInput
from analogflow.families import family_of

__all__ = ["about_compare", "run_compare"]

_SIZES = (4, 8, 16, 32, 64)


def about_compare(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow compare``."""
    parser.add_argument("flow", metavar="FLOW", help="name of a flow")
    parser.add_argument("problem", metavar="PROBLEM", nargs="?", help=PROBLEM)
    about_table(parser)
    parser.add_argument("--accuracy", type=positive, metavar="E", help="error to compare at, in the unit of the error")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this contender; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the contenders and stop")
    parser.add_argument("--scaling", action="store_true", help="channels of growing size in place of one problem")
    parser.add_argument("--sizes", type=_sizes, metavar="N,N", help="of --scaling: inputs, 4,8,16,32,64 if not given")
    parser.add_argument("--seconds", type=positive, default=SECONDS, metavar="S", help="for each digital solver (3)")
    parser.add_argument("--energy", metavar="FILE", help="TOML file of what operations cost")
    about_conditions(parser)
    parser.add_argument("--parts", metavar="SET", help="precision, general, fast or a TOML file (precision)")
    parser.add_argument("--temperature", type=celsius, metavar="C", help=f"of the parts, °C ({NOMINAL_CELSIUS:g})")
    parser.add_argument("--json", action="store_true", help="print one object and nothing else")
    parser.add_argument("--figure", metavar="FILE", help="draw error against time and energy")
    parser.add_argument("--force", action="store_true", help="replace an existing figure")


def run_compare(options: argparse.Namespace) -> int:
    """Print the comparison; 1 where nobody delivered the accuracy."""
    if options.scaling:
        return _scaling(options)
    if options.sizes:
        raise BadInput("--sizes is for --scaling alone; give both or neither.")
    problem = given_problem(options)
    if options.list:
        if options.figure or options.only:
            raise BadInput("--list compares nothing; leave out --figure and --only, or --list.")
        family = family_of(problem).name
        names = contenders_of(family)
        print(json.dumps({"flow": family, "contenders": names}, indent=2) if options.json else "\n".join(names))
        return 0
    report.check_writable(options.figure, force=options.force)
    with fraction_bar(options.json, "comparing") as on_progress:
        found = compare(
            problem, accuracy=options.accuracy, only=options.only, seconds=options.seconds, energy=options.energy,
            noise=options.noise, imperfections=imperfections_of(options), seed=options.seed, parts=options.parts,
            temperature_celsius=options.temperature, on_progress=on_progress,
        )  # fmt: skip
    if options.json:
        said = found.to_dict()
        for row, contender in zip(said["contenders"], found.contenders, strict=True):
            row["command"] = _row_command(options, found, contender)
        print(json.dumps(said, indent=2))
    else:
        report.print_comparison(found)
    if options.figure:
        report.save_figure(report.plot_comparison(found), options.figure, force=options.force)
    return 0 if any(contender.reached for contender in found.contenders) else 1


def _row_command(options: argparse.Namespace, found: Comparison, contender: Contender) -> str:
    """The one command that repeats a row; what is as usual is left out."""
    words = [
        "analogflow",
        "compare",
        found.family,
        options.problem or "",
        *table_words(options),
        "--accuracy",
        repr(found.accuracy),
    ]
    flaws, analog = imperfections_of(options), contender.kind != "digital"
    given = [
        ("--only", contender.name),
        ("--energy", options.energy),
        ("--noise", options.noise if analog else None),
        *(("--imperfect", f"{effect}={getattr(flaws, effect)!r}") for effect in flaws.effects if analog),
        ("--seed", options.seed),
        ("--parts", options.parts if analog else None),
        ("--temperature", options.temperature if analog else None),
        ("--seconds", None if options.seconds == SECONDS else options.seconds),
    ]
    return shlex.join([*words, *(str(word) for option in given if option[1] is not None for word in option)])


def _scaling(options: argparse.Namespace) -> int:
    """Print how circuits and solvers grow with the size of a problem."""
    from analogflow.comparison import GROWING, measure_scaling

    if options.flow not in GROWING:
        raise BadInput(f"--scaling is measured for {', '.join(GROWING)} alone, not for {options.flow!r}.")
    kinds = GROWING[options.flow]
    given = {"PROBLEM": options.problem, "--only": options.only, "--list": options.list, "--mismatch": options.mismatch,
             "--imperfect": options.imperfect, "--noise": options.noise is not None, "--seconds": options.seconds != SECONDS,
             "--parts": options.parts is not None, "--temperature": options.temperature is not None,
             **dict.fromkeys(table_words(options)[:1], True)}  # fmt: skip
    if wrong := [name for name, value in given.items() if value]:
        raise BadInput(
            f"--scaling makes its own channels and has its own circuits and times; leave out {' and '.join(wrong)}."
        )
    report.check_writable(options.figure, force=options.force)
    table, sizes = prices(options.energy), options.sizes or _SIZES
    with fraction_bar(options.json, "scaling") as on_progress:
        found = [
            measure_scaling(
                kind, sizes, accuracy=options.accuracy or 1e-2, energy=table, seed=options.seed or 0,
                on_progress=lambda part, k=k: on_progress((k + part) / len(kinds)),
            )
            for k, kind in enumerate(kinds)
        ]  # fmt: skip
    if options.json:
        print(json.dumps({"scaling": [one.to_dict() for one in found], "prices": table.to_dict()}, indent=2))
    else:
        report.print_scaling(found, table)
    if options.figure:
        report.save_figure(report.plot_scaling(found), options.figure, force=options.force)
    return 0


def _sizes(text: str) -> list[int]:
    """Whole numbers from 2, separated by commas."""
    sizes = [int(word) if word.strip().isdecimal() else 0 for word in text.split(",")]
    if min(sizes) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers from 2, such as 4,8,16")
    return sizes
