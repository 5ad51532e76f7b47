"""The verbs that make or show a circuit without running it: netlist, explain, map, draw and board."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analogflow import hardware, judgement, report
from analogflow.checks import refuse_unknown
from analogflow.circuit import Circuit
from analogflow.cli.options import (
    about_conditions,
    about_flow,
    about_json,
    about_output,
    about_problem,
    about_start_up,
    build_options,
    condition_options,
    fraction_bar,
    given_problem,
    nonempty,
    part_options,
    positive,
    show,
)
from analogflow.compiler import carried_form, circuit_of, flow_for
from analogflow.contents import plain, refuse_existing, refuse_placeless, write_text
from analogflow.errors import AnalogflowError, BadInput
from analogflow.families import answer_notes, expected_answer, flow_of
from analogflow.flows import Flow
from analogflow.hardware.parts_list import parts_list
from analogflow.judgement.averaging import law_plan
from analogflow.names import identifier
from analogflow.netlister import DIALECTS, Deck, expecting, netlist, plain_deck, write_subcircuit

__all__ = [
    "about_board",
    "about_draw",
    "about_explain",
    "about_map",
    "about_netlist",
    "run_board",
    "run_draw",
    "run_explain",
    "run_map",
    "run_netlist",
]


def about_netlist(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow netlist``."""
    about_flow(parser)
    about_conditions(parser)
    about_start_up(parser)
    parser.add_argument(
        "--time",
        type=positive,
        metavar="T",
        help="length of the transient analysis in time constants (the problem's own, or 60)",
    )
    parser.add_argument(
        "--format", choices=("spice", "verilog-a"), default="spice", help="verilog-a: modules (.va) and a test bench (.sim)"
    )
    parser.add_argument(
        "--plain", action="store_true", help="without a control section, for other programs: .meas lines measure the answer"
    )
    parser.add_argument(
        "--subckt",
        nargs="?",
        const="analogflow",
        metavar="NAME",
        help="a subcircuit NAME (analogflow) in NAME.lib, and a plain deck that places it",
    )
    parser.add_argument(
        "--dialect", type=nonempty, metavar="NAME", help=f"plain, for one of: {', '.join(DIALECTS)} (ngspice)"
    )
    parser.add_argument("--parts-list", metavar="FILE", help="write the parts of the circuit as a table too (.csv)")
    about_output(parser, "netlist to write (.cir, or .va)")


def run_netlist(options: argparse.Namespace) -> int:
    """Write the netlist, its tables of noise and its parts list."""
    if options.format == "verilog-a" and (options.plain or options.dialect or options.subckt is not None):
        raise BadInput("--plain, --dialect and --subckt are of SPICE text; leave them out, or --format verilog-a.")
    if options.dialect:
        refuse_unknown(options.dialect, DIALECTS, "dialect")
    if options.subckt is not None:
        identifier(options.subckt)
    problem = given_problem(options)
    circuit = circuit_of(
        problem, form=options.form, start_up=options.start_up, **build_options(options), **condition_options(options)
    )
    if options.parts_list and Path(options.parts_list).resolve() == Path(options.output).resolve():
        raise BadInput(f"--parts-list and --output are both {options.output!r}; give two files.")
    listed = parts_list(circuit).to_csv() if options.parts_list else ""
    deck = netlist(circuit, time_constants=options.time)
    if (options.plain or options.dialect) and options.subckt is None:
        deck = plain_deck(deck, options.dialect or "ngspice")
    refuse_existing(options.output, options.parts_list, force=options.force)
    refuse_placeless(options.output, options.parts_list)
    said = _written(deck, options, force=options.force)
    if listed:
        write_text(options.parts_list, listed, force=options.force, encoding="utf-8")
    # The exact answer may take longer than all the rest: whoever does not wait for it has a netlist without it.
    if expected := _expected(circuit.flow, options):
        _written(expecting(deck, expected), options, force=True)
    print(said)
    return 0


