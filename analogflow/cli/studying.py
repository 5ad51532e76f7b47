"""The verbs study and report: a grid of conditions in a directory that can be resumed, and one HTML page of it."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np

from analogflow import report, studies
from analogflow.circuit.build import NOMINAL_CELSIUS
from analogflow.circuit.trimmers import ALL
from analogflow.cli.options import (
    TABLE,
    about_table,
    celsius,
    count,
    nonempty,
    number,
    positive,
    repeat_command,
    seed,
    show,
    study_bar,
    trimmers,
)
from analogflow.contents import read_keys
from analogflow.errors import BadInput
from analogflow.simulators import ENGINES, SPICE
from analogflow.studies import (
    Progress,
    Study,
    check_export,
    dask_workers,
    export_study,
    failed_samples,
    list_failures,
    repeat_sample,
)
from analogflow.studies.experiment import read_experiment, study_from

__all__ = ["about_report", "about_study", "run_report", "run_study"]

_CONDITIONS = {
    "form": "forms", "technology": "technologies", "noise": "noise", "mismatch": "mismatch", "temperature": "temperature",
    "imperfect": "imperfections", "sweep": "sweep", "certify": "certify",
    "samples": "samples", "seed": "seed", "engine": "engine", "time": "time_constants",
    "parts": "parts", "time_limit": "time_limit", "no_verify": "verify", "stop_width": "stop", "stop_ratio": "stop",
    "trim": "trim",
}  # fmt: skip
_RUNNING = ("output", "workers", "dask", "resume", "export", "limit", "figures")
_SHOWN = 3


def about_study(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow study``."""
    parser.add_argument("flow", metavar="FLOW", nargs="?", help="name of a flow, a file of equations, or an experiment file")
    parser.add_argument("problem", metavar="PROBLEM", nargs="?", help="CSV, NPY, JSON or TOML file")
    about_table(parser)
    parser.add_argument("-o", "--output", metavar="DIR", help="directory of the results")
    parser.add_argument("--form", type=_texts, metavar="F,…", help="forms of the flow")
    parser.add_argument("--technology", type=_texts, metavar="T,…", help="technologies (ideal)")
    parser.add_argument("--parts", metavar="SET", help="parts of technologies that have any")
    parser.add_argument("--noise", type=_noises, metavar="S,…", help="at every integrator: 0.01 per √τ, or 40dB")
    parser.add_argument("--mismatch", type=_numbers, metavar="S,…", help="relative σ of every coefficient")
    parser.add_argument("--temperature", type=_temperatures, metavar="C,…", help=f"°C ({NOMINAL_CELSIUS:g})")
    parser.add_argument("--imperfect", action="append", metavar="NAME=V,…", help="a further imperfection and its values")
    parser.add_argument(
        "--sweep",
        action="append",
        metavar="NAME=FIRST:LAST:COUNT",
        help="a constant of equations and its values; or =V,…",
    )
    parser.add_argument("--certify", type=count, metavar="N", help="points of a sweep held against the reference (all)")
    parser.add_argument(
        "--trim", type=trimmers, nargs="?", const=ALL, metavar="N",
        help="each sample a board that is drawn, with N trimmers (all), set at 27 °C and left at every --temperature",
    )  # fmt: skip
    parser.add_argument("--samples", type=count, metavar="N", help="samples of each condition")
    parser.add_argument("--seed", type=seed, help="decides noise and deviations (0)")
    engines = ", ".join((*ENGINES, SPICE))
    parser.add_argument("--engine", type=nonempty, metavar="E", help=f"{engines} (block; of circuits of parts, spice)")
    parser.add_argument("--time", type=positive, metavar="T", help="end of every run in time constants")
    parser.add_argument(
        "--time-limit", type=positive, metavar="SECONDS", help="after which one run of a circuit simulator is stopped"
    )
    parser.add_argument(
        "--no-verify", action="store_const", const=False, help="leave out the restart of every sample, half of the work"
    )
    parser.add_argument("--limit", type=positive, metavar="E", help="largest acceptable error: shows the yield within it")
    parser.add_argument("--stop-width", type=positive, metavar="W", help="stop once the yield within --limit is known to ±W")
    parser.add_argument("--stop-ratio", type=positive, metavar="R", help="stop once the median is known up to a factor R")
    parser.add_argument("--figures", action="store_true", default=None, help="draw the results into DIR/figures")
    parser.add_argument("--workers", type=count, metavar="N", help="processes (one for each core)")
    parser.add_argument("--dask", metavar="ADDRESS", help="compute on the workers of this Dask scheduler")
    parser.add_argument("--resume", action="store_true", default=None, help="go on with a study that was stopped")
    parser.add_argument(
        "--export", type=nonempty, metavar="FILE", help="write all results to a file too (.nc, .csv, .parquet)"
    )
    parser.add_argument(
        "--repeat", nargs=3, metavar=("DIR", "CONDITION", "SAMPLE"), help="repeat one sample of a study alone and show it"
    )


