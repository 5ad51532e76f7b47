"""The command line: each verb parses, calls one public function and prints: results to standard output, notes to error."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from analogflow import report
from analogflow.blocks import Imperfections
from analogflow.blocks.imperfections import EFFECTS
from analogflow.compiler import compile, degrade
from analogflow.doctor import examine
from analogflow.errors import AnalogflowError, BadInput
from analogflow.flows import FAMILIES
from analogflow.netlister import netlist
from analogflow.problems.files import read_problem
from analogflow.reference import expected_answer
from analogflow.simulators import ENGINES, default_engine
from analogflow.solution import carried_form, family_of, noise_of, own_time, path_step, solve
from analogflow.technology import PART_SETS, TECHNOLOGIES
from analogflow.validation import error_budget

__all__ = ["main"]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[:1].lower()}{message[1:]}; see {self.prog} --help.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 done, 1 failed, 2 bad input, 3 a program is missing."""
    try:
        options = _parser().parse_args(arguments)
        return options.verb(options)
    except AnalogflowError as fault:
        print(f"analogflow: {fault}", file=sys.stderr)
        return fault.exit_code
    except KeyboardInterrupt:
        print("analogflow: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stdout = None  # the reader of our output is gone; nobody is left to tell
        return 1


def _doctor(options: argparse.Namespace) -> int:
    findings = examine()
    Console().print(report.doctor_table(findings))
    return 0 if all(finding.found for finding in findings if finding.needed) else 3


def _solve(options: argparse.Namespace) -> int:
    problem = read_problem(options.flow, options.problem)
    report.check_writable(options.figure, force=options.force)
    engine = options.engine or default_engine()
    if options.engine is None and engine == "block":
        print("analogflow: ngspice is not installed, so the block engine is used; see analogflow doctor.", file=sys.stderr)
    imperfections = _imperfections(options)
    budget = None
    if options.budget:
        circuit = _circuit(options, problem)
        with _fraction(options.json, "error budget") as on_fraction:
            noise = noise_of(circuit, options.noise, options.seed)
            budget = error_budget(circuit, imperfections, noise=noise, samples=options.samples, on_progress=on_fraction)
    with _progress(options.json) as on_progress:
        solution = solve(
            problem, form=options.form, technology=options.technology, engine=engine, time_constants=options.time,
            noise=options.noise, imperfections=imperfections, seed=options.seed, accuracy=options.accuracy,
            parts=options.parts, temperature=options.temperature, on_progress=on_progress,
        )  # fmt: skip
    if options.json:
        print(report.solution_json(solution, budget))
    else:
        report.print_solution(solution, budget)
    if options.figure:
        report.save_figure(report.PLOTS[family_of(problem)](solution), options.figure, force=options.force)
    return 0 if solution.passed else 1


def _netlist(options: argparse.Namespace) -> int:
    problem = read_problem(options.flow, options.problem)
    circuit = _circuit(options, problem)
    circuit = degrade(circuit, _imperfections(options), noise=noise_of(circuit, options.noise, options.seed))
    flow, time = circuit.flow, options.time or own_time(circuit.flow) or 60.0
    # What is expected at the problem's own time is not expected at another.
    expected = expected_answer(flow.problem) if flow.end_time is None or not options.time else {}
    deck = netlist(circuit, time_constants=time, largest_step=path_step(circuit, time), expected=expected)
    path = deck.write(options.output, force=options.force)
    tables = f", its noise in {', '.join(deck.tables)} beside it" if deck.tables else ""
    print(f"{path}: {len(circuit.elements)} elements{tables}; run it with: ngspice -b {path}")
    return 0


def _explain(options: argparse.Namespace) -> int:
    circuit = _circuit(options, read_problem(options.flow, options.problem))
    console = Console()
    console.print(report.history_table(circuit))
    console.print(str(circuit.graph), markup=False, highlight=False, soft_wrap=True)
    return 0


def _draw(options: argparse.Namespace) -> int:
    circuit = _circuit(options, read_problem(options.flow, options.problem))
    figure = report.draw_blocks(circuit.graph, title=f"{circuit.flow.family} flow, {circuit.flow.form} form")
    print(report.save_figure(figure, options.output, force=options.force))
    return 0


def _circuit(options: argparse.Namespace, problem: Any) -> Any:
    form = options.form or carried_form(problem, options.technology)
    flow = FAMILIES[family_of(problem)](problem, **({"form": form} if form else {}))
    return compile(flow, technology=options.technology, parts=options.parts, temperature=options.temperature)


def _imperfections(options: argparse.Namespace) -> Imperfections:
    mismatch = [f"mismatch={options.mismatch}"] if options.mismatch else []
    return Imperfections.from_texts([*mismatch, *options.imperfect])


@contextmanager
def _fraction(quiet: bool, what: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error with the time left, removed at the end."""
    hidden = quiet or not sys.stderr.isatty()
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[float], None]]:
    """A line on standard error that counts the simulated time, removed at the end."""
    hidden = quiet or not sys.stderr.isatty()
    columns = (TextColumn("simulated {task.completed:.0f} τ"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as progress:
        task = progress.add_task("simulating", total=None)
        yield lambda time: progress.update(task, completed=time)


def _celsius(text: str) -> float:
    value = float(text)
    if not -100 <= value <= 200:
        raise argparse.ArgumentTypeError(f"{text!r} is not a temperature from -100 to 200 °C")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of samples from 1")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="analogflow", description=__doc__)
    parser.add_argument("--version", action="version", version=f"analogflow {metadata.version('analogflow')}")
    verbs = parser.add_subparsers(required=True, metavar="VERB", parser_class=_Parser)

    def verb(name: str, run: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=summary, description=summary)
        sub.set_defaults(verb=run)
        return sub

    def about_flow(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("flow", metavar="FLOW", help=f"one of: {', '.join(FAMILIES)}; custom is a file of equations")
        sub.add_argument("problem", metavar="PROBLEM", nargs="?", help="CSV, NPY, JSON or TOML file")
        sub.add_argument("--form", help="form of the flow")
        sub.add_argument("--technology", default="ideal", help=f"one of: {', '.join(TECHNOLOGIES)}")
        sub.add_argument("--parts", default="precision", metavar="SET", help=f"{', '.join(PART_SETS)}, or a TOML file")
        sub.add_argument("--temperature", type=_celsius, default=27.0, metavar="C", help="of the parts, °C (27)")

    def conditions(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--noise", default="0", metavar="S", help="at every integrator: 0.01 per √τ, 40dB, or 5e-9V/rtHz")
        sub.add_argument("--mismatch", type=float, default=0.0, metavar="S", help="relative σ of every coefficient")
        sub.add_argument(
            "--imperfect", action="append", default=[], metavar="NAME=VALUE", help=f"one of: {', '.join(EFFECTS)}"
        )
        sub.add_argument("--seed", type=int, default=0, help="decides noise and deviations; recorded with the result")

    def output(sub: argparse.ArgumentParser, what: str) -> None:
        sub.add_argument("-o", "--output", required=True, metavar="FILE", help=what)
        sub.add_argument("--force", action="store_true", help="replace an existing file")

    verb("doctor", _doctor, "say what is installed, what is missing and how to mend it")
    sub = verb("solve", _solve, "simulate the flow's circuit and hold the answer against the exact reference")
    about_flow(sub)
    sub.add_argument("--engine", help=f"one of: {', '.join(ENGINES)}; ngspice if it is installed")
    conditions(sub)
    sub.add_argument("--accuracy", type=_positive, metavar="E", help="largest error that the checks let pass")
    sub.add_argument("--budget", action="store_true", help="what each imperfection and each block costs, in nats and bits")
    sub.add_argument(
        "--samples", type=_count, default=64, metavar="N", help="circuits drawn for each line of the budget (64)"
    )
    sub.add_argument(
        "--time",
        type=_positive,
        metavar="T",
        help="end of the run in time constants; by default the problem's own, or where it settles",
    )
    sub.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    sub.add_argument("--figure", metavar="FILE", help="write a figure of the run (.svg, .png, .pdf)")
    sub.add_argument("--force", action="store_true", help="replace an existing figure")
    sub = verb("netlist", _netlist, "write the circuit as a SPICE netlist that runs by itself")
    about_flow(sub)
    conditions(sub)
    sub.add_argument(
        "--time",
        type=_positive,
        metavar="T",
        help="length of the transient analysis in time constants (the problem's own, or 60)",
    )
    output(sub, "netlist to write (.cir)")
    about_flow(verb("explain", _explain, "show what each pass of the compiler does: blocks, rates, restoring terms"))
    sub = verb("draw", _draw, "draw the block diagram")
    about_flow(sub)
    output(sub, "figure to write (.svg, .png, .pdf)")
    return parser