def _written(deck: Deck, options: argparse.Namespace, *, force: bool) -> str:
    """Write a deck in the format that was asked for; return what is said of it."""
    elements = f"{len(deck.circuit.elements)} elements"
    if options.format == "verilog-a":
        from analogflow.netlister.verilog_a import write_verilog_a

        path, beside = write_verilog_a(deck, options.output, force=force)
        return f"{path}: modules; {beside}: test bench, {elements}; run it with: vacask {beside}"
    if options.subckt is not None:
        dialect = options.dialect or "ngspice"
        library, path = write_subcircuit(deck, options.output, name=options.subckt, dialect=dialect, force=force)
        return f"{library}: subcircuit {options.subckt}, {elements}; {path}: a deck that places it"
    path = deck.write(options.output, force=force)
    tables = f", its noise in {', '.join(deck.tables)} beside it" if deck.tables else ""
    run = f"run it with: ngspice -b {path}" if options.dialect in (None, "ngspice") else f"written for {options.dialect}"
    return f"{path}: {elements}{tables}; {run}"


def _expected(flow: Flow, options: argparse.Namespace) -> dict[str, Any]:
    """The exact answer; nothing where the reference does not find it, or at another time than the problem's own."""
    if flow.end_time is not None and options.time:
        return {}
    try:
        return expected_answer(flow.problem)
    except AnalogflowError as fault:
        print(f"analogflow: the netlist does not say what answer is expected: {fault}", file=sys.stderr)
        return {}