def run_study(options: argparse.Namespace) -> int:
    """Run a study; 1 where samples did not end as asked. Or repeat a sample; 1 where it fails as `solve` would."""
    if options.repeat:
        return _repeat(options)
    study = _study_of(options)
    if options.output is None:
        raise BadInput("study: -o is missing; name a directory for the results.")
    if options.dask is not None and options.workers:
        raise BadInput("study: --workers is for local processes and --dask for a cluster; give one of them.")
    if options.export:
        check_export(options.export)
    reached = [Progress(0, len(study.conditions) * study.samples, 0, 0)]
    try:
        with _executor(options.dask, study.engine) as executor, study_bar() as show:

            def on_progress(progress: Progress) -> None:
                reached[0] = progress
                show(progress.done, progress.total, progress.failed)

            dataset = studies.run_study(
                study,
                options.output,
                executor,
                workers=options.workers,
                resume=bool(options.resume),
                on_progress=on_progress,
            )
    except KeyboardInterrupt:
        print(
            f"analogflow: stopped with {reached[0].done} of {reached[0].total} samples done; they are kept in "
            f"{options.output!r}: go on with the same command and --resume.",
            file=sys.stderr,
        )
        return 130
    if options.export:
        export_study(dataset, options.export)
    print(
        f"{study.flow}: {len(study.conditions)} conditions × {study.samples} samples{' at most' if study.stop else ''}, "
        f"{study.engine} engine, seed {study.seed}, fingerprint {study.fingerprint}"
    )
    report.print_study(dataset, limit=options.limit)
    if options.figures:
        print(f"figures: {', '.join(str(path) for path in _draw(dataset, options))}")
    failed = report.sweep_counts(dataset).get("failed", 0) if study.sweep else 0
    if failed:
        print(
            f"analogflow: {failed} points of the sweep differ from the reference; the dataset says which.", file=sys.stderr
        )
    return max(_failures(dataset, options.output), int(failed > 0))


def _executor(address: str | None, engine: str) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext() if address is None else dask_workers(address, engine=engine)


def _draw(dataset: Any, options: argparse.Namespace) -> list[Path]:
    """Write all figures of a study into its directory; what an earlier call drew there is replaced."""
    folder = Path(options.output) / "figures"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as fault:
        raise BadInput(f"{str(folder)!r} can not be written ({fault.strerror}); give another directory.") from None
    figures = report.folder_figures(options.output, dataset, limit=options.limit)
    return [report.save_figure(figure, folder / f"{name}.svg", force=True) for name, figure in figures.items()]


def _study_of(options: argparse.Namespace) -> Study:
    if options.flow is None:
        raise BadInput("study: there is no flow; give FLOW and PROBLEM, or an experiment file; see analogflow study --help.")
    given = {key: getattr(options, name) for name, key in _CONDITIONS.items() if getattr(options, name) is not None}
    table = {name: getattr(options, name) for name in TABLE if getattr(options, name)}
    if options.problem is None and _is_experiment(options.flow):
        if given or table:
            named = [name.replace("_", "-") for name, key in _CONDITIONS.items() if key in given]
            option = [*named, *table][0]
            raise BadInput(
                f"study: --{option} contradicts the experiment file {options.flow!r}; change the file, or leave it out."
            )
        return read_experiment(options.flow)
    if "imperfections" in given:
        given["imperfections"] = _imperfections(given["imperfections"])
    if "sweep" in given:
        given["sweep"] = _sweep(given["sweep"])
    if "stop" in given:
        given["stop"] = _stop(options)
    problems = {} if options.problem is None else {"problems": [options.problem]}
    return study_from({"flow": options.flow, **problems, **table, **given}, folder=Path(), where="study")


