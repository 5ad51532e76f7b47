"""KiCad reads what is written, finds no fault, and simulates the same circuit; skipped where KiCad is not installed."""

import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from importlib import resources
from pathlib import Path

import kicad_reader
import numpy as np
import pytest
from raw_reader import read_raw

import analogflow as af
from analogflow import netlister
from analogflow.circuit.packages import packages
from analogflow.compiler import circuit_of
from analogflow.families.files import read_problem
from analogflow.report.kicad.symbols import fixed, packaged

REQUIRED = os.environ.get("KICAD_TESTS") == "required"
pytestmark = [
    pytest.mark.skipif(not (shutil.which("kicad-cli") or REQUIRED), reason="KiCad is not installed"),
    pytest.mark.timeout(600),
]

EXAMPLES = "examples/data"
BOARDS = {
    "capacity opamp": ("capacity", "paper_channel.csv", "opamp"),
    "capacity translinear": ("capacity", "paper_channel.csv", "translinear"),
    "rate-distortion opamp": ("rate-distortion", "rate_distortion_hamming.json", "opamp"),
    "rate-distortion translinear": ("rate-distortion", "rate_distortion_hamming.json", "translinear"),
    "transport opamp": ("transport", "transport_three.json", "opamp"),
    "transport translinear": ("transport", "transport_three.json", "translinear"),
    "eigenvectors opamp": ("eigenvectors", "eigenvectors_two.json", "opamp"),
}  # fmt: skip


@pytest.fixture(scope="module", params=BOARDS)
def written(request, tmp_path_factory):
    family, problem, technology = BOARDS[request.param]
    place = tmp_path_factory.mktemp("kicad")
    circuit = circuit_of(read_problem(family, f"{EXAMPLES}/{problem}"), technology=technology)
    return circuit, af.write_board(circuit, place / "board"), place / "board"


