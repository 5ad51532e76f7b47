"""A circuit of parts as a KiCad project: a sheet for each block, what its simulator needs, and what is to be ordered."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from analogflow.blocks.imperfections import NOMINAL_KELVIN
from analogflow.circuit import Circuit
from analogflow.circuit.build import celsius_of
from analogflow.circuit.circuit import Group
from analogflow.circuit.packages import packages
from analogflow.contents import FORCE, refuse_existing, refuse_placeless
from analogflow.errors import BadInput
from analogflow.names import identifier, number
from analogflow.netlister import Deck
from analogflow.netlister.spice import START, macro_cards, model_card, options_text, unwritten
from analogflow.report.kicad.bench import bench, beside, idle, rails, supplied
from analogflow.report.kicad.orders import Order, orders_csv, orders_of
from analogflow.report.kicad.pictures import Desk, GridPicture, draw, loose
from analogflow.report.kicad.references import SHEET, References, references_of
from analogflow.report.kicad.seats import Seat, Seats, seats_of
from analogflow.report.kicad.symbols import GROUND, Symbol, fixed, packaged, rail
from analogflow.report.kicad.text import (
    LIBRARY,
    STEP,
    VERSION,
    font,
    identity,
    is_rail,
    library,
    mm,
    quoted,
    sheet_items,
    symbol_text,
)
from analogflow.report.schematic.stages import Amplifier, Stage, stages_of

__all__ = ["ORDERS", "BoardProject", "board_of", "write_board"]

ORDERS = "parts.csv"
"""File of a project with what is to be ordered."""

_PAPERS = (("A4", 297, 210), ("A3", 420, 297), ("A2", 594, 420), ("A1", 841, 594), ("A0", 1189, 841))
_TITLE, _ABOUT = 44, 200
"""Letters that a title may have, and what stands above a sheet."""

_MARGIN, _FOOT, _GAP = 12, 32, 4
"""Steps of the grid around a sheet, below it for its title, and between pictures."""


@dataclasses.dataclass(frozen=True, eq=False)
class BoardProject:
    """A circuit as a KiCad project.

    Parameters
    ----------
    name : str
        Of the project.
    files : mapping of name to text
        All of the project's files.
    seats : Seats
        Where each element of the circuit sits, and all parts.
    orders : list of Order
        What is to be ordered.
    """

    name: str
    files: Mapping[str, str]
    seats: Seats
    orders: list[Order]

    @property
    def sheets(self) -> list[str]:
        """Files of schematics, the root's first."""
        return [name for name in self.files if name.endswith(".kicad_sch")]

    def write(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write all files into a folder, all or none: they are written beside it first.

        Files of other names that the folder holds stay as they are, such as the layout that somebody made.

        Raises
        ------
        BadInput
            The folder holds something and `force` is false, is no folder, or can not be written.
        """
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"{str(folder)!r} is a file, not a folder; give the name of a folder for the project.")
        if folder.is_dir() and any(folder.iterdir()) and not force:
            raise BadInput(
                f"{str(folder)!r} holds files already; give {FORCE} to replace those of the project.", words=[FORCE]
            )
        refuse_placeless(folder)
        try:
            with tempfile.TemporaryDirectory(prefix=".board.", dir=folder.parent) as beside:
                for name, text in self.files.items():
                    (Path(beside) / name).write_text(text, encoding="utf-8", newline="\n")
                folder.mkdir(exist_ok=True)
                for name in self.files:
                    refuse_existing(folder / name, force=True)
                for name in self.files:
                    (Path(beside) / name).replace(folder / name)
        except (OSError, ValueError) as fault:
            raise BadInput(f"{str(folder)!r} can not be written ({getattr(fault, 'strerror', None) or fault}).") from None
        return folder


def write_board(
    circuit: Circuit, folder: str | Path, *, time_constants: float | None = None, force: bool = False
) -> BoardProject:
    """Write a circuit of parts as a KiCad project, which KiCad 8 and later open.

    Parameters
    ----------
    circuit : Circuit
        Of a technology of parts, without noise or deviations.
    folder : str or Path
        Where the project is written; its parent must exist.
    time_constants : float, optional
        Length of the run that the project's simulation makes, in τ; that of the netlist if not given.
    force : bool
        Whether files of the project that exist are replaced.

    Returns
    -------
    BoardProject
        Its files, the seats of all elements, and what is to be ordered.

    Raises
    ------
    BadInput
        As `board_of` and `BoardProject.write` do.
    """
    board = board_of(unwritten(circuit, time_constants=time_constants))
    board.write(folder, force=force)
    return board


def board_of(deck: Deck) -> BoardProject:
    """KiCad project of the circuit of a deck, whose run its simulation repeats.

    Raises
    ------
    BadInput
        The circuit is built from ideal elements, is not nominal, or has elements that no board can hold.
    """
    circuit = deck.circuit
    name = re.sub(r"[^a-z0-9_]", "_", circuit.flow.family.lower()) or "circuit"
    if circuit.parts is None:
        raise BadInput(
            f"the technology {circuit.technology!r} has no parts to put on a board; take 'opamp' or 'translinear'."
        )
    if not circuit.nominal or circuit.conditions.start_up is not None:
        raise BadInput(
            "a board is drawn of a circuit as it is meant: leave out noise, mismatch, other imperfections and a start-up."
        )
    groups, references = _named(circuit), references_of(circuit)
    models = (line for model in circuit.models for line in [model_card(model)])
    macros = (line for macro in circuit.macros for line in macro_cards(macro))
    seats = seats_of(circuit, groups, itertools.chain(models, macros))
    by_group = {id(group): stages for group, stages in stages_of(circuit)}
    stages = {sheet: by_group[id(group)] for sheet, group in groups.items()}
    if references:
        groups[SHEET] = references.group
        ((_, stages[SHEET]),) = stages_of(references.circuit)
        seats = _with_references(seats, references)
    sheets = _sheets(circuit, groups, stages, seats, references)
    shapes = _leaving(circuit, stages, sheets, references)
    root = identity(name)
    files, power, symbols = {}, 0, {s.name: s for s in (*fixed().values(), *(part.symbol for part in seats.parts))}
    for net in sorted({n.net for sheet in sheets.values() for p in sheet for n in p.names if is_rail(n.net)}):
        symbols[net] = rail(net)
    for page, (sheet, pictures) in enumerate(sheets.items(), 2):
        paper, placed = _laid_out(pictures)
        path = f"/{root}/{identity(name, 'sheet', sheet)}"
        about = f"{sheet}: {groups[sheet].source}" if sheet in groups and groups[sheet].source else sheet
        lines = [_text(_cut(about, _ABOUT), (_MARGIN, _MARGIN + 1), path, simulated=False)]
        for picture in placed:
            more, power = sheet_items(picture, path, name, shapes[sheet], power)
            lines += more
        used = {symbol for picture in placed for symbol in _used(picture)}
        files[f"{sheet}.kicad_sch"] = _schematic(
            identity(name, sheet), paper, f"{name}: {sheet}", [symbols[key] for key in sorted(used)], lines, page
        )
    top = {f"{name}.kicad_sch": _root(deck, name, root, list(sheets), shapes)}
    orders = orders_of(seats.parts, circuit)
    kept = {key: symbols[key] for key in sorted({key for sheet in sheets.values() for p in sheet for key in _used(p)})}
    return BoardProject(
        name,
        top | files | {
            f"{name}.kicad_pro": json.dumps({"meta": {"filename": f"{name}.kicad_pro", "version": 1}}, indent=2) + "\n",
            f"{LIBRARY}.kicad_sym": library(kept.values()),
            "sym-lib-table": f'(sym_lib_table\n  (version 7)\n  (lib (name "{LIBRARY}")(type "KiCad")'
            f'(uri "${{KIPRJMOD}}/{LIBRARY}.kicad_sym")(options "")(descr "symbols of this project"))\n)\n',
            ORDERS: orders_csv(orders),
            "models.lib": "* analogflow: models of the project's parts\n" + seats.models,
        },
        seats,
        orders,
    )  # fmt: skip


def _named(circuit: Circuit) -> dict[str, Group]:
    """Groups by the names of their sheets."""
    found: dict[str, Group] = {}
    for group in circuit.groups:
        if group.elements:
            base = re.sub(r"[^a-z0-9_]", "_", group.block.lower()) or "block"
            sheet, k = base, 2
            while sheet in found or sheet in ("bench", SHEET):
                sheet, k = f"{base}_{k}", k + 1
            found[sheet] = group
    return found


def _with_references(seats: Seats, references: References) -> Seats:
    """Seats of the circuit and of what makes its fixed voltages, which no simulation sees."""
    more = seats_of(references.circuit, {SHEET: references.group}, (), seats.parts)
    for part in more.parts:
        part.simulation = {}
    found = Seats(seats.of | more.of, [*seats.parts, *more.parts], seats.models)
    package = packages()[references.package]
    part = beside(found, packaged(package), package.number, SHEET, package.footprint)
    part.package, part.used = package, {1: None}
    return found


def _sheets(
    circuit: Circuit,
    groups: Mapping[str, Group],
    stages: Mapping[str, tuple[Stage, ...]],
    seats: Seats,
    references: References | None,
) -> dict[str, list[GridPicture]]:
    """Pictures of every sheet: stages, transistors in parallel, spare sections, supplies, and what joins the bench."""
    at: Counter[str] = Counter()
    desk = Desk(circuit, seats, at)
    for stage in itertools.chain.from_iterable(stages.values()):
        at.update({net for element in stage.elements for _, net in desk.terminals(element)})
        for element in stage.elements:  # what is drawn a second time elsewhere is joined by names
            at.update(net for _, net in desk.terminals(element) if len(seats.of[element]) > 1)
    at.update({node for reading in circuit.readings.values() for node in reading.vectors})
    at.update(circuit.start)
    up, down = rails(circuit)
    sheets: dict[str, list[GridPicture]] = {}
    for sheet, group in groups.items():
        pictures = [draw(stage, desk) for stage in stages[sheet]]
        for element in group.elements:
            for seat in seats.of[element][1:]:
                pictures.append(loose(seat, {seat.pins[t]: net for t, net in desk.terminals(element)}))
        parts = seats.on(sheet)
        for part in parts:
            if references and part.package and part.package.key == references.package:
                pictures.append(loose(Seat(part, 1, {}), {part.package.units[0]["out"]: references.net}))
            pictures += [idle(part, unit) for unit in part.spare]
        for part in parts:
            if part.package and part.package.supplies:
                pictures.append(supplied(part, seats, sheet, up, down))
        sheets[sheet] = pictures
    sheets["bench"] = bench(circuit, seats, references, up, down)
    return sheets


def _leaving(
    circuit: Circuit,
    stages: Mapping[str, tuple[Stage, ...]],
    sheets: Mapping[str, list[GridPicture]],
    references: References | None,
) -> dict[str, dict[str, str]]:
    """For each sheet the nets that leave it, and whether they are outputs of it."""
    drawn = {sheet: {n.net for p in pictures for n in p.names if n.net != "0" and not is_rail(n.net)}
             for sheet, pictures in sheets.items()}  # fmt: skip
    count = Counter(net for nets in drawn.values() for net in nets)
    driven = {
        sheet: {
            stage.nets[2] if isinstance(stage, Amplifier) else stage.elements[0].nodes[-1]
            for stage in own if stage.elements[0].letter == "X"
        }
        for sheet, own in stages.items()
    }  # fmt: skip
    if references:
        driven[SHEET].add(references.net)
    return {
        sheet: {
            net: "output" if net in driven.get(sheet, ()) else "input"
            for net in sorted(nets) if count[net] > 1 or net in circuit.start
        }
        for sheet, nets in drawn.items()
    }  # fmt: skip


def _laid_out(pictures: list[GridPicture]) -> tuple[str, list[GridPicture]]:
    """The smallest paper on which pictures stand in rows, and the pictures where they stand."""
    boxes = [picture.bounds() for picture in pictures]
    for paper, width, height in _PAPERS:
        room = int(width / STEP) - 2 * _MARGIN
        corners, x, y, tall = [], 0, 0, 0
        for left, top, right, bottom in boxes:
            if x and x + right - left > room:
                x, y, tall = 0, y + tall + _GAP, 0
            corners.append((_MARGIN + x - left, _MARGIN + 5 + y - top))
            x, tall = x + right - left + _GAP, max(tall, bottom - top)
        low = _MARGIN + 5 + y + tall
        if low <= int(height / STEP) - _FOOT or paper == _PAPERS[-1][0]:
            if low > int(height / STEP) - _FOOT:
                paper = f'User" {width} {mm(low + _FOOT)} "'
            return paper, [picture.moved(*corner) for picture, corner in zip(pictures, corners, strict=True)]
    raise AssertionError


def _used(picture: GridPicture) -> Iterator[str]:
    yield from (placed.symbol.name for placed in picture.placed)
    yield from (GROUND if name.net == "0" else name.net for name in picture.names if name.net == "0" or is_rail(name.net))


def _text(text: str, at: tuple[int, int], path: str, *, simulated: bool) -> str:
    return (
        f"(text {quoted(text)} (exclude_from_sim {'no' if simulated else 'yes'}) (at {mm(at[0])} {mm(at[1])} 0) "
        f"{font('left bottom')} (uuid {quoted(identity(path, 'text', *at))}))"
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _schematic(own: str, paper: str, title: str, symbols: list[Symbol], lines: list[str], page: int) -> str:
    held = "\n".join(symbol_text(symbol, f"{LIBRARY}:") for symbol in symbols)
    size = f"(paper {quoted(paper)})" if '"' not in paper else '(paper "' + paper.removesuffix(' "') + ")"
    body = "\n".join(lines)
    return (
        f'(kicad_sch (version {VERSION}) (generator "analogflow") (generator_version "8.0") (uuid {quoted(own)})\n{size}\n'
        f"(title_block (title {quoted(_cut(title, _TITLE))}) (company \"analogflow\"))\n(lib_symbols\n{held}\n)\n{body}\n)\n"
    )  # fmt: skip


def _root(deck: Deck, name: str, root: str, sheets: list[str], shapes: Mapping[str, Mapping[str, str]]) -> str:
    """The sheet that holds a box for each block, and what the simulator is told."""
    lines, boxes = [], []
    for sheet in sheets:
        ins = [net for net, shape in shapes[sheet].items() if shape == "input"]
        outs = [net for net, shape in shapes[sheet].items() if shape == "output"]
        left, right = max(map(len, ins), default=0), max(map(len, outs), default=0)
        wide, tall = max(left + right + 6, len(sheet) + 4, 14), 2 * max(len(ins), len(outs), 1) + 2
        boxes.append((sheet, ins, outs, wide, tall, left + 7 if ins else 2, right + 7 if outs else 2))
    paper, places = _boxes_placed([(wide + a + b, tall + 8) for *_, wide, tall, a, b in boxes])
    for page, ((sheet, ins, outs, wide, tall, before, _), (x, y)) in enumerate(zip(boxes, places, strict=True), 2):
        x, y = x + before, y + 3
        own, pins = identity(name, "sheet", sheet), []
        for nets, at, turn, side, out in ((ins, x, 180, "left", -1), (outs, x + wide, 0, "right", 1)):
            for k, net in enumerate(nets, 1):
                level, end = y + 2 * k, at + 2 * out
                where, ends = f"{mm(at)} {mm(level)} {turn}", f"(xy {mm(at)} {mm(level)}) (xy {mm(end)} {mm(level)})"
                pin = identity(own, "pin", net)
                pins.append(f"(pin {quoted(net)} {shapes[sheet][net]} (at {where}) {font(side)} (uuid {quoted(pin)}))")
                lines.append(
                    f"(wire (pts {ends}) (stroke (width 0) (type default)) (uuid {quoted(identity(own, 'wire', net))}))"
                )
                lines.append(
                    f"(global_label {quoted(net)} (shape {shapes[sheet][net]}) (at {mm(end)} {mm(level)} {turn}) "
                    f"{font('right' if out < 0 else 'left')} (uuid {quoted(identity(own, 'label', net))}))"
                )
        lines += [
            f"(sheet (at {mm(x)} {mm(y)}) (size {mm(wide)} {mm(tall)}) (stroke (width 0.1524) (type solid)) "
            f"(fill (color 0 0 0 0.0)) (uuid {quoted(own)})",
            f'(property "Sheetname" {quoted(sheet)} (at {mm(x)} {mm(y - 0.5)} 0) {font("left bottom")})',
            f'(property "Sheetfile" {quoted(f"{sheet}.kicad_sch")} (at {mm(x)} {mm(y + tall + 0.5)} 0) '
            f"{font('left top', hidden=True)})",
            *pins,
            f"(instances (project {quoted(name)} (path {quoted(f'/{root}')} (page {quoted(str(page))}))))",
            ")",
        ]  # fmt: skip
    return _schematic(
        root, paper, f"{deck.circuit.flow.family} {deck.circuit.flow.form}, {deck.circuit.technology}", [],
        [_text("\n".join(_told(deck)), (_MARGIN, _MARGIN + 1), f"/{root}", simulated=True), *lines,
         '(sheet_instances (path "/" (page "1")))'], 1,
    )  # fmt: skip


def _boxes_placed(sizes: list[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    corners = []
    pictures = [GridPicture(wires=[((0, 0), (wide, 0)), ((0, 0), (0, tall))]) for wide, tall in sizes]
    paper, placed = _laid_out(pictures)
    corners = [picture.wires[0][0] for picture in placed]
    return paper, corners


def _told(deck: Deck) -> Iterator[str]:
    """What the simulator is told, as the netlist tells it."""
    circuit, step, end = deck.circuit, deck.largest_step, deck.end_time
    yield options_text(circuit, step)
    if circuit.temperature_kelvin != NOMINAL_KELVIN:
        yield f".temp {number(celsius_of(circuit.temperature_kelvin))}"
    yield from (f".ic v({identifier(node)})={number(volts, START)}" for node, volts in circuit.start.items())
    yield f".tran {number(step)} {number(end)} 0 {number(step)} uic"
