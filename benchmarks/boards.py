"""Boards in KiCad: what its rule check says, and how far what it simulates is from the netlist.

Run from the project's root, where ``kicad-cli`` and ``ngspice`` are; ``--write`` puts the table into docs/kicad.md.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tables import Table, report, table

import analogflow as af
from analogflow.circuit import Element, VoltageSource
from analogflow.compiler import circuit_of
from analogflow.families.files import read_problem
from analogflow.report.kicad import BoardProject
from analogflow.report.kicad.references import SHEET, references_of
from analogflow.report.kicad.seats import Part
from analogflow.report.schematic.symbols import terminals

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/kicad.md"
sys.path[:0] = [str(ROOT / "tests")]

import kicad_reader  # noqa: E402
from raw_reader import read_raw  # noqa: E402

CASES = (
    ("capacity", "paper_channel.csv", "opamp"),
    ("capacity", "paper_channel.csv", "translinear"),
    ("rate-distortion", "rate_distortion_hamming.json", "opamp"),
    ("rate-distortion", "rate_distortion_hamming.json", "translinear"),
    ("transport", "transport_three.json", "opamp"),
    ("transport", "transport_three.json", "translinear"),
    ("eigenvectors", "eigenvectors_two.json", "opamp"),
    ("compound-channel", "compound_channel_two.json", "opamp"),
    ("information-bottleneck", "information_bottleneck_three.json", "opamp"),
)
COLUMNS = (
    "circuit", "technology", "sheets", "parts", "pins", "nets of the netlist", "of references and spare sections",
    "supplies", "open pins", "ERC errors", "ERC warnings", "answers differ by", "references move them by",
    "0.1 % of one",
)  # fmt: skip


def tool(name: str) -> str:
    found = shutil.which(name)
    if not found:
        raise SystemExit(f"{name} is not installed.")
    return found


def kicad(*words: object) -> str:
    done = subprocess.run([tool("kicad-cli"), *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"kicad-cli {' '.join(map(str, words))} fails: {done.stdout}{done.stderr}")
    return done.stdout


def rule_check(schematic: Path) -> Counter[str]:
    """Severities of what the rule check finds, but for libraries of footprints that are not installed."""
    listed = schematic.with_name("erc.json")
    kicad("sch", "erc", "--format", "json", "-o", listed, schematic)
    sheets = json.loads(listed.read_text(encoding="utf-8"))["sheets"]
    found = [violation for sheet in sheets for violation in sheet["violations"]]
    for violation in found:
        if violation["type"] != "footprint_link_issues":
            print(violation["severity"], violation["type"], [item["description"] for item in violation["items"]])
    return Counter(v["severity"] for v in found if v["type"] != "footprint_link_issues")


def ends(folder: Path, name: str) -> Mapping[str, float]:
    """Last value of every vector that ngspice writes for a netlist."""
    subprocess.run([tool("ngspice"), "-b", "-r", f"{name}.raw", f"{name}.cir"], cwd=folder, capture_output=True, check=True)
    (plot,) = read_raw(folder / f"{name}.raw")
    return {vector.lower(): values[-1] for vector, values in plot.vectors.items()}


def written(circuit: af.Circuit, folder: Path, name: str) -> None:
    """Write the circuit's netlist as ngspice runs it in a batch."""
    af.netlist(circuit).write(folder / f"{name}.cir", force=True)
    text = (folder / f"{name}.cir").read_text(encoding="utf-8")
    (folder / f"{name}.cir").write_text(re.sub(r"\.control.*?\.endc\n", "", text, flags=re.DOTALL), encoding="utf-8")


def distances(circuit: af.Circuit, board: BoardProject, folder: Path) -> tuple[float, float, float]:
    """Largest differences of a signal's end from the netlist's.

    Of what KiCad writes for ngspice, with the voltages that the board makes, and with one of them 0.1 % larger, the worst.
    """
    kicad("sch", "export", "netlist", "--format", "spice", "-o", folder / "theirs.cir", folder / board.sheets[0])
    made = references_of(circuit)
    volts = dict(made.volts) if made else {}
    netlists = {"ours": circuit, "made": with_voltages(circuit, volts)}
    netlists |= {net: with_voltages(circuit, {net: 1.001 * value}) for net, value in volts.items()}
    for name, other in netlists.items():
        written(other, folder, name)
    found = {name: ends(folder, name) for name in (*netlists, "theirs")}
    meters = {f"i(v{e.name})": f"i(v{board.seats.of[e][0].part.reference.lower()})"
              for e in circuit.elements if e.name in circuit.ammeters and e.letter == "V"}  # fmt: skip

    def far(name: str) -> float:
        largest = 0.0
        for reading in circuit.readings.values():
            names = [v if v.startswith("i(") else f"v({v})" for v in reading.vectors]
            seen = [meters.get(v, v) if name == "theirs" else v for v in names]
            one, other = (np.array([found[k][v] for v in vs]) for k, vs in (("ours", names), (name, seen)))
            largest = max(largest, float(np.max(np.abs(reading.apply(one) - reading.apply(other)))))
        return largest

    return far("theirs"), far("made"), max(map(far, volts), default=0.0)


