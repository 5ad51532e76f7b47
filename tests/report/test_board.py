"""A board's nets are the netlist's, its list says what to order, and nothing half-written is ever left behind."""

import csv
import dataclasses
import io
import itertools
import os
import re

import kicad_reader
import numpy as np
import pytest

import analogflow as af
from analogflow import compiler
from analogflow.circuit import BipolarTransistor
from analogflow.circuit.build import AnalogSwitch
from analogflow.circuit.packages import packages, series_of
from analogflow.circuit.values import SERIES
from analogflow.cli import main
from analogflow.digits import engineering
from analogflow.errors import BadInput
from analogflow.families.files import read_problem
from analogflow.hardware.parts_list import parts_list
from analogflow.netlister.spice import unwritten
from analogflow.noise import Noise
from analogflow.report.kicad import ORDERS, board_of
from analogflow.report.kicad.references import SHEET, divided, references_of
from analogflow.report.schematic.symbols import terminals
from analogflow.technology.part_sets import catalogue, part_set

EXAMPLES = "examples/data"
PAPERS = {"A4": (297, 210), "A3": (420, 297), "A2": (594, 420), "A1": (841, 594), "A0": (1189, 841)}
BOARDS = {
    "capacity opamp": ("capacity", "paper_channel.csv", "opamp"),
    "capacity translinear": ("capacity", "paper_channel.csv", "translinear"),
    "rate-distortion opamp": ("rate-distortion", "rate_distortion_hamming.json", "opamp"),
    "rate-distortion translinear": ("rate-distortion", "rate_distortion_hamming.json", "translinear"),
    "transport opamp": ("transport", "transport_three.json", "opamp"),
    "transport translinear": ("transport", "transport_three.json", "translinear"),
    "eigenvectors opamp": ("eigenvectors", "eigenvectors_two.json", "opamp"),
    "attention opamp": ("attention", "attention_three_tokens.json", "opamp"),
    "hopfield opamp": ("hopfield", "hopfield_rest.json", "opamp"),
    "capacity translinear adg412": ("capacity", "paper_channel.csv", "translinear"),
}


def circuit_of(name, parts="precision"):
    family, file, technology = BOARDS[name]
    if name.endswith("adg412"):  # whose logic has a supply, and whose model passes a charge
        known = AnalogSwitch(name="adg412", **catalogue()["switch"]["adg412"])
        parts = dataclasses.replace(part_set(parts), switch=known)
    return compiler.circuit_of(read_problem(family, f"{EXAMPLES}/{file}"), technology=technology, parts=parts)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(n, marks=pytest.mark.slow) if n.split()[0] in ("attention", "hopfield", "eigenvectors") else n
        for n in BOARDS
    ],
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
    beside = [part for part in board.seats.parts if part.reference not in {reference for reference, _ in seated}]
    assert all(part.sheet == SHEET or re.match(r"C|J|TP|#FLG", part.reference) for part in beside)


def test_packages_are_supplied_and_their_rest_is_tied_down(written):
    _, board, project = written
    ground = project.find(("global", "GND"))
    for part in board.seats.parts:
        package = part.package
        if package is None:
            continue
        for name, pin in package.supplies.items():
            assert project.net(part.reference, pin) == project.find(
                ("global", {"V+": "+15V", "V-": "-15V", "VL": "+5V"}.get(name, name))
            )
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


def test_no_text_stands_on_another_on_a_wire_or_outside_of_the_paper(written):
    _, board, project = written
    for where, sheet in project.sheets.items():
        found = list(kicad_reader.texts(sheet.top))
        right, bottom = PAPERS[kicad_reader.one_of(sheet.top, "paper")[1]]
        for (a, b, c, d), said in found:
            assert 0 < a < c < right, (where, said)
            assert 0 < b < d < bottom, (where, said)
        wires = [(min(a[0], b[0]) / 1e6, min(a[1], b[1]) / 1e6, max(a[0], b[0]) / 1e6, max(a[1], b[1]) / 1e6)
                 for a, b in sheet.wires]  # fmt: skip
        for k, (one, said) in enumerate(found):
            assert not any(over(one, other) for other, _ in found[k + 1 :]), (where, said)
            assert not any(over(one, wire, 0.3) for wire in wires), (where, said)
    assert board.sheets


