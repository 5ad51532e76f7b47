"""How objects show themselves in a notebook: tables for what was computed, drawings for graphs and circuits."""

from __future__ import annotations

from typing import Any

from analogflow.circuit import Circuit
from analogflow.comparison import Comparison
from analogflow.flows import Flow
from analogflow.graph import BlockGraph
from analogflow.hardware.preferred import preferred
from analogflow.report.block_diagram import draw_blocks
from analogflow.report.comparison import comparison_tables
from analogflow.report.html.content import Grid, grid_of, picture_of
from analogflow.report.html.page import grid_html
from analogflow.report.schematic import draw_circuit
from analogflow.report.tables import solution_table
from analogflow.solution import Solution, Verification
from analogflow.studies import Study

__all__ = ["shown_html", "shown_svg"]


def shown_html(thing: Any) -> str | None:
    """HTML of a solution, verification, comparison, study or flow; None for anything else."""
    grids = _grids(thing)
    return "".join(map(grid_html, grids)) if grids else None


def shown_svg(thing: Any) -> str | None:
    """Drawing of a block graph, or of a circuit: the schematic if it has parts, else its blocks; None for anything else."""
    if isinstance(thing, BlockGraph):
        return picture_of(draw_blocks(thing), "graph").svg
    if not isinstance(thing, Circuit):
        return None
    figure = draw_blocks(thing.graph) if thing.parts is None else draw_circuit(preferred(thing) if thing.ideal else thing)
    return picture_of(figure, "circuit").svg


def _grids(thing: Any) -> list[Grid]:
    if isinstance(thing, Solution):
        return [grid_of(solution_table(thing))]
    if isinstance(thing, Verification):
        rows = (("verdict", str(thing.verdict)), ("distance of the two answers", f"{thing.verdict.distance:.2g}"))
        return [grid_of(solution_table(thing.solution)), Grid(("", ""), rows, "Perturbed and run again")]
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