def kicad(*words):
    done = subprocess.run(["kicad-cli", "sch", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rule_check_finds_nothing(written):
    _, board, folder = written
    kicad("erc", "--format", "json", "-o", folder / "erc.json", folder / board.sheets[0])
    found = [v for sheet in json.loads((folder / "erc.json").read_text())["sheets"] for v in sheet["violations"]]
    assert {v["type"] for v in found} <= {"footprint_link_issues"}  # of libraries of footprints that are not installed
    assert {v["severity"] for v in found} <= {"warning"}


def test_a_pin_that_is_left_out_is_found(written):
    _, board, folder = written
    other = folder.parent / "broken"
    shutil.copytree(folder, other, dirs_exist_ok=True)
    sheet = next(name for name in board.sheets[1:] if "(wire" in board.files[name] and ":R" in board.files[name])
    (other / sheet).write_text(re.sub(r"\(wire .*\n", "", board.files[sheet], count=1))
    kicad("erc", "--format", "json", "-o", other / "erc.json", other / board.sheets[0])
    found = [v for page in json.loads((other / "erc.json").read_text())["sheets"] for v in page["violations"]]
    assert "error" in {v["severity"] for v in found}


def test_kicad_finds_the_nets_that_our_reader_finds(written):
    _, board, folder = written
    kicad("export", "netlist", "--format", "kicadxml", "-o", folder / "nets.xml", folder / board.sheets[0])
    nets = ET.parse(folder / "nets.xml").getroot().find("nets")
    assert nets is not None
    theirs = {frozenset((n.get("ref"), n.get("pin")) for n in net) for net in nets}
    project = kicad_reader.Project(folder / board.sheets[0])
    ours = {frozenset(pin for pin in pins if not pin[0].startswith("#")) for pins in project.nets().values()}
    assert theirs - {frozenset()} == ours - {frozenset()}


@pytest.mark.ngspice
def test_its_simulation_is_our_netlist(written):
    circuit, board, folder = written
    kicad("export", "netlist", "--format", "spice", "-o", folder / "theirs.cir", folder / board.sheets[0])
    netlister.netlist(circuit).write(folder / "whole.cir", force=True)
    text = re.sub(r"\.control.*?\.endc\n", "", (folder / "whole.cir").read_text(), flags=re.DOTALL)
    (folder / "ours.cir").write_text(text)
    ends = {}
    for name in ("ours", "theirs"):
        subprocess.run(["ngspice", "-b", "-r", f"{name}.raw", f"{name}.cir"], cwd=folder, capture_output=True, check=True)
        (plot,) = read_raw(folder / f"{name}.raw")
        ends[name] = {vector.lower(): values[-1] for vector, values in plot.vectors.items()}
        assert plot.vectors["time"][-1] == pytest.approx(netlister.netlist(circuit).end_time, rel=1e-9)
    meters = {f"i(v{e.name})": f"i(v{board.seats.of[e][0].part.reference.lower()})"
              for e in circuit.elements if e.name in circuit.ammeters and e.letter == "V"}  # fmt: skip
    for name, reading in circuit.readings.items():
        ours = np.array([ends["ours"][v if v.startswith("i(") else f"v({v})"] for v in reading.vectors])
        theirs = np.array([ends["theirs"][meters.get(v, f"v({v})")] for v in reading.vectors])
        assert reading.apply(theirs) == pytest.approx(reading.apply(ours), abs=1e-6), name
        assert np.abs(reading.apply(ours)).max() > 1e-3


LIBRARY = Path(os.environ.get("KICAD9_SYMBOL_DIR", "/usr/share/kicad/symbols"))
FOOTPRINTS = Path(os.environ.get("KICAD9_FOOTPRINT_DIR", "/usr/share/kicad/footprints"))
THEIRS = {
    "opa2277": ("Amplifier_Operational", "OPA2277"), "tl072": ("Amplifier_Operational", "TL072"),
    "ad8676": ("Amplifier_Operational", "AD8676xR"), "lm324": ("Amplifier_Operational", "LM324"),
    "pnp_matched": ("Transistor_BJT", "SSM2220"), "npn": ("Transistor_BJT", "BC847BS"), "pnp": ("Transistor_BJT", "BC857BS"),
    "adg412": ("Analog_Switch", "DG412xY"),
    "adg1412": ("Analog_Switch", "DG412xY"),  # of the same pins, where a supply of the logic is what the ADG1412 has not
}  # fmt: skip


def library(name, symbol):
    """Pins of a symbol of KiCad's own: number to name and place, by unit."""
    top = kicad_reader.parsed((LIBRARY / f"{name}.kicad_sym").read_text(encoding="utf-8"))
    symbols = {item[1]: item for item in kicad_reader.all_of(top, "symbol")}
    found = symbols[symbol]
    if extends := kicad_reader.one_of(found, "extends"):
        found = symbols[extends[1]]
    units = {}
    for unit in kicad_reader.all_of(found, "symbol"):
        for pin in kicad_reader.all_of(unit, "pin"):
            number = kicad_reader.one_of(pin, "number")[1]
            units.setdefault(int(unit[1].rsplit("_", 2)[1]), {})[number] = (
                kicad_reader.one_of(pin, "name")[1],
                kicad_reader.place(pin)[0],
            )
    return units


def steps(point):
    return tuple(round(1.27e6 * x) for x in point)


@pytest.mark.skipif(not LIBRARY.is_dir(), reason="KiCad's libraries of symbols are not where Debian puts them")
@pytest.mark.parametrize("key", THEIRS)
def test_pins_are_those_of_kicads_symbol(key):
    package, theirs = packages()[key], library(*THEIRS[key])
    ours = packaged(package)
    names = {"p": "+", "n": "-", "collector": "C", "base": "B", "emitter": "E"}
    for unit, pins in enumerate(package.units, 1):
        for terminal, number in pins.items():
            name, at = theirs[unit][number]
            if terminal in names:
                assert name.startswith(names[terminal])
                assert steps(ours.pin(unit, number).at) == at
        assert set(pins.values()) == set(theirs[unit])
    supplies = {number: name for number, (name, _) in theirs.get(len(package.units) + 1, {}).items()}
    assert package.supplies == {name: number for number, name in supplies.items() if name != "VL" or key != "adg1412"}


@pytest.mark.skipif(not LIBRARY.is_dir(), reason="KiCad's libraries of symbols are not where Debian puts them")
def test_resistors_and_capacitors_have_pins_where_kicad_has_them():
    for name in "RC":
        for number, (_, at) in library("Device", name)[1].items():
            assert steps(fixed()[name].pin(1, number).at) == at


@pytest.mark.skipif(not LIBRARY.is_dir(), reason="KiCad's libraries of symbols are not where Debian puts them")
def test_the_reference_has_its_pins_where_kicads_symbol_has_them():
    names = {number: name for number, (name, _) in library("Reference_Voltage", "REF102AU")[1].items()}
    package = packages()["ref102"]
    assert {names[package.units[0]["out"]], names[package.supplies["V+"]], names[package.supplies["GND"]]} == {
        "Vout", "Vin", "GND"
    }  # fmt: skip
    assert {names[pin] for pin in package.open} == {"NC", "TEMP", "NR", "TRIM"}


@pytest.mark.skipif(not FOOTPRINTS.is_dir(), reason="KiCad's libraries of footprints are not where Debian puts them")
def test_every_footprint_is_in_kicads_libraries():
    text = Path(str(resources.files("analogflow.circuit") / "packages.toml")).read_text(encoding="utf-8")
    named = re.findall(r'^footprint = "(\w[^:]*):([^"]+)"', text, flags=re.MULTILINE)
    assert len(named) > 30
    every = [(library, name.replace("{pins}", f"{count:02d}")) for library, name in named for count in (2, 3, 40)]
    every += [("Diode_SMD", "D_SMA"), ("Capacitor_SMD", "C_2220_5750Metric")]
    for library, name in every:
        assert (FOOTPRINTS / f"{library}.pretty" / f"{name}.kicad_mod").is_file(), (library, name)
