"""Tables of circuits and of single runs in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analogflow import judgement
from analogflow.circuit import Circuit
from analogflow.circuit.build import celsius_of
from analogflow.digits import engineering
from analogflow.families import judging_family, problem_of
from analogflow.families.ends import FAILED, NOT_EXACT, NOT_MIXED, PASSED, UNCERTIFIED, UNDECIDED
from analogflow.report.bits import beside_nats, said_in_nats
from analogflow.run import SETTLING_BAND

if TYPE_CHECKING:
    from analogflow.doctor import Finding
    from analogflow.families.motion import Motion
    from analogflow.hardware import BoardFit, DeviceRun
    from analogflow.hardware.parts_list import PartsList
    from analogflow.judgement import Agreement, Budget, DeckCheck, DeviceBudget, DeviceErrors, Level, Recheck, Rest, Trimmed
    from analogflow.report.kicad.orders import Order
    from analogflow.solution import Solution

__all__ = [
    "agreement_table",
    "budget_tables",
    "deck_table",
    "device_table",
    "doctor_table",
    "history_table",
    "levels_table",
    "mapping_table",
    "modes_tables",
    "orders_table",
    "parts_table",
    "print_solution",
    "recheck_table",
    "scaled_tables",
    "solution_table",
    "trimming_table",
]


def solution_table(solution: Solution) -> Table:
    """What a run found, what it should be, and how far apart they are."""
    certificate, run = solution.certificate, solution.run
    family = judging_family(problem_of(solution.flow))
    title = f"{solution.flow.family}, form {solution.flow.form}, technology {solution.circuit.technology}"
    # Names are the user's words: no markup is read in them.
    table = Table(title=Text("\n".join(filter(None, [title, getattr(solution.flow.problem, "summary", "")]))))
    table.add_column("quantity")
    table.add_column("value", justify="right")
    table.add_column("unit")
    for name, value in certificate.answer.items():
        if isinstance(value, float):
            for where, shown in ((solution.engine, value), ("reference", certificate.reference[name])):
                table.add_row(f"{name}, {where}", f"{shown:.12f}", _unit(name, shown, ".9f"))
    for name in family.listed:
        for where, values in ((solution.engine, certificate.answer), ("reference", certificate.reference)):
            if name in values:
                rounded = ", ".join(f"{value:.6f}" for value in values[name][:_LISTED])
                more = f", … ({len(values[name])})" if len(values[name]) > _LISTED else ""
                table.add_row(f"{name}, {where}", rounded + more, "")
    kind = next((name for name in certificate.answer if name.endswith("nats")), "")
    gap = certificate.reference_gap
    exact = NOT_EXACT not in certificate.notes
    label = "certified gap of the reference" if exact else "interval of the reference, which is not exact"
    table.add_row(label, f"{gap:.2e}", _unit(kind, gap, ".1e"))
    for name, value in certificate.errors.items():
        table.add_row(family.label(name), f"{value:.2e}", _unit(name, value, ".1e"))
    for well in certificate.wells:
        where = ", ".join(f"{name} = {value:.3g}" for name, value in well.at.items())
        exact = f", exactly {well.exact:.4f}" if np.isfinite(well.exact) else ""
        table.add_row(f"share of the time at {where}{exact}", f"{well.occupancy:.4f} ± {well.occupancy_error:.4f}", "")
        stay = f"{well.stay:.3g} ± {well.stay_error:.1g}" if well.left else "never left"
        table.add_row(f"mean stay there, left {well.left} times", stay, "τ")
    if certificate.motion is not None:
        for row in _motion_rows(certificate.motion, solution.engine):
            table.add_row(*row)
    settling = solution.settling_time
    absent = "fluctuates" if solution.noisy else "not settled"
    if solution.flow.end_time is None:
        band = np.format_float_scientific(SETTLING_BAND, trim="-", exp_digits=1)
        table.add_row(f"settling time (to {band})", absent if settling is None else f"{settling:.2f}", "τ")
    else:
        table.add_row("end of the run", f"{run.time[-1]:g}", "τ")
    if not solution.circuit.nominal:
        table.add_row("imperfections", str(solution.circuit.imperfections), "")
        table.add_row("noise at the integrators", f"{solution.circuit.noise.sigma:g}", "per √τ")
    if solution.circuit.noise.parts:
        table.add_row("noise of the parts", "played", "")
    if (trimmers := solution.circuit.conditions.trimmers) is not None:
        set_at = f"set at {celsius_of(trimmers.kelvin):.4g} °C" if trimmers.volts else "none set"
        table.add_row("trimmers of the drawn board", f"{len(trimmers.volts)}, {set_at}", "")
    if (switched := solution.switched_on) is not None:
        table.add_row(f"start-up {switched.start_up}, flow begins after", f"{1e3 * switched.release:.4g}", "ms")
        found = "the answer of a held start" if switched.same else "not the answer of a held start"
        table.add_row(found, f"{switched.distance:.1e}", "apart")
    each = f" in each of {len(run.chains) + 1} chains" if run.chains else ""
    table.add_row(f"points simulated{each}", str(len(run.time)), "")
    table.add_section()
    for check in certificate.checks:
        told = check.verdict != PASSED or (check is certificate.checks[0] and not run.outcome.ok)
        colour = _COLOURS[PASSED if check.passed else check.verdict]
        table.add_row(check.name, Text(check.verdict, colour), check.detail if told else "")
    if certificate.notes:
        table.caption, table.caption_justify = Text("\n".join(certificate.notes)), "left"
    return table


def recheck_table(found: Recheck) -> Table:
    """What a certificate's file states, beside what comes out now."""
    certificate, made = found.certificate, found.made
    family = judging_family(found.problem)
    by = ", ".join(
        f"{name} {str(value)[:60]}" for name, value in made.items() if isinstance(value, str | int) and name != "seed"
    )
    title = "\n".join(filter(None, [f"certificate of {family.name}", getattr(found.problem, "summary", "")]))
    table = Table(title=Text(title), caption=Text(f"stated to be made with: {by}"), caption_justify="left")
    for column in ("quantity", "stated", "computed now"):
        table.add_column(column, justify="left" if column == "quantity" else "right", overflow="fold")
    stated = found.stated
    rows = [
        (name, stated["answer"], value, ".12f") for name, value in certificate.answer.items() if isinstance(value, float)
    ]
    rows += [(name, stated["errors"], value, ".2e") for name, value in certificate.errors.items()]
    for name, before, value, form in rows:
        said = before.get(name)
        label = name if form == ".12f" else family.label(name)
        table.add_row(label, format(said, form) if isinstance(said, float) else str(said)[:40], format(value, form))
    if certificate.law is None:
        table.add_row("largest error that passes", f"{found.terms.limit:g}", "")
    table.add_section()
    for check in certificate.checks:
        before = next((one["verdict"] for one in stated["checks"] if one["name"] == check.name), "not stated")
        colour = _COLOURS[PASSED if check.passed else check.verdict]
        table.add_row(check.name, Text(before[:60]), Text(check.verdict, colour))
    return table


