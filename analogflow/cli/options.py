"""What several verbs share: options, how their texts become values, and bars that show progress."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from analogflow.blocks import Imperfections
from analogflow.blocks.imperfections import EFFECTS
from analogflow.circuit.build import COLDEST, HOTTEST, NOMINAL_CELSIUS, ConditionOptions
from analogflow.circuit.trimmers import ALL
from analogflow.errors import AssumptionWarning
from analogflow.families import named_families
from analogflow.families.files import read_problem
from analogflow.problems.tables import TableOptions

if TYPE_CHECKING:
    from analogflow.technology import BuildOptions

__all__ = [
    "PROBLEM",
    "TABLE",
    "about_conditions",
    "about_flow",
    "about_json",
    "about_output",
    "about_problem",
    "about_start_up",
    "about_table",
    "build_options",
    "celsius",
    "condition_options",
    "count",
    "fraction_bar",
    "given_problem",
    "imperfections_of",
    "law_options",
    "nonempty",
    "number",
    "part_options",
    "positive",
    "repeat_command",
    "seed",
    "show",
    "study_bar",
    "table_words",
    "tell",
    "time_counter",
    "trimmers",
]

PROBLEM = "a table (text, .npy), a JSON or TOML file, or a channel by name, such as bsc:0.11 or awgn:A=2.5,n=65"
"""What a problem can be given as."""

TABLE = tuple(TableOptions.__annotations__)
"""Options that say how a table is read."""


def about_problem(parser: argparse.ArgumentParser) -> None:
    """FLOW, PROBLEM, and the form."""
    parser.add_argument("flow", metavar="FLOW", help=f"{', '.join(named_families())}, or a file of equations (.toml, .json)")
    parser.add_argument("problem", metavar="PROBLEM", nargs="?", help=PROBLEM)
    about_table(parser)
    parser.add_argument("--form", type=nonempty, help="form of the flow")


def about_table(parser: argparse.ArgumentParser) -> None:
    """How a table is read that is the problem."""
    parser.add_argument("--key", type=nonempty, metavar="NAME", help="array, variable or sheet of a file that holds several")
    parser.add_argument("--transpose", action="store_true", help="columns of the table are inputs")
    parser.add_argument("--normalise", action="store_true", help="divide each row of the table by its sum")
    parser.add_argument(
        "--counts", action="store_true", help="the table counts observations: an interval of the answer, too"
    )


def given_problem(options: argparse.Namespace) -> Any:
    """The problem that the options name; how it was understood is said on standard error, but not beside JSON.

    Raises
    ------
    BadInput
        As `read_problem` does.
    """
    with warnings.catch_warnings():
        if getattr(options, "json", False):
            warnings.simplefilter("ignore", AssumptionWarning)
        return read_problem(options.flow, options.problem, **{name: getattr(options, name) for name in TABLE})


def table_words(options: argparse.Namespace) -> list[str]:
    """How a table is read, as it was said on the command line."""
    given = [(f"--{name}", value) for name in TABLE if (value := getattr(options, name))]
    return [word for flag, value in given for word in ([flag] if value is True else [flag, value])]


def about_flow(parser: argparse.ArgumentParser) -> None:
    """FLOW, PROBLEM, and what decides the circuit."""
    from analogflow.technology import DEFAULT_TECHNOLOGY, DELAY_FRACTION, PART_SETS, TECHNOLOGIES

    about_problem(parser)
    parser.add_argument("--technology", default=DEFAULT_TECHNOLOGY, help=f"one of: {', '.join(TECHNOLOGIES)}")
    parser.add_argument("--parts", metavar="SET", help=f"{', '.join(PART_SETS)}, or a TOML file (precision)")
    parser.add_argument("--temperature", type=celsius, metavar="C", help=f"of the parts, °C ({NOMINAL_CELSIUS:g})")
    parser.add_argument(
        "--delay-fraction", type=number, metavar="D", dest="delay_fraction",
        help=f"part of the fastest time constant that the delays of a loop of op-amps may be ({DELAY_FRACTION:g})",
    )  # fmt: skip


def about_conditions(parser: argparse.ArgumentParser) -> None:
    """Noise, mismatch, imperfections and their seed."""
    parser.add_argument(
        "--noise",
        metavar="S",
        help="at every integrator: 0.01 per √τ, 40dB, or 5e-9V/rtHz; parts: of the parts themselves; or both, 0.01+parts",
    )
    parser.add_argument("--mismatch", type=number, default=0.0, metavar="S", help="relative σ of every coefficient")
    parser.add_argument(
        "--imperfect", action="append", default=[], metavar="NAME=VALUE", help=f"one of: {', '.join(EFFECTS)}"
    )
    parser.add_argument("--seed", type=seed, help="decides noise and deviations (0); recorded with the result")


def about_start_up(parser: argparse.ArgumentParser) -> None:
    """How a circuit of parts is switched on."""
    parser.add_argument(
        "--start-up", type=nonempty, metavar="HOW", dest="start_up",
        help="of parts: supplies rise, which leaves integrators where it does (ramp) or at a rail (low, high, or low,high: "
        "one each) before they are held; with +unheld nothing holds them",
    )  # fmt: skip


def about_output(parser: argparse.ArgumentParser, what: str) -> None:
    """The file that the verb is for."""
    parser.add_argument("-o", "--output", type=nonempty, required=True, metavar="FILE", help=what)
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def about_json(parser: argparse.ArgumentParser) -> None:
    """One JSON object instead of tables."""
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def build_options(options: argparse.Namespace) -> BuildOptions:
    """How the options say that a circuit is built.

    Raises
    ------
    BadInput
        One was given that the technology does not heed.
    """
    from analogflow.technology import refuse_idle

    given = part_options(options)
    refuse_idle(options.technology, given, _FLAGS)
    return {"technology": options.technology, **given}


_FLAGS = {"parts": "--parts", "temperature_celsius": "--temperature", "delay_fraction": "--delay-fraction"}


def part_options(options: argparse.Namespace) -> BuildOptions:
    """What the options say of the parts, whatever technology heeds it."""
    return {
        "parts": options.parts,
        "temperature_celsius": options.temperature,
        "delay_fraction": options.delay_fraction,
    }


def condition_options(options: argparse.Namespace) -> ConditionOptions:
    """Under which conditions the options say that it stands."""
    return {"noise": options.noise, "imperfections": imperfections_of(options), "seed": options.seed}


class AveragingOptions(TypedDict):
    """How a law is averaged."""

    chains: int | None
    skip: float | None
    step: float | None


def law_options(options: argparse.Namespace) -> AveragingOptions:
    """How the options say that a law is averaged."""
    return {"chains": options.chains, "skip": options.skip, "step": options.step}


def repeat_command(folder: str | Path, condition: int, sample: int) -> str:
    """The command that repeats one sample of a study alone."""
    return shlex.join(["analogflow", "study", "--repeat", str(folder), str(condition), str(sample)])


def imperfections_of(options: argparse.Namespace) -> Imperfections:
    """What the options say is wrong with the blocks."""
    mismatch = [f"mismatch={options.mismatch}"] if options.mismatch else []
    return Imperfections.from_texts([*mismatch, *options.imperfect])


def celsius(text: str) -> float:
    """A temperature in °C that a circuit could be at."""
    value = number(text)
    if not COLDEST <= value <= HOTTEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a temperature from {COLDEST:g} to {HOTTEST:g} °C")
    return value


def nonempty(text: str) -> str:
    """A name that is one."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no name; give one, or leave the option out")
    return text


