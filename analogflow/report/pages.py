"""The pages of a run and of a study, and what a notebook shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analogflow.circuit import Circuit
from analogflow.comparison import Comparison
from analogflow.compiler import compile
from analogflow.curves import TradeOffCurve
from analogflow.errors import AnalogflowError
from analogflow.families import flow_of
from analogflow.families.files import keys_of
from analogflow.flows import Flow
from analogflow.graph import BlockGraph
from analogflow.hardware.parts_list import parts_list
from analogflow.judgement import Budget, DeviceBudget, DeviceErrors, error_budget
from analogflow.noise import Noise
from analogflow.passes import choose_values
from analogflow.report.block_diagram import draw_blocks
from analogflow.report.comparison import comparison_tables
from analogflow.report.curve import curve_table
from analogflow.report.html import Grid, Listing, Page, Paragraph, Picture, Section, grid_html, grid_of, picture_of, rows_of
from analogflow.report.runs import plot_paths
from analogflow.report.schematic import draw_circuit
from analogflow.report.studies import folder_figures
from analogflow.report.study_tables import study_table, sweep_counts
from analogflow.report.tables import budget_tables, history_table, parts_table, solution_table
from analogflow.solution import Solution, Verification, solve, versions
from analogflow.studies import Study, failed_samples, open_study
from analogflow.studies.dataset import repeating
from analogflow.studies.experiment import experiment_text
from analogflow.studies.store import read_manifest
from analogflow.technology import TECHNOLOGIES, heeded

__all__ = ["run_page", "shown_html", "shown_svg", "study_page"]

_MOST_ROWS, _MOST_LINES = 12, 80
"""Rows and columns of a matrix, and lines of a netlist, that are shown."""


def run_page(
    solution: Solution,
    plot: Any,
    *,
    budget: Budget | DeviceBudget | DeviceErrors | None = None,
    commands: Sequence[str] = (),
) -> Page:
    """Report of a run.

    Parameters
    ----------
    solution : Solution
    plot : callable
        Draws the family's figure of a solution.
    budget : Budget, DeviceBudget or DeviceErrors, optional
    commands : sequence of str
        What repeats the run.
    """
    flow, certificate = solution.flow, solution.certificate
    verdict = "Every check passed." if certificate.passed else f"{certificate.verdict[0].upper()}{certificate.verdict[1:]}."
    sections = [
        *_circuit_sections(solution, plot),
        Section("Certificate", "certificate", (grid_of(solution_table(solution)),)),
    ]
    if budget is not None:
        tables = tuple(grid_of(table) for table in budget_tables(budget))
        sections.append(Section("Error budget", "budget", tables))
    sections.append(_record_section(commands, [("seed", solution.seed), ("engine", solution.engine)]))
    title = f"{flow.family}, form {flow.form}, technology {solution.circuit.technology}"
    return Page(title, verdict, certificate.passed, tuple(sections))


def _circuit_sections(solution: Solution, plot: Any) -> list[Section]:
    """Problem, equations, diagrams, netlist, path and parts of a solution's circuit."""
    flow, circuit = solution.flow, solution.circuit
    sections = []
    if flow.problem is not None:
        sections.append(Section("Problem", "problem", _problem(flow.problem)))
    sections.append(Section("Equations", "equations", _equations(circuit)))
    diagram = picture_of(draw_blocks(circuit.graph), "blocks", "Blocks of the circuit; each line is a vector signal.")
    described = f"Block diagram of {len(circuit.graph)} blocks: {', '.join(circuit.graph)}."
    sections.append(Section("Block diagram", "blocks", (Picture(diagram.svg, described, diagram.caption),)))
    if circuit.parts is not None:
        drawn = picture_of(draw_circuit(circuit), "schematic", "Schematic: every part, or once for all that are alike.")
        about = f"Schematic of {len(circuit.elements)} elements in {len(circuit.groups)} groups."
        bill = grid_of(parts_table(parts_list(circuit), title=f"Parts, set {circuit.parts.name}."), folded=True)
        sections.append(Section("Schematic and parts", "schematic", (Picture(drawn.svg, about, drawn.caption), bill)))
    sections.append(Section("Netlist", "netlist", (_netlist(solution.deck.text),)))
    sections.append(Section("Run", "run", (picture_of(plot(solution), "run", "What the circuit did."),)))
    return sections


def _record_section(commands: Sequence[str], facts: Sequence[tuple[str, object]]) -> Section:
    """How to repeat it, and what it was computed with."""
    items: list[Any] = [Listing("\n".join(commands), "Commands that repeat this.")] if commands else []
    items.append(Grid(("", ""), rows_of([*facts, *versions().items()]), "Seeds and versions."))
    return Section("How to repeat it", "repeat", tuple(items))


def _problem(problem: Any) -> tuple[Any, ...]:
    keys = keys_of(problem)
    items: list[Any] = [Paragraph(f"{problem!r}.")]
    plain = []
    for name, value in keys.items():
        if isinstance(value, list) and value and isinstance(value[0], list):
            items.append(_matrix(name, value))
        elif value not in ([], None):
            plain.append((name, _short(value)))
    if plain:
        items.append(Grid(("key", "value"), rows_of(plain)))
    text = json.dumps(keys)
    return (*items, Listing(text, "The problem as a JSON file.", folded=True)) if len(text) < 100_000 else tuple(items)


