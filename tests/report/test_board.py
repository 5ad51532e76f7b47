"""A board's nets are the netlist's, its list says what to order, and nothing half-written is ever left behind."""

import csv
import io
import itertools
import re

import kicad_reader
import numpy as np
import pytest

import analogflow as af
from analogflow import compiler
from analogflow.circuit import BipolarTransistor
from analogflow.circuit.packages import packages, series_of
from analogflow.cli import main
from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.hardware.parts_list import parts_list
from analogflow.netlister.spice import unwritten
from analogflow.noise import Noise
from analogflow.report.kicad import ORDERS, board_of
from analogflow.report.schematic.symbols import terminals

EXAMPLES = "examples/data"
BOARDS = {
    "capacity opamp": ("capacity", "paper_channel.csv", "opamp"),
    "capacity translinear": ("capacity", "paper_channel.csv", "translinear"),
    "rate-distortion opamp": ("rate-distortion", "rate_distortion_hamming.json", "opamp"),
    "rate-distortion translinear": ("rate-distortion", "rate_distortion_hamming.json", "translinear"),
    "transport opamp": ("transport", "transport_three.json", "opamp"),
    "attention opamp": ("attention", "attention_three_tokens.json", "opamp"),
    "hopfield opamp": ("hopfield", "hopfield_rest.json", "opamp"),
}


def circuit_of(name, parts="precision"):
    family, file, technology = BOARDS[name]
    return compiler.circuit_of(read_problem(family, f"{EXAMPLES}/{file}"), technology=technology, parts=parts)


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=pytest.mark.slow) if n in ("attention opamp", "hopfield opamp") else n for n in BOARDS],
)
def written(request, tmp_path_factory):
    circuit = circuit_of(request.param)
    folder = tmp_path_factory.mktemp("board") / "project"
    board = af.write_board(circuit, folder)
    return circuit, board, kicad_reader.Project(folder / f"{board.name}.kicad_sch")


def ends(circuit, board):
    """Pins of the board by the node of the netlist that they should be at."""
    ports = {macro.name: macro.ports for macro in circuit.macros}
    for element in circuit.elements:
        nodes = dict(terminals(element, ports.get(getattr(element, "macro", ""), ())))
        for seat in board.seats.of[element]:
            for terminal, node in nodes.items():
                yield node, (seat.part.reference, seat.pins[terminal])


def test_its_nets_are_those_of_the_netlist(written):
    circuit, board, project = written
    at = {}
    for node, pin in ends(circuit, board):
        at.setdefault(node, set()).add(project.net(*pin))
    assert all(len(nets) == 1 for nets in at.values()), {node for node, nets in at.items() if len(nets) > 1}
    assert len(set(itertools.chain(*at.values()))) == len(at)
    assert at["0"] == {project.find(("global", "GND"))}


def test_every_pin_is_accounted_for(written):
    circuit, board, project = written
    seated = {pin for _, pin in ends(circuit, board)}
    alone = {pins[0] for pins in project.nets().values() if len(pins) == 1}
    open_ = {pin for pin, kind in project.kinds.items() if kind == "no_connect"}
    assert open_ <= alone
    # A pin that is alone is at a node that has one terminal in the netlist too.
    nodes = [node for node, _ in ends(circuit, board)]
    single = {pin for node, pin in ends(circuit, board) if nodes.count(node) == 1}
    assert alone - open_ <= single
    beside = {part.reference for part in board.seats.parts} - {reference for reference, _ in seated}
    assert all(re.match(r"C|J|TP|#FLG", reference) for reference in beside)


def test_packages_are_supplied_and_their_rest_is_tied_down(written):
    _, board, project = written
    ground = project.find(("global", "GND"))
    for part in board.seats.parts:
        package = part.package
        if package is None:
            continue
        for name, pin in package.supplies.items():
            assert project.net(part.reference, pin) == project.find(("global", {"V+": "+15V", "V-": "-15V"}.get(name, name)))
        assert all(project.net(part.reference, pin) == ground for pin in package.ground)
        for pin in package.output:
            assert project.net(part.reference, pin) == project.net(part.reference, [*package.units[0].values()][-1])
        for unit in part.spare:
            pins = package.units[unit - 1]
            assert project.net(part.reference, pins.get("p", pins[next(iter(pins))])) == ground
            if "o" in pins:
                assert project.net(part.reference, pins["o"]) == project.net(part.reference, pins["n"]) != ground