def with_voltages(circuit: af.Circuit, volts: Mapping[str, float]) -> af.Circuit:
    """The circuit with other fixed voltages at some nets."""

    def moved(element: Element) -> Element:
        fixed = isinstance(element, VoltageSource) and element.nodes[1] == "0" and element.nodes[0] in volts
        return dataclasses.replace(element, voltage=volts[element.nodes[0]]) if fixed else element

    groups = tuple(dataclasses.replace(group, elements=tuple(map(moved, group.elements))) for group in circuit.groups)
    return dataclasses.replace(circuit, groups=groups)


def accounted(circuit: af.Circuit, board: BoardProject, project: kicad_reader.Project) -> tuple[int, int, int, int]:
    """Nets of the netlist, of what is beside it, of supplies, and pins that stay open: every net is one of them."""
    ports = {macro.name: macro.ports for macro in circuit.macros}
    at: dict[str, set[object]] = {}
    for element in circuit.elements:
        for seat in board.seats.of[element]:
            for terminal, node in terminals(element, ports.get(getattr(element, "macro", ""), ())):
                at.setdefault(node, set()).add(project.net(seat.part.reference, seat.pins[terminal]))
    own = set().union(*at.values())
    if any(len(nets) > 1 for nets in at.values()) or len(own) != len(at):
        raise SystemExit(f"{board.name}: nets are not those of the netlist.")
    parts = {part.reference: part for part in board.seats.parts}
    beside = supplies = opened = 0
    for net, pins in project.nets().items():
        if net in own:
            continue
        spare = all(parts[reference].sheet == SHEET or pin in _spare(parts[reference]) for reference, pin in pins
                    if parts[reference].symbol.name != "TESTPOINT")  # fmt: skip
        if net in {
            project.find(("global", name)) for name in (f"+{circuit.parts.supply:g}V", f"-{circuit.parts.supply:g}V")
        }:
            supplies += 1
        elif len(pins) == 1 and project.kinds[pins[0]] == "no_connect":
            opened += 1
        elif spare and len(pins) > 1:
            beside += 1
        else:
            raise SystemExit(f"{board.name}: the net of {pins} is of nothing.")
    return len(at), beside, supplies, opened


def _spare(part: Part) -> set[str]:
    return {pin for unit in part.spare for pin in part.package.units[unit - 1].values()} if part.package else set()


def row(family: str, problem: str, technology: str) -> tuple[str, ...]:
    circuit = circuit_of(read_problem(family, ROOT / "examples/data" / problem), technology=technology)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "board"
        board = af.write_board(circuit, folder)
        schematic = folder / board.sheets[0]
        found = rule_check(schematic)
        project = kicad_reader.Project(schematic)
        far, moved, tolerance = distances(circuit, board, folder)
    made = (
        f"{family}, {problem}", technology, len(board.sheets), sum(part.bought for part in board.seats.parts),
        len(project.pins), *accounted(circuit, board, project), found["error"], found["warning"], f"{far:.0e}",
        *((f"{moved:.0e}", f"{tolerance:.0e}") if references_of(circuit) else ("none", "none")),
    )  # fmt: skip
    print(made, flush=True)
    return tuple(map(str, made))


def boards() -> tuple[str | Table, ...]:
    version = subprocess.run([tool("ngspice"), "--version"], capture_output=True, text=True, check=True).stdout
    simulator = re.findall(r"ngspice-[\d.]+", version)[0]
    said = f"KiCad {kicad('version').strip()}, {simulator.replace('-', ' ')}."
    return table(COLUMNS, [row(*case) for case in CASES]), said


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"boards": boards})