def _matrix(name: str, rows: list[list[Any]]) -> Grid:
    width = max(map(len, rows))
    cut = len(rows) > _MOST_ROWS or width > _MOST_ROWS
    head = ("", *(str(j) for j in range(min(width, _MOST_ROWS))))
    body = tuple((str(i), *map(_short, row[:_MOST_ROWS])) for i, row in enumerate(rows[:_MOST_ROWS]))
    said = f"; {min(len(rows), _MOST_ROWS)} × {min(width, _MOST_ROWS)} of {len(rows)} × {width} are shown" if cut else ""
    return Grid(head, body, f"{name}{said}")


def _short(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _equations(circuit: Circuit) -> tuple[Any, ...]:
    lines = dict.fromkeys(str(circuit.graph.source(node)) for node in circuit.graph.order())
    listing = Listing("\n".join(line for line in lines if line), "Lines of the flow that placed the blocks.")
    return listing, grid_of(history_table(circuit), folded=True)


def _netlist(text: str) -> Listing:
    lines = text.splitlines()
    cut = lines[:_MOST_LINES]
    more = f"; {len(cut)} of {len(lines)} lines" if len(lines) > len(cut) else ""
    return Listing("\n".join(cut), f"SPICE netlist{more}.", folded=True)


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
    wrong = sweep_counts(dataset).get("failed", 0) if study.sweep else 0
    if wrong:
        verdict += f" {wrong} differ from the reference."
    sections = [
        Section("Summary", "summary", (grid_of(study_table(dataset, limit=limit)),)),
        Section("Figures", "figures", tuple(_figures(folder, dataset, limit))),
    ]
    if len(failed):
        sections.append(Section("Failures", "failures", _failures(dataset, failed, folder, repeating)))
    nominal = _nominal(study)
    if isinstance(nominal, Solution):
        sections += _circuit_sections(nominal, plots.get(study.flow, plot_paths))
        sections.append(Section("Certificate", "certificate", (grid_of(solution_table(nominal)),)))
    else:
        sections.append(Section("Nominal circuit", "nominal", (Paragraph(nominal),)))
    sections += _budget(study)
    command = command or f"analogflow.run_study(analogflow.studies.read_experiment('experiment.toml'), {str(folder)!r})"
    facts = [("fingerprint", study.fingerprint), ("seed", study.seed), ("engine", study.engine)]
    record = _record_section(
        [command], [*facts, *((f"{name}, when it was run", v) for name, v in manifest["versions"].items())]
    )
    experiment = Listing(experiment_text(study), "experiment.toml: the whole study as one file.", folded=True)
    sections.append(Section(record.title, record.anchor, (experiment, *record.items)))
    title = f"Study of {study.flow}: {len(study.conditions)} conditions × {study.samples} samples"
    return Page(title, verdict, not len(failed) and not ended and not wrong, tuple(sections))


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
    """The problem of the first condition without noise or deviations, or why there is no such run."""
    technology = study.technologies[0]
    problem = study.problem_of(study.conditions[0])
    try:
        return solve(
            problem, form=study.forms[0], engine=study.engine, time_constants=study.time_constants, technology=technology,
            **heeded(technology, {"parts": study.parts}),
        )  # fmt: skip
    except AnalogflowError as fault:
        return f"The nominal circuit was not run: {fault}"


def _budget(study: Study) -> list[Section]:
    """What each effect of the last condition costs, where the answer is a point that is settled at."""
    condition = study.conditions[-1]
    if TECHNOLOGIES[condition.technology].parts:
        return []
    try:
        circuit = compile(flow_of(study.problem_of(condition), condition.form))
        budget = error_budget(
            circuit, condition.imperfections, noise=Noise(condition.noise, study.seed), samples=_BUDGET_SAMPLES
        )
    except AnalogflowError:  # nothing is imperfect, the answer is a law, or a point of a path
        return []
    items = (Paragraph(f"Of the condition {condition}."), *(grid_of(table) for table in budget_tables(budget)))
    return [Section("Error budget", "budget", items)]


def shown_html(thing: Any) -> str | None:
    """HTML of a solution, verification, comparison, curve, study or flow; None for anything else."""
    grids = _grids(thing)
    return "".join(map(grid_html, grids)) if grids else None


def shown_svg(thing: Any) -> str | None:
    """Drawing of a block graph, or of a circuit: the schematic if it has parts, else its blocks; None for anything else."""
    if isinstance(thing, BlockGraph):
        return picture_of(draw_blocks(thing), "graph").svg
    if not isinstance(thing, Circuit):
        return None
    figure = (
        draw_blocks(thing.graph) if thing.parts is None else draw_circuit(choose_values(thing) if thing.nominal else thing)
    )
    return picture_of(figure, "circuit").svg


def _grids(thing: Any) -> list[Grid]:
    if isinstance(thing, Solution):
        return [grid_of(solution_table(thing))]
    if isinstance(thing, Verification):
        rows = (("verdict", str(thing.verdict)), ("distance of the two answers", f"{thing.verdict.distance:.2g}"))
        return [grid_of(solution_table(thing.solution)), Grid(("", ""), rows, "Perturbed and run again")]
    if isinstance(thing, TradeOffCurve):
        return [grid_of(curve_table(thing))]
    if isinstance(thing, Comparison):
        return [grid_of(table) for table in comparison_tables(thing)]
    if isinstance(thing, Study):
        rows = tuple((name, ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values))
                     for name, values in thing.dimensions.items())  # fmt: skip
        return [Grid(("dimension", "values"), (*rows, ("sample", f"0 to {thing.samples - 1}")), repr(thing))]
    if isinstance(thing, Flow):
        graph = thing.graph()
        lines = dict.fromkeys(str(graph.source(node)) for node in graph.order())
        return [Grid(("equations",), tuple((line,) for line in lines if line), repr(thing))]
    return []