def test_the_simulator_is_told_the_value_of_every_passive_part(written):
    circuit, board, project = written
    told = {symbol["fields"]["Reference"]: symbol["fields"].get("Sim.Params", "") for _, symbol in project.symbols}
    for element in circuit.elements:
        for attribute, letter in (("resistance", "r"), ("capacitance", "c")):
            if element.letter == letter.upper():
                (seat,) = board.seats.of[element]
                values = dict(pair.split("=") for pair in told[seat.part.reference].split())
                assert float(values[letter]) == pytest.approx(getattr(element, attribute), rel=1e-12)
                assert float(values.get("v0", 0)) == pytest.approx(getattr(element, "initial", 0.0), rel=1e-9)


def test_every_model_that_is_named_is_in_the_library_with_its_ports(written):
    _, board, project = written
    heads = [line.split()[1:] for line in board.files["models.lib"].splitlines() if line.startswith(".subckt")]
    ports = {name: [word for word in words if "=" not in word and word != "params:"] for name, *words in heads}
    named = 0
    for _, symbol in project.symbols:
        told = symbol["fields"]
        if told.get("Sim.Device") == "SUBCKT":
            named += 1
            assert told["Sim.Library"] == "models.lib"
            assert [pair.split("=")[1] for pair in told["Sim.Pins"].split()] == ports[told["Sim.Name"]]
    assert named


def test_no_symbol_stands_on_another(written):
    _, _, project = written
    for where in project.sheets:
        boxes = []
        for there, symbol in project.symbols:
            if there == where and not symbol["power"]:
                x, y = zip(*(at for at, _ in symbol["pins"].values()), strict=True)
                boxes.append((min(x), min(y), max(x), max(y), symbol["fields"]["Reference"]))
        for a, b in itertools.combinations(boxes, 2):
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            assert apart, (where, a[4], b[4])


@pytest.mark.slow
def test_everything_stands_on_the_grid_and_on_the_paper(written):
    _, board, _ = written
    papers = {"A4": (297, 210), "A3": (420, 297), "A2": (594, 420), "A1": (841, 594), "A0": (1189, 841)}
    for name in board.sheets:
        paper = papers[re.findall(r'\(paper "(\w+)"', board.files[name])[0]]
        top = kicad_reader.parsed(board.files[name])
        for item in top:
            if isinstance(item, list) and item[0] in ("symbol", "label", "hierarchical_label", "global_label", "junction"):
                (x, y), _ = kicad_reader.place(item)
                assert x % 1_270_000 == y % 1_270_000 == 0
                assert 0 < x < 1e6 * paper[0]
                assert 0 < y < 1e6 * paper[1]


def test_each_sheet_is_a_block_and_the_root_holds_them_all(written):
    circuit, board, project = written
    assert len(project.sheets) == len(board.sheets) == 2 + sum(bool(group.elements) for group in circuit.groups)
    for net in {v for reading in circuit.readings.values() for v in reading.vectors if not v.startswith("i(")}:
        assert net in project.names  # so that a simulation of the board finds it by its name


def test_the_list_has_every_part_once(written):
    circuit, board, _ = written
    rows = list(csv.DictReader(io.StringIO(board.files[ORDERS])))
    listed = [reference for row in rows for reference in row["designators"].split()]
    assert sorted(listed) == sorted(part.reference for part in board.seats.parts if part.bought)
    assert all(int(row["quantity"]) == len(row["designators"].split()) for row in rows)
    assert {row["unit price"] for row in rows} == {row["price"] for row in rows} == {""}
    bought = parts_list(circuit)
    seats = {element: board.seats.of[element][0] for element in circuit.elements}
    assert bought.count("resistor") == sum(row.startswith("R") for row in listed)
    amplifiers = bought.count(circuit.parts.op_amp.name)
    sections = sum(len(part.used) for part in board.seats.parts if part.package and "o" in part.package.units[0])
    assert amplifiers == sections
    assert len({(seat.part.reference, seat.unit) for seat in seats.values()}) == len(seats)
    assert all(row["footprint"] and (row["part number"] or row["note"] or row["designators"][:1] in "JT")
               for row in rows)  # fmt: skip


def test_the_same_circuit_is_the_same_bytes():
    one, other = (board_of(unwritten(circuit_of("capacity opamp"))).files for _ in range(2))
    assert one == other


def test_identifiers_are_given_once(written):
    _, board, _ = written
    found = [uuid for name in board.sheets for uuid in re.findall(r'\(uuid "([^"]+)"\)', board.files[name])]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("parts", ["general", "fast"])