def deck_table(found: DeckCheck) -> Table:
    """How each row of a netlist moves beside its equation."""
    flow = found.flow
    notes = Text(". ".join(f"{note[:1].upper()}{note[1:]}" for note in found.notes))
    table = Table(title=Text(f"{flow.family}, form {flow.form}"), caption=notes, caption_justify="left")
    for column in ("state, and what holds it", "1/τ, per second", "left of its rates"):
        table.add_column(column, justify="left" if column[0] == "s" else "right", overflow="fold")
    for row in found.rows[:_ROWS_SHOWN]:
        left = Text(f"{row.left:.1e}", "green" if row.left <= found.limit else "bold red")
        table.add_row(Text(row.name), f"{row.rate:.6g}" if np.isfinite(row.rate) else "does not move", left)
    if len(found.rows) > _ROWS_SHOWN:
        table.add_row(f"… ({len(found.rows)})", "", "")
    table.add_section()
    for name, volts in found.units.items():
        table.add_row(Text(f"1 flow unit of {name}"), f"{volts:.5g} V", "")
    table.add_row("at most", "", f"{found.limit:g}")
    return table


def _motion_rows(motion: Motion, engine: str) -> Iterator[tuple[str, str, str]]:
    """Name, value and unit of what a motion is told by, of the run and of the reference."""
    found, exact = motion.found, motion.exact
    if found.period is None:
        yield f"time between crossings of {found.signal} = {found.level:.4g}, {engine}", f"{found.between:.6g}", "τ"
    else:
        yield f"period, {engine}", f"{found.period:.8g}", "τ"
    if exact is not None:
        yield "period, reference", f"{exact.period:.8g}", "τ"
    for name, value in found.amplitude.items():
        if value.size == 1:
            yield f"amplitude of {name}, {engine}", f"{value[0]:.8g}", ""
        if value.size == 1 and exact is not None and name in exact.amplitude:
            yield f"amplitude of {name}, reference", f"{exact.amplitude[name][0]:.8g}", ""


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