def _stop(options: argparse.Namespace) -> dict[str, Any]:
    if options.stop_width is not None and options.stop_ratio is not None:
        raise BadInput("study: --stop-width is for a yield and --stop-ratio for the median; give one of them.")
    if options.stop_width is None:
        return {"ratio": options.stop_ratio}
    if options.limit is None:
        raise BadInput("study: --stop-width is that of a yield; say within which error, with --limit.")
    return {"limit": options.limit, "half_width": options.stop_width}


def _is_experiment(name: str) -> bool:
    """Whether a name is that of a TOML file that is no file of equations."""
    return Path(name).suffix.lower() == ".toml" and "equations" not in read_keys(name, what="an experiment file")


def _repeat(options: argparse.Namespace) -> int:
    folder, condition, sample = options.repeat
    for name in (*_CONDITIONS, *_RUNNING, "flow"):
        given = getattr(options, name)
        if given is not None:
            what = repr(given) if name == "flow" else f"--{name.replace('_', '-')}"
            raise BadInput(f"study: --repeat takes everything from the study itself; leave {what} out.")
    if not condition.isdecimal() or not sample.isdecimal():
        raise BadInput(f"study: --repeat {folder} {condition} {sample}: condition and sample are whole numbers from 0.")
    asked, rows = repeat_sample(folder, int(condition), int(sample))
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"condition {condition} ({asked}), sample {sample}")
    table.add_column("quantity")
    table.add_column("value")
    for name, values in rows.items():
        table.add_row(name, Text(str(values[0])))
    show(table)
    return 0 if rows.get("passed", [False])[0] else 1


def _failures(dataset: Any, folder: str) -> int:
    """Say what failed first, how to repeat it alone, and where all of it stands; the exit code."""
    path = list_failures(dataset, folder, repeat_command)
    failed = np.argwhere(failed_samples(dataset).reshape(dataset["condition"].size, -1))
    reasons = dataset["reason"].values.reshape(dataset["condition"].size, -1)
    for condition, sample in failed[:_SHOWN]:
        print(
            f"analogflow: condition {condition}, sample {sample}: {reasons[condition, sample]} "
            f"Repeat it alone: {repeat_command(folder, condition, sample)}",
            file=sys.stderr,
        )
    if len(failed) > _SHOWN:
        print(
            f"analogflow: {len(failed) - _SHOWN} further samples failed; {str(path)!r} lists all, with their reasons and "
            "commands.",
            file=sys.stderr,
        )
    return 1 if len(failed) else 0


def _texts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _numbers(text: str) -> list[float]:
    return [number(part) for part in text.split(",")]


def _temperatures(text: str) -> list[float]:
    return [celsius(part) for part in text.split(",")]


def _noises(text: str) -> list[float | str]:
    return [_number_or_text(part.strip()) for part in text.split(",")]


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _imperfections(texts: list[str]) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for text in texts:
        name, _, numbers = text.partition("=")
        try:
            parsed = _numbers(numbers)
        except argparse.ArgumentTypeError:
            raise BadInput(f"imperfection {text!r}: give NAME=NUMBER,…, such as offset=1e-3,1e-2.") from None
        if name in values:
            raise BadInput(f"imperfection {text!r}: {name} is given twice; give its values at once.")
        values[name] = parsed
    return values


def _sweep(texts: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in texts:
        name, equals, given = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise BadInput(f"sweep {text!r}: give NAME=FIRST:LAST:COUNT, such as c=2:6:400, or NAME=VALUE,….")
        if name in values:
            raise BadInput(f"sweep {text!r}: {name} is given twice; give its values at once.")
        values[name] = given
    return values


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
        options.folder, report.PLOTS, limit=options.limit, repeating=repeat_command,
        command=shlex.join(["analogflow", "study", "experiment.toml", "-o", str(options.folder)]),
    )  # fmt: skip
    print(report.write_page(page, path, force=options.force))
    return 0