def test_other_parts_have_their_packages(parts, tmp_path):
    board = af.write_board(circuit_of("capacity opamp", parts), tmp_path / "b")
    numbers = {"general": {"TL072CDR", "AD633JNZ", "BCM847BS"}, "fast": {"AD8676ARZ", "AD734BNZ", "SSM2212RZ"}}[parts]
    assert numbers <= {order.number for order in board.orders}


@pytest.mark.parametrize(
    ("kind", "tolerance", "value", "number"),
    [
        ("resistor", 0.01, 10e3, "RC0805FR-0710KL"), ("resistor", 0.01, 4.7e3, "RC0805FR-074K7L"),
        ("resistor", 0.01, 100.0, "RC0805FR-07100RL"), ("resistor", 0.01, 1e6, "RC0805FR-071ML"),
        ("resistor", 0.01, 49.9, "RC0805FR-0749R9L"), ("resistor", 0.001, 10e3, "RT0805BRD0710KL"),
        ("resistor", 0.001, 2.55e6, ""), ("capacitor", 0.05, 10e-9, "C0805C103J5GACTU"),
        ("capacitor", 0.05, 33e-12, "C0805C330J5GACTU"), ("capacitor", 0.01, 4.7e-12, ""),
        ("decoupling", 0.1, 100e-9, "C0805C104K5RACTU"),
    ],
)  # fmt: skip
def test_order_numbers_follow_the_rules_of_their_series(kind, tolerance, value, number):
    series = series_of(kind, tolerance)
    assert series is not None
    assert series.order(value) == number


def test_no_pin_of_a_package_is_said_twice():
    for package in packages().values():
        assert len(package.pins) == len(set(package.pins))
        count = int(re.findall(r"\d+", package.package.replace("SOT-363", "6").replace("SOD-123", "2"))[0])
        assert len(package.pins) == count, package.key


def test_a_technology_without_parts_is_refused(tmp_path, capsys):
    code = main(["board", "capacity", f"{EXAMPLES}/paper_channel.csv", "-o", str(tmp_path / "b")])
    assert code == 2
    assert "no parts to put on a board; take 'opamp' or 'translinear'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_no_board_can_hold_is_refused_before_anything_is_written(tmp_path):
    circuit = compiler.degrade(circuit_of("transport opamp"), noise=Noise(1e-3))
    with pytest.raises(BadInput, match="drawn of a circuit as it is meant"):
        af.write_board(circuit, tmp_path / "b")
    with pytest.raises(BadInput, match="no package is known for it; take the parts 'precision' or 'fast'"):
        af.write_board(circuit_of("rate-distortion opamp", "general"), tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path):
    circuit, folder = circuit_of("capacity translinear"), tmp_path / "b"
    folder.mkdir()
    layout = folder / "capacity.kicad_pcb"
    layout.write_text("hours of work")
    with pytest.raises(BadInput, match="holds files already; give force=True"):
        af.write_board(circuit, folder)
    assert [path.name for path in folder.iterdir()] == [layout.name]
    board = af.write_board(circuit, folder, force=True)
    assert {path.name for path in folder.iterdir()} == {layout.name, *board.files}
    assert layout.read_text() == "hours of work"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_places_where_no_folder_can_be_are_sentences(tmp_path):
    circuit = circuit_of("capacity translinear")
    (tmp_path / "file").write_text("")
    for place, said in (("file", "is a file, not a folder"), ("none/b", "is not a directory"), ("a\0b", "null")):
        with pytest.raises(BadInput, match=said):
            af.write_board(circuit, tmp_path / place)


def test_areas_that_no_array_offers_are_refused_and_nothing_is_written(tmp_path, capsys):
    exact = af.compile(circuit_of("capacity translinear").flow, technology="translinear")
    with pytest.raises(
        BadInput, match=r"no array offers the areas of 4 transistors \(2.5, 0.1, 0.3333\): a board holds units"
    ):
        af.write_board(exact, tmp_path / "b")
    (tmp_path / "rare.csv").write_text("0.99999999,0.00000001\n0.1,0.9\n")
    words = ["board", "capacity", str(tmp_path / "rare.csv"), "--technology", "translinear", "-o", str(tmp_path / "b")]
    assert main(words) == 2
    assert "needs parts in a ratio of 1e+08" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_whole_areas_are_transistors_in_parallel():
    circuit = circuit_of("capacity translinear")
    seats = board_of(unwritten(circuit)).seats
    for element in circuit.elements:
        if isinstance(element, BipolarTransistor) and np.isclose(element.area, round(element.area)):
            assert len(seats.of[element]) == round(element.area)