def over(one, other, within=0.1):
    """Whether two boxes share more than their edges."""
    return (one[0] + within < other[2] + 0.01 and other[0] - 0.01 < one[2] - within
            and one[1] + within < other[3] + 0.01 and other[1] - 0.01 < one[3] - within)  # fmt: skip


@pytest.mark.slow
def test_everything_stands_on_the_grid_and_on_the_paper(written):
    _, board, _ = written
    for name in board.sheets:
        paper = PAPERS[re.findall(r'\(paper "(\w+)"', board.files[name])[0]]
        top = kicad_reader.parsed(board.files[name])
        for item in top:
            if isinstance(item, list) and item[0] in ("symbol", "label", "hierarchical_label", "global_label", "junction"):
                (x, y), _ = kicad_reader.place(item)
                assert x % 1_270_000 == y % 1_270_000 == 0
                assert 0 < x < 1e6 * paper[0]
                assert 0 < y < 1e6 * paper[1]


def test_each_sheet_is_a_block_and_the_root_holds_them_all(written):
    circuit, board, project = written
    made = f"{SHEET}.kicad_sch" in board.sheets
    assert made == bool(loaded_sources(circuit))
    assert len(project.sheets) == len(board.sheets) == 2 + made + sum(bool(group.elements) for group in circuit.groups)
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
    own = [part for part in board.seats.parts if part.sheet != SHEET]
    assert bought.count("resistor") == sum(part.reference.startswith("R") for part in own)
    amplifiers = bought.count(circuit.parts.op_amp.name)
    sections = sum(len(part.used) for part in own if part.package and "o" in part.package.units[0])
    assert amplifiers == sections
    assert len({(seat.part.reference, seat.unit) for seat in seats.values()}) == len(seats)
    for row in rows:
        assert row["footprint"]
        unfitted = row["note"].startswith("not fitted")
        assert unfitted or (row["part number"] and row["manufacturer"] and row["package"] and int(row["spares"]) > 0), row
        assert unfitted or row["tolerance"] or re.match("J|TP|D|U", row["designators"])


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
        ("resistor", 0.001, 2.55e6, "TNPW12102M55BEEA"), ("resistor", 0.001, 1.21e6, "TNPW12061M21BEEA"),
        ("resistor", 0.001, 383e6, "CRHV1206AF383MFNET"), ("resistor", 0.001, 12.4e6, "CRHV1206AF12M4FNET"),
        ("resistor", 0.01, 12.4e6, "CRHV1206AF12M4FNET"), ("resistor", 0.001, 1.3e9, "CRHV1206AF1G30GNET"),
        ("resistor", 0.001, 4.99, "RC0805FR-074R99L"),
        ("resistor", 0.001, 2.553e3, ""), ("resistor", 0.001, 10.1234e3, ""),
        ("capacitor", 0.05, 10e-9, "C0805C103J5GACTU"), ("capacitor", 0.01, 100e-9, "C1206C104F3GACTU"),
        ("capacitor", 0.05, 33e-12, "C0805C330J5GACTU"), ("capacitor", 0.01, 4.7e-12, "C0805C479C5GACTU"),
        ("decoupling", 1.0, 100e-9, "C0805C104K5RACTU"), ("header", 1.0, 3.0, "61300311121"),
    ],
)  # fmt: skip
def test_order_numbers_follow_the_rules_of_their_series(kind, tolerance, value, number):
    series = series_of(kind, tolerance, value)
    assert series is not None
    assert series.number == number


@pytest.mark.parametrize(("kind", "value"), [("resistor", 3.09e-3), ("resistor", 66.5e9), ("capacitor", 4.7e-3)])
def test_what_nobody_sells_has_no_series(kind, value):
    assert series_of(kind, 1e-3, value) is None


