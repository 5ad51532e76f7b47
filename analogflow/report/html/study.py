"""The page of a study: what came out, which samples failed and how to repeat them, and the nominal circuit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from analogflow.compiler import compile
from analogflow.errors import AnalogflowError
from analogflow.families import flow_of
from analogflow.judgement import error_budget
from analogflow.noise import Noise
from analogflow.report.html.content import Grid, Listing, Paragraph, Section, grid_of, picture_of
from analogflow.report.html.page import Page
from analogflow.report.html.run import circuit_sections, record_section
from analogflow.report.runs.paths import plot_paths
from analogflow.report.studies import folder_figures, study_table
from analogflow.report.tables import budget_tables, solution_table
from analogflow.simulators import engine_for
from analogflow.solution import Solution, solve
from analogflow.studies import Study, failed_samples, open_study
from analogflow.studies.dataset import repeating
from analogflow.studies.experiment import experiment_text
from analogflow.studies.store import read_manifest
from analogflow.technology import TECHNOLOGIES, heeded

__all__ = ["study_page"]

Repeating = Callable[[str | Path, int, int], str]

_MOST_FAILURES, _BUDGET_SAMPLES, _PATHS = 20, 16, 30


def study_page(
    folder: str | Path, plots: Any, *, limit: float | None = None, command: str = "", repeating: Repeating = repeating
) -> Page:
    """Report of the study in a directory, finished or not.

    Parameters
    ----------
    folder : path
    plots : mapping of family to callable
        Draws the figure of a run.
    limit : float, optional
        Largest acceptable error, in its unit, for yields.
    command : str
        What runs the whole study again; the call in Python if not given.
    repeating : callable
        What repeats a sample of `folder` alone, by its condition and number.

    Raises
    ------
    BadInput
        The directory holds no study, or nothing of it was run yet.
    """
    study, manifest = read_manifest(folder)
    dataset = open_study(folder)
    outcomes = dataset["outcome"].values.astype(str).ravel()
    run, failed = int((outcomes != "").sum()), np.flatnonzero(failed_samples(dataset))
    ended = "" if dataset.attrs["complete"] else "The study is not finished. "
    verdict = f"{ended}{run} samples were run, of which {len(failed)} did not end as they were asked to."
    sections = [
        Section("Summary", "summary", (grid_of(study_table(dataset, limit=limit)),)),
        Section("Figures", "figures", tuple(_figures(folder, dataset, limit))),
    ]
    if len(failed):
        sections.append(Section("Failures", "failures", _failures(dataset, failed, folder, repeating)))
    nominal = _nominal(study)
    if isinstance(nominal, Solution):
        sections += circuit_sections(nominal, plots.get(study.flow, plot_paths))
        sections.append(Section("Certificate", "certificate", (grid_of(solution_table(nominal)),)))
    else:
        sections.append(Section("Nominal circuit", "nominal", (Paragraph(nominal),)))
    sections += _budget(study)
    command = command or f"analogflow.run_study(analogflow.studies.read_experiment('experiment.toml'), {str(folder)!r})"
    facts = [("fingerprint", study.fingerprint), ("seed", study.seed), ("engine", study.engine)]
    record = record_section(
        [command], [*facts, *((f"{name}, when it was run", v) for name, v in manifest["versions"].items())]
    )
    experiment = Listing(experiment_text(study), "experiment.toml: the whole study as one file.", folded=True)
    sections.append(Section(record.title, record.anchor, (experiment, *record.items)))
    title = f"Study of {study.flow}: {len(study.conditions)} conditions × {study.samples} samples"
    return Page(title, verdict, not len(failed) and not ended, tuple(sections))


def _figures(folder: str | Path, dataset: Any, limit: float | None) -> list[Any]:
    figures = folder_figures(folder, dataset, limit=limit, samples=_PATHS)
    return [picture_of(figure, f"study-{name}", name.replace("-", " ").capitalize()) for name, figure in figures.items()]


def _failures(dataset: Any, failed: np.ndarray, folder: str | Path, repeating: Repeating) -> tuple[Any, ...]:
    samples = dataset.sizes["sample"]
    reasons, outcomes = (dataset[name].values.astype(str).ravel() for name in ("reason", "outcome"))
    rows = []
    for k in failed[:_MOST_FAILURES]:
        condition, sample = divmod(int(k), samples)
        again = repeating(folder, condition, sample)
        rows.append((str(condition), str(sample), reasons[k] or outcomes[k], again))
    listed = (Path(folder) / "failures.csv").exists()
    where = "failures.csv beside the study holds all" if listed else "a study that is resumed lists all in failures.csv"
    more = f": the first {len(rows)} of {len(failed)}; {where}" if len(failed) > len(rows) else ""
    names, counts = np.unique(outcomes[failed], return_counts=True)
    tally = ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True))
    head = ("condition", "sample", "reason", "repeats it alone")
    return Paragraph(f"{tally}."), Grid(head, tuple(rows), f"Samples that failed{more}.", folded=len(rows) > 5)


def _nominal(study: Study) -> Solution | str:
    """The first problem without noise or deviations, or why there is no such run."""
    technology = study.technologies[0]
    problem = next(iter(study.problems.values()))
    try:
        engine = engine_for(technology) if TECHNOLOGIES[technology].parts else "block"
        return solve(
            problem, form=study.forms[0], engine=engine, time_constants=study.time_constants, technology=technology,
            **heeded(technology, {"parts": study.parts}),
        )  # fmt: skip
    except AnalogflowError as fault:
        return f"The nominal circuit was not run: {fault}"


def _budget(study: Study) -> list[Section]:
    """What each effect of the last condition costs, where the answer is a point that is settled at."""
    condition = study.conditions[-1]
    if TECHNOLOGIES[condition.technology].parts:
        return []
    circuit = compile(flow_of(study.problems[condition.problem], condition.form))
    try:
        budget = error_budget(
            circuit, condition.imperfections, noise=Noise(condition.noise, study.seed), samples=_BUDGET_SAMPLES
        )
    except AnalogflowError:  # nothing is imperfect, the answer is a law, or a point of a path
        return []
    items = (Paragraph(f"Of the condition {condition}."), *(grid_of(table) for table in budget_tables(budget)))
    return [Section("Error budget", "budget", items)]