_MOST_DEVICES = 20
"""Parts that the budget of their noise lists."""


def device_tables(budget: DeviceBudget | DeviceErrors) -> tuple[Table, ...]:
    """What each kind of source, or of deviation, and each part has of the variance of the answer."""
    whole = float(np.sqrt((budget.rms**2).sum()))
    each = ", ".join(f"{value:.2e}" for value in budget.rms[:8]) + (", …" if len(budget.rms) > 8 else "")
    if isinstance(budget, judgement.DeviceErrors):
        title = f"errors of the parts in {budget.answer} from board to board, to first order"
    else:
        band = f"{engineering(budget.lowest)}Hz to {engineering(budget.highest)}Hz"
        title = f"noise of the parts in {budget.answer}, {band}"
    kinds = Table(title=title, caption=f"rms of its elements: {each}; together {whole:.2e}")
    devices = Table(title="by part", caption=f"the {_MOST_DEVICES} largest" if len(budget.devices) > _MOST_DEVICES else None)
    for table, first in ((kinds, ("source",)), (devices, ("part", "in", "source"))):
        for column in first:
            table.add_column(column)
        for column in ("share", "rms"):
            table.add_column(column, justify="right", no_wrap=True)
    for line in budget.kinds:
        kinds.add_row(line.kind, f"{100 * line.share:.1f} %", f"{line.rms:.1e}")
    for line in budget.devices[:_MOST_DEVICES]:
        devices.add_row(line.device, line.block, line.kind, f"{100 * line.share:.1f} %", f"{line.rms:.1e}")
    if not isinstance(budget, judgement.DeviceErrors):
        return kinds, devices
    largest = budget.shifts[:_MOST_SHIFTS]
    for line in largest:
        devices.add_row(line.device, line.block, line.kind, "a shift", f"{line.rms:.1e}")
    return kinds, devices


_MOST_SHIFTS = 5
"""Amplifiers whose bias currents shift the answer that are listed."""


def budget_tables(budget: Budget | DeviceBudget | DeviceErrors) -> tuple[Table, ...]:
    """What each effect and each block costs: as measured, and in brackets as predicted to first order; or each part."""
    if not isinstance(budget, judgement.Budget):
        return device_tables(budget)
    unit = f"; costs in {said_in_nats('nats')}" if budget.value.endswith("nats") else ""
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


def _unit(name: str, value: float, form: str) -> str:
    return beside_nats(value, form) if "nats" in name else ""


_COLOURS = {PASSED: "green", FAILED: "bold red"} | dict.fromkeys((NOT_MIXED, UNDECIDED, UNCERTIFIED), "bold yellow")

_ROWS_SHOWN = 24

_LISTED = 6
"""Numbers of an answer that is a list which a table shows."""

_MODES_SHOWN, _TURNING = 12, 1e-9
"""Modes that a table shows, and the share of an imaginary part below which a mode does not swing."""

_EXACT = 1e-12
_MOST_BITS = 24.0


def _cost(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1e}" if value > _EXACT else "0"


def _bits(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1f}" if value < _MOST_BITS else f"> {_MOST_BITS:.0f}"


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
        # The name of an extra in brackets is no markup.
        table.add_row(finding.name, Text(finding.detail, colour), Text("" if finding.found else finding.remedy))
    return table


def print_solution(solution: Solution, budget: Budget | DeviceBudget | DeviceErrors | None) -> None:
    """Print the table of a solution, and those of its error budget if there is one."""
    console = Console()
    console.print(solution_table(solution))
    if budget is None:
        return
    for table in budget_tables(budget):
        console.print(table)
    if not isinstance(budget, judgement.Budget):
        return
    console.print(
        f"loss: of {budget.value or 'the value'}, the state read by an ideal instrument; reading: error of what the circuit "
        f"shows; bits: effective bits of {budget.answer}.",
        highlight=False,
    )


