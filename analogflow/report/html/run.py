"""The page of one run: problem, equations, circuit, path, certificate, what imperfections cost, and how to repeat it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from analogflow.circuit import Circuit
from analogflow.families.files import keys_of
from analogflow.hardware.parts_list import parts_list
from analogflow.judgement import Budget
from analogflow.report.block_diagram import draw_blocks
from analogflow.report.boards import parts_table
from analogflow.report.html.content import Grid, Listing, Paragraph, Picture, Section, grid_of, picture_of, rows_of
from analogflow.report.html.page import Page
from analogflow.report.schematic import draw_circuit
from analogflow.report.tables import budget_tables, history_table, solution_table
from analogflow.solution import Solution, versions

__all__ = ["circuit_sections", "record_section", "run_page"]

_MOST_ROWS, _MOST_LINES = 12, 80
"""Rows and columns of a matrix, and lines of a netlist, that are shown."""


def run_page(solution: Solution, plot: Any, *, budget: Budget | None = None, commands: Sequence[str] = ()) -> Page:
    """Report of a run.

    Parameters
    ----------
    solution : Solution
    plot : callable
        Draws the family's figure of a solution.
    budget : Budget, optional
    commands : sequence of str
        What repeats the run.
    """
    flow, certificate = solution.flow, solution.certificate
    verdict = "Every check passed." if certificate.passed else f"{certificate.verdict[0].upper()}{certificate.verdict[1:]}."
    sections = [
        *circuit_sections(solution, plot),
        Section("Certificate", "certificate", (grid_of(solution_table(solution)),)),
    ]
    if budget is not None:
        tables = tuple(grid_of(table) for table in budget_tables(budget))
        sections.append(Section("Error budget", "budget", tables))
    sections.append(record_section(commands, [("seed", solution.seed), ("engine", solution.engine)]))
    title = f"{flow.family}, form {flow.form}, technology {solution.circuit.technology}"
    return Page(title, verdict, certificate.passed, tuple(sections))


def circuit_sections(solution: Solution, plot: Any) -> list[Section]:
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


def record_section(commands: Sequence[str], facts: Sequence[tuple[str, object]]) -> Section:
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
