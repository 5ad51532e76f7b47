"""What `solve` prints: tables for people, one JSON object for programs."""

from __future__ import annotations

import json

from rich.console import Console

from analogflow.judgement import Budget
from analogflow.report.tables import budget_tables, solution_table
from analogflow.solution import Solution, plain

__all__ = ["print_solution", "solution_json"]


def print_solution(solution: Solution, budget: Budget | None) -> None:
    """Print the table of a solution, and those of its error budget if there is one."""
    console = Console()
    console.print(solution_table(solution))
    if budget is None:
        return
    for table in budget_tables(budget):
        console.print(table)
    console.print(
        f"loss: of {budget.value or 'the value'}, the state read by an ideal instrument; reading: error of what the circuit "
        f"shows; bits: effective bits of {budget.answer}.",
        highlight=False,
    )


def solution_json(solution: Solution, budget: Budget | None) -> str:
    """One JSON object on one line; the budget under its own key."""
    extra = {} if budget is None else {"budget": plain(budget.to_dict())}
    return json.dumps({**solution.to_dict(), **extra}, allow_nan=False)