def mapping_table(mapping: BoardFit) -> Table:
    """What the flow needs and the board has, whether it fits, and if not what would."""
    verdict = Text("fits", "green") if mapping.fits else Text("does not fit", "bold red")
    table = Table(title=f"{mapping.board.title}", caption=mapping.note or None)
    for column in ("unit", "needed", "there"):
        table.add_column(column, justify="left" if column == "unit" else "right", overflow="fold")
    for unit in dict.fromkeys((*mapping.has, *mapping.needs)):
        needed, there = mapping.needs.get(unit, 0), mapping.has.get(unit, 0)
        table.add_row(unit.replace("_", " "), Text(str(needed), "bold red" if needed > there else ""), str(there))
    table.add_section()
    table.add_row("verdict", verdict, "")
    for sentence in mapping.binding:
        table.add_row("binds", sentence, "")
    for sentence in mapping.suggestions:
        table.add_row("would fit", sentence, "")
    if mapping.seconds_per_time_constant is not None:
        table.add_row("τ on the machine", f"{mapping.seconds_per_time_constant:.3g} s", "")
    for name, error in mapping.errors.items():
        found = mapping.followed[name]
        shown = f"{error:.1e}, {100 * found.relative:.2g}% of a peak" if np.isfinite(error) else "left the machine"
        table.add_row(f"distance from the flow until {found.until:.3g} τ, {name} coefficients", shown, "")
    return table


def scaled_tables(mapping: BoardFit) -> Iterator[Table]:
    """The scaled equations of a flow on a board, and the coefficients that a person sets for them."""
    from analogflow.hardware.equations import set_coefficients

    if not mapping.equations or mapping.configuration is None:
        return
    rate = mapping.board.rate_per_second.value
    table = Table(title="scaled equations", caption=f"in machine units; rates, marked by ', are per 1/{rate:g} s")
    for column in ("signal", "unit", "start", "equation"):
        table.add_column(column, justify="right" if column in ("unit", "start") else "left", overflow="fold")
    for one in mapping.equations:
        start = "" if one.start is None else f"{one.start:.5g}"
        table.add_row(Text(one.signal), f"{one.unit:.5g}", start, Text(one.equation))
    yield table
    if rows := set_coefficients(mapping.board, mapping.configuration):
        table = Table(title="coefficients")
        for column in ("place", "from", "to", "coefficient", "times"):
            table.add_column(column, justify="right" if column in ("coefficient", "times") else "left", overflow="fold")
        for row in rows:
            table.add_row(row.place, row.source, row.target, f"{row.value:.4f}", row.gain)
        yield table


def device_table(run: DeviceRun) -> Table:
    """What a device measured, and how far it is from the flow; of the mock device, that it answered."""
    table = Table(title=f"run on {run.endpoint.text}", caption=run.note)
    table.add_column("what")
    table.add_column("measured", justify="right", overflow="fold")
    table.add_row("carrier", run.address)
    table.add_row("samples", f"{len(run.time)} until {run.time[-1]:.3g} τ")
    table.add_row("overloaded", ", ".join(run.overloaded) or "nothing")
    for state, distance in run.distances.items():
        table.add_row(
            f"distance of {state}", Text(f"{100 * distance:.2g}% of its peak", "" if distance <= run.limit else "bold red")
        )
    return table


def parts_table(parts: PartsList, *, title: str = "parts") -> Table:
    """Parts with value, count, tolerance and supply current."""
    packed = ", ".join(f"{count} {number}" for number, count in parts.packages.items())
    loaded = f", {parts.load:.2g} W of it into their loads at most" if parts.load else ""
    said = f"static power of amplifiers and multipliers: {parts.power:.3g} W{loaded}; packages: {packed or 'none known'}"
    table = Table(title=title, caption=said)
    for column in ("part", "value", "count", "tolerance (σ)", "supply current"):
        table.add_column(column, justify="right" if column in ("value", "count") else "left")
    for entry in parts.entries:
        current = f"{1e3 * entry.current:.3g} mA" if entry.current else ""
        table.add_row(entry.part, entry.value, str(entry.count), entry.tolerance, current)
    return table


