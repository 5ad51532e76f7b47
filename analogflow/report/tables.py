"""Tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from analogflow.circuit import Circuit
from analogflow.doctor import Finding
from analogflow.families.check import FAILED, PASSED, UNCERTIFIED, UNDECIDED
from analogflow.judgement import Agreement, Budget
from analogflow.solution import Solution

__all__ = ["agreement_table", "budget_tables", "doctor_table", "history_table", "solution_table"]


def solution_table(solution: Solution) -> Table:
    """What a run found, what it should be, and how far apart they are."""
    certificate, run = solution.certificate, solution.run
    title = f"{solution.flow.family}, form {solution.flow.form}, technology {solution.circuit.technology}"
    # Names are the user's words: no markup is read in them.
    table = Table(title=Text("\n".join(filter(None, [title, getattr(solution.flow.problem, "summary", "")]))))
    table.add_column("quantity")
    table.add_column("value", justify="right")
    table.add_column("unit")
    for name, value in certificate.answer.items():
        if isinstance(value, float):
            table.add_row(f"{name}, {solution.engine}", f"{value:.12f}", "nat" if name.endswith("nats") else "")
            table.add_row(
                f"{name}, reference", f"{certificate.reference[name]:.12f}", "nat" if name.endswith("nats") else ""
            )
    nats = "nat" if any(name.endswith("nats") for name in certificate.answer) else ""
    table.add_row("certified gap of the reference", f"{certificate.reference_gap:.2e}", nats)
    for name, value in certificate.errors.items():
        table.add_row(_ERRORS.get(name, f"error of {name}"), f"{value:.2e}", "nat" if "nats" in name else "")
    settling = solution.settling_time
    absent = "fluctuates" if solution.noisy else "not settled"
    if solution.flow.end_time is None:
        table.add_row("settling time (to 1e-6)", absent if settling is None else f"{settling:.2f}", "τ")
    else:
        table.add_row("end of the run", f"{run.time[-1]:g}", "τ")
    if not solution.circuit.ideal:
        table.add_row("imperfections", str(solution.circuit.imperfections), "")
        table.add_row("noise at the integrators", f"{solution.circuit.noise.sigma:g}", "per √τ")
    table.add_row("points simulated", str(len(run.time)), "")
    table.add_section()
    for check in certificate.checks:
        told = not check.passed or (check is certificate.checks[0] and not run.outcome.ok)
        table.add_row(check.name, Text(check.verdict, _COLOURS[check.verdict]), check.detail if told else "")
    return table


def agreement_table(agreement: Agreement) -> Table:
    """How far each two engines are apart; what the limit applies to is marked as passed or failed."""
    table = Table(
        title=f"{agreement.family}, form {agreement.form}, technology {agreement.technology}, "
        f"{agreement.time_constants:g} τ",
        caption=f"relative to full scale; allowed: {agreement.limit:g}"
        + (" of the answer, between circuit simulators" if agreement.parts else " along the path"),
    )
    for name in ("engines", "along the path", "answer at the end", "points", ""):
        table.add_column(name, justify="right" if name else "left")
    judged = {id(pair): value for pair, value in agreement.judged}
    for pair in agreement.differences:
        value = judged.get(id(pair))
        passed = Text("passed", "green") if value is not None and value <= agreement.limit else Text("failed", "bold red")
        verdict = Text("not judged") if value is None else passed
        table.add_row(f"{pair.first}, {pair.second}", f"{pair.path:.1e}", f"{pair.final:.1e}", str(pair.points), verdict)
    for name, outcome in agreement.outcomes:
        table.add_row(name, "", "", "", outcome.name.lower())
    return table


def budget_tables(budget: Budget) -> tuple[Table, ...]:
    """What each effect and each block costs: as measured, and in brackets as predicted to first order."""
    unit = "; costs in nats" if budget.value.endswith("nats") else ""
    tables = []
    for title, entries in (("each effect alone", budget.effects), ("all effects, each block alone", budget.blocks)):
        if not entries:
            continue
        table = Table(title=f"error budget: {title}", caption=f"{budget.samples} samples; in brackets: to first order{unit}")
        table.add_column("cause", no_wrap=True)
        for column in ("loss", "(loss)", "reading", "(reading)", "bits", "(bits)", "failed"):
            table.add_column(column, justify="right", no_wrap=True)
        for entry in entries:
            m, p = entry.measured, entry.predicted
            costs = [_cost(x) for x in (m.loss, p.loss, m.reading, p.reading)]
            table.add_row(entry.cause, *costs, _bits(m.bits), _bits(p.bits), str(entry.failed) if entry.failed else "")
        tables.append(table)
    return tuple(tables)


_COLOURS = {PASSED: "green", FAILED: "bold red", UNDECIDED: "bold yellow", UNCERTIFIED: "bold yellow"}

_EXACT = 1e-12
_MOST_BITS = 24.0


def _cost(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1e}" if value > _EXACT else "0"


def _bits(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1f}" if value < _MOST_BITS else f"> {_MOST_BITS:.0f}"


_ERRORS = {
    "capacity_nats": "difference from the reference",
    "input_distribution": "largest difference in z",
    "capacity_readout_nats": "error of the circuit's own read-out",
    "certified_gap_nats": "certified gap of the circuit's z",
    "simplex": "largest departure of Σz from 1",
    "tokens": "largest difference of a coordinate",
    "sphere": "largest departure of a token's length from 1",
    "mean": "largest difference of a mean",
    "covariance": "largest difference of a covariance",
    "mean_standard_error": "largest standard error of a mean",
    "covariance_standard_error": "largest standard error of a covariance",
    "effective_samples": "effective sample size of a covariance, at least",
    "rise": "largest rise of the energy on the way",
    "plan": "largest difference of an entry of the plan",
    "cost": "difference of the cost",
    "marginals": "sum of the marginals' errors, over the mass",
    "rows": "largest error of a row's sum on the way",
    "certified_gap": "certified gap of the circuit's plan",
    "misassigned_rows": "rows whose largest entry is another",
}


def history_table(circuit: Circuit) -> Table:
    """What each pass of the compiler changed, and why."""
    table = Table(title=f"compilation of {circuit.flow!r}")
    for column in ("pass", "blocks", "what it did"):
        table.add_column(column, justify="right" if column == "blocks" else "left", overflow="fold")
    for step in circuit.history:
        table.add_row(step.name, str(step.blocks), step.note)
    return table


def doctor_table(findings: Sequence[Finding], title: str = "") -> Table:
    """What is installed, in which version, and how to mend what is missing."""
    table = Table(title=title or None)
    for column in ("what", "found", "remedy"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        colour = "green" if finding.found else "bold red" if finding.needed else "yellow"
        table.add_row(finding.name, Text(finding.detail, colour), "" if finding.found else finding.remedy)
    return table