@pytest.mark.parametrize(("letter", "change", "said"), [("R", {"resistance": 3.09e-3}, "a resistor of 3.09mΩ"),
                                                       ("R", {"resistance": 66.5e9}, "a resistor of 66.5GΩ"),
                                                       ("C", {"capacitance": 4.7e-3}, "a capacitor of 4.7mF")])  # fmt: skip
def test_parts_that_nobody_sells_are_refused_and_nothing_is_written(letter, change, said, tmp_path):
    circuit = circuit_of("capacity opamp")
    old = next(element for element in circuit.elements if element.letter == letter)
    groups = [dataclasses.replace(group, elements=tuple(dataclasses.replace(e, **change) if e == old else e
                                                        for e in group.elements)) for group in circuit.groups]  # fmt: skip
    with pytest.raises(BadInput, match=f"{said}: no series that is sold has it"):
        af.write_board(dataclasses.replace(circuit, groups=tuple(groups)), tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_values_that_are_not_sold_have_no_number_and_a_note(tmp_path):
    exact = af.compile(circuit_of("capacity opamp").flow, technology="opamp")
    orders = board_of(unwritten(exact)).orders
    resistors = [order for order in orders if order.designators[0].startswith("R")]
    assert any("choose_values" in order.note and not order.number for order in resistors)


def test_a_series_that_is_wider_than_asked_for_says_what_the_part_weighs():
    circuit = circuit_of("transport opamp")
    wide = [order for order in board_of(unwritten(circuit)).orders if "weighs at most" in order.note]
    assert wide
    resistors = [e for e in circuit.elements if e.letter == "R"]
    driven = {e.nodes[-1] for e in circuit.elements if e.letter == "X"} | {"vref", "vrefn", "vlow", "0"}
    for order in wide:
        shares = [1 / r.resistance / sum(1 / e.resistance for e in resistors if node in e.nodes)
                  for r in resistors if f"{engineering(r.resistance)}Ω" == order.value
                  for node in r.nodes if node not in driven]  # fmt: skip
        assert order.tolerance == "1%"
        assert float(order.note.split("at most ")[1].split()[0]) == pytest.approx(max(shares), rel=0.06)


def loaded_sources(circuit):
    """Sources of fixed voltages against ground at which something is joined."""
    used = {node for e in circuit.elements if e.letter != "V" for node in e.nodes}
    return [e for e in circuit.elements if type(e).__name__ == "VoltageSource" and e.nodes[1] == "0"
            and e.nodes[0] in used and e.name not in circuit.ammeters]  # fmt: skip


def test_fixed_voltages_are_made_on_the_board_of_what_its_parts_say(written):
    circuit, board, project = written
    values = {symbol["fields"]["Reference"]: symbol["fields"]["Value"] for _, symbol in project.symbols}
    own = [part for part in board.seats.parts if part.sheet == SHEET]
    ohms = {part.reference: float(part.value.rstrip("kM")) * {"k": 1e3, "M": 1e6}.get(part.value[-1], 1.0)
            for part in own if part.reference.startswith("R")}  # fmt: skip
    assert all(part.value == values[part.reference] for part in own)
    sources = loaded_sources(circuit)
    if not sources:
        assert not own
        return
    (reference,) = [part for part in own if part.value == "REF102CU"]
    top, ground = project.net(reference.reference, "6"), project.find(("global", "GND"))
    volts = {top: 10.0, ground: 0.0}
    ends_of = {r: (project.net(r, "1"), project.net(r, "2")) for r in ohms}
    for part in own:
        for unit in part.used if part.package and "o" in part.package.units[0] else ():
            plus, minus, out = (project.net(part.reference, part.package.units[unit - 1][t]) for t in "pno")
            # Both inputs are at one voltage: that of ground, or of a divider between ground and the reference.
            at = {node: [r for r, two in ends_of.items() if node in two] for node in (plus, minus)}
            if minus == out:
                lower = 1 / sum(1 / ohms[r] for r in at[plus] if ground in ends_of[r])
                (upper,) = [ohms[r] for r in at[plus] if top in ends_of[r]]
                volts[out] = 10.0 * lower / (lower + upper)
            else:
                assert plus == ground
                (leg,) = [ohms[r] for r in at[minus] if top in ends_of[r]]
                volts[out] = -10.0 / sum(leg / ohms[r] for r in at[minus] if out in ends_of[r])
    told = references_of(circuit).volts
    for source in sources:
        (seat,) = board.seats.of[source]
        assert told[source.nodes[0]] == pytest.approx(volts[project.net(seat.part.reference, "1")], rel=2e-4)
        assert volts[project.net(seat.part.reference, "1")] == pytest.approx(source.voltage, rel=5e-5)


@pytest.mark.parametrize(("series", "ratio"), [("E96", 1.0), ("E96", 0.5), ("E24", 0.18), ("E96", 0.0084), ("E12", 0.37)])
def test_dividers_are_of_values_that_are_sold(series, ratio):
    parts = dataclasses.replace(circuit_of("capacity translinear").parts, series=series)
    first, second = divided(ratio, parts)
    assert 1 / sum(first / value for value in second) == pytest.approx(ratio, rel=2e-5 if series == "E96" else 3e-4)
    assert all(any(abs(value / 10.0 ** np.floor(np.log10(value)) * 100 - digit) < 1e-6 for name in (series, "E24")
                   for digit in SERIES[name]) for value in (first, *second))  # fmt: skip
    assert 30e3 <= first < 300e3


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
    circuit = compiler.degrade(circuit_of("capacity opamp"), noise=Noise(1e-3))
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


@pytest.mark.parametrize(("version", "code"), [("7.0.11", 1), ("7.0.11+dfsg", 1), ("9.0.2+dfsg-1", 0), ("unknown", 0)])
def test_a_kicad_that_can_not_read_the_project_is_named_and_the_project_is_whole(
    version, code, tmp_path, monkeypatch, capsys
):
    program = tmp_path / "kicad-cli"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    words = ["board", "capacity", f"{EXAMPLES}/paper_channel.csv", "--technology", "translinear"]
    assert main([*words, "-o", str(tmp_path / "b")]) == code
    assert {path.name for path in (tmp_path / "b").iterdir()} == set(
        board_of(unwritten(circuit_of("capacity translinear"))).files
    )
    said = capsys.readouterr().err
    assert (
        said == "analogflow: the KiCad that is installed here is 7.0.11, which can not read it; KiCad 8 or later can.\n"
    ) == code


def test_parts_of_a_file_are_told_from_those_of_their_number(tmp_path):
    (tmp_path / "mine.toml").write_text('[op_amp]\nlike = "opa2277"\noffset = 2e-5\n', encoding="utf-8")
    board = board_of(unwritten(circuit_of("capacity opamp", str(tmp_path / "mine.toml"))))
    (order,) = [order for order in board.orders if order.number == "OPA2277U" and order.tolerance]
    assert "a file of parts" in order.note
    assert order.tolerance == "20 µV offset"
    (tmp_path / "model.lib").write_text(".model theirs npn (is=1e-15 bf=200 vaf=80)\n", encoding="utf-8")
    (tmp_path / "pair.toml").write_text('[transistors]\nfile = "model.lib"\nnpn = "theirs"\n', encoding="utf-8")
    board = board_of(unwritten(circuit_of("capacity opamp", str(tmp_path / "pair.toml"))))
    (order,) = [order for order in board.orders if order.designators[0].startswith("Q")]
    assert not order.number
    assert "the transistor of the file" in order.note


def test_whole_areas_are_transistors_in_parallel():
    circuit = circuit_of("capacity translinear")
    seats = board_of(unwritten(circuit)).seats
    for element in circuit.elements:
        if isinstance(element, BipolarTransistor) and np.isclose(element.area, round(element.area)):
            assert len(seats.of[element]) == round(element.area)