def trimming_table(trimmed: Trimmed) -> Table:
    """Errors of a drawn board before and after its trimmers were set, by temperature."""
    wipers = ", ".join(f"{node} {1e3 * volts:+.0f} mV" for node, volts in trimmed.volts.items())
    ends = "; one is at its end" if trimmed.limited else ""
    table = Table(title="one drawn board, and the same with trimmers", caption=f"wipers: {wipers}{ends}")
    for column in ("°C", "largest error", "bits", "trimmed at the first", "bits"):
        table.add_column(column, justify="right")
    told = trimmed.to_dict()
    for before, after in zip(told["before"], told["after"], strict=True):
        table.add_row(
            f"{before['celsius']:g}", f"{before['largest_error']:.1e}", f"{before['bits']:.1f}",
            f"{after['largest_error']:.1e}", f"{after['bits']:.1f}",
        )  # fmt: skip
    return table


def orders_table(orders: Sequence[Order], *, title: str = "to be ordered") -> Table:
    """What a board needs, with designators and spares."""
    table = Table(title=title)
    for column in ("designators", "number", "and spares", "value", "part number", "package", "note"):
        table.add_column(column, justify="right" if column in ("number", "and spares") else "left", overflow="fold")
    for order in orders:
        first, *_, last = (*order.designators, order.designators[-1])
        shown = " ".join(order.designators) if len(order.designators) < 5 else f"{first} … {last}"
        count, value = str(len(order.designators)), " ".join(filter(None, (order.value, order.tolerance)))
        number = " ".join(filter(None, (order.number or order.about, f"({order.maker})" if order.maker else "")))
        table.add_row(shown, count, str(order.spares), value, number, order.package, order.note)
    return table


def levels_table(levels: Sequence[Level], *, answer: str) -> Table:
    """Error of every level, what the step to it added, and the block that adds most."""
    table = Table(title=f"from the equations to the parts: errors of {answer}")
    for column in ("level", "error", "added", "by"):
        table.add_column(column, justify="right" if column in ("error", "added") else "left", overflow="fold")
    for level in levels:
        added = "" if level.name == "exact flow" else f"{level.added:.1e}"
        table.add_row(level.name, f"{level.error:.1e}", added, level.culprit)
    return table


def modes_tables(rests: Sequence[Rest], *, title: str) -> list[Table]:
    """The modes at each rest of a flow: rate, time in which it decays, and period in which it swings."""
    if not rests:
        nothing = Table("no rest was found", title=Text(title))
        nothing.add_row("Newton's method led nowhere from the path and about it.")
        return [nothing]
    tables = []
    for rest in rests:
        where = "; ".join(f"{name} = {_row(value)}" for name, value in rest.at.items())
        table = Table(title=Text(f"{title}\nat {where}"), caption=_settling_words(rest), caption_justify="left")
        for column in ("mode", "eigenvalue (1/τ)", "time constant (τ)", "period (τ)"):
            table.add_column(column, justify="right")
        for k, (value, lasting) in enumerate(zip(rest.eigenvalues, rest.time_constants, strict=True), 1):
            if k > _MODES_SHOWN:
                table.add_row("…", f"{len(rest.eigenvalues) - _MODES_SHOWN} more", "", "")
                break
            turning = abs(value.imag) > _TURNING * abs(value)
            said = f"{value.real:.6g} {value.imag:+.6g}i" if turning else f"{value.real:.6g}"
            grows = "" if lasting > 0 else ", grows"
            tau = "does not decay" if np.isinf(lasting) else f"{abs(lasting):.6g}{grows}"
            table.add_row(str(k), said, tau, f"{2 * np.pi / abs(value.imag):.6g}" if turning else "")
        tables.append(table)
    return tables


def _settling_words(rest: Rest) -> str:
    if rest.settling is not None:
        return f"{rest.kind}; the path from the start is within 1e-6 of it from about t = {rest.settling:.3g} τ on"
    if rest.reached:
        return f"{rest.kind}; the path from the start comes to it"
    return f"{rest.kind}; the path from the start does not come to it"


def _row(value: NDArray[np.float64]) -> str:
    shown = ", ".join(f"{number:.6g}" for number in value[:_LISTED])
    more = f", … ({len(value)})" if len(value) > _LISTED else ""
    return f"[{shown}{more}]" if len(value) > 1 else shown