def about_explain(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow explain``."""
    about_flow(parser)
    parser.add_argument(
        "--levels", action="store_true", help="the error that each level adds, from the equations to the parts"
    )
    parser.add_argument("--modes", action="store_true", help="where the flow can rest, and its modes there, without any run")


def run_explain(options: argparse.Namespace) -> int:
    """Print what each pass did and the parts, or the error that each level adds, or the modes of the flow at its rests."""
    if options.levels and options.modes:
        raise BadInput("explain: --levels and --modes are two tables; ask for one of them.")
    problem = given_problem(options)
    if options.modes:
        build_options(options)  # refuses what has no effect
        flow = flow_for(problem, options.form)
        found = judgement.modes_of(flow)
        for table in report.modes_tables(found, title=repr(flow)):
            show(table)
        return 0
    if options.levels:
        flow, carried = flow_for(problem, options.form), carried_form(problem, "translinear")
        in_transistors = flow_of(problem, carried) if carried else None
        with fraction_bar(False, "levels") as on_progress:
            found = judgement.verification_levels(
                flow, carried=in_transistors, on_progress=on_progress, **part_options(options)
            )
        show(report.levels_table(found, answer=flow.answer))
        return 0
    circuit = circuit_of(problem, form=options.form, **build_options(options))
    show(report.history_table(circuit))
    show(str(circuit.graph), markup=False, highlight=False, soft_wrap=True)
    for note in (*answer_notes(problem), *_time_of_a_law(circuit)):
        show(note, markup=False, highlight=False, soft_wrap=True)
    if circuit.parts is not None:
        show(report.parts_table(parts_list(circuit), title=f"parts, set {circuit.parts.name}"))
    return 0


def _time_of_a_law(circuit: Circuit) -> Iterator[str]:
    """How long the motions of a law take, and how long it is averaged for that, or why no length of a run will do."""
    averaging = circuit.flow.averaging
    if averaging is None:
        return
    yield (
        f"The slowest motion, changes of wells included, takes about {averaging.slowest:.2g} τ; noise has knots "
        f"{averaging.noise_step:.2g} τ apart, which suit the fastest."
    )
    for engine in ("block", "ngspice") if circuit.parts is None else ("ngspice",):
        try:
            yield f"On the engine {engine} it is averaged over {law_plan(circuit, engine)}; longer where that does not tell."
        except BadInput as fault:
            yield f"On the engine {engine}: {fault}"


def about_map(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow map``: a board has its own parts."""
    about_problem(parser)
    parser.add_argument(
        "--board", default="lucidac", metavar="NAME", help=f"{', '.join(hardware.BOARDS)}, or a TOML file (lucidac)"
    )
    parser.add_argument(
        "--limit",
        type=positive,
        default=hardware.RESOLUTION,
        metavar="SHARE",
        help="largest distance from the flow, over its peak, that the board's coarse coefficients may cause (0.01)",
    )
    about_json(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="write how the board is set (.json; .apb for a LUCIDAC)")
    parser.add_argument(
        "--run",
        nargs="?",
        const="",
        metavar="DEVICE",
        help="run it on a LUCIDAC: tcp://HOST[:PORT], LUCIDAC_ENDPOINT if not given, or mock, the vendor's mock device",
    )
    parser.add_argument(
        "--time-limit", type=positive, metavar="SECONDS", help="after which a device that keeps silent is given up (60)"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run_map(options: argparse.Namespace) -> int:
    """Lay the flow out on a board; 1 where it does not fit."""
    problem = given_problem(options)
    board = hardware.load_board(options.board)
    if options.output:
        hardware.check_configuration_file(options.output, board, force=options.force)
    if options.time_limit is not None and options.run is None:
        raise BadInput("--time-limit is that of a device, and none was asked for; give --run too, or leave it out.")
    device = None if options.run is None else hardware.check_device(options.run, board)
    mapping = hardware.map_flow(flow_for(problem, options.form), board, limit=options.limit)
    if options.output and mapping.configuration is not None:
        hardware.write_configuration(mapping, options.output, force=options.force)
    elif options.output:
        print(f"{options.output!r} was not written: there is no configuration that the board has room for.", file=sys.stderr)
    if not options.json:
        for table in (report.mapping_table(mapping), *report.scaled_tables(mapping)):
            show(table)
    run = None
    if device is not None and mapping.fits:
        run = hardware.run_on_device(mapping, device, time_limit=options.time_limit or hardware.PATIENCE)
    elif device is not None:
        print(f"{device.text} was not run, for the flow does not fit.", file=sys.stderr)
    if options.json:
        print(json.dumps(plain(mapping.to_dict() | ({"run": run.to_dict()} if run else {})), indent=2))
    elif run is not None:
        show(report.device_table(run))
    return 0 if mapping.fits and (run is None or run.ok) else 1


def about_draw(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow draw``."""
    about_flow(parser)
    about_output(parser, "figure to write (.svg, .png, .pdf)")


def run_draw(options: argparse.Namespace) -> int:
    """Draw the block diagram, or with a technology of parts the schematic."""
    problem = given_problem(options)
    report.check_writable(options.output, force=options.force)
    circuit = circuit_of(problem, form=options.form, **build_options(options))
    if circuit.parts is None:
        figure = report.draw_blocks(circuit.graph, title=f"{circuit.flow.family} flow, {circuit.flow.form} form")
    else:
        figure = report.draw_circuit(circuit)
    print(report.save_figure(figure, options.output, force=options.force))
    return 0


def about_board(parser: argparse.ArgumentParser) -> None:
    """Options of ``analogflow board``."""
    about_flow(parser)
    parser.add_argument(
        "--time",
        type=positive,
        metavar="T",
        help="length of the run that the project simulates, in time constants (the problem's own, or 60)",
    )
    parser.add_argument(
        "-o", "--output", type=nonempty, required=True, metavar="FOLDER", help="folder of the project to write"
    )
    parser.add_argument("--force", action="store_true", help="replace the project's files that the folder holds")


def run_board(options: argparse.Namespace) -> int:
    """Write the project, and print what is to be ordered for it; 1 where the KiCad that is installed can not read it."""
    problem = given_problem(options)
    circuit = circuit_of(problem, form=options.form, **build_options(options))
    board = report.write_board(circuit, options.output, time_constants=options.time, force=options.force)
    show(report.orders_table(board.orders))
    count = sum(len(order.designators) for order in board.orders)
    project = Path(options.output) / f"{board.name}.kicad_pro"
    print(f"{project}: {count} parts on {len(board.sheets)} sheets; open it with KiCad {report.OLDEST_KICAD} or later")
    installed = report.installed_kicad()
    if installed and int(installed.partition(".")[0]) < report.OLDEST_KICAD:
        said = f"the KiCad that is installed here is {installed}, which can not read it"
        print(f"analogflow: {said}; KiCad {report.OLDEST_KICAD} or later can.", file=sys.stderr)
        return 1
    return 0