def number(text: str) -> float:
    """A number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def positive(text: str) -> float:
    """A finite number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def count(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, 1)


def seed(text: str) -> int:
    """A whole number from 0."""
    return _whole(text, 0)


def trimmers(text: str) -> int | str:
    """A whole number from 0, or all."""
    return ALL if text == ALL else _whole(text, 0)


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}")
    return value


def show(*what: Any, **how: Any) -> None:
    """Print tables and text to standard output, in colours where it is a terminal."""
    from rich.console import Console

    Console().print(*what, **how)


def tell(note: str) -> None:
    """Print a line to standard error."""
    print(f"analogflow: {note}", file=sys.stderr)


@contextmanager
def fraction_bar(quiet: bool, what: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error with the time left, removed at the end."""
    if quiet or not sys.stderr.isatty():
        yield _untold
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def time_counter(quiet: bool) -> Iterator[Callable[[float], None]]:
    """A line on standard error that counts the simulated time, removed at the end."""
    if quiet or not sys.stderr.isatty():
        yield _untold
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("simulated {task.completed:.0f} τ"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("simulating", total=None)
        yield lambda time: progress.update(task, completed=time)


@contextmanager
def study_bar() -> Iterator[Callable[[int, int, int], None]]:
    """A bar for samples done, of all, and failed, with their rate and the time left."""
    if not sys.stderr.isatty():
        yield _untold
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn(
            "{task.completed:.0f} of {task.total:.0f} samples, {task.fields[rate]:.3g}/s, {task.fields[failed]} failed"
        ),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("samples", total=None, rate=0.0, failed=0)
        begun: list[tuple[float, int]] = []

        def show(done: int, total: int, failed: int) -> None:
            begun.append((time.monotonic(), done))
            seconds = max(begun[-1][0] - begun[0][0], 1e-3)
            del begun[1:]
            progress.update(task, completed=done, total=total, failed=failed, rate=(done - begun[0][1]) / seconds)

        yield show


def _untold(*how_far: float) -> None:
    """What is told of progress where nobody sees it."""
